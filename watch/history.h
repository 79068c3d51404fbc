/* SPDX-License-Identifier: Apache-2.0 */
/* history.h - is the etcd that answers the one whose past we hold?
 *
 * The cluster id is made of the peers' URLs and the token: it is the same after
 * a backup was restored.  So there is more to compare: the revision, the raft
 * term, and an event of ours.
 */
#ifndef HISTORY_H
#define HISTORY_H

#include "response.h"

/* An event that was applied: in the same history, and only there, it can be read
 * again at its own revision. */
typedef struct {
	gint64 revision; /* 0: none */
	GByteArray *key;
	GByteArray *value; /* the rest is of a put alone */
	gint64 create_revision;
	gint64 version;
	gint64 lease;
} HistoryAnchor;

typedef struct {
	EtcdHeader seen;	  /* newest ids; the highest term; all 0 until known */
	HistoryAnchor anchors[2]; /* the last event of each KvEventType */
} History;

void history_init(History *history);
void history_clear(History *history);

/* What was seen so far was of another past. */
void history_forget(History *history);

/* Everything is read again, so no event counts as the last. */
void history_forget_anchors(History *history);

/* The header of a linearizable answer in which history_fault found none. */
void history_see(History *history, const EtcdHeader *header);

/* KV was put or deleted: the last one applied so far. */
void history_anchor(History *history, const KeyValue *kv, KvEventType type);

/* All of BATCH was applied. */
void history_anchor_batch(History *history, const KvBatch *batch);

/* The anchors that are to be checked, one after the other; NULL: none, no more.
 * First the last put, which cannot be there by chance; then the last deletion, if
 * it is newer: it proves little, but the put says nothing of it. */
const HistoryAnchor *history_first_anchor(const History *history);
const HistoryAnchor *history_anchor_after(const History *history, const HistoryAnchor *anchor);

/* Whether KV (NULL: no such key) is what etcd must say of ANCHOR's key at its
 * revision. */
gboolean history_anchor_holds(const History *history, const HistoryAnchor *anchor,
			      const KeyValue *kv);

/* NULL, or why the HEADER of a linearizable answer cannot be of our history,
 * which had reached revision FLOOR when we asked. */
const char *history_fault(const History *history, const EtcdHeader *header, gint64 floor);

#endif
