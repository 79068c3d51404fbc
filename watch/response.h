/* SPDX-License-Identifier: Apache-2.0 */
/* response.h - etcd's answers as plain values: wire.c makes them, seed.c and
 * resume.c read them.  Everything is borrowed from the arena it was decoded to.
 */
#ifndef RESPONSE_H
#define RESPONSE_H

#include "kv.h"

/* All zero when the answer had none, as etcd's notice of a compaction. */
typedef struct {
	guint64 cluster_id;
	guint64 member_id;
	gint64 revision; /* the store's when it answered, not that of the data */
	guint64 raft_term;
} EtcdHeader;

/* RangeResponse. */
typedef struct {
	EtcdHeader header;
	const KeyValue *kvs;
	gsize n_kvs;
	gboolean more; /* the limit cut the range short */
	gint64 count;  /* from the key asked for to the end, whatever the limit */
} EtcdRange;

/* RangeResponse, of which no more is decoded than it takes to ask for what follows. */
typedef struct {
	EtcdHeader header;
	const KvBytes *kvs; /* as they came */
	gsize n_kvs;
	KvBytes last; /* the key of the last; empty: there is none */
	gboolean more;
	gint64 count;
} EtcdOutline;

/* WatchResponse: exactly one of created, cancelled, events and progress (none
 * of the others), except that a watch refused at once is created and canceled. */
typedef struct {
	EtcdHeader header;
	gint64 watch_id; /* -1: the whole stream, or a watch that was refused */
	gboolean created;
	gboolean canceled;
	gboolean fragment;	   /* the same revision may go on in the next response */
	gint64 compact_revision;   /* not 0: the start revision is gone */
	const char *cancel_reason; /* never NULL; etcd's text, any bytes */
	const KvEvent *events;
	gsize n_events;
} EtcdWatch;

/* Why a call ended, as far as it makes a difference. */
typedef enum {
	ETCD_AWAY,	/* no contact, or no sense in the answer: try again */
	ETCD_COMPACTED, /* the revision asked for is compacted */
	ETCD_FUTURE,	/* the revision asked for is not there yet */
	ETCD_REFUSED,	/* etcd said no, and a person has to mend it */
} EtcdFailure;

#endif
