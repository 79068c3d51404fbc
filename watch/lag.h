/* SPDX-License-Identifier: Apache-2.0 */
/* lag.h - has the watch come as far as etcd has?
 *
 * A probe says where etcd stands.  Where nothing changes in our range no event
 * says that the watch is there, too, and a watch that etcd has forgotten looks
 * the same.  So the stream is asked for its progress after the probe; a server
 * answers once everything up to the revision in its answer has been sent.  This
 * also keeps the revision to resume from ahead of compactions.
 *
 * Only servers that get this right are asked (etcd issues 15220, 17507: some
 * answer before they have sent what they claim, some never), and only one that
 * has answered on this stream is held to it: etcd's gRPC proxy never does.
 */
#ifndef LAG_H
#define LAG_H

#include <glib.h>

typedef struct {
	gboolean asks;	  /* the server can be asked */
	gboolean answers; /* and has answered on this stream */
	gboolean asked;	  /* since the last answer */
	gint64 revision;  /* that the watch must come to; 0: it is there */
	gint64 since_us;
	gint64 bearable_us; /* and in this time */
} Lag;

/* Whether a server of VERSION ("3.5.16") is to be asked. */
gboolean lag_version_asks(const char *version);

/* A new stream, to whatever server. */
void lag_reset(Lag *lag, gint64 bearable_us);

/* A probe found etcd at REVISION and the watch at APPLIED.  TRUE: ask. */
gboolean lag_probed(Lag *lag, gint64 revision, gint64 applied, gint64 now_us);

/* The stream has answered.  FALSE: nobody had asked. */
gboolean lag_answered(Lag *lag);

/* Whether the watch is known not to be where a probe found etcd. */
gboolean lag_is_behind(const Lag *lag, gint64 applied);

/* Whether the watch is where it must be, or may still come there. */
gboolean lag_bearable(Lag *lag, gint64 applied, gint64 now_us);

#endif
