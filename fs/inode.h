/* SPDX-License-Identifier: Apache-2.0 */
/* inode.h - the nodes that the kernel knows: by nodeid, with lookup counts.
 *
 * All functions but those that end in _locked take the inode table's lock themselves,
 * which may nest inside the tree lock and is never held across a call out.  Any thread.
 */
#ifndef INODE_H
#define INODE_H

#include "node.h"

typedef struct InodeTable InodeTable;

/* ROOT is known for ever, as FUSE wants it. */
InodeTable *inode_table_new(Node *root);
void inode_table_free(InodeTable *table);

/* The kernel is about to be given NODE (by lookup, mknod, mkdir or readdirplus):
 * its lookup count goes up by one.  Call it with the tree read lock under which
 * the node was found, so that a change applied later finds it known. */
void inode_lookup(InodeTable *table, Node *node);

/* FUSE's FORGET; also to undo an inode_lookup whose reply the kernel never took.  TRUE: it
 * was known, and is no longer. */
gboolean inode_forget(InodeTable *table, guint64 nodeid, guint64 n_lookups);

/* The node, with a reference for the caller; NULL if the kernel does not know it. */
Node *inode_get(InodeTable *table, guint64 nodeid);

/* For many calls of those that end in _locked, which need it. */
void inode_table_lock(InodeTable *table);
void inode_table_unlock(InodeTable *table);

/* Whether its lookup count is above zero. */
gboolean inode_is_known(InodeTable *table, const Node *node);
gboolean inode_is_known_locked(InodeTable *table, const Node *node);

/* NODE is no longer what its entry leads to; call it with the tree write lock.
 * With KEY_LIVES it was replaced by a newer revision, else its key is gone (so
 * are, then, the older nodes of that entry). */
void inode_retire(InodeTable *table, Node *node, gboolean key_lives);
void inode_retire_locked(InodeTable *table, Node *node, gboolean key_lives);

/* Whether any node that was retired from this entry is still known. */
gboolean inode_has_older_locked(InodeTable *table, const Node *entry);

/* The known nodes that were retired from the entry, as owned references: those
 * whose key lives, or those whose key is gone.  Later calls return the same ones
 * as long as they are known and not unlinked. */
GPtrArray *inode_older(InodeTable *table, const Node *entry, gboolean key_lives);

/* Whether NODE is one of those, and if so of which. */
gboolean inode_is_older(InodeTable *table, const Node *node, gboolean *ret_key_lives);

/* Nobody has to be told about NODE any more, and its link count is zero. */
void inode_unlinked(InodeTable *table, const Node *node);
gboolean inode_is_unlinked(InodeTable *table, const Node *node);

/* Every node that the kernel knows, as owned references. */
GPtrArray *inode_all(InodeTable *table);

typedef struct {
	guint64 known; /* inodes that the kernel knows, directories included */
	guint64 older; /* of them no longer current */
} InodeTotals;
InodeTotals inode_totals(InodeTable *table);

#endif
