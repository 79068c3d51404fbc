/* SPDX-License-Identifier: Apache-2.0 */
/* histogram.h - how long things took, counted in buckets as Prometheus has them.
 *
 * Any thread may observe and any may read, without a lock: each number stands for
 * itself, as in meter.h.
 */
#ifndef HISTOGRAM_H
#define HISTOGRAM_H

#include "meter.h"

/* From 10 us to 10 s; the one after the last is for what took longer. */
#define HISTOGRAM_N_BOUNDS 19

typedef struct {
	guint64 buckets[HISTOGRAM_N_BOUNDS + 1]; /* not cumulative */
	guint64 sum_us;
} Histogram;

/* The greatest time that bucket I counts, I below HISTOGRAM_N_BOUNDS. */
gint64 histogram_bound_us(guint i);

/* Less than nothing counts as nothing. */
void histogram_observe(Histogram *histogram, gint64 us);

/* What it is now; the copy is the caller's own. */
void histogram_copy(const Histogram *histogram, Histogram *ret);

#endif
