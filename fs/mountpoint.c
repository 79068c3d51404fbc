/* SPDX-License-Identifier: Apache-2.0 */
#include "mountpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <libmount/libmount.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define FUSE_DEVICE "/dev/fuse"

gboolean mountpoint_is_privileged(const char *path)
{
	int fd = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (fd < 0)
		return FALSE;
	close(fd);
	return TRUE;
}

static void set_error(GError **error, const char *path, int errnum, const char *advice)
{
	g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errnum), "%s: %s%s", path,
		    g_strerror(errnum), advice);
}

static gboolean check_device(gboolean privileged, GError **error)
{
	/* An ordinary user's comes from fusermount3, which may open it. */
	int fd = privileged ? open(FUSE_DEVICE, O_RDWR | O_CLOEXEC) : access(FUSE_DEVICE, F_OK);
	if (fd < 0) {
		set_error(error, FUSE_DEVICE, errno, "; is FUSE in this kernel (modprobe fuse)?");
		return FALSE;
	}
	if (privileged)
		close(fd);
	return TRUE;
}

/* --- What is mounted ----------------------------------------------------------- */

typedef struct libmnt_table MountTable;
typedef struct libmnt_iter MountIter;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MountTable, mnt_unref_table)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MountIter, mnt_free_iter)

/* NULL: there is none of this id, or none that we may see. */
static struct libmnt_fs *find_mount(MountTable *table, guint64 mount_id)
{
	g_autoptr(MountIter) iter = mnt_new_iter(MNT_ITER_FORWARD);
	struct libmnt_fs *fs;

	while (mnt_table_next_fs(table, iter, &fs) == 0)
		if ((guint64)mnt_fs_get_id(fs) == mount_id)
			return fs;
	return NULL;
}

static gboolean has_mounts_below(MountTable *table, struct libmnt_fs *fs)
{
	g_autoptr(MountIter) iter = mnt_new_iter(MNT_ITER_FORWARD);
	struct libmnt_fs *below;

	return mnt_table_next_child_fs(table, iter, fs, &below) == 0;
}

/* --- What a daemon that was killed left --------------------------------------------- */

/* Asks the filesystem, and waits for its answer. */
static gboolean is_dead(const char *path)
{
	struct statx stx;

	return statx(AT_FDCWD, path, AT_STATX_FORCE_SYNC, STATX_TYPE, &stx) < 0 &&
	       (errno == ENOTCONN || errno == ECONNABORTED);
}

/* As libfuse does it for who is not root.  What it says is for the user to read. */
static gboolean run_fusermount(const char *target, GError **error)
{
	const char *argv[] = {"fusermount3", "-u", "-z", "--", target, NULL};
	g_autofree char *said = NULL;
	int status;

	if (!g_spawn_sync(NULL, (char **)argv, NULL,
			  G_SPAWN_SEARCH_PATH | G_SPAWN_STDOUT_TO_DEV_NULL, NULL, NULL, NULL, &said,
			  &status, error))
		return FALSE;
	if (g_spawn_check_wait_status(status, NULL))
		return TRUE;
	g_set_error_literal(error, G_FILE_ERROR, G_FILE_ERROR_FAILED, g_strchomp(said));
	return FALSE;
}

static gboolean unmount_dead(const char *target, gboolean privileged, GError **error)
{
	g_autoptr(GError) reason = NULL;

	/* Lazily: its readers, who only get errors, need not close their files first. */
	if (!privileged)
		run_fusermount(target, &reason);
	else if (umount2(target, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
		set_error(&reason, "umount", errno, "");
	if (!reason) {
		g_message("%s: a dead etcdfs was left there, and is unmounted now", target);
		return TRUE;
	}
	g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED,
		    "%s: a dead etcdfs is left there, and cannot be unmounted: %s", target,
		    reason->message);
	return FALSE;
}

/* The mount MOUNT_ID, on which PATH ends, goes if it is dead and an etcdfs. */
static gboolean clear_mount(const char *path, guint64 mount_id, gboolean privileged, GError **error)
{
	g_autoptr(MountTable) table = mnt_new_table_from_file(MOUNTPOINT_MOUNTINFO);
	struct libmnt_fs *fs = table ? find_mount(table, mount_id) : NULL;
	const char *type = fs ? mnt_fs_get_fstype(fs) : NULL;

	if (!type || !g_str_has_prefix(type, "fuse") || !is_dead(path)) {
		set_error(error, path, EBUSY, "; it is a mount point already");
		return FALSE;
	}
	if (strcmp(type, "fuse.etcdfs") != 0) {
		g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED,
			    "%s: a dead mount of another type (%s) is left there: umount it", path,
			    type);
		return FALSE;
	}
	/* They may be alive. */
	if (has_mounts_below(table, fs)) {
		set_error(error, path, EBUSY,
			  "; a dead etcdfs is left there, with other mounts in it: umount them");
		return FALSE;
	}
	return unmount_dead(mnt_fs_get_target(fs), privileged, error);
}

/* --- The directory ---------------------------------------------------------------------- */

/* Sends no request to a filesystem that the kernel has asked before; and with
 * MASK 0 to none, not even where we may not look into it. */
static gboolean look(const char *path, unsigned int mask, struct statx *ret_stx, GError **error)
{
	if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, mask, ret_stx) == 0)
		return TRUE;
	set_error(error, path, errno,
		  errno == ENOTCONN ? "; a dead mount is on the way there: umount it" : "");
	return FALSE;
}

/* There may be several, one on the other. */
static gboolean clear_mounts(const char *path, gboolean privileged, GError **error)
{
	struct statx stx;

	while (look(path, 0, &stx, error)) {
		if (!(stx.stx_attributes & stx.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT))
			return TRUE;
		if (!clear_mount(path, stx.stx_mnt_id, privileged, error))
			return FALSE;
	}
	return FALSE;
}

static gboolean check_directory(const char *path, gboolean privileged, GError **error)
{
	struct statx stx;

	if (!clear_mounts(path, privileged, error) || !look(path, STATX_TYPE, &stx, error))
		return FALSE;
	if (!S_ISDIR(stx.stx_mode)) {
		set_error(error, path, ENOTDIR, "");
		return FALSE;
	}
	if (!privileged && access(path, W_OK) < 0) {
		set_error(error, path, errno,
			  "; who is not root mounts on a directory of their own");
		return FALSE;
	}
	return TRUE;
}

char *mountpoint_check(const char *path, gboolean privileged, GError **error)
{
	if (!check_directory(path, privileged, error) || !check_device(privileged, error))
		return NULL;

	char *real = realpath(path, NULL);
	if (!real) {
		set_error(error, path, errno, "");
		return NULL;
	}
	char *owned = g_strdup(real);
	free(real);
	return owned;
}

int mountpoint_identify(const char *path, guint64 *ret_mount_id, dev_t *ret_dev)
{
	struct statx stx;

	if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_MNT_ID, &stx) < 0)
		return -errno;
	if (!(stx.stx_mask & STATX_MNT_ID))
		return -ENOSYS;
	*ret_mount_id = stx.stx_mnt_id;
	*ret_dev = makedev(stx.stx_dev_major, stx.stx_dev_minor);
	return 0;
}

char *mountpoint_of_mount(guint64 mount_id)
{
	g_autoptr(MountTable) table = mnt_new_table_from_file(MOUNTPOINT_MOUNTINFO);
	struct libmnt_fs *fs = table ? find_mount(table, mount_id) : NULL;

	return fs ? g_strdup(mnt_fs_get_target(fs)) : NULL;
}

gboolean mountpoint_is_stacked(guint64 mount_id)
{
	g_autoptr(MountTable) table = mnt_new_table_from_file(MOUNTPOINT_MOUNTINFO);
	struct libmnt_fs *fs = table ? find_mount(table, mount_id) : NULL;
	struct libmnt_fs *below = fs ? find_mount(table, (guint64)mnt_fs_get_parent_id(fs)) : NULL;

	return below && g_strcmp0(mnt_fs_get_target(fs), mnt_fs_get_target(below)) == 0;
}

gboolean mountpoint_mount_exists(guint64 mount_id)
{
	g_autoptr(MountTable) table = mnt_new_table_from_file(MOUNTPOINT_MOUNTINFO);

	return !table || find_mount(table, mount_id) != NULL;
}
