/* SPDX-License-Identifier: Apache-2.0 */
/* rpc.h - calls to one endpoint at a time.  rpc.c and channel.c alone know gRPC.
 *
 * One thread owns an Rpc and everything made from it; gRPC moves no byte unless
 * that thread is in rpc_wait, and callbacks come from there only.  rpc_wake is
 * for any thread.
 *
 * A unary call is a stream on which we send one message and half close: both
 * are an RpcCall, with the same two callbacks.
 */
#ifndef RPC_H
#define RPC_H

#include "credentials.h"
#include "response.h"

typedef struct Rpc Rpc;
typedef struct RpcCall RpcCall;

/* Each has a connection of its own: behind pages of many megabytes the watch's
 * few bytes, and the pings, would wait. */
typedef enum {
	RPC_WATCH, /* the stream, and what asks whether it can be believed */
	RPC_BULK,  /* the pages of a seed */
	RPC_N_LANES
} RpcLane;

/* Of every channel made. */
typedef struct {
	guint keepalive_time_ms;
	guint keepalive_timeout_ms;
} RpcSettings;

/* Whom to connect to. */
typedef struct {
	const char *target;	/* HOST:PORT or unix:PATH */
	const TlsMaterial *tls; /* NULL: without */
	guint connect_timeout_ms;
	const char *server_name; /* in the server's certificate; NULL: TARGET's */
} RpcPeer;

/* What is asked; all of it is copied. */
typedef struct {
	RpcLane lane;
	const char *method;
	GBytes *message;
	const char *token; /* of etcd's authentication; NULL: none */
	guint timeout_ms;  /* of a unary call */
} RpcRequest;

/* How a call ended; borrowed for the callback. */
typedef struct {
	gboolean ok; /* etcd said so; what follows is about the other case */
	EtcdFailure failure;
	const char *reason; /* one line for a person, NULL when ok */
} RpcEnd;

/* What a caller gets to hear. */
typedef struct {
	/* A whole message, borrowed for the call.  On a stream the next one is
	 * not read before rpc_call_receive: not asking is the back-pressure. */
	void (*message)(gpointer data, const guint8 *bytes, gsize len);
	/* The last callback: the call is gone, do not close it. */
	void (*ended)(gpointer data, const RpcEnd *end);
} RpcEvents;

typedef enum {
	RPC_WORKED,  /* something happened, perhaps a callback */
	RPC_TIMEOUT, /* the deadline passed */
	RPC_WOKEN,   /* somebody called rpc_wake */
} RpcWait;

/* Starts gRPC, which starts threads: not before a fork. */
Rpc *rpc_new(const RpcSettings *settings);

/* Cancels what is under way, without a callback, and stops gRPC. */
void rpc_free(Rpc *rpc);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Rpc, rpc_free)

/* Later calls go to PEER, over a new channel for each lane, which connects at the
 * first of them.  gRPC's own reconnecting never comes to bear: a channel that
 * failed once is replaced, so each attempt is one attempt. */
void rpc_connect(Rpc *rpc, const RpcPeer *peer);

/* Closes the connection of a lane on which nothing is under way; the next call
 * makes another. */
void rpc_hang_up(Rpc *rpc, RpcLane lane);

/* Whether a connection stands: HTTP/2 was answered with HTTP/2. */
gboolean rpc_connected(Rpc *rpc);

/* EVENTS must outlive the call. */
RpcCall *rpc_unary(Rpc *rpc, const RpcRequest *request, const RpcEvents *events, gpointer data);
RpcCall *rpc_stream(Rpc *rpc, const RpcRequest *request, const RpcEvents *events, gpointer data);

/* Sends another message on a stream; dropped if the one before is not out yet. */
void rpc_call_send(RpcCall *call, GBytes *message);

/* Asks a stream for its next message; once per message. */
void rpc_call_receive(RpcCall *call);

/* Cancels; no callback comes later.  NULL is fine. */
void rpc_call_close(RpcCall *call);

/* Runs what is ready, or waits for it until DEADLINE_US of
 * g_get_monotonic_time(); G_MAXINT64: for ever. */
RpcWait rpc_wait(Rpc *rpc, gint64 deadline_us);

/* Makes rpc_wait return RPC_WOKEN, now or the next time.  Any thread, but not
 * while or after rpc_free. */
void rpc_wake(Rpc *rpc);

#endif
