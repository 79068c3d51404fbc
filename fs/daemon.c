/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

void daemon_fill_standard_streams(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= STDIN_FILENO && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

/* The exit status of the parent. */
static int wait_for_child(pid_t child, int ready_fd)
{
	char byte;
	int status;

	ssize_t n = TEMP_FAILURE_RETRY(read(ready_fd, &byte, 1));
	if (n == 1)
		return EXIT_SUCCESS;
	/* It ended, and said why. */
	if (TEMP_FAILURE_RETRY(waitpid(child, &status, 0)) != child || !WIFEXITED(status))
		return EXIT_FAILURE;
	return WEXITSTATUS(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
}

int daemon_fork(void)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -1;
	pid_t parent = getpid();
	pid_t child = fork();
	if (child < 0) {
		close(fds[0]);
		close(fds[1]);
		return -1;
	}
	close(fds[child == 0 ? 0 : 1]);
	if (child > 0)
		_exit(wait_for_child(child, fds[0]));
	setsid();
	/* Who gives up waiting for us, with Ctrl-C, wants no mount later. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(EXIT_FAILURE);
	return fds[1];
}

void daemon_ready(int ready_fd)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (null >= 0)
			dup2(null, fd);
	if (null > STDERR_FILENO)
		close(null);
	prctl(PR_SET_PDEATHSIG, 0);
	/* Any directory but this one could not be unmounted or removed. */
	if (chdir("/") < 0)
		g_warning("cannot change to the root directory: %s", g_strerror(errno));
	if (TEMP_FAILURE_RETRY(write(ready_fd, "", 1)) < 0)
		g_debug("nobody waits any more: %s", g_strerror(errno));
	close(ready_fd);
}
