/* SPDX-License-Identifier: Apache-2.0 */
/* driver.h - carries out what the state machine decides.
 *
 * Turns completions into inputs of resume.c and its actions into calls: of etcd
 * through rpc.c, of the listener through keyspace.h.  One thread.
 */
#ifndef DRIVER_H
#define DRIVER_H

#include "endpoint.h"
#include "resume.h"
#include "rpc.h"
#include "seed.h"
#include "watch.h"

typedef struct {
	Keyspace *keyspace; /* borrowed */
	Rpc *rpc;	    /* borrowed */
	EndpointList *endpoints;
	KeyRange range;
	guint command_timeout_ms;

	Resume resume;
	GArray *actions; /* of the step being carried out */
	gint64 timer_us; /* G_MAXINT64: not armed */

	Seed seed;
	RpcCall *request;    /* page or probe under way; NULL: none */
	gboolean probe;	     /* it is a probe */
	gboolean answered;   /* it has an answer, in `page` */
	gint64 requested_us; /* when it went out */
	EtcdRange page;	     /* valid during request_ended; so `answer` */
	Arena answer;
	RpcCall *stream; /* NULL: none */

	gint64 contact_us; /* when etcd last answered a request; 0: never */
	gboolean seeded;   /* the first seed is complete */
	char *refused;	   /* before that: what etcd said when it refused */
} Driver;

/* CONFIG is copied where it is needed later. */
void driver_init(Driver *driver, const WatchConfig *config, Rpc *rpc, Keyspace *keyspace);
void driver_clear(Driver *driver);

void driver_start(Driver *driver);

/* Runs the timer if its time has come. */
void driver_check_timer(Driver *driver);

#endif
