/* SPDX-License-Identifier: Apache-2.0 */
/* siblings.h - a directory's children in the order of their readdir offsets.
 *
 * A treap whose links are in the nodes themselves: 16 bytes a node, and insert,
 * remove, replace and seek in logarithmic time.  A child's priority is a hash of
 * its offset, seeded for each process, so the depth stays logarithmic whatever
 * the order in which keys come and go.  All functions need the tree lock: the
 * write lock where they change something.
 */
#ifndef SIBLINGS_H
#define SIBLINGS_H

#include "node.h"

/* NODE's offset must not be in the treap yet. */
void siblings_insert(Node **root, Node *node);

/* The node must be in the treap. */
void siblings_remove(Node **root, Node *node);

/* WITH takes the place of NODE; both have the same offset. */
void siblings_replace(Node **root, Node *node, Node *with);

/* A walk in ascending order.  The treap must not change meanwhile. */
typedef struct {
	Node *stack[128]; /* far above the depth of a treap of 2^32 nodes */
	guint depth;
} SiblingsIter;

/* Starts at the first offset above OFFSET; the next call is siblings_next. */
void siblings_seek(SiblingsIter *iter, Node *root, guint64 offset);

/* The next child, borrowed, or NULL at the end. */
Node *siblings_next(SiblingsIter *iter);

#endif
