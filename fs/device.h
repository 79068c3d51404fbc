/* SPDX-License-Identifier: Apache-2.0 */
/* device.h - the hold on /dev/fuse of a thread that notifies, which must not outlive a SIGKILL.
 *
 * That thread only: the announcer's, and that of ahead.c.
 */
#ifndef DEVICE_H
#define DEVICE_H

#include "meter.h"

struct fuse_session;

typedef struct {
	struct fuse_session *session; /* borrowed */
	guint64 notifications;	      /* sent, ever; any thread may read it (meter.h) */

	/* Of device.c. */
	int process_fd;	    /* a pidfd of this process; -1: descriptors are shared */
	int placeholder_fd; /* in place of the session's between two notifications */
} Device;

/* Gives the calling thread descriptors of its own.  Of all there are it keeps the
 * N_KEEP ones in KEEP (negative ones are ignored).  Where
 * the kernel does not let it, it goes on sharing them, and a SIGKILL may find what
 * device.c tells of. */
void device_init(Device *device, struct fuse_session *session, const int *keep, gsize n_keep);
void device_clear(Device *device); /* those are all closed then */

/* The session, for libfuse's notifications, until device_release. */
struct fuse_session *device_acquire(Device *device);
void device_release(Device *device);

#endif
