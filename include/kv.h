/* SPDX-License-Identifier: Apache-2.0 */
/* kv.h - plain values that cross the seam: key, value, one event, one batch.
 *
 * All memory is borrowed: it is valid for the call that passes it and no
 * longer.  A receiver that keeps a value copies it, once.
 */
#ifndef KV_H
#define KV_H

#include <glib.h>

/* Bytes of any content, NUL included.  data may be NULL when len is 0. */
typedef struct {
	const guint8 *data;
	gsize len;
} KvBytes;

/* The fields of etcd's mvccpb.KeyValue.  In a delete event only key and
 * mod_revision mean anything (etcd sends nothing else). */
typedef struct {
	KvBytes key;
	KvBytes value;
	gint64 create_revision;
	gint64 mod_revision;
	gint64 version; /* of the key: 1 when created, then one more a put */
	gint64 lease;	/* 0: none */
} KeyValue;

typedef enum {
	KV_PUT,
	KV_DELETE,
} KvEventType;

typedef struct {
	KvEventType type;
	KeyValue kv;
} KvEvent;

/* All events of one revision, in etcd's order: a transaction stays whole. */
typedef struct {
	gint64 revision;
	const KvEvent *events;
	gsize n_events;
	gint64 arrived_us; /* the last of it, g_get_monotonic_time(); 0: nobody looked */
} KvBatch;

#endif
