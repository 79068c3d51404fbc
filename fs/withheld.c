/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel has, and how it is made to ask.
 *
 * Where this can come up the kernel checks permissions (mount.c), for which it needs
 * valid attributes: of each directory that a path leads through, and of what is opened
 * in the end.  So once the attributes of every inode are dropped, a name that it knows,
 * or knows not to be there, is of no use to anybody, and need not be dropped: that would
 * unmount what is mounted in there.  Pages are dropped as well, those of listings and
 * those that are mapped, for whoever has a descriptor already.  The one directory that
 * stays is the root, for .etcdfs; so what is not in it the kernel is never let keep.
 *
 * Answers on their way.  Handlers look whether it is on with the tree lock under which
 * they count a lookup, so every inode that the kernel has, or is about to have, is in
 * the table once it is on.  A lookup or a listing on its way holds the lock of its
 * directory until the kernel has the answer; invalidating an entry there waits for it,
 * so an inode that is not there after that comes with no attributes from before.  For
 * one that is there already, the kernel discards what it asked for before the
 * invalidation.  A page on its way is locked, and invalidation waits for that too.
 */
#include "withheld.h"

#include <fuse_lowlevel.h>
#include <string.h>

#include "control.h"
#include "entries.h"

/* No entry has this name (relist.c). */
#define NO_NAME "%none"

void withheld_set(Withheld *withheld, Tree *tree, gboolean on)
{
	tree_write_lock(tree);
	g_atomic_int_set(&withheld->on, on);
	tree_write_unlock(tree);
}

static void wait_for_lookups(struct fuse_session *session, const Node *dir)
{
	fuse_lowlevel_notify_inval_entry(session, dir->nodeid, NO_NAME, strlen(NO_NAME));
}

void withheld_drop(Device *device, InodeTable *inodes)
{
	g_autoptr(GPtrArray) known = inode_all(inodes);
	struct fuse_session *session = device_acquire(device);

	for (guint i = 0; i < known->len; i++) {
		const Node *node = known->pdata[i];
		if (node->kind == NODE_DIR && !control_has(node))
			wait_for_lookups(session, node);
	}
	for (guint i = 0; i < known->len; i++) {
		const Node *node = known->pdata[i];
		if (!control_has(node))
			fuse_lowlevel_notify_inval_inode(session, node->nodeid, 0, 0);
	}
	device_release(device);
}
