/* SPDX-License-Identifier: Apache-2.0 */
/* rpc.c - gRPC core's batches, tags and queue.
 *
 * A call has up to three batches under way: `open` sends, `receive` waits for
 * one message, `finish` for the status.  The status has a batch of its own,
 * started at once, because only it says why a stream ended.  Each batch carries
 * its tag as first member, and the tag knows what to do when it comes back.  A
 * call's memory lives until every tag is back, whoever has lost interest.
 */
#include "rpc.h"

#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/support/log.h>
#include <grpc/support/time.h>
#include <string.h>

#include "reason.h"

typedef struct {
	void (*done)(RpcCall *call, gboolean ok);
	RpcCall *call;
} RpcTag;

typedef struct {
	RpcTag tag;
	grpc_metadata metadata[1];
	grpc_byte_buffer *request;
} RpcOpen;

typedef struct {
	RpcTag tag;
	gboolean busy;
	grpc_metadata_array initial;
	grpc_byte_buffer *message;
} RpcReceive;

typedef struct {
	RpcTag tag;
	gboolean done;
	grpc_metadata_array trailing;
	grpc_status_code code;
	grpc_slice details;
} RpcFinish;

struct RpcCall {
	Rpc *rpc;
	grpc_call *call;
	const RpcEvents *events; /* NULL: nobody listens any more */
	gpointer data;
	guint pending; /* tags not back yet */
	gboolean unary;
	RpcOpen open;
	RpcReceive receive;
	RpcFinish finish;
};

struct Rpc {
	RpcSettings settings;
	grpc_completion_queue *queue;
	grpc_channel *channel; /* NULL before rpc_connect */
	GHashTable *calls;     /* a set; each is freed when its tags are back */
	grpc_channel *wake_channel;
	grpc_call *wake_call;
	RpcTag wake_tag;
};

/* gRPC's own lines never reach the user: what matters comes with the status. */
static void rpc_log(gpr_log_func_args *args)
{
	g_debug("grpc: %s", args->message);
}

static gpr_timespec rpc_deadline(gint64 deadline_us)
{
	gint64 left = deadline_us - g_get_monotonic_time();

	if (deadline_us == G_MAXINT64)
		return gpr_inf_future(GPR_CLOCK_MONOTONIC);
	return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
			    gpr_time_from_micros(MAX(left, 0), GPR_TIMESPAN));
}

/* The wake-up is an empty batch: gRPC posts its tag at once, from any thread.
 * It needs a call, and a call a channel; neither ever sends anything. */
static void rpc_init_wake(Rpc *rpc)
{
	rpc->wake_channel = grpc_lame_client_channel_create("wake", GRPC_STATUS_UNAVAILABLE, "");
	rpc->wake_call = grpc_channel_create_call(rpc->wake_channel, NULL, GRPC_PROPAGATE_DEFAULTS,
						  rpc->queue,
						  grpc_slice_from_static_string("/wake"), NULL,
						  gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
}

Rpc *rpc_new(const RpcSettings *settings)
{
	Rpc *rpc = g_new0(Rpc, 1);

	gpr_set_log_function(rpc_log);
	grpc_init();
	rpc->settings = *settings;
	rpc->queue = grpc_completion_queue_create_for_next(NULL);
	rpc->calls = g_hash_table_new(NULL, NULL);
	rpc_init_wake(rpc);
	return rpc;
}

static void rpc_close_all(Rpc *rpc)
{
	GHashTableIter iter;
	gpointer call;

	g_hash_table_iter_init(&iter, rpc->calls);
	while (g_hash_table_iter_next(&iter, &call, NULL))
		rpc_call_close(call);
	while (g_hash_table_size(rpc->calls) > 0)
		rpc_wait(rpc, G_MAXINT64);
}

static void rpc_drain(Rpc *rpc)
{
	grpc_event event;

	grpc_completion_queue_shutdown(rpc->queue);
	do
		event = grpc_completion_queue_next(rpc->queue, rpc_deadline(G_MAXINT64), NULL);
	while (event.type != GRPC_QUEUE_SHUTDOWN);
}

void rpc_free(Rpc *rpc)
{
	if (!rpc)
		return;
	rpc_close_all(rpc);
	if (rpc->channel)
		grpc_channel_destroy(rpc->channel);
	grpc_call_unref(rpc->wake_call);
	grpc_channel_destroy(rpc->wake_channel);
	rpc_drain(rpc);
	grpc_completion_queue_destroy(rpc->queue);
	grpc_shutdown_blocking();
	g_hash_table_unref(rpc->calls);
	g_free(rpc);
}

static grpc_arg rpc_arg(const char *key, int value)
{
	return (grpc_arg){.type = GRPC_ARG_INTEGER, .key = (char *)key, .value.integer = value};
}

static grpc_channel *rpc_channel(const RpcSettings *settings, const char *target)
{
	grpc_arg args[] = {
	    /* a page or a deletion of many keys has no limit in etcd either */
	    rpc_arg(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, -1),
	    rpc_arg(GRPC_ARG_KEEPALIVE_TIME_MS, settings->keepalive_time_ms),
	    rpc_arg(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, settings->keepalive_timeout_ms),
	    /* the default, 2, ends the pings on a watch that is quiet */
	    rpc_arg(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0),
	    /* etcd closes connections that ping without a stream */
	    rpc_arg(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 0),
	    /* despite its name the time that a connect may take */
	    rpc_arg(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, settings->connect_timeout_ms),
	    rpc_arg(GRPC_ARG_ENABLE_RETRIES, 0),
	    /* http_proxy in the environment is not meant for etcd */
	    rpc_arg(GRPC_ARG_ENABLE_HTTP_PROXY, 0),
	    /* else a new channel shares the old one's broken connection */
	    rpc_arg(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1),
	};
	grpc_channel_args list = {G_N_ELEMENTS(args), args};
	grpc_channel_credentials *credentials = grpc_insecure_credentials_create();
	grpc_channel *channel = grpc_channel_create(target, credentials, &list);

	grpc_channel_credentials_release(credentials);
	return channel;
}

void rpc_connect(Rpc *rpc, const char *target)
{
	if (rpc->channel)
		grpc_channel_destroy(rpc->channel);
	rpc->channel = rpc_channel(&rpc->settings, target);
}

gboolean rpc_connected(Rpc *rpc)
{
	return rpc->channel &&
	       grpc_channel_check_connectivity_state(rpc->channel, 0) == GRPC_CHANNEL_READY;
}

/* A batch that gRPC does not take is a mistake in this file. */
static void call_start(RpcCall *call, const grpc_op *ops, gsize n_ops, RpcTag *tag,
		       void (*done)(RpcCall *call, gboolean ok))
{
	grpc_call_error r;

	*tag = (RpcTag){done, call};
	r = grpc_call_start_batch(call->call, ops, n_ops, tag, NULL);
	g_assert(r == GRPC_CALL_OK);
	call->pending++;
}

static void call_opened(RpcCall *call, gboolean ok)
{
	g_clear_pointer(&call->open.request, grpc_byte_buffer_destroy);
}

static void call_open(RpcCall *call, GBytes *request)
{
	RpcOpen *open = &call->open;
	gsize len;
	gconstpointer data = g_bytes_get_data(request, &len);
	grpc_slice slice = grpc_slice_from_copied_buffer(data, len);
	grpc_op ops[3] = {0};

	open->request = grpc_raw_byte_buffer_create(&slice, 1);
	grpc_slice_unref(slice);
	/* a member that has lost its leader then says so instead of waiting */
	open->metadata[0].key = grpc_slice_from_static_string("hasleader");
	open->metadata[0].value = grpc_slice_from_static_string("true");

	ops[0].op = GRPC_OP_SEND_INITIAL_METADATA;
	ops[0].data.send_initial_metadata.count = G_N_ELEMENTS(open->metadata);
	ops[0].data.send_initial_metadata.metadata = open->metadata;
	ops[1].op = GRPC_OP_SEND_MESSAGE;
	ops[1].data.send_message.send_message = open->request;
	ops[2].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
	call_start(call, ops, call->unary ? 3 : 2, &open->tag, call_opened);
}

/* The one place where gRPC's status becomes ours.  Nearly everything is worth
 * another try, also what etcd's own client gives up on. */
static EtcdFailure failure_of(grpc_status_code code, const char *details)
{
	switch (code) {
	case GRPC_STATUS_OUT_OF_RANGE:
		return strstr(details, "future") ? ETCD_FUTURE : ETCD_COMPACTED;
	case GRPC_STATUS_PERMISSION_DENIED:
	case GRPC_STATUS_UNAUTHENTICATED:
	case GRPC_STATUS_INVALID_ARGUMENT:
		return ETCD_REFUSED;
	default:
		return ETCD_AWAY;
	}
}

static void call_report_end(RpcCall *call)
{
	RpcFinish *finish = &call->finish;
	g_autofree char *details = grpc_slice_to_c_string(finish->details);
	g_autofree char *reason = NULL;
	const RpcEvents *events = g_steal_pointer(&call->events);
	RpcEnd end = {.ok = finish->code == GRPC_STATUS_OK};

	g_debug("call ended: %d %s", finish->code, details);
	if (!end.ok) {
		reason = reason_from_text(details, strlen(details));
		end.failure = failure_of(finish->code, details);
		end.reason = reason;
	}
	events->ended(call->data, &end);
}

/* The end is told after the last message, in whichever order the tags return. */
static void call_check_end(RpcCall *call)
{
	if (call->events && call->finish.done && !call->receive.busy)
		call_report_end(call);
}

static void call_report_message(RpcCall *call, grpc_byte_buffer *message)
{
	grpc_byte_buffer_reader reader;
	grpc_slice slice;

	/* fails when a compressed message does not unpack */
	if (!grpc_byte_buffer_reader_init(&reader, message)) {
		grpc_call_cancel(call->call, NULL);
		return;
	}
	slice = grpc_byte_buffer_reader_readall(&reader);
	grpc_byte_buffer_reader_destroy(&reader);
	call->events->message(call->data, GRPC_SLICE_START_PTR(slice), GRPC_SLICE_LENGTH(slice));
	grpc_slice_unref(slice);
}

static void call_received(RpcCall *call, gboolean ok)
{
	RpcReceive *receive = &call->receive;

	/* taken first: who asks for the next message may get it at once */
	grpc_byte_buffer *message = g_steal_pointer(&receive->message);

	receive->busy = FALSE;
	if (call->events && message)
		call_report_message(call, message);
	if (message)
		grpc_byte_buffer_destroy(message);
	call_check_end(call);
}

static void call_receive(RpcCall *call, gboolean first)
{
	grpc_op ops[2] = {0};

	ops[0].op = GRPC_OP_RECV_MESSAGE;
	ops[0].data.recv_message.recv_message = &call->receive.message;
	ops[1].op = GRPC_OP_RECV_INITIAL_METADATA;
	ops[1].data.recv_initial_metadata.recv_initial_metadata = &call->receive.initial;
	call->receive.busy = TRUE;
	call_start(call, ops, first ? 2 : 1, &call->receive.tag, call_received);
}

static void call_finished(RpcCall *call, gboolean ok)
{
	call->finish.done = TRUE;
	call_check_end(call);
}

static void call_finish(RpcCall *call)
{
	RpcFinish *finish = &call->finish;
	grpc_op op = {.op = GRPC_OP_RECV_STATUS_ON_CLIENT};

	op.data.recv_status_on_client.trailing_metadata = &finish->trailing;
	op.data.recv_status_on_client.status = &finish->code;
	op.data.recv_status_on_client.status_details = &finish->details;
	call_start(call, &op, 1, &finish->tag, call_finished);
}

static RpcCall *call_new(Rpc *rpc, const char *method, GBytes *request, gint64 deadline_us,
			 const RpcEvents *events, gpointer data)
{
	RpcCall *call = g_new0(RpcCall, 1);

	call->rpc = rpc;
	call->events = events;
	call->data = data;
	call->unary = deadline_us != G_MAXINT64;
	call->finish.details = grpc_empty_slice();
	grpc_metadata_array_init(&call->receive.initial);
	grpc_metadata_array_init(&call->finish.trailing);
	call->call = grpc_channel_create_call(rpc->channel, NULL, GRPC_PROPAGATE_DEFAULTS,
					      rpc->queue, grpc_slice_from_static_string(method),
					      NULL, rpc_deadline(deadline_us), NULL);
	g_hash_table_add(rpc->calls, call);
	call_finish(call);
	call_open(call, request);
	call_receive(call, TRUE);
	return call;
}

static void call_free(RpcCall *call)
{
	g_hash_table_remove(call->rpc->calls, call);
	grpc_metadata_array_destroy(&call->receive.initial);
	grpc_metadata_array_destroy(&call->finish.trailing);
	grpc_slice_unref(call->finish.details);
	grpc_call_unref(call->call);
	g_free(call);
}

RpcCall *rpc_unary(Rpc *rpc, const char *method, GBytes *request, guint timeout_ms,
		   const RpcEvents *events, gpointer data)
{
	gint64 deadline_us = g_get_monotonic_time() + timeout_ms * G_TIME_SPAN_MILLISECOND;

	return call_new(rpc, method, request, deadline_us, events, data);
}

RpcCall *rpc_stream(Rpc *rpc, const char *method, GBytes *request, const RpcEvents *events,
		    gpointer data)
{
	return call_new(rpc, method, request, G_MAXINT64, events, data);
}

void rpc_call_receive(RpcCall *call)
{
	call_receive(call, FALSE);
}

void rpc_call_close(RpcCall *call)
{
	if (!call)
		return;
	call->events = NULL;
	grpc_call_cancel(call->call, NULL);
}

static void tag_returned(RpcTag *tag, gboolean ok)
{
	RpcCall *call = tag->call;

	tag->done(call, ok);
	if (--call->pending == 0)
		call_free(call);
}

RpcWait rpc_wait(Rpc *rpc, gint64 deadline_us)
{
	grpc_event event = grpc_completion_queue_next(rpc->queue, rpc_deadline(deadline_us), NULL);

	if (event.type == GRPC_QUEUE_TIMEOUT)
		return RPC_TIMEOUT;
	if (event.tag == &rpc->wake_tag)
		return RPC_WOKEN;
	tag_returned(event.tag, event.success);
	return RPC_WORKED;
}

void rpc_wake(Rpc *rpc)
{
	grpc_call_error r = grpc_call_start_batch(rpc->wake_call, NULL, 0, &rpc->wake_tag, NULL);

	g_assert(r == GRPC_CALL_OK);
}
