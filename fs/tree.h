/* SPDX-License-Identifier: Apache-2.0 */
/* tree.h - the model: etcd's keys under one prefix, at one revision, as a tree.
 *
 * It knows neither etcd's protocol nor FUSE.  One thread changes it (the
 * writer), many read it.  What a change did is reported as a list of TreeChange;
 * the tree tells nobody.
 *
 * The tree lock is a readers/writer lock that prefers the writer.  Functions
 * that end in _locked need it, for reading at least; tree_apply_locked and
 * tree_progress_locked need it for writing.  The writer thread itself may read
 * without the lock, since nobody else changes anything: tree_find, tree_holds, tree_prepare.
 * Inside the tree lock no other lock is taken but the announcer's and the inode
 * table's.
 */
#ifndef TREE_H
#define TREE_H

#include "kv.h"
#include "node.h"

typedef struct Tree Tree;

/* An entry led to OLD and leads to NOW: both are nodes of the same parent and
 * name; one of them is NULL where there was none or is none.  Owned references. */
typedef struct {
	Node *old;
	Node *now;
} TreeChange;

/* A GArray of TreeChange, in the order in which they must be told: a directory
 * before what is in it when it comes, after it when it goes.  It has room for N. */
GArray *tree_changes_new(guint n);

typedef struct {
	gint64 revision; /* last applied */
	guint64 n_keys;
	guint64 n_dirs; /* the root included */
	guint64 value_bytes;
} TreeTotals;

/* PREFIX is copied; every key given later begins with it. */
Tree *tree_new(KvBytes prefix);
void tree_free(Tree *tree);

void tree_read_lock(Tree *tree);
void tree_read_unlock(Tree *tree);
void tree_write_lock(Tree *tree);
void tree_write_unlock(Tree *tree);

/* Never changes; borrowed. */
Node *tree_root(Tree *tree);
KvBytes tree_prefix(const Tree *tree);

/* The node that NAME in DIR leads to, borrowed, or NULL. */
Node *tree_lookup_locked(Tree *tree, Node *dir, const char *name);

TreeTotals tree_totals_locked(Tree *tree);

/* The whole key of a file; of a directory, what all keys in it begin with.
 * Needs no lock, and works for replaced and deleted nodes as well. */
GByteArray *tree_node_key(const Tree *tree, const Node *node);

/* The file node that holds KEY, borrowed, or NULL.  Writer thread. */
Node *tree_find(Tree *tree, KvBytes key);

/* Whether EVENT, not a new one, has left its trace: a put its revision or a later
 * one, a delete no key older than itself.  FALSE also for a put of a key that is not
 * there: it may have been deleted since.  Writer thread. */
gboolean tree_holds(Tree *tree, const KvEvent *event);

/* What can be done for tree_apply_locked before the lock is taken, so that readers wait
 * less: for each event the TreeChange that it makes if none before it interferes, or
 * nothing.  The tree is as it was.  Writer thread. */
GArray *tree_prepare(Tree *tree, const KvEvent *events, gsize n_events);

/* Whether the batch, for which PREPARED is, continues what is held: each put has the
 * version after the one held, each delete hits a key.  FALSE: an event was lost. */
gboolean tree_check(const GArray *prepared, const KvBatch *batch);

/* Applies events in their order, then makes directories out of what needs them
 * and files out of directories that need them no longer.  The tree is then at
 * REVISION.  PREPARED is tree_prepare's for these events, of which it takes what it
 * uses, or NULL.  What became of each entry is appended to CHANGES (may be NULL). */
void tree_apply_locked(Tree *tree, const KvEvent *events, gsize n_events, GArray *prepared,
		       gint64 revision, GArray *changes);

/* The tree is at REVISION, which changed nothing. */
void tree_progress_locked(Tree *tree, gint64 revision);

/* Calls FUNC for each file node; writer thread.  FUNC must not change the tree. */
void tree_foreach_file(Tree *tree, void (*func)(Node *file, gpointer data), gpointer data);

#endif
