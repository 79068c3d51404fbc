/* SPDX-License-Identifier: Apache-2.0 */
/* withheld.h - with --stale-policy=fail: of a stale tree nothing is shown.
 *
 * Every access gives EIO then, but to the root's own attributes and to .etcdfs.
 */
#ifndef WITHHELD_H
#define WITHHELD_H

#include "device.h"
#include "inode.h"
#include "tree.h"

typedef struct {
	gboolean policy; /* immutable: whether it ever comes to that */
	gint on;	 /* atomic; changes with the tree's write lock */
} Withheld;

/* Any thread.  With the tree lock: as long as that is held. */
static inline gboolean withheld_is_on(const Withheld *withheld)
{
	return g_atomic_int_get(&withheld->on);
}

/* No lock held. */
void withheld_set(Withheld *withheld, Tree *tree, gboolean on);

/* Makes the kernel forget what it could show without asking.  It is on, and on return
 * nobody gets anything any more.  The announcer's thread only; calls out to the kernel,
 * and waits for requests that hold the lock of a directory. */
void withheld_drop(Device *device, InodeTable *inodes);

#endif
