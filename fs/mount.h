/* SPDX-License-Identifier: Apache-2.0 */
/* mount.h - the mount and the threads that serve it.
 *
 * All functions belong to the thread that calls mount_new, which is to run the
 * default main context meanwhile (mount_wait).
 */
#ifndef MOUNT_H
#define MOUNT_H

#include "announce.h"
#include "fs.h"
#include "mounter.h"

typedef struct Mount Mount;

typedef struct {
	const char *mountpoint;	    /* absolute, from mountpoint_check */
	const char *source;	    /* what mount(8) shows as the device */
	const char *const *options; /* more of libfuse's, NULL-terminated */
	gboolean allow_other;
	gboolean stale_fail; /* a tree may be withheld (withheld.h) */
	gboolean single_thread;
	guint max_threads;	/* that answer requests; 0: as many as there are processors */
	guint max_idle_threads; /* 0: libfuse's choice */
	gboolean privileged;	/* mountpoint_is_privileged */
	gboolean hangup_leaves; /* SIGHUP asks to leave, too */
	gboolean heartbeat;	/* mount_answered is wanted */
	Mounter *mounter;	/* borrowed like the rest; where to mount */
} MountConfig;

/* Whether the kernel is to check permissions, and the announcer is subject to
 * them (attr.h: owner_writes). */
gboolean mount_checks_announcer(const MountConfig *config);

/* Mounts, serves, and starts the announcer.  CONFIG, FS and ANNOUNCER are
 * borrowed until mount_free.  NULL and ERROR (of G_FILE_ERROR, one line): nothing
 * is left mounted. */
Mount *mount_new(const MountConfig *config, const Fs *fs, Announcer *announcer, GError **error);

/* Returns when the mount is gone, or SIGTERM or SIGINT asks to leave. */
void mount_wait(Mount *mount);

/* Whether the request that the call before made through the mount is answered; then it
 * makes another.  The first call, and always where nothing is to be found out: TRUE. */
gboolean mount_answered(Mount *mount);

/* Stops the announcer, unmounts if need be, ends the threads. */
void mount_free(Mount *mount);

#endif
