/* SPDX-License-Identifier: Apache-2.0 */
/* asker.h - asks etcd one thing at a time.
 *
 * A request goes out with the token that it needs, which is asked for first if there
 * is none, and goes out again with another if it is refused for the age of that one;
 * who asks hears of the end only.  One thread, which is Rpc's.
 */
#ifndef ASKER_H
#define ASKER_H

#include "auth.h"
#include "metering.h"
#include "rpc.h"
#include "wire.h"

typedef enum {
	ASK_PAGE,
	ASK_PROBE,  /* where etcd stands, and whether we may read the range */
	ASK_ANCHOR, /* what a key was at a revision */
	ASK_VERSION,
	ASK_CONFIRM, /* whether anything is newer than what is held */
	ASK_AUDIT,   /* how many keys there were at a revision */
} AskKind;

/* What who asks gets to hear; each time the last of a request, so that the next can
 * be asked for at once.  REASON: one line for a person, borrowed. */
typedef struct {
	/* The answer is in `outline`, `page` or `version` until this returns. */
	void (*answered)(gpointer data);
	void (*failed)(gpointer data, EtcdFailure failure, const char *reason);
	/* There is no token for it, or none that lives until it is used. */
	void (*no_token)(gpointer data, EtcdFailure failure, const char *reason);
	/* Not an end: before it goes out again; the files may say who we are by now. */
	void (*refused)(gpointer data);
} AskerEvents;

/* How all of an Asker's requests are made; all of it is borrowed. */
typedef struct {
	Rpc *rpc;
	Metering *metering;
	guint timeout_ms; /* of a request, and of one for a token */
	const AskerEvents *events;
	gpointer data; /* of the events */
} AskerConfig;

typedef struct {
	AskerConfig config;
	Auth auth; /* its files are read by who owns this */
	AskKind kind;
	GBytes *message;   /* of the request, to be sent again if need be */
	RpcCall *call;	   /* or for the token that it needs; NULL: none */
	gint64 sent_us;	   /* when it went out */
	gint64 contact_us; /* when etcd last answered anything; 0: never */

	gboolean heard;	     /* an answer that could be decoded: */
	EtcdOutline outline; /* of ASK_PAGE: what is in `page` once asker_fill_page was called */
	EtcdRange page;	     /* of any other but: */
	const char *version; /* of ASK_VERSION */
	Arena arena;	     /* where these are */
	gsize len;	     /* bytes of the answer */
} Asker;

/* AUTH is copied. */
void asker_init(Asker *asker, const AskerConfig *config, const WatchAuth *auth);
void asker_clear(Asker *asker);

/* Asks for KIND by MESSAGE, which is taken; nothing else may be under way. */
void asker_ask(Asker *asker, AskKind kind, GBytes *message);

/* Whether something is under way. */
gboolean asker_is_busy(const Asker *asker);

/* Gives up what is under way, without an event. */
void asker_close(Asker *asker);

/* While ASK_PAGE is answered, once: decodes the keys to ARENA, and forgets the answer
 * otherwise, which may be large.  FALSE: it is no page. */
gboolean asker_fill_page(Asker *asker, Arena *arena);

#endif
