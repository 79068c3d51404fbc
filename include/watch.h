/* SPDX-License-Identifier: Apache-2.0 */
/* watch.h - how a program starts and stops the etcd side.
 */
#ifndef WATCH_H
#define WATCH_H

#include "keyspace.h"

typedef struct Watch Watch;

/* File names; what is in them is read again for each connection. */
typedef struct {
	gboolean enabled;	       /* else nothing below counts */
	const char *cacert;	       /* whom to trust, PEM; NULL: whom the system trusts */
	const char *cert;	       /* who we are, PEM, and its key: both or neither */
	const char *key;	       /* not encrypted */
	gboolean insecure_skip_verify; /* trust whoever answers */
	const char *server_name;       /* in its certificate; NULL: that of the endpoint */
} WatchTls;

/* etcd's own authentication.  A token is asked for at each connection, unless one is
 * given: then nothing else below counts. */
typedef struct {
	const char *token;	   /* NULL: none, or in the file */
	const char *token_file;	   /* read again for each connection, and when its token is
				    * refused; blanks around it are not the token's */
	const char *user;	   /* NULL: none */
	const char *password;	   /* NULL: it is in the file */
	const char *password_file; /* read again for each token; one newline at its end is not
				    * the password's */
} WatchAuth;

/* Where etcd listens now, owned by the caller; NULL: nobody knows.  It may take some
 * seconds: the watch's thread calls it when every endpoint has failed. */
typedef char **WatchFind(gpointer data);

/* Plain data, copied by watch_start. */
typedef struct {
	const char *const *endpoints; /* HOST:PORT or unix:PATH, NULL-terminated, at least one */
	WatchFind *find_endpoints;    /* NULL: they are always those */
	gpointer find_data;
	KvBytes prefix;	       /* keys that begin with it; empty: every key */
	gint64 revision;       /* the one to show, for ever; 0: follow the newest */
	guint dial_timeout_ms; /* for the first contact, all endpoints together */
	guint retry_ms;	       /* go on trying for so long, if that is more */
	gboolean retry_forever;
	guint command_timeout_ms;   /* for each unary request (a page, a probe) */
	guint max_stale_ms;	    /* without contact for so long: KEYSPACE_STALE; 0: never */
	guint keepalive_time_ms;    /* HTTP/2 ping after so long without a byte, if only
				     * 6 s, and a probe after so long */
	guint keepalive_timeout_ms; /* and the connection is dead after so long */
	WatchTls tls;
	WatchAuth auth;
} WatchConfig;

/* Errors of watch_start; the message is one line for a person. */
#define WATCH_ERROR (watch_error_quark())
GQuark watch_error_quark(void);
typedef enum {
	WATCH_ERROR_UNREACHABLE, /* names each endpoint and its reason */
	WATCH_ERROR_REFUSED,	 /* etcd answered, and the answer was no */
	WATCH_ERROR_REVISION,	 /* etcd does not have that of WatchConfig */
	WATCH_ERROR_FILE,	 /* a file of WatchTls or WatchAuth; names it */
} WatchError;

/* How far the start has come. */
typedef enum {
	WATCH_STARTING, /* nobody knows yet */
	WATCH_TRYING,	/* no contact within the dial timeout, for whatever reason; it goes on */
	WATCH_STARTED,	/* the first seed is complete */
	WATCH_FAILED,
} WatchStart;

/* Seeds KEYSPACE and then keeps it current from a thread of its own, or, with a
 * revision in CONFIG, leaves it so and closes the connection.  KEYSPACE is borrowed
 * until watch_stop and is called from the watch's thread only.  NULL and ERROR: a file
 * cannot be read.
 *
 * gRPC starts threads here: call it after the last fork. */
Watch *watch_begin(const WatchConfig *config, Keyspace *keyspace, GError **error);

/* Readable whenever watch_check_start has something new to say; borrowed. */
int watch_start_fd(const Watch *watch);

/* ERROR is set with WATCH_TRYING, once for each reason, and with WATCH_FAILED, once: after
 * that, there is only watch_stop.  The thread that called watch_begin. */
WatchStart watch_check_start(Watch *watch, GError **error);

/* Both in one: returns when the first seed is complete; NULL and ERROR when it failed. */
Watch *watch_start(const WatchConfig *config, Keyspace *keyspace, GError **error);

/* Reads the files of WatchTls and WatchAuth again.  If they are good the watch goes on
 * over a new connection, made with them, after the revision applied: no reseed, and no
 * change of what is held.  Else there is one warning, and all stays as it is.  RELOADED is
 * called from the watch's thread when that is decided; the same in each call. */
void watch_reload(Watch *watch, void (*reloaded)(gpointer data), gpointer data);

/* Somebody waits for REVISION: etcd is asked about it, if no event tells of it soon.  Any
 * thread, but not while or after watch_stop. */
void watch_want_revision(Watch *watch, gint64 revision);

/* Whether the thread, asked by the call before, has answered, as it does unless it hangs;
 * then it is asked again.  The first call: TRUE.  One thread. */
gboolean watch_answered(Watch *watch);

/* Cancels what is under way, joins the thread, frees.  No call into the keyspace
 * comes later.  NULL is fine. */
void watch_stop(Watch *watch);

#endif
