/* SPDX-License-Identifier: Apache-2.0 */
/* loopback.h - the recipes that raise inotify events by acting on our own mount.
 *
 * Each names an entry by a directory's descriptor and a name, and returns 0 or a
 * negative errno.  They send requests to this very daemon: never call them with
 * a lock that a request handler takes, nor from a request handler.
 */
#ifndef LOOPBACK_H
#define LOOPBACK_H

#include <glib.h>

/* OPEN, MODIFY, CLOSE_WRITE; for a file that nobody may open for writing just
 * now (it is being executed, or leased) MODIFY alone. */
int loopback_modify(int dir_fd, const char *name);

int loopback_create(int dir_fd, const char *name); /* CREATE */
int loopback_mkdir(int dir_fd, const char *name);  /* CREATE,ISDIR */
int loopback_unlink(int dir_fd, const char *name); /* DELETE, DELETE_SELF */
int loopback_rmdir(int dir_fd, const char *name);  /* DELETE,ISDIR, DELETE_SELF */

/* A descriptor that raises no event and pins the directory NAME for the calls
 * above, or a negative errno. */
int loopback_open_dir(int dir_fd, const char *name);

#endif
