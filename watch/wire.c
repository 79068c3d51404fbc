/* SPDX-License-Identifier: Apache-2.0 */
#include "wire.h"

#include "rpc.pb-c.h"

static gpointer arena_piece(gpointer arena, gsize size)
{
	return arena_alloc(arena, size);
}

static void arena_keep(gpointer arena, gpointer piece)
{
}

static ProtobufCAllocator allocator_for(Arena *arena)
{
	return (ProtobufCAllocator){arena_piece, arena_keep, arena};
}

/* protobuf-c does not write through the pointer of a message that it packs. */
static ProtobufCBinaryData to_binary(KvBytes bytes)
{
	return (ProtobufCBinaryData){bytes.len, (guint8 *)bytes.data};
}

static KvBytes from_binary(ProtobufCBinaryData binary)
{
	return (KvBytes){binary.data, binary.len};
}

static GBytes *message_encode(const ProtobufCMessage *message)
{
	gsize len = protobuf_c_message_get_packed_size(message);
	guint8 *data = g_malloc(len);

	protobuf_c_message_pack(message, data);
	return g_bytes_new_take(data, len);
}

static Etcdserverpb__RangeRequest range_message(const WireRange *request)
{
	Etcdserverpb__RangeRequest message = ETCDSERVERPB__RANGE_REQUEST__INIT;

	message.key = to_binary(request->key);
	message.range_end = to_binary(request->range_end);
	message.limit = request->limit;
	message.revision = request->revision;
	message.keys_only = request->keys_only;
	message.count_only = request->count_only;
	message.min_mod_revision = request->min_mod_revision;
	return message;
}

GBytes *wire_range_encode(const WireRange *request)
{
	Etcdserverpb__RangeRequest message = range_message(request);

	return message_encode(&message.base);
}

static Etcdserverpb__RequestOp range_op(Etcdserverpb__RangeRequest *range)
{
	Etcdserverpb__RequestOp op = ETCDSERVERPB__REQUEST_OP__INIT;

	op.request_case = ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_RANGE;
	op.request_range = range;
	return op;
}

GBytes *wire_probe_encode(KvBytes key, KvBytes range_end)
{
	Etcdserverpb__RangeRequest one = range_message(&(WireRange){.key = key, .keys_only = TRUE});
	Etcdserverpb__RangeRequest all = range_message(&(WireRange){key, range_end});
	Etcdserverpb__RequestOp done = range_op(&one), checked = range_op(&all);
	Etcdserverpb__RequestOp *success[] = {&done}, *failure[] = {&checked};
	Etcdserverpb__TxnRequest message = ETCDSERVERPB__TXN_REQUEST__INIT;

	message.n_success = message.n_failure = 1;
	message.success = success;
	message.failure = failure;
	return message_encode(&message.base);
}

GBytes *wire_progress_encode(void)
{
	Etcdserverpb__WatchProgressRequest progress = ETCDSERVERPB__WATCH_PROGRESS_REQUEST__INIT;
	Etcdserverpb__WatchRequest message = ETCDSERVERPB__WATCH_REQUEST__INIT;

	message.request_union_case = ETCDSERVERPB__WATCH_REQUEST__REQUEST_UNION_PROGRESS_REQUEST;
	message.progress_request = &progress;
	return message_encode(&message.base);
}

GBytes *wire_authenticate_encode(const char *name, const char *password)
{
	Etcdserverpb__AuthenticateRequest message = ETCDSERVERPB__AUTHENTICATE_REQUEST__INIT;

	message.name = (char *)name;
	message.password = (char *)password;
	return message_encode(&message.base);
}

GBytes *wire_status_encode(void)
{
	Etcdserverpb__StatusRequest message = ETCDSERVERPB__STATUS_REQUEST__INIT;

	return message_encode(&message.base);
}

GBytes *wire_watch_encode(const WireWatch *request)
{
	Etcdserverpb__WatchCreateRequest create = ETCDSERVERPB__WATCH_CREATE_REQUEST__INIT;
	Etcdserverpb__WatchRequest message = ETCDSERVERPB__WATCH_REQUEST__INIT;

	create.key = to_binary(request->key);
	create.range_end = to_binary(request->range_end);
	create.start_revision = request->start_revision;
	create.watch_id = request->watch_id;
	create.progress_notify = TRUE;
	create.fragment = TRUE;
	message.request_union_case = ETCDSERVERPB__WATCH_REQUEST__REQUEST_UNION_CREATE_REQUEST;
	message.create_request = &create;
	return message_encode(&message.base);
}

static EtcdHeader header_decode(const Etcdserverpb__ResponseHeader *header)
{
	if (!header)
		return (EtcdHeader){0};
	return (EtcdHeader){
	    .cluster_id = header->cluster_id,
	    .member_id = header->member_id,
	    .revision = header->revision,
	    .raft_term = header->raft_term,
	};
}

/* The last revision there can be has no next one to watch from. */
static gboolean header_is_sane(const Etcdserverpb__ResponseHeader *header)
{
	return !header || header->revision < G_MAXINT64;
}

static KeyValue kv_decode(const Mvccpb__KeyValue *kv)
{
	return (KeyValue){
	    .key = from_binary(kv->key),
	    .value = from_binary(kv->value),
	    .create_revision = kv->create_revision,
	    .mod_revision = kv->mod_revision,
	    .version = kv->version,
	    .lease = kv->lease,
	};
}

static EtcdRange range_decode(Arena *arena, const Etcdserverpb__RangeResponse *message)
{
	KeyValue *kvs = arena_alloc(arena, message->n_kvs * sizeof(*kvs));

	for (gsize i = 0; i < message->n_kvs; i++)
		kvs[i] = kv_decode(message->kvs[i]);
	return (EtcdRange){
	    .header = header_decode(message->header),
	    .kvs = kvs,
	    .n_kvs = message->n_kvs,
	    .more = message->more,
	    .count = message->count,
	};
}

gboolean wire_range_decode(Arena *arena, const guint8 *data, gsize len, EtcdRange *ret)
{
	ProtobufCAllocator allocator = allocator_for(arena);
	Etcdserverpb__RangeResponse *message;

	message = etcdserverpb__range_response__unpack(&allocator, len, data);
	if (!message || !header_is_sane(message->header))
		return FALSE;
	*ret = range_decode(arena, message);
	return TRUE;
}

static gboolean packed_decode(Arena *arena, KvBytes packed, KeyValue *ret)
{
	ProtobufCAllocator allocator = allocator_for(arena);
	Mvccpb__KeyValue *kv = mvccpb__key_value__unpack(&allocator, packed.len, packed.data);

	if (!kv)
		return FALSE;
	*ret = kv_decode(kv);
	return TRUE;
}

static EtcdOutline outline_decode(Arena *arena, const Etcdserverpb__RangeOutline *message)
{
	KvBytes *kvs = arena_alloc(arena, message->n_kvs * sizeof(*kvs));

	for (gsize i = 0; i < message->n_kvs; i++)
		kvs[i] = from_binary(message->kvs[i]);
	return (EtcdOutline){
	    .header = header_decode(message->header),
	    .kvs = kvs,
	    .n_kvs = message->n_kvs,
	    .more = message->more,
	    .count = message->count,
	};
}

gboolean wire_outline_decode(Arena *arena, const guint8 *data, gsize len, EtcdOutline *ret)
{
	ProtobufCAllocator allocator = allocator_for(arena);
	Etcdserverpb__RangeOutline *message;
	EtcdOutline outline;
	KeyValue last = {0};

	message = etcdserverpb__range_outline__unpack(&allocator, len, data);
	if (!message || !header_is_sane(message->header))
		return FALSE;
	outline = outline_decode(arena, message);
	if (outline.n_kvs > 0 && !packed_decode(arena, outline.kvs[outline.n_kvs - 1], &last))
		return FALSE;
	outline.last = last.key;
	*ret = outline;
	return TRUE;
}

gboolean wire_outline_fill(Arena *arena, const EtcdOutline *outline, EtcdRange *ret)
{
	KeyValue *kvs = arena_alloc(arena, outline->n_kvs * sizeof(*kvs));

	for (gsize i = 0; i < outline->n_kvs; i++)
		if (!packed_decode(arena, outline->kvs[i], &kvs[i]))
			return FALSE;
	*ret = (EtcdRange){
	    .header = outline->header,
	    .kvs = kvs,
	    .n_kvs = outline->n_kvs,
	    .more = outline->more,
	    .count = outline->count,
	};
	return TRUE;
}

gboolean wire_probe_decode(Arena *arena, const guint8 *data, gsize len, EtcdRange *ret)
{
	ProtobufCAllocator allocator = allocator_for(arena);
	Etcdserverpb__TxnResponse *message;

	message = etcdserverpb__txn_response__unpack(&allocator, len, data);
	if (!message || !header_is_sane(message->header) || message->n_responses != 1 ||
	    message->responses[0]->response_case !=
		ETCDSERVERPB__RESPONSE_OP__RESPONSE_RESPONSE_RANGE)
		return FALSE;
	*ret = range_decode(arena, message->responses[0]->response_range);
	/* that of the whole has the ids, too */
	ret->header = header_decode(message->header);
	return TRUE;
}

/* gRPC takes nothing else as metadata. */
static gboolean is_header_value(const char *text)
{
	while (g_ascii_isgraph(*text))
		text++;
	return *text == '\0';
}

gboolean wire_token_decode(Arena *arena, const guint8 *data, gsize len, const char **ret)
{
	ProtobufCAllocator allocator = allocator_for(arena);
	Etcdserverpb__AuthenticateResponse *message;

	message = etcdserverpb__authenticate_response__unpack(&allocator, len, data);
	if (!message || !is_header_value(message->token))
		return FALSE;
	*ret = message->token;
	return TRUE;
}

gboolean wire_version_decode(Arena *arena, const guint8 *data, gsize len, const char **ret)
{
	ProtobufCAllocator allocator = allocator_for(arena);
	Etcdserverpb__StatusResponse *message;

	message = etcdserverpb__status_response__unpack(&allocator, len, data);
	if (message)
		*ret = message->version;
	return message != NULL;
}

static gboolean event_decode(const Mvccpb__Event *event, KvEvent *ret)
{
	if (!event->kv || event->kv->key.len == 0 || event->kv->mod_revision == G_MAXINT64)
		return FALSE;
	if (event->type == MVCCPB__EVENT__EVENT_TYPE__PUT)
		ret->type = KV_PUT;
	else if (event->type == MVCCPB__EVENT__EVENT_TYPE__DELETE)
		ret->type = KV_DELETE;
	else
		return FALSE;
	ret->kv = kv_decode(event->kv);
	return TRUE;
}

gboolean wire_watch_decode(Arena *arena, const guint8 *data, gsize len, EtcdWatch *ret)
{
	ProtobufCAllocator allocator = allocator_for(arena);
	Etcdserverpb__WatchResponse *message;
	KvEvent *events;

	message = etcdserverpb__watch_response__unpack(&allocator, len, data);
	if (!message || !header_is_sane(message->header))
		return FALSE;

	events = arena_alloc(arena, message->n_events * sizeof(*events));
	for (gsize i = 0; i < message->n_events; i++)
		if (!event_decode(message->events[i], &events[i]))
			return FALSE;
	*ret = (EtcdWatch){
	    .header = header_decode(message->header),
	    .watch_id = message->watch_id,
	    .created = message->created,
	    .canceled = message->canceled,
	    .fragment = message->fragment,
	    .compact_revision = message->compact_revision,
	    .cancel_reason = message->cancel_reason ? message->cancel_reason : "",
	    .events = events,
	    .n_events = message->n_events,
	};
	return TRUE;
}
