/* SPDX-License-Identifier: Apache-2.0 */
/* mountpoint.h - the directory to mount on, and whether the mount is still there.
 *
 * All in the calling thread's mount namespace.
 */
#ifndef MOUNTPOINT_H
#define MOUNTPOINT_H

#include <glib.h>
#include <sys/types.h>

/* Whether the caller may clone mounts and change their flags (CAP_SYS_ADMIN where
 * PATH is), which a good read-only mount needs. */
gboolean mountpoint_is_privileged(const char *path);

/* PATH as an absolute path, owned by the caller.  NULL and ERROR (of G_FILE_ERROR,
 * one line) where nothing can or should be mounted on it: it is missing, not a
 * directory, a mount point already, or not the caller's; or there is no FUSE.
 *
 * An etcdfs whose daemon is dead is no obstacle: it is unmounted, with a line in
 * the log.  Nothing else ever is. */
char *mountpoint_check(const char *path, gboolean privileged, GError **error);

/* The kernel's id of the mount at PATH, and its device.  Sends no request to the
 * filesystem.  0 or a negative errno. */
int mountpoint_identify(const char *path, guint64 *ret_mount_id, dev_t *ret_dev);

/* Where that mount is visible in this mount namespace, owned by the caller; NULL:
 * nowhere (any more). */
char *mountpoint_of_mount(guint64 mount_id);

/* Whether it is on another mount's root: somebody mounted on the same place. */
gboolean mountpoint_is_stacked(guint64 mount_id);

/* Whether it is visible.  When in doubt, it is: who is wrong then only stays too long. */
gboolean mountpoint_mount_exists(guint64 mount_id);

/* Changes are told here: readable with POLLPRI. */
#define MOUNTPOINT_MOUNTINFO "/proc/thread-self/mountinfo"

#endif
