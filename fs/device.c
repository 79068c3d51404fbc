/* SPDX-License-Identifier: Apache-2.0 */
/* Why a thread has descriptors of its own.
 *
 * When a FUSE daemon is killed, the kernel closes its /dev/fuse, and thereby ends
 * every request.  It closes a descriptor when the last thread that shares it has
 * ended.  The announcer makes requests itself; one that a worker has read already
 * ends only with an answer or with the connection.  So a SIGKILL would find it
 * waiting for the end of a connection that its own descriptor keeps alive: a process
 * that cannot die, and readers that wait for ever.
 *
 * Hence this thread shares no descriptors with the others, and has /dev/fuse only
 * while it writes a notification: it takes a duplicate from the main thread's table
 * and drops it again.  libfuse writes to a number; in between, something that cannot
 * be written to has that number here, so that no other file ever gets it.
 *
 * What is left: a notification waits for the lock of a directory, and who holds that
 * lock for a lookup that no worker had read yet when the daemon was killed.  That
 * needs both in the same microseconds, and the end of that reader resolves it.
 */
#include "device.h"

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

static int compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* Closes all but those in KEEP, which it sorts. */
static void close_others(int *keep, gsize n_keep)
{
	int first = 0;

	qsort(keep, n_keep, sizeof(*keep), compare);
	for (gsize i = 0; i < n_keep; i++) {
		if (keep[i] > first)
			close_range((unsigned)first, (unsigned)keep[i] - 1, 0);
		first = MAX(first, keep[i] + 1);
	}
	close_range((unsigned)first, ~0U, 0);
}

/* Puts FD, or what stands in for it, where libfuse writes. */
static void put(const Device *device, int fd)
{
	dup3(fd, fuse_session_fd(device->session), O_CLOEXEC);
}

/* Nobody is to take another file for a standard stream. */
static void fill_standard_streams(const Device *device)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			dup3(device->placeholder_fd, fd, O_CLOEXEC);
}

static int take_from_main_thread(const Device *device)
{
	return pidfd_getfd(device->process_fd, fuse_session_fd(device->session), 0);
}

/* A table of its own; and whether a descriptor can be taken, which no call that works
 * once refuses later. */
static gboolean leave_the_others(Device *device)
{
	device->process_fd = pidfd_open(getpid(), 0);
	device->placeholder_fd = open("/", O_PATH | O_CLOEXEC);
	int fd = take_from_main_thread(device);
	gboolean own = fd >= 0 && device->placeholder_fd >= 0 && unshare(CLONE_FILES) == 0;
	int errnum = errno;
	int mine[] = {fd, device->process_fd, device->placeholder_fd};
	for (gsize i = own ? G_N_ELEMENTS(mine) : 0; i < G_N_ELEMENTS(mine); i++)
		if (mine[i] >= 0)
			close(mine[i]);
	errno = errnum;
	return own;
}

void device_init(Device *device, struct fuse_session *session, const int *keep, gsize n_keep)
{
	device->session = session;
	if (!leave_the_others(device)) {
		/* As a filter of system calls may have it. */
		g_debug("the announcer shares its descriptors: %s", g_strerror(errno));
		device->process_fd = -1;
		return;
	}
	g_autofree int *all = g_new(int, n_keep + 3);
	memcpy(all, keep, n_keep * sizeof(*keep));
	all[n_keep] = device->process_fd;
	all[n_keep + 1] = device->placeholder_fd;
	all[n_keep + 2] = fuse_session_fd(session);
	close_others(all, n_keep + 3);
	fill_standard_streams(device);
	put(device, device->placeholder_fd);
}

/* Who waits for the end of a thread may go on before the kernel has closed what was
 * the thread's alone. */
void device_clear(Device *device)
{
	if (device->process_fd >= 0)
		close_range(0, ~0U, 0);
	device->process_fd = -1;
}

struct fuse_session *device_acquire(Device *device)
{
	if (device->process_fd >= 0) {
		int fd = take_from_main_thread(device);
		put(device, fd);
		close(fd);
	}
	return device->session;
}

void device_release(Device *device)
{
	if (device->process_fd >= 0)
		put(device, device->placeholder_fd);
}
