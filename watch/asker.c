/* SPDX-License-Identifier: Apache-2.0 */
#include "asker.h"

static const struct {
	const char *method;
	RpcLane lane;
	/* Who is refused may be heard with another token; but etcd tells its version to some
	 * only, whatever their token. */
	gboolean of_token;
} asks[] = {
    [ASK_PAGE] = {"/etcdserverpb.KV/Range", RPC_BULK, TRUE},
    [ASK_PROBE] = {"/etcdserverpb.KV/Txn", RPC_WATCH, TRUE},
    [ASK_ANCHOR] = {"/etcdserverpb.KV/Range", RPC_WATCH, TRUE},
    [ASK_AUDIT] = {"/etcdserverpb.KV/Range", RPC_WATCH, TRUE},
    [ASK_CONFIRM] = {"/etcdserverpb.KV/Range", RPC_WATCH, TRUE},
    [ASK_VERSION] = {"/etcdserverpb.Maintenance/Status", RPC_WATCH, FALSE},
};

#define METHOD_AUTHENTICATE "/etcdserverpb.Auth/Authenticate"

static const RpcEvents token_events, request_events;

void asker_init(Asker *asker, const AskerConfig *config, const WatchAuth *auth)
{
	*asker = (Asker){.config = *config};
	auth_init(&asker->auth, auth);
}

void asker_clear(Asker *asker)
{
	g_clear_pointer(&asker->message, g_bytes_unref);
	arena_clear(&asker->arena);
	auth_clear(&asker->auth);
}

gboolean asker_is_busy(const Asker *asker)
{
	return asker->call != NULL;
}

void asker_close(Asker *asker)
{
	rpc_call_close(g_steal_pointer(&asker->call));
}

static void send_request(Asker *asker)
{
	RpcRequest request = {
	    .lane = asks[asker->kind].lane,
	    .method = asks[asker->kind].method,
	    .message = asker->message,
	    .token = asker->auth.token,
	    .timeout_ms = asker->config.timeout_ms,
	};

	asker->heard = FALSE;
	asker->sent_us = g_get_monotonic_time();
	asker->call = rpc_unary(asker->config.rpc, &request, &request_events, asker);
}

static void send_login(Asker *asker)
{
	g_autoptr(GBytes) message = auth_request(&asker->auth);
	RpcRequest request = {
	    .lane = RPC_WATCH,
	    .method = METHOD_AUTHENTICATE,
	    .message = message,
	    .timeout_ms = asker->config.timeout_ms,
	};

	metering_token(asker->config.metering);
	asker->heard = FALSE;
	asker->call = rpc_unary(asker->config.rpc, &request, &token_events, asker);
}

static void send_out(Asker *asker)
{
	if (auth_is_due(&asker->auth))
		send_login(asker);
	else
		send_request(asker);
}

void asker_ask(Asker *asker, AskKind kind, GBytes *message)
{
	asker->kind = kind;
	auth_begin(&asker->auth);
	g_clear_pointer(&asker->message, g_bytes_unref);
	asker->message = message;
	send_out(asker);
}

/* ---- the token ---- */

static void token_message(gpointer data, const guint8 *bytes, gsize len)
{
	Asker *asker = data;
	g_auto(Arena) arena = {0};
	const char *token;
	gint64 now_us = metering_heard(asker->config.metering, len);

	arena_init(&arena, 2 * len);
	asker->heard = wire_token_decode(&arena, bytes, len, &token);
	if (!asker->heard)
		return;
	auth_take(&asker->auth, token);
	asker->contact_us = now_us;
}

static void token_ended(gpointer data, const RpcEnd *end)
{
	Asker *asker = data;
	const AskerConfig *config = &asker->config;

	asker->call = NULL;
	if (end->ok ? asker->heard : auth_refused(&asker->auth, end->reason))
		send_out(asker);
	else if (end->ok)
		config->events->no_token(config->data, ETCD_AWAY, "the answer is not etcd's");
	else
		config->events->no_token(config->data, end->failure, end->reason);
}

static const RpcEvents token_events = {token_message, token_ended};

/* ---- the request ---- */

static gboolean decode(Asker *asker, const guint8 *bytes, gsize len)
{
	switch (asker->kind) {
	case ASK_PAGE:
		return wire_outline_decode(&asker->arena, bytes, len, &asker->outline);
	case ASK_PROBE:
		return wire_probe_decode(&asker->arena, bytes, len, &asker->page);
	case ASK_VERSION:
		return wire_version_decode(&asker->arena, bytes, len, &asker->version);
	default:
		return wire_range_decode(&asker->arena, bytes, len, &asker->page);
	}
}

static void request_message(gpointer data, const guint8 *bytes, gsize len)
{
	Asker *asker = data;
	gint64 now_us = metering_heard(asker->config.metering, len);

	arena_clear(&asker->arena);
	arena_init(&asker->arena, 2 * len);
	asker->len = len;
	asker->heard = decode(asker, bytes, len);
	if (asker->heard)
		asker->contact_us = now_us;
}

static void request_refused(Asker *asker, const char *reason)
{
	const AskerConfig *config = &asker->config;

	switch (auth_judge(&asker->auth, reason)) {
	case AUTH_RETRY:
		config->events->refused(config->data);
		send_out(asker);
		break;
	case AUTH_LATER:
		config->events->no_token(config->data, ETCD_AWAY, reason);
		break;
	case AUTH_DENIED:
		config->events->failed(config->data, ETCD_REFUSED, reason);
		break;
	}
}

static void request_ended(gpointer data, const RpcEnd *end)
{
	Asker *asker = data;
	const AskerConfig *config = &asker->config;

	asker->call = NULL;
	if (end->ok && asker->heard)
		config->events->answered(config->data);
	else if (end->ok)
		config->events->failed(config->data, ETCD_AWAY, "the answer is not etcd's");
	else if (end->failure == ETCD_REFUSED && asks[asker->kind].of_token)
		request_refused(asker, end->reason);
	else
		config->events->failed(config->data, end->failure, end->reason);
	/* a page may be large, and the next is a while away */
	arena_clear(&asker->arena);
}

static const RpcEvents request_events = {request_message, request_ended};

gboolean asker_fill_page(Asker *asker, Arena *arena)
{
	gboolean whole = wire_outline_fill(arena, &asker->outline, &asker->page);

	arena_clear(&asker->arena);
	return whole;
}
