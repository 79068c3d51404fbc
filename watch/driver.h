/* SPDX-License-Identifier: Apache-2.0 */
/* driver.h - carries out what the state machine decides.
 *
 * Turns completions into inputs of resume.c and its actions into calls: of etcd
 * through rpc.c, of the listener through keyspace.h.  One thread.
 */
#ifndef DRIVER_H
#define DRIVER_H

#include "asker.h"
#include "audit.h"
#include "endpoint.h"
#include "finder.h"
#include "metering.h"
#include "resume.h"
#include "rpc.h"
#include "seed.h"
#include "watch.h"

typedef struct {
	Keyspace *keyspace; /* borrowed */
	Rpc *rpc;	    /* borrowed */
	EndpointList *endpoints;
	Finder finder;
	Credentials *credentials;
	char *server_name; /* in the certificate of all of them; NULL: the endpoint's */
	KeyRange range;
	guint dial_timeout_ms;

	Resume resume;
	GArray *actions; /* of the step being carried out */
	gint64 timer_us; /* G_MAXINT64: not armed */

	Seed seed;
	Asker asker;
	Audit audit;
	RpcCall *stream; /* NULL: none */

	Metering metering;
	gint64 arrived_us; /* the stream's last message */

	gboolean seeded;    /* the first seed is complete */
	gboolean seed_done; /* one is, just now: what its pages took can go */
	char *refused;	    /* before that: what etcd said when it refused */
	char *stale_files;  /* why the files were not read again; NULL: they were */
} Driver;

/* CONFIG is copied where it is needed later. */
void driver_init(Driver *driver, const WatchConfig *config, Rpc *rpc, Keyspace *keyspace);

void driver_clear(Driver *driver);

/* Reads the certificates and the password again, where they are in files.  FALSE
 * and ERROR: what was read before stays. */
gboolean driver_load_files(Driver *driver, GError **error);

/* The same for one who waits for a warning, should they be bad; and the watch goes on
 * over a new connection, made with them.  A seed that is under way is not disturbed. */
void driver_reload(Driver *driver);

void driver_start(Driver *driver);

/* Somebody waits for REVISION. */
void driver_want(Driver *driver, gint64 revision);

/* When driver_check_timer may have something to do. */
gint64 driver_deadline(const Driver *driver);

/* Runs the timer if its time has come. */
void driver_check_timer(Driver *driver);

#endif
