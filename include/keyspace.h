/* SPDX-License-Identifier: Apache-2.0 */
/* keyspace.h - the seam: how a watch tells whoever listens what etcd holds.
 *
 * The watch calls, the listener answers.  All calls come from one thread (the
 * watch's), one at a time; none may block on the network or on a reader.
 *
 *   begin, page*, end                  a seed: the whole range at one revision
 *   apply | progress                   then each later revision, in order
 *   begin, page*, end                  at any time: a reseed
 *
 * But where one revision is all that was asked for, nothing comes after its seed.
 *
 * A seed is never seen half done: until `end`, whoever reads the listener sees
 * what was there before.  A `begin` while a seed is unfinished drops that one.
 * A reseed that turns out equal to what is there must change nothing.
 */
#ifndef KEYSPACE_H
#define KEYSPACE_H

#include "kv.h"
#include "meter.h"

typedef enum {
	KEYSPACE_APPLIED,
	/* An event contradicts what is held (a put whose version is not one more
	 * than the last, a delete of an unknown key): etcd lost an event on the
	 * way here.  Nothing of the batch was applied; the watch must reseed. */
	KEYSPACE_EVENT_LOST,
} KeyspaceVerdict;

/* What a person wants to know first. */
typedef enum {
	KEYSPACE_SEEDING,      /* reading for the first time */
	KEYSPACE_LIVE,	       /* every change arrives */
	KEYSPACE_RECONNECTING, /* etcd is away; the last tree is served */
	KEYSPACE_RESEEDING,    /* reading again, to apply the difference */
	KEYSPACE_DENIED,       /* etcd answers, but not to us; the last tree is served */
	KEYSPACE_STALE,	       /* no contact for longer than the user bears, whatever the reason */
	KEYSPACE_FROZEN,       /* one revision, for ever: nothing is asked of etcd any more */
	KEYSPACE_N_STATES
} KeyspaceState;

/* Why a reseed happened; each reason is counted. */
typedef enum {
	KEYSPACE_RESEED_COMPACTED,  /* the next revision to watch is compacted */
	KEYSPACE_RESEED_CANCELED,   /* watch cancelled for another reason */
	KEYSPACE_RESEED_HISTORY,    /* etcd's history went back or is another's */
	KEYSPACE_RESEED_EVENT_LOST, /* KEYSPACE_EVENT_LOST */
	KEYSPACE_RESEED_BEHIND,	    /* so far behind that a watch would take longer */
	KEYSPACE_N_RESEED_REASONS
} KeyspaceReseedReason;

/* What went wrong, as far as it makes a difference to who has to mend it; each
 * kind is counted.  A reseed's cause is one as well. */
typedef enum {
	KEYSPACE_ERROR_UNREACHABLE, /* no connection, or it broke */
	KEYSPACE_ERROR_TIMEOUT,	    /* a connection, and no answer in time */
	KEYSPACE_ERROR_TLS,	    /* certificates, or TLS at one end only */
	KEYSPACE_ERROR_DENIED,	    /* etcd says that we may not, or are not who we say */
	KEYSPACE_ERROR_PROTOCOL,    /* an answer that etcd does not give */
	KEYSPACE_ERROR_ETCD,	    /* etcd answers that it cannot: no leader, too many requests */
	KEYSPACE_ERROR_LAGGING,	    /* a member, or the watch, is behind the cluster */
	KEYSPACE_ERROR_COMPACTED,   /* the revision asked for is gone */
	KEYSPACE_ERROR_CANCELED,    /* the watch, for another reason */
	KEYSPACE_ERROR_HISTORY,	    /* etcd's history is not the one we know */
	KEYSPACE_ERROR_EVENT_LOST,  /* etcd lost an event on the way here */
	KEYSPACE_N_ERRORS
} KeyspaceError;

/* The words for these, which people meet in the status and in the log. */
static inline const char *keyspace_state_name(KeyspaceState state)
{
	static const char *const names[] = {
	    [KEYSPACE_SEEDING] = "seeding",
	    [KEYSPACE_LIVE] = "live",
	    [KEYSPACE_RECONNECTING] = "reconnecting",
	    [KEYSPACE_RESEEDING] = "reseeding",
	    [KEYSPACE_DENIED] = "denied",
	    [KEYSPACE_STALE] = "stale",
	    [KEYSPACE_FROZEN] = "frozen",
	};
	G_STATIC_ASSERT(G_N_ELEMENTS(names) == KEYSPACE_N_STATES);
	return names[state];
}

static inline const char *keyspace_reseed_name(KeyspaceReseedReason reason)
{
	static const char *const names[] = {
	    [KEYSPACE_RESEED_COMPACTED] = "compacted", [KEYSPACE_RESEED_CANCELED] = "canceled",
	    [KEYSPACE_RESEED_HISTORY] = "history",     [KEYSPACE_RESEED_EVENT_LOST] = "event_lost",
	    [KEYSPACE_RESEED_BEHIND] = "behind",
	};
	G_STATIC_ASSERT(G_N_ELEMENTS(names) == KEYSPACE_N_RESEED_REASONS);
	return names[reason];
}

static inline const char *keyspace_error_name(KeyspaceError error)
{
	static const char *const names[] = {
	    [KEYSPACE_ERROR_UNREACHABLE] = "unreachable",
	    [KEYSPACE_ERROR_TIMEOUT] = "timeout",
	    [KEYSPACE_ERROR_TLS] = "tls",
	    [KEYSPACE_ERROR_DENIED] = "denied",
	    [KEYSPACE_ERROR_PROTOCOL] = "protocol",
	    [KEYSPACE_ERROR_ETCD] = "etcd",
	    [KEYSPACE_ERROR_LAGGING] = "lagging",
	    [KEYSPACE_ERROR_COMPACTED] = "compacted",
	    [KEYSPACE_ERROR_CANCELED] = "canceled",
	    [KEYSPACE_ERROR_HISTORY] = "history",
	    [KEYSPACE_ERROR_EVENT_LOST] = "event_lost",
	};
	G_STATIC_ASSERT(G_N_ELEMENTS(names) == KEYSPACE_N_ERRORS);
	return names[error];
}

/* The state of the connection, told whenever any of it changes.  Strings are
 * borrowed for the call. */
typedef struct {
	KeyspaceState state;
	const char *endpoint; /* HOST:PORT in use or last tried; may be NULL */
	guint64 cluster_id;   /* 0 until known; so the others */
	guint64 member_id;
	guint64 raft_term;
	guint64 reconnects; /* streams opened after the first */
	guint64 reseeds[KEYSPACE_N_RESEED_REASONS];
	guint64 replays_dropped; /* events at or below the applied revision */
	guint64 errors[KEYSPACE_N_ERRORS];
	const char *last_error; /* one line, or NULL: none yet */
	KeyspaceError last_error_kind;
	gint64 last_error_us; /* its time, microseconds since the epoch */
} KeyspaceStatus;

/* What goes on all the time, and is no news: the watch writes, any thread reads
 * (meter.h).  Times are of g_get_monotonic_time(), 0: never. */
typedef struct {
	guint64 heard_us;	   /* the last message from etcd */
	guint64 received_bytes;	   /* messages, without what HTTP/2 and TLS add */
	guint64 received_messages; /* of the watch's stream */
	guint64 progress;	   /* of them notifications of progress */
	guint64 pages;
	guint64 probes; /* answered, while live or before a watch is resumed */
	guint64 audits;
	guint64 tokens;		/* asked for, by user and password */
	guint64 probe_revision; /* where the last probe found etcd */
	guint64 probe_us;
	guint64 seeds; /* complete ones, reseeds included; the next are of the last */
	guint64 seed_took_us;
	guint64 seed_keys;
	guint64 seed_bytes; /* received for it */
} KeyspaceMeter;

typedef struct Keyspace Keyspace;

/* Embedded first in the listener's own struct. */
struct Keyspace {
	/* A seed of N_KEYS at REVISION begins; it is below an earlier one when
	 * etcd's history went back.  The number is for who waits: N_KEYS may turn out
	 * to be more or fewer. */
	void (*seed_begin)(Keyspace *keyspace, gint64 revision, guint64 n_keys);
	/* Its next keys: ascending by bytes over all pages, none twice. */
	void (*seed_page)(Keyspace *keyspace, const KeyValue *kvs, gsize n_kvs);
	/* Complete: what is held becomes exactly that. */
	void (*seed_end)(Keyspace *keyspace);
	/* One whole revision, above every earlier one. */
	KeyspaceVerdict (*apply)(Keyspace *keyspace, const KvBatch *batch);
	/* Whether EVENT, of the applied revision or an older one, has left its
	 * trace in what is held.  FALSE: it was never applied, or nobody can tell. */
	gboolean (*holds)(Keyspace *keyspace, const KvEvent *event);
	/* How many keys are held. */
	guint64 (*count)(Keyspace *keyspace);
	/* Every event up to REVISION was delivered; nothing changed. */
	void (*progress)(Keyspace *keyspace, gint64 revision);
	/* The state of the connection. */
	void (*status)(Keyspace *keyspace, const KeyspaceStatus *status);
	/* What is held is etcd's state at REVISION, too; events of before may still come, and
	 * change nothing of that in the end.  NULL: it does not matter. */
	void (*current)(Keyspace *keyspace, gint64 revision);
	/* Borrowed for as long as the watch runs; NULL: nobody reads it. */
	KeyspaceMeter *meter;
};

#endif
