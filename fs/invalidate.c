/* SPDX-License-Identifier: Apache-2.0 */
#include "invalidate.h"

#include <errno.h>
#include <fuse_lowlevel.h>
#include <string.h>

void invalidate_entry(struct fuse_session *session, guint64 parent, const char *name)
{
	int r = fuse_lowlevel_notify_inval_entry(session, parent, name, strlen(name));
	if (r < 0 && r != -ENOENT)
		g_debug("inval_entry %" G_GUINT64_FORMAT " \"%s\": %s", parent, name,
			g_strerror(-r));
}

static int invalidate_inode(struct fuse_session *session, const Node *dir)
{
	return fuse_lowlevel_notify_inval_inode(session, dir->nodeid, 0, 0);
}

/* Drops the listing and the attributes of DIR.
 *
 * The kernel may not have the inode yet although its lookup count says so: the
 * reply to the lookup is on its way, with attributes from before the change.
 * That lookup holds the lock of DIR's parent, which invalidating any entry there
 * waits for; so invalidate one that cannot exist, and try again. */
static void invalidate_dir(struct fuse_session *session, InodeTable *inodes, const Node *dir)
{
	int r = invalidate_inode(session, dir);
	if (r == -ENOENT && dir->parent && inode_is_known(inodes, dir)) {
		invalidate_entry(session, dir->parent->nodeid, "%");
		r = invalidate_inode(session, dir);
	}
	if (r < 0 && r != -ENOENT)
		g_debug("inval_inode %" G_GUINT64_FORMAT ": %s", dir->nodeid, g_strerror(-r));
}

void invalidate_entries(struct fuse_session *session, InodeTable *inodes, const GPtrArray *entries)
{
	g_autoptr(GHashTable) dirs = g_hash_table_new(NULL, NULL);

	for (guint i = 0; i < entries->len; i++) {
		const Node *node = entries->pdata[i];
		if (!inode_is_known(inodes, node->parent))
			continue;
		invalidate_entry(session, node->parent->nodeid, node_name(node));
		g_hash_table_add(dirs, node->parent);
	}

	GHashTableIter iter;
	gpointer dir;
	g_hash_table_iter_init(&iter, dirs);
	while (g_hash_table_iter_next(&iter, &dir, NULL))
		invalidate_dir(session, inodes, dir);
}
