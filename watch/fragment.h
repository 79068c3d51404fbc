/* SPDX-License-Identifier: Apache-2.0 */
/* fragment.h - the events of a revision that has not come whole yet.
 *
 * etcd cuts a long response anywhere, also inside a revision.  Only the last
 * revision of a fragment can be unfinished, so that is all that is ever kept:
 * a copy, because the response's memory goes before the rest arrives.
 */
#ifndef FRAGMENT_H
#define FRAGMENT_H

#include "kv.h"

typedef struct {
	GArray *events;	     /* KvEvent, their bytes in `bytes` */
	GStringChunk *bytes; /* NULL while there are no events */
} Fragment;

void fragment_init(Fragment *fragment);
void fragment_clear(Fragment *fragment);

/* Forgets the events. */
void fragment_reset(Fragment *fragment);

/* Moves the events to TO, which is empty. */
void fragment_move(Fragment *fragment, Fragment *to);

/* Copies EVENTS, all of one revision, the one of those already there. */
void fragment_append(Fragment *fragment, const KvEvent *events, gsize n_events);

/* What is there; revision 0 and no events when empty.  Borrowed until the next
 * change. */
KvBatch fragment_batch(const Fragment *fragment);

#endif
