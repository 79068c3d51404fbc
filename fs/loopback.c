/* SPDX-License-Identifier: Apache-2.0 */
/* Which call raises which event (fsnotify hooks in the kernel's VFS):
 *
 *   open                    OPEN
 *   utimensat, mtime alone  MODIFY      with atime too it would be ATTRIB
 *   close after O_WRONLY    CLOSE_WRITE
 *   mknod, mkdir            CREATE
 *   unlink, rmdir           DELETE on the directory; DELETE_SELF on the inode,
 *                           since its link count falls to zero
 *
 * The hooks run only when the call succeeds, which the daemon decides.
 *
 * ftruncate would raise MODIFY as well, but the kernel asks for the attribute
 * security.capability first: one more request for each announcement.
 */
#include "loopback.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static int result(int r)
{
	return r < 0 ? -errno : 0;
}

int loopback_modify(int dir_fd, const char *name)
{
	static const struct timespec mtime_alone[2] = {{0, UTIME_OMIT}, {0, UTIME_NOW}};

	/* O_NONBLOCK: somebody's lease must not hold up everybody's events. */
	int fd = openat(dir_fd, name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	/* It is being executed, leased, or fanotify's listener denies every open. */
	if (fd < 0 && (errno == ETXTBSY || errno == EWOULDBLOCK || errno == EPERM))
		return result(utimensat(dir_fd, name, mtime_alone, AT_SYMLINK_NOFOLLOW));
	if (fd < 0)
		return -errno;

	int r = result(futimens(fd, mtime_alone));
	close(fd);
	return r;
}

int loopback_create(int dir_fd, const char *name)
{
	return result(mknodat(dir_fd, name, S_IFREG | 0444, 0));
}

int loopback_mkdir(int dir_fd, const char *name)
{
	return result(mkdirat(dir_fd, name, 0555));
}

int loopback_unlink(int dir_fd, const char *name)
{
	return result(unlinkat(dir_fd, name, 0));
}

int loopback_rmdir(int dir_fd, const char *name)
{
	return result(unlinkat(dir_fd, name, AT_REMOVEDIR));
}

int loopback_open_dir(int dir_fd, const char *name)
{
	int fd = openat(dir_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}
