/* SPDX-License-Identifier: Apache-2.0 */
/* stall.h - a warning when one step of a thread takes too long.
 *
 * Costs the thread a system call in LIMIT_MS at most, and nobody a wake-up while there are
 * no steps.  The default main context says it.
 */
#ifndef STALL_H
#define STALL_H

#include <glib.h>

typedef struct {
	guint limit_ms;
	int fd; /* of the timer; the thread needs it */
	guint source;
	GMutex lock;	 /* of the rest */
	gint64 since_us; /* when the step began; 0: there is none */
	gboolean armed;
	gboolean said; /* of this step */
} Stall;

/* The main thread. */
void stall_init(Stall *stall, guint limit_ms);
void stall_clear(Stall *stall);

/* Any one thread. */
void stall_begin(Stall *stall);
void stall_end(Stall *stall);

#endif
