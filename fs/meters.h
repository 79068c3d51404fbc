/* SPDX-License-Identifier: Apache-2.0 */
/* meters.h - what is counted all the time, for .etcdfs/metrics.
 *
 * Any thread writes and reads, without a lock (meter.h).
 */
#ifndef METERS_H
#define METERS_H

#include "histogram.h"
#include "keyspace.h"

/* The kernel's requests, the announcer's own included. */
typedef enum {
	METERS_LOOKUP,
	METERS_FORGET,
	METERS_GETATTR,
	METERS_SETATTR,
	METERS_ACCESS,
	METERS_STATFS,
	METERS_GETXATTR,
	METERS_LISTXATTR,
	METERS_OPEN,
	METERS_OPENDIR,
	METERS_READ,
	METERS_READDIR,
	METERS_READDIRPLUS,
	METERS_CREATE, /* mknod, mkdir */
	METERS_REMOVE, /* unlink, rmdir */
	METERS_N_REQUESTS
} MetersRequest;

static inline const char *meters_request_name(MetersRequest request)
{
	static const char *const names[] = {
	    [METERS_LOOKUP] = "lookup",	    [METERS_FORGET] = "forget",
	    [METERS_GETATTR] = "getattr",   [METERS_SETATTR] = "setattr",
	    [METERS_ACCESS] = "access",	    [METERS_STATFS] = "statfs",
	    [METERS_GETXATTR] = "getxattr", [METERS_LISTXATTR] = "listxattr",
	    [METERS_OPEN] = "open",	    [METERS_OPENDIR] = "opendir",
	    [METERS_READ] = "read",	    [METERS_READDIR] = "readdir",
	    [METERS_CREATE] = "create",	    [METERS_READDIRPLUS] = "readdirplus",
	    [METERS_REMOVE] = "remove",
	};
	G_STATIC_ASSERT(G_N_ELEMENTS(names) == METERS_N_REQUESTS);
	return names[request];
}

typedef struct {
	KeyspaceMeter watch;
	guint64 batches;    /* applied */
	guint64 events[2];  /* in them, by KvEventType */
	Histogram apply;    /* from a batch's arrival until readers may find it */
	Histogram announce; /* from there until its watchers were told, a record each */
	guint64 requests[METERS_N_REQUESTS];
} Meters;

#endif
