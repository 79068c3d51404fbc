/* SPDX-License-Identifier: Apache-2.0 */
/* status.h - the text of .etcdfs/status.
 */
#ifndef STATUS_H
#define STATUS_H

#include "announce.h"
#include "keyspace.h"
#include "meters.h"

/* What never changes; nothing of it is secret. */
typedef struct {
	const char *source; /* as mount(8) shows it */
	const char *mountpoint;
	KvBytes prefix;
	gint64 revision;    /* the only one to show; 0: the newest */
	guint max_stale_ms; /* 0: never stale */
	gboolean stale_fail;
} StatusAbout;

typedef struct {
	const StatusAbout *about;
	const KeyspaceStatus *connection;
	const Meters *meters;
	gint64 started_us; /* since the epoch; so the next */
	gint64 now_us;
	gint64 monotonic_us; /* the same moment, g_get_monotonic_time() */
	TreeTotals tree;
	InodeTotals inodes;
	AnnouncerTotals announcer;
} Status;

/* How far the last probe is ahead of what is applied, in revisions. */
guint64 status_lag(const Status *status);

/* When it was, in microseconds since the epoch, what was at MONOTONIC_US; 0 stays 0. */
gint64 status_wall_us(const Status *status, guint64 monotonic_us);

/* JSON with a newline at its end; the README documents the fields. */
char *status_to_json(const Status *status);

#endif
