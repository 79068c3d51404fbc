/* SPDX-License-Identifier: Apache-2.0 */
/* backlog.h - older inodes whose watchers are told when there is time.
 *
 * Who keeps thousands of old revisions of a key open must not hold up everybody
 * else's events at each change of it.  Each inode is in here once, however often
 * its key changes meanwhile, so the kernel's own references bound it.  The
 * announcer's thread only.
 */
#ifndef BACKLOG_H
#define BACKLOG_H

#include "node.h"

typedef struct {
	GQueue order;	 /* of Node, owned; the first to be told first */
	GHashTable *set; /* of the same */
} Backlog;

void backlog_init(Backlog *backlog);
void backlog_clear(Backlog *backlog);

/* Takes a reference on NODE, if it is not in there yet. */
void backlog_push(Backlog *backlog, Node *node);

/* The next, a reference for the caller; NULL if there is none. */
Node *backlog_pop(Backlog *backlog);

guint backlog_length(const Backlog *backlog);

#endif
