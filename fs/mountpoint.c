/* SPDX-License-Identifier: Apache-2.0 */
#include "mountpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
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

static gboolean check_directory(const char *path, gboolean privileged, GError **error)
{
	struct statx stx;

	if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_TYPE, &stx) < 0) {
		set_error(error, path, errno,
			  errno == ENOTCONN ? "; a dead mount is left there: umount it" : "");
		return FALSE;
	}
	if (!S_ISDIR(stx.stx_mode)) {
		set_error(error, path, ENOTDIR, "");
		return FALSE;
	}
	if (stx.stx_attributes & stx.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) {
		set_error(error, path, EBUSY, "; it is a mount point already");
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

gboolean mountpoint_mount_exists(guint64 mount_id)
{
	g_autofree char *text = NULL;

	/* When in doubt, it is: who is wrong then only stays too long. */
	if (!g_file_get_contents(MOUNTPOINT_MOUNTINFO, &text, NULL, NULL))
		return TRUE;
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	for (char **line = lines; *line; line++)
		if (g_ascii_strtoull(*line, NULL, 10) == mount_id)
			return TRUE;
	return FALSE;
}
