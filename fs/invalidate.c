/* SPDX-License-Identifier: Apache-2.0 */
#include "invalidate.h"

#include <errno.h>
#include <fuse_lowlevel.h>
#include <string.h>

static void drop_entry(struct fuse_session *session, guint64 parent, const char *name)
{
	int r = fuse_lowlevel_notify_inval_entry(session, parent, name, strlen(name));
	if (r < 0 && r != -ENOENT)
		g_debug("inval_entry %" G_GUINT64_FORMAT " \"%s\": %s", parent, name,
			g_strerror(-r));
}

void invalidate_entry(Device *device, guint64 parent, const char *name)
{
	drop_entry(device_acquire(device), parent, name);
	device_release(device);
}

static int drop_inode(struct fuse_session *session, const Node *dir)
{
	return fuse_lowlevel_notify_inval_inode(session, dir->nodeid, 0, 0);
}

/* Drops the listing and the attributes of DIR.
 *
 * The kernel may not have the inode yet although its lookup count says so: the
 * reply to the lookup is on its way, with attributes from before the change.
 * That lookup holds the lock of DIR's parent, which invalidating any entry there
 * waits for; so invalidate one that cannot exist, and try again. */
static void drop_listing(struct fuse_session *session, InodeTable *inodes, const Node *dir)
{
	int r = drop_inode(session, dir);
	if (r == -ENOENT && dir->parent && inode_is_known(inodes, dir)) {
		drop_entry(session, dir->parent->nodeid, "%");
		r = drop_inode(session, dir);
	}
	if (r < 0 && r != -ENOENT)
		g_debug("inval_inode %" G_GUINT64_FORMAT ": %s", dir->nodeid, g_strerror(-r));
}

void invalidate_entries(Device *device, InodeTable *inodes, const GPtrArray *entries)
{
	struct fuse_session *session = device_acquire(device);
	g_autoptr(GHashTable) dirs = g_hash_table_new(NULL, NULL);

	for (guint i = 0; i < entries->len; i++) {
		const Node *node = entries->pdata[i];
		if (!inode_is_known(inodes, node->parent))
			continue;
		drop_entry(session, node->parent->nodeid, node_name(node));
		g_hash_table_add(dirs, node->parent);
	}

	GHashTableIter iter;
	gpointer dir;
	g_hash_table_iter_init(&iter, dirs);
	while (g_hash_table_iter_next(&iter, &dir, NULL))
		drop_listing(session, inodes, dir);
	device_release(device);
}
