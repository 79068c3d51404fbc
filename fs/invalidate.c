/* SPDX-License-Identifier: Apache-2.0 */
#include "invalidate.h"

#include <errno.h>
#include <fuse_lowlevel.h>
#include <string.h>

/* Those below need the device acquired. */
static gboolean drop_entry(Device *device, guint64 parent, const char *name)
{
	meter_add(&device->notifications, 1);
	int r = fuse_lowlevel_notify_inval_entry(device->session, parent, name, strlen(name));
	if (r < 0 && r != -ENOENT)
		g_debug("inval_entry %" G_GUINT64_FORMAT " \"%s\": %s", parent, name,
			g_strerror(-r));
	return r == 0;
}

gboolean invalidate_entry(Device *device, guint64 parent, const char *name)
{
	device_acquire(device);
	gboolean had = drop_entry(device, parent, name);
	device_release(device);
	return had;
}

static int drop_attr(Device *device, const Node *dir)
{
	meter_add(&device->notifications, 1);
	return fuse_lowlevel_notify_inval_inode(device->session, dir->nodeid, -1, 0);
}

/* Drops the attributes of DIR.
 *
 * The kernel may not have the inode yet although its lookup count says so: the
 * reply to the lookup is on its way, with attributes from before the change.
 * That lookup holds the lock of DIR's parent, which invalidating any entry there
 * waits for; so invalidate one that cannot exist, and try again. */
static void drop_dir(Device *device, InodeTable *inodes, const Node *dir)
{
	int r = drop_attr(device, dir);
	if (r == -ENOENT && dir->parent && inode_is_known(inodes, dir)) {
		drop_entry(device, dir->parent->nodeid, "%");
		r = drop_attr(device, dir);
	}
	if (r < 0 && r != -ENOENT)
		g_debug("inval_inode %" G_GUINT64_FORMAT ": %s", dir->nodeid, g_strerror(-r));
}

GPtrArray *invalidate_entries(Device *device, InodeTable *inodes, const GPtrArray *entries)
{
	GPtrArray *listed = g_ptr_array_new_with_free_func((GDestroyNotify)node_unref);
	/* Directories; the value: whether the kernel had an entry of it. */
	g_autoptr(GHashTable) dirs = g_hash_table_new(NULL, NULL);

	device_acquire(device);
	for (guint i = 0; i < entries->len; i++) {
		const Node *node = entries->pdata[i];
		if (!inode_is_known(inodes, node->parent))
			continue;
		gboolean had = drop_entry(device, node->parent->nodeid, node_name(node));
		if (had || !g_hash_table_contains(dirs, node->parent))
			g_hash_table_insert(dirs, node->parent, GINT_TO_POINTER(had));
	}

	GHashTableIter iter;
	gpointer dir, had;
	g_hash_table_iter_init(&iter, dirs);
	while (g_hash_table_iter_next(&iter, &dir, &had)) {
		drop_dir(device, inodes, dir);
		if (!node_take_listed(dir))
			continue;
		node_next_epoch(dir);
		if (!had)
			g_ptr_array_add(listed, node_ref(dir));
	}
	device_release(device);
	return listed;
}

void invalidate_pages(Device *device, guint64 nodeid)
{
	meter_add(&device->notifications, 1);
	fuse_lowlevel_notify_inval_inode(device_acquire(device), nodeid, 0, 0);
	device_release(device);
}
