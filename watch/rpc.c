/* SPDX-License-Identifier: Apache-2.0 */
/* rpc.c - gRPC core's batches, tags and queue.
 *
 * A call has up to three batches under way: `send` sends, `receive` waits for
 * one message, `finish` for the status.  The status has a batch of its own,
 * started at once, because only it says why a stream ended.  Each batch carries
 * its tag as first member, and the tag knows what to do when it comes back.  A
 * call's memory lives until every tag is back, whoever has lost interest.
 */
#include "rpc.h"

#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/support/log.h>
#include <grpc/support/time.h>
#include <string.h>

#include "channel.h"
#include "reason.h"

typedef struct {
	void (*done)(RpcCall *call, gboolean ok);
	RpcCall *call;
} RpcTag;

typedef struct {
	RpcTag tag;
	grpc_metadata metadata[2];
	gsize n_metadata;
	grpc_byte_buffer *message; /* NULL: nothing is being sent */
} RpcSend;

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
	RpcSend send;
	RpcReceive receive;
	RpcFinish finish;
};

struct Rpc {
	RpcSettings settings;
	grpc_completion_queue *queue;
	char *target; /* NULL before rpc_connect; so the next */
	grpc_channel_credentials *credentials;
	guint connect_timeout_ms;
	char *server_name;		     /* NULL: as the target's */
	grpc_channel *channels[RPC_N_LANES]; /* NULL: not needed yet */
	GHashTable *calls;		     /* a set; each is freed when its tags are back */
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

void rpc_hang_up(Rpc *rpc, RpcLane lane)
{
	g_clear_pointer(&rpc->channels[lane], grpc_channel_destroy);
}

static void rpc_disconnect(Rpc *rpc)
{
	for (RpcLane lane = 0; lane < RPC_N_LANES; lane++)
		rpc_hang_up(rpc, lane);
	g_clear_pointer(&rpc->credentials, grpc_channel_credentials_release);
	g_clear_pointer(&rpc->target, g_free);
	g_clear_pointer(&rpc->server_name, g_free);
}

void rpc_free(Rpc *rpc)
{
	if (!rpc)
		return;
	rpc_close_all(rpc);
	rpc_disconnect(rpc);
	grpc_call_unref(rpc->wake_call);
	grpc_channel_destroy(rpc->wake_channel);
	rpc_drain(rpc);
	grpc_completion_queue_destroy(rpc->queue);
	grpc_shutdown_blocking();
	g_hash_table_unref(rpc->calls);
	g_free(rpc);
}

static grpc_channel *rpc_channel(Rpc *rpc, RpcLane lane)
{
	const RpcSettings *settings = &rpc->settings;

	if (!rpc->channels[lane])
		rpc->channels[lane] = channel_new(rpc->target, rpc->credentials, rpc->server_name,
						  &(ChannelTimes){
						      .connect_ms = rpc->connect_timeout_ms,
						      .keepalive_ms = settings->keepalive_time_ms,
						      .ping_ms = settings->keepalive_timeout_ms,
						  });
	return rpc->channels[lane];
}

void rpc_connect(Rpc *rpc, const RpcPeer *peer)
{
	rpc_disconnect(rpc);
	rpc->target = g_strdup(peer->target);
	rpc->credentials = channel_credentials_new(peer->tls);
	rpc->connect_timeout_ms = peer->connect_timeout_ms;
	rpc->server_name = g_strdup(peer->server_name);
}

gboolean rpc_connected(Rpc *rpc)
{
	for (RpcLane lane = 0; lane < RPC_N_LANES; lane++)
		if (rpc->channels[lane] && grpc_channel_check_connectivity_state(
					       rpc->channels[lane], 0) == GRPC_CHANNEL_READY)
			return TRUE;
	return FALSE;
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

static void call_sent(RpcCall *call, gboolean ok)
{
	RpcSend *send = &call->send;

	g_clear_pointer(&send->message, grpc_byte_buffer_destroy);
	for (gsize i = 0; i < send->n_metadata; i++)
		grpc_slice_unref(send->metadata[i].value);
	send->n_metadata = 0;
}

static void send_metadata(RpcSend *send, const char *key, const char *value)
{
	send->metadata[send->n_metadata++] = (grpc_metadata){
	    .key = grpc_slice_from_static_string(key),
	    .value = grpc_slice_from_copied_string(value),
	};
}

static void send_message(RpcSend *send, GBytes *message, grpc_op *op)
{
	gsize len;
	gconstpointer data = g_bytes_get_data(message, &len);
	grpc_slice slice = grpc_slice_from_copied_buffer(data, len);

	send->message = grpc_raw_byte_buffer_create(&slice, 1);
	grpc_slice_unref(slice);
	op->op = GRPC_OP_SEND_MESSAGE;
	op->data.send_message.send_message = send->message;
}

static void call_open(RpcCall *call, const RpcRequest *request)
{
	RpcSend *send = &call->send;
	grpc_op ops[3] = {0};

	/* a member that has lost its leader then says so instead of waiting */
	send_metadata(send, "hasleader", "true");
	if (request->token)
		send_metadata(send, "token", request->token);
	ops[0].op = GRPC_OP_SEND_INITIAL_METADATA;
	ops[0].data.send_initial_metadata.count = send->n_metadata;
	ops[0].data.send_initial_metadata.metadata = send->metadata;
	send_message(send, request->message, &ops[1]);
	ops[2].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
	call_start(call, ops, call->unary ? 3 : 2, &send->tag, call_sent);
}

void rpc_call_send(RpcCall *call, GBytes *message)
{
	grpc_op op = {0};

	if (call->send.message)
		return;
	send_message(&call->send, message, &op);
	call_start(call, &op, 1, &call->send.tag, call_sent);
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

/* FALSE: it was compressed and does not unpack. */
static gboolean message_in_one_piece(grpc_byte_buffer *message, grpc_slice *ret)
{
	grpc_byte_buffer_reader reader;

	if (!grpc_byte_buffer_reader_init(&reader, message))
		return FALSE;
	*ret = grpc_byte_buffer_reader_readall(&reader);
	grpc_byte_buffer_reader_destroy(&reader);
	return TRUE;
}

/* Takes over the message, and does without it before it is decoded: a page may be large. */
static void call_report_message(RpcCall *call, grpc_byte_buffer *message)
{
	grpc_slice slice;
	gboolean whole = message_in_one_piece(message, &slice);

	grpc_byte_buffer_destroy(message);
	if (!whole) {
		grpc_call_cancel(call->call, NULL);
		return;
	}
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
	else if (message)
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

static RpcCall *call_new(Rpc *rpc, const RpcRequest *request, gint64 deadline_us,
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
	call->call = grpc_channel_create_call(
	    rpc_channel(rpc, request->lane), NULL, GRPC_PROPAGATE_DEFAULTS, rpc->queue,
	    grpc_slice_from_static_string(request->method), NULL, rpc_deadline(deadline_us), NULL);
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

RpcCall *rpc_unary(Rpc *rpc, const RpcRequest *request, const RpcEvents *events, gpointer data)
{
	gint64 timeout_us = request->timeout_ms * G_TIME_SPAN_MILLISECOND;

	return call_new(rpc, request, g_get_monotonic_time() + timeout_us, events, data);
}

RpcCall *rpc_stream(Rpc *rpc, const RpcRequest *request, const RpcEvents *events, gpointer data)
{
	return call_new(rpc, request, G_MAXINT64, events, data);
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
