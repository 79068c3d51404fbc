/* SPDX-License-Identifier: Apache-2.0 */
#include "entries.h"

#include <stdatomic.h>
#include <string.h>

#include "siblings.h"

/* The table for NODE's entry.  What comes in the order of keys, as a seed does, stays in
 * one table for a while, and finds it in the processor's caches. */
static GHashTable *table_of(const Entries *entries, const Node *node)
{
	return entries->index[node_region_hash(node) % ENTRIES_TABLES];
}

void entries_init(Entries *entries)
{
	static const NodeName no_name = {"", 0, {NULL, 0}};

	*entries = (Entries){
	    .root = node_new_dir(NULL, &no_name),
	    .n_dirs = 1,
	};
	for (gsize i = 0; i < ENTRIES_TABLES; i++)
		entries->index[i] = g_hash_table_new_full(node_entry_hash, node_entry_equal,
							  (GDestroyNotify)node_unref, NULL);
	entries->root->nodeid = ENTRIES_ROOT_NODEID;
	entries->root->linked = TRUE;
}

void entries_clear(Entries *entries)
{
	for (gsize i = 0; i < ENTRIES_TABLES; i++)
		g_clear_pointer(&entries->index[i], g_hash_table_unref);
	g_clear_pointer(&entries->root, node_unref);
}

guint64 entries_next_nodeid(void)
{
	static _Atomic guint64 last = ENTRIES_FIRST_NODEID - 1;
	return atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;
}

void entries_stamp(Entries *entries, gint64 now_ns)
{
	entries->stamp_ns = MAX(now_ns, entries->stamp_ns + 1);
}

void entries_foreach_file(const Entries *entries, void (*func)(Node *file, gpointer data),
			  gpointer data)
{
	GHashTableIter iter;
	gpointer node;

	for (gsize i = 0; i < ENTRIES_TABLES; i++) {
		g_hash_table_iter_init(&iter, entries->index[i]);
		while (g_hash_table_iter_next(&iter, &node, NULL))
			if (((Node *)node)->kind == NODE_FILE)
				func(node, data);
	}
}

Node *entries_lookup(const Entries *entries, Node *dir, const char *name, gsize len)
{
	/* What node_entry_hash and node_entry_equal look at, and nothing else. */
	union {
		Node node;
		char space[sizeof(Node) + NODE_NAME_SIZE];
	} probe;

	if (len >= NODE_NAME_SIZE)
		return NULL;
	probe.node.parent = dir;
	probe.node.name_len = (guint8)len;
	memcpy(probe.space + G_STRUCT_OFFSET(Node, bytes), name, len);
	/* A set has the key as its value. */
	return g_hash_table_lookup(table_of(entries, &probe.node), &probe.node);
}

gboolean entries_has(const Entries *entries, const Node *node)
{
	return g_hash_table_contains(table_of(entries, node), node);
}

static void count(Entries *entries, const Node *node, gint sign)
{
	if (node->kind == NODE_DIR) {
		entries->n_dirs += sign;
		node->parent->dir->n_dirs += sign;
	} else {
		entries->n_files += sign;
		entries->value_bytes += (guint64)(sign * (gint64)node->value_len);
	}
	node->parent->dir->n_children += sign;
}

static void identify(Entries *entries, Node *node, guint64 offset)
{
	node->nodeid = entries_next_nodeid();
	node->offset = offset;
	node->linked = TRUE;
	node->mtime_ns = entries->stamp_ns;
}

void entries_link(Entries *entries, Node *node)
{
	NodeDir *dir = node->parent->dir;

	identify(entries, node, ++dir->last_offset);
	g_hash_table_add(table_of(entries, node), node);
	siblings_insert(&dir->children, node);
	count(entries, node, +1);
	node->parent->mtime_ns = entries->stamp_ns;
}

void entries_unlink(Entries *entries, Node *node)
{
	Node *parent = node->parent;

	count(entries, node, -1);
	siblings_remove(&parent->dir->children, node);
	parent->mtime_ns = entries->stamp_ns;
	node->linked = FALSE;
	g_hash_table_remove(table_of(entries, node), node);
}

void entries_swing(Entries *entries, Node *old, Node *now)
{
	NodeDir *dir = old->parent->dir;

	identify(entries, now, old->offset);
	siblings_replace(&dir->children, old, now);
	count(entries, old, -1);
	count(entries, now, +1);
	if (old->kind != now->kind)
		old->parent->mtime_ns = entries->stamp_ns;
	old->linked = FALSE;
	/* Replaces the key that is equal, and drops the reference to it. */
	g_hash_table_add(table_of(entries, now), now);
}
