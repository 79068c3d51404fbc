/* SPDX-License-Identifier: Apache-2.0 */
/* daemon.h - going to the background, but not before all is well.
 */
#ifndef DAEMON_H
#define DAEMON_H

#include <glib.h>

/* Opens /dev/null as each standard stream that is closed, so that nothing else gets its
 * number and then what is meant for it.  Call it first of all. */
void daemon_fill_standard_streams(void);

/* Forks.  The child returns, with what daemon_ready needs; standard error is still
 * the caller's.  The parent waits and exits: with 0 once the child says that it is
 * ready, else with the child's status.  Call it before there are threads.
 * -1: there is no fork to be had; errno says why. */
int daemon_fork(void);

/* All is well: the parent exits, and the child leaves terminal, session and working
 * directory behind. */
void daemon_ready(int ready_fd);

#endif
