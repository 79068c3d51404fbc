/* SPDX-License-Identifier: Apache-2.0 */
/* entries.h - which node each name in each directory leads to.
 *
 * Hash tables for the whole tree find a child by (directory, name); the
 * siblings of each directory are kept in readdir order beside them.  A change
 * costs the same in a tree of any size.  All functions need the tree lock: the
 * write lock where they change something.
 */
#ifndef ENTRIES_H
#define ENTRIES_H

#include "node.h"

/* FUSE's number for the root; those below ENTRIES_FIRST_NODEID are kept for
 * .etcdfs and what is in it. */
#define ENTRIES_ROOT_NODEID 1
#define ENTRIES_FIRST_NODEID 16

/* A table grows at once, under the lock. */
#define ENTRIES_TABLES 64

typedef struct {
	/* Sets of Node, by node_entry_hash, that own a reference; which one: entries.c. */
	GHashTable *index[ENTRIES_TABLES];
	Node *root;
	guint64 n_files;
	guint64 n_dirs;	     /* the root included */
	guint64 value_bytes; /* of all files together */
	gint64 stamp_ns;     /* mtime of what changes now: entries_stamp */
} Entries;

void entries_init(Entries *entries);
void entries_clear(Entries *entries);

/* A nodeid that was never given before.  Any thread. */
guint64 entries_next_nodeid(void);

/* Every change until the next call has this time: the clock's, but always later
 * than the last, so that mtimes are strictly increasing. */
void entries_stamp(Entries *entries, gint64 now_ns);

/* Calls FUNC, which must not change anything, for each file, in no order. */
void entries_foreach_file(const Entries *entries, void (*func)(Node *file, gpointer data),
			  gpointer data);

/* Borrowed; NULL if there is none.  LEN is without a NUL. */
Node *entries_lookup(const Entries *entries, Node *dir, const char *name, gsize len);

/* Whether there is an entry with NODE's name in its parent. */
gboolean entries_has(const Entries *entries, const Node *node);

/* Makes NODE (new, not linked) an entry of its parent; gives it nodeid and
 * offset, and a directory its mtime.  Takes over the reference. */
void entries_link(Entries *entries, Node *node);

/* Removes the entry; the caller gets no reference and needs its own to go on. */
void entries_unlink(Entries *entries, Node *node);

/* The entry of OLD leads to NOW (new, same parent and name), at the same offset.
 * Takes over the reference to NOW; drops the tree's to OLD. */
void entries_swing(Entries *entries, Node *old, Node *now);

#endif
