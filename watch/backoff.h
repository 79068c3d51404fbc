/* SPDX-License-Identifier: Apache-2.0 */
/* backoff.h - how long to wait before the next attempt.
 *
 * Decorrelated jitter: each delay is random, up to three times the last, so that
 * clients that lost the same etcd come back at different times.
 */
#ifndef BACKOFF_H
#define BACKOFF_H

#include <glib.h>

typedef struct {
	GRand *rand;
	gint64 last_us; /* 0: what was before went well */
} Backoff;

void backoff_init(Backoff *backoff, guint32 chance);
void backoff_clear(Backoff *backoff);

/* The next delay. */
gint64 backoff_next(Backoff *backoff, gint64 min_us, gint64 max_us);

/* The delay before somebody else is tried: just so long that not all clients do it
 * at once. */
gint64 backoff_hop(Backoff *backoff);

/* The next failure is the first of a series... */
void backoff_reset(Backoff *backoff);
/* ...or is not. */
void backoff_start(Backoff *backoff);

#endif
