/* SPDX-License-Identifier: Apache-2.0 */
#include "backoff.h"

#define HOP_US (50 * G_TIME_SPAN_MILLISECOND)

void backoff_init(Backoff *backoff, guint32 chance)
{
	*backoff = (Backoff){.rand = g_rand_new_with_seed(chance)};
}

void backoff_clear(Backoff *backoff)
{
	g_clear_pointer(&backoff->rand, g_rand_free);
}

gint64 backoff_next(Backoff *backoff, gint64 min_us, gint64 max_us)
{
	gint64 limit_us = MIN(MAX(backoff->last_us, min_us) * 3, max_us);

	backoff->last_us = g_rand_double_range(backoff->rand, min_us, limit_us);
	return backoff->last_us;
}

gint64 backoff_hop(Backoff *backoff)
{
	return g_rand_double_range(backoff->rand, 0, HOP_US);
}

void backoff_reset(Backoff *backoff)
{
	backoff->last_us = 0;
}

void backoff_start(Backoff *backoff)
{
	backoff->last_us = MAX(backoff->last_us, HOP_US);
}
