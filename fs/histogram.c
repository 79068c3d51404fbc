/* SPDX-License-Identifier: Apache-2.0 */
#include "histogram.h"

static const gint64 bounds_us[] = {
    10,	   25,	  50,	  100,	  250,	  500,	   1000,    2500,    5000,     10000,
    25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000,
};

G_STATIC_ASSERT(G_N_ELEMENTS(bounds_us) == HISTOGRAM_N_BOUNDS);

gint64 histogram_bound_us(guint i)
{
	return bounds_us[i];
}

void histogram_observe(Histogram *histogram, gint64 us)
{
	guint i = 0;

	while (i < HISTOGRAM_N_BOUNDS && us > bounds_us[i])
		i++;
	meter_add(&histogram->buckets[i], 1);
	meter_add(&histogram->sum_us, (guint64)MAX(us, 0));
}

void histogram_copy(const Histogram *histogram, Histogram *ret)
{
	for (guint i = 0; i <= HISTOGRAM_N_BOUNDS; i++)
		ret->buckets[i] = meter_get(&histogram->buckets[i]);
	ret->sum_us = meter_get(&histogram->sum_us);
}
