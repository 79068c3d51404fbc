/* SPDX-License-Identifier: Apache-2.0 */
/* meter.h - numbers that are read while they change.
 *
 * Each stands for itself: who reads two of them may find them of two moments.
 */
#ifndef METER_H
#define METER_H

#include <glib.h>

static inline void meter_add(guint64 *meter, guint64 n)
{
	__atomic_fetch_add(meter, n, __ATOMIC_RELAXED);
}

static inline void meter_set(guint64 *meter, guint64 value)
{
	__atomic_store_n(meter, value, __ATOMIC_RELAXED);
}

static inline guint64 meter_get(const guint64 *meter)
{
	return __atomic_load_n(meter, __ATOMIC_RELAXED);
}

#endif
