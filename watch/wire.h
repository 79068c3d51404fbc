/* SPDX-License-Identifier: Apache-2.0 */
/* wire.h - protobuf to plain values and back; the bytes come from anybody.
 */
#ifndef WIRE_H
#define WIRE_H

#include "arena.h"
#include "response.h"

/* RangeRequest.  Never sorted: etcd answers in key order as it is, and sorts
 * the whole range when asked to.  Always linearizable. */
typedef struct {
	KvBytes key;
	KvBytes range_end; /* empty: KEY alone; one NUL: to the last key */
	gint64 limit;	   /* 0: none */
	gint64 revision;   /* 0: the newest */
	gboolean keys_only;
	gboolean count_only;
	gint64 min_mod_revision; /* 0: any */
} WireRange;

/* WatchCreateRequest.  Always with progress notifications and fragments, never
 * with the value before: etcd would read it from disk for each event. */
typedef struct {
	KvBytes key;
	KvBytes range_end;
	gint64 start_revision; /* never 0, which means from now on */
	gint64 watch_id;       /* ours to choose, not 0 */
} WireWatch;

GBytes *wire_range_encode(const WireRange *request);
GBytes *wire_watch_encode(const WireWatch *request);

/* TxnRequest that reads KEY, there or not, and would read [KEY, RANGE_END) if its
 * empty condition did not hold.  etcd checks the permissions of both branches and
 * runs one: it says whether we may read the range and does not walk it. */
GBytes *wire_probe_encode(KvBytes key, KvBytes range_end);

/* WatchProgressRequest, AuthenticateRequest, StatusRequest. */
GBytes *wire_progress_encode(void);
GBytes *wire_authenticate_encode(const char *name, const char *password);
GBytes *wire_status_encode(void);

/* Decode LEN bytes to ARENA.  FALSE, with *RET untouched, when they are not
 * that message, or an event has no key or a type of its own. */
gboolean wire_range_decode(Arena *arena, const guint8 *data, gsize len, EtcdRange *ret);
/* The same in two steps: of the keys the first decodes none but the last. */
gboolean wire_outline_decode(Arena *arena, const guint8 *data, gsize len, EtcdOutline *ret);
gboolean wire_outline_fill(Arena *arena, const EtcdOutline *outline, EtcdRange *ret);
gboolean wire_watch_decode(Arena *arena, const guint8 *data, gsize len, EtcdWatch *ret);
/* TxnResponse: its header, with the keys of its first answer. */
gboolean wire_probe_decode(Arena *arena, const guint8 *data, gsize len, EtcdRange *ret);
/* The token of AuthenticateResponse, the version of StatusResponse; never NULL. */
gboolean wire_token_decode(Arena *arena, const guint8 *data, gsize len, const char **ret);
gboolean wire_version_decode(Arena *arena, const guint8 *data, gsize len, const char **ret);

#endif
