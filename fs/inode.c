/* SPDX-License-Identifier: Apache-2.0 */
/* How long a node lives.
 *
 * A node is held by the tree while an entry leads to it, and by this table while
 * its lookup count, the number of times the kernel was given it less what the
 * kernel forgot, is above zero.  When both let go it is freed.  The kernel keeps
 * a replaced inode for just as long as a descriptor, a mapping or an inotify
 * watch needs it, and no other count exists: nothing here guesses.
 *
 * FORGET may never come at unmount; inode_table_free drops what is left.
 *
 * A retired node that is known may have watches, and whoever set them must hear
 * of every later change of the key.  So such nodes are also kept by entry:
 *
 *   current ---replaced---> older, key lives ---key deleted---> older, key gone
 *      |                                                           |
 *      +--------------------key deleted--------------------------> +
 *                                                                  |
 *                                  the announcer told its watches: unlinked
 */
#include "inode.h"

/* As small as the allocator's smallest: a listing makes one for each entry. */
typedef struct {
	guint64 nodeid; /* the key; node's */
	Node *node;	/* owned */
	guint64 n_lookups : 61;
	guint64 retired : 1;   /* it is in the table of older inodes */
	guint64 key_lives : 1; /* while retired */
	guint64 unlinked : 1;
} Inode;

struct InodeTable {
	GMutex lock;	    /* guards all that follows and every Inode */
	GHashTable *inodes; /* a set of Inode, owned, by nodeid */
	GHashTable *older;  /* Node (owned, any of that entry) -> GPtrArray of Inode */
	guint64 n_older;
};

static void inode_free(gpointer p)
{
	Inode *inode = p;
	node_unref(inode->node);
	g_free(inode);
}

InodeTable *inode_table_new(Node *root)
{
	InodeTable *table = g_new0(InodeTable, 1);

	g_mutex_init(&table->lock);
	table->inodes = g_hash_table_new_full(g_int64_hash, g_int64_equal, inode_free, NULL);
	table->older = g_hash_table_new_full(node_entry_hash, node_entry_equal,
					     (GDestroyNotify)node_unref,
					     (GDestroyNotify)g_ptr_array_unref);
	inode_lookup(table, root);
	return table;
}

void inode_table_free(InodeTable *table)
{
	if (!table)
		return;
	g_hash_table_unref(table->older);
	g_hash_table_unref(table->inodes);
	g_mutex_clear(&table->lock);
	g_free(table);
}

static Inode *find_locked(InodeTable *table, guint64 nodeid)
{
	/* Its first member is all that is compared. */
	return g_hash_table_lookup(table->inodes, &nodeid);
}

void inode_lookup(InodeTable *table, Node *node)
{
	g_mutex_lock(&table->lock);
	Inode *inode = find_locked(table, node->nodeid);
	if (!inode) {
		inode = g_new0(Inode, 1);
		inode->nodeid = node->nodeid;
		inode->node = node_ref(node);
		g_hash_table_add(table->inodes, inode);
	}
	inode->n_lookups++;
	g_mutex_unlock(&table->lock);
}

static void leave_older_locked(InodeTable *table, Inode *inode)
{
	GPtrArray *older = g_hash_table_lookup(table->older, inode->node);

	g_ptr_array_remove_fast(older, inode);
	if (older->len == 0)
		g_hash_table_remove(table->older, inode->node);
	inode->retired = FALSE;
	table->n_older--;
}

gboolean inode_forget(InodeTable *table, guint64 nodeid, guint64 n_lookups)
{
	/* The root's count is not the kernel's to end. */
	if (nodeid == 1)
		return FALSE;

	g_mutex_lock(&table->lock);
	Inode *inode = find_locked(table, nodeid);
	gboolean forgotten = inode && inode->n_lookups <= n_lookups;
	if (forgotten) {
		if (inode->retired)
			leave_older_locked(table, inode);
		g_hash_table_remove(table->inodes, &nodeid);
	} else if (inode) {
		inode->n_lookups -= n_lookups;
	}
	g_mutex_unlock(&table->lock);
	return forgotten;
}

Node *inode_get(InodeTable *table, guint64 nodeid)
{
	g_mutex_lock(&table->lock);
	Inode *inode = find_locked(table, nodeid);
	Node *node = inode ? node_ref(inode->node) : NULL;
	g_mutex_unlock(&table->lock);
	return node;
}

void inode_table_lock(InodeTable *table)
{
	g_mutex_lock(&table->lock);
}

void inode_table_unlock(InodeTable *table)
{
	g_mutex_unlock(&table->lock);
}

gboolean inode_is_known_locked(InodeTable *table, const Node *node)
{
	return find_locked(table, node->nodeid) != NULL;
}

gboolean inode_is_known(InodeTable *table, const Node *node)
{
	g_mutex_lock(&table->lock);
	gboolean known = inode_is_known_locked(table, node);
	g_mutex_unlock(&table->lock);
	return known;
}

static void join_older_locked(InodeTable *table, Inode *inode, gboolean key_lives)
{
	GPtrArray *older = g_hash_table_lookup(table->older, inode->node);
	if (!older) {
		older = g_ptr_array_new();
		g_hash_table_insert(table->older, node_ref(inode->node), older);
	}
	g_ptr_array_add(older, inode);
	inode->retired = TRUE;
	inode->key_lives = key_lives;
	table->n_older++;
}

static GPtrArray *find_older_locked(InodeTable *table, const Node *entry)
{
	/* Mostly there are none, and then the name need not be hashed. */
	if (g_hash_table_size(table->older) == 0)
		return NULL;
	return g_hash_table_lookup(table->older, entry);
}

void inode_retire_locked(InodeTable *table, Node *node, gboolean key_lives)
{
	GPtrArray *older = key_lives ? NULL : find_older_locked(table, node);
	for (guint i = 0; older && i < older->len; i++)
		((Inode *)older->pdata[i])->key_lives = FALSE;

	Inode *inode = find_locked(table, node->nodeid);
	if (inode)
		join_older_locked(table, inode, key_lives);
}

void inode_retire(InodeTable *table, Node *node, gboolean key_lives)
{
	g_mutex_lock(&table->lock);
	inode_retire_locked(table, node, key_lives);
	g_mutex_unlock(&table->lock);
}

gboolean inode_has_older_locked(InodeTable *table, const Node *entry)
{
	return find_older_locked(table, entry) != NULL;
}

GPtrArray *inode_older(InodeTable *table, const Node *entry, gboolean key_lives)
{
	GPtrArray *nodes = g_ptr_array_new_with_free_func((GDestroyNotify)node_unref);

	g_mutex_lock(&table->lock);
	GPtrArray *older = find_older_locked(table, entry);
	for (guint i = 0; older && i < older->len; i++) {
		Inode *inode = older->pdata[i];
		if (inode->key_lives == key_lives)
			g_ptr_array_add(nodes, node_ref(inode->node));
	}
	g_mutex_unlock(&table->lock);
	return nodes;
}

gboolean inode_is_older(InodeTable *table, const Node *node, gboolean *ret_key_lives)
{
	g_mutex_lock(&table->lock);
	Inode *inode = find_locked(table, node->nodeid);
	gboolean is = inode && inode->retired;
	if (is)
		*ret_key_lives = inode->key_lives;
	g_mutex_unlock(&table->lock);
	return is;
}

void inode_unlinked(InodeTable *table, const Node *node)
{
	g_mutex_lock(&table->lock);
	Inode *inode = find_locked(table, node->nodeid);
	if (inode) {
		inode->unlinked = TRUE;
		if (inode->retired)
			leave_older_locked(table, inode);
	}
	g_mutex_unlock(&table->lock);
}

gboolean inode_is_unlinked(InodeTable *table, const Node *node)
{
	g_mutex_lock(&table->lock);
	Inode *inode = find_locked(table, node->nodeid);
	gboolean unlinked = inode && inode->unlinked;
	g_mutex_unlock(&table->lock);
	return unlinked;
}

GPtrArray *inode_all(InodeTable *table)
{
	GPtrArray *nodes = g_ptr_array_new_with_free_func((GDestroyNotify)node_unref);
	GHashTableIter iter;
	gpointer inode;

	g_mutex_lock(&table->lock);
	g_hash_table_iter_init(&iter, table->inodes);
	while (g_hash_table_iter_next(&iter, &inode, NULL))
		g_ptr_array_add(nodes, node_ref(((Inode *)inode)->node));
	g_mutex_unlock(&table->lock);
	return nodes;
}

InodeTotals inode_totals(InodeTable *table)
{
	g_mutex_lock(&table->lock);
	InodeTotals totals = {g_hash_table_size(table->inodes), table->n_older};
	g_mutex_unlock(&table->lock);
	return totals;
}
