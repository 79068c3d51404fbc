/* SPDX-License-Identifier: Apache-2.0 */
/* heartbeat.h - whether requests are answered, found out by making one.
 *
 * A thread of its own makes it, through the mount, so nobody else waits for the answer.
 */
#ifndef HEARTBEAT_H
#define HEARTBEAT_H

#include <glib.h>

typedef struct Heartbeat Heartbeat;

/* FD: of a directory of the mount; or AT_FDCWD, and PATH is one.  Both are borrowed. */
Heartbeat *heartbeat_new(int fd, const char *path);

/* Waits for the answer to the request that is under way.  NULL is fine. */
void heartbeat_free(Heartbeat *heartbeat);

/* Whether what the call before asked for is answered; then it is asked again.  The first
 * call: TRUE.  Never waits; one thread. */
gboolean heartbeat_answered(Heartbeat *heartbeat);

#endif
