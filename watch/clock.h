/* SPDX-License-Identifier: Apache-2.0 */
/* clock.h - time that goes on while the machine sleeps.
 */
#ifndef CLOCK_H
#define CLOCK_H

#include <glib.h>
#include <time.h>

/* In microseconds, like g_get_monotonic_time, which stands still meanwhile. */
static inline gint64 clock_boot_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec * G_USEC_PER_SEC + now.tv_nsec / 1000;
}

#endif
