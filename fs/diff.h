/* SPDX-License-Identifier: Apache-2.0 */
/* diff.h - what a seed says that the tree does not.
 *
 * Pages are compared as they arrive; only what differs is kept.  Writer thread.
 */
#ifndef DIFF_H
#define DIFF_H

#include "tree.h"

typedef struct Diff Diff;

Diff *diff_new(Tree *tree);
void diff_free(Diff *diff);

/* A seed begins; what an unfinished one left is dropped. */
void diff_begin(Diff *diff);

/* Keys of the seed; those that the tree has not, or has otherwise, are copied. */
void diff_page(Diff *diff, const KeyValue *kvs, gsize n_kvs);

/* The seed is complete: the keys of the tree that it did not have are deletions.
 * The events, deletions first, are borrowed until diff_forget. */
const KvEvent *diff_end(Diff *diff, gsize *ret_n_events);

/* Gives back the memory of the seed, complete or not; it may be much. */
void diff_forget(Diff *diff);

#endif
