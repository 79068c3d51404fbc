/* SPDX-License-Identifier: Apache-2.0 */
/* stall.h - a warning when one step of a thread takes too long.
 *
 * Costs the thread no system call a step, and nobody a wake-up while there are no steps.
 * The timer is the default main context's.
 */
#ifndef STALL_H
#define STALL_H

#include <glib.h>

typedef struct {
	guint limit_ms;
	GMutex lock;	 /* of the rest */
	gint64 since_us; /* when the step began; 0: there is none */
	guint timer;	 /* 0: none */
	gboolean said;	 /* of this step */
} Stall;

void stall_init(Stall *stall, guint limit_ms);
void stall_clear(Stall *stall); /* the main thread */

/* Any one thread. */
void stall_begin(Stall *stall);
void stall_end(Stall *stall);

#endif
