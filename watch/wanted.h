/* SPDX-License-Identifier: Apache-2.0 */
/* wanted.h - a revision that somebody waits for, and of which no event may ever tell.
 *
 * Of a revision that changed other keys etcd sends nothing; its own notifications of
 * progress are minutes apart, and those that it sends when asked are wrong in some
 * releases (lag.h).  So etcd is asked for what is newer in our range than what is held:
 * if that is nothing, and there are as many keys, then what is held is its state at the
 * revision of the answer, too.  `applied` stays: the watch goes on from there.
 *
 * What that cannot see is a key that came and went since `applied`; its events are on
 * their way then.  The state that the answer tells of is the same.
 *
 * One question at a time, beside the stream, as the probe's; at most each 100 ms, less
 * often the longer it takes, and none where events bring the revision in time.
 */
#ifndef WANTED_H
#define WANTED_H

#include <glib.h>

#include "response.h"

typedef struct Resume Resume;

typedef struct {
	gint64 revision; /* the greatest wanted */
	gint64 current;	 /* the greatest that an answer was of */
	gint64 at_us;	 /* when to ask; G_MAXINT64: not before the answer */
	gint64 delay_us; /* between two questions */
	gint64 asked_us; /* the last time */
	gint64 asked_at; /* what was applied then */
	gboolean armed;	 /* the timer may come before the probe's time */
} Wanted;

/* ACTIONS: as of resume_step. */

/* Somebody waits for REVISION. */
void wanted_add(Resume *resume, gint64 revision, GArray *actions);

/* LIVE has begun, or the probe's timer was armed. */
void wanted_begin(Resume *resume, GArray *actions);
void wanted_arm(Resume *resume, GArray *actions);

/* The timer, in LIVE.  FALSE: it is the probe's time. */
gboolean wanted_timer(Resume *resume, GArray *actions);

/* The answer; SAME: nothing in it is news.  It is about what was held when the question
 * was asked. */
void wanted_answered(Resume *resume, const EtcdHeader *header, gboolean same, GArray *actions);

#endif
