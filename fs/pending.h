/* SPDX-License-Identifier: Apache-2.0 */
/* pending.h - what still has to be told to the kernel and to watchers.
 *
 * One record an entry, whatever happens to it meanwhile: what watchers were last
 * told is there, and what is there now.  So memory is bounded by the tree.  Pure
 * data: the announcer guards it with its lock.
 */
#ifndef PENDING_H
#define PENDING_H

#include "node.h"

typedef struct {
	Node *entry; /* owned; any node of the entry: parent and name */
	Node *told;  /* owned; what watchers believe to be there, or NULL */
	Node *now;   /* owned; what is there, or NULL */
	Node *went;  /* owned; what came and went untold but was seen, or NULL */

	gboolean told_seen; /* the kernel knew `told` when it went */
	gint64 since_us;    /* Pending's now_us of the first change that is not told */

	/* Of pending.c. */
	gboolean stale; /* the kernel's entry is not invalidated yet */
	GList in_order;
	GList in_stale;
} PendingRecord;

typedef struct {
	GHashTable *records; /* set of PendingRecord, by entry */
	GQueue order;	     /* of all records, the first to be told first */
	GQueue stale;	     /* of those whose kernel entry is stale */
	gint64 now_us;	     /* of what is pushed next: for the caller to set */
} Pending;

void pending_init(Pending *pending);
void pending_clear(Pending *pending);

/* Whether anything is pending for the entry of NODE. */
gboolean pending_has(const Pending *pending, const Node *node);

/* The entry led to OLD and leads to NOW (either may be NULL, not both).  SEEN: the
 * kernel knows OLD, so a watcher may have met it before it was told. */
void pending_push(Pending *pending, Node *old, Node *now, gboolean seen);

/* All entries (owned references) that became stale since the last call, or NULL
 * if there are none.  The caller invalidates them before it takes a record. */
GPtrArray *pending_take_stale(Pending *pending);

/* The record to tell next, now the caller's; NULL if there is none. */
PendingRecord *pending_take(Pending *pending);

/* The same, but only of the entries of the directory NODEID. */
gboolean pending_has_in(const Pending *pending, guint64 nodeid);
PendingRecord *pending_take_in(Pending *pending, guint64 nodeid);

/* RECORD was not told, because the entry changed again: what watchers believe goes
 * into the record that this change made.  Without such a record the change stays
 * untold.  Takes over RECORD. */
void pending_give_back(Pending *pending, PendingRecord *record);

void pending_record_free(PendingRecord *record);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PendingRecord, pending_record_free)

#endif
