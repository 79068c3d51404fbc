/* SPDX-License-Identifier: Apache-2.0 */
/* start.h - until the first seed is complete: how long to try, and what whoever
 * waits for it is told.
 *
 * Without contact within the dial timeout the start has failed, unless there is
 * patience: then it goes on, round after round over the endpoints, and says so once
 * for each reason.  What only a person can mend ends it at once.
 */
#ifndef START_H
#define START_H

#include "driver.h"

typedef struct {
	/* the watch's thread's */
	guint dial_timeout_ms;
	gint64 started_us;
	gint64 patience_us; /* from the start on; 0: none, G_MAXINT64: without end */
	GHashTable *said;   /* the reasons that were told */

	int fd; /* readable: there is something new to hear */
	GMutex lock;
	WatchStart stage; /* under lock; so the next */
	GError *error;
} Start;

void start_init(Start *start, const WatchConfig *config);
void start_clear(Start *start);

/* When there is something to decide, if nothing happens before. */
gint64 start_deadline(const Start *start, const Driver *driver);

/* TRUE: the start is over, one way or the other. */
gboolean start_check(Start *start, const Driver *driver);

/* Any thread: watch_check_start. */
WatchStart start_hear(Start *start, GError **error);

#endif
