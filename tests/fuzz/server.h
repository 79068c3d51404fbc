/* SPDX-License-Identifier: Apache-2.0 */
/* server.h - an etcd of four keys that says nothing but the truth.
 */
#ifndef SERVER_H
#define SERVER_H

#include "machine.h"

typedef struct {
	EtcdHeader header; /* of each answer: the ids, and where the store stands */
	gint64 compacted;
	GArray *events;	    /* KvEvent: all there were, in order */
	guint64 generation; /* values differ from those before a restore */

	/* of the machine's stream */
	guint n_opens; /* the machine's, when it was opened */
	gboolean created;
	guint sent;	      /* of `events` */
	gint64 next_revision; /* to be sent */
	gboolean unfinished;  /* the last response was a fragment */
	gint64 told;	      /* revision of the last progress notification */
} Server;

void server_init(Server *server);
void server_clear(Server *server);

/* Puts or deletes each key in MASK, one bit each, in one revision. */
void server_write(Server *server, KvEventType type, guint mask);
/* So many revisions of other keys. */
void server_skip(Server *server, gint64 count);
void server_compact(Server *server, gint64 revision);
/* From a backup made at REVISION. */
void server_restore(Server *server, gint64 revision);

Keys server_keys(const Server *server, gint64 revision);

/* Answers the machine's request.  CHANCE: how much of a page. */
void server_answer(Server *server, Machine *machine, guint chance);

/* Sends what comes next on the machine's stream.  CHANCE: how much, and how it is
 * cut. */
void server_send(Server *server, Machine *machine, guint chance);

/* Sends the last COUNT events once more, as some servers do. */
void server_replay(Server *server, Machine *machine, guint count);

/* Between two fragments, says that everything has been sent. */
void server_overtake(Server *server, Machine *machine);

/* Before the events that are due, says the same.  FALSE: there are none, or nobody
 * believes it. */
gboolean server_promise(Server *server, Machine *machine);

/* Whether the machine's stream has been told everything. */
gboolean server_is_done(const Server *server, const Machine *machine);

#endif
