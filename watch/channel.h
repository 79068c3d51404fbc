/* SPDX-License-Identifier: Apache-2.0 */
/* channel.h - how a gRPC channel to etcd has to be made.
 *
 * Beside rpc.c the only place that knows gRPC: each setting is here with its
 * reason, and the calls are there.
 */
#ifndef CHANNEL_H
#define CHANNEL_H

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>

#include "credentials.h"

typedef struct {
	guint connect_ms;   /* TCP, TLS and HTTP/2 together */
	guint keepalive_ms; /* of silence, before a ping */
	guint ping_ms;	    /* that it may go unanswered */
} ChannelTimes;

/* TLS is copied; NULL: in the clear.  grpc_channel_credentials_release it. */
grpc_channel_credentials *channel_credentials_new(const TlsMaterial *tls);

/* Connects at the first call, and never again: see rpc_connect.  SERVER_NAME: of
 * RpcPeer. */
grpc_channel *channel_new(const char *target, grpc_channel_credentials *credentials,
			  const char *server_name, const ChannelTimes *times);

#endif
