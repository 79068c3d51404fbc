/* SPDX-License-Identifier: Apache-2.0 */
/* resume.h - the watch as a pure state machine: input and time in, actions out.
 *
 * No thread, socket or clock in here; chance comes from a seed.  Not safe for
 * two threads; one owner.
 *
 *  state     under way            an input                      the next state
 *  -------   ------------------   ---------------------------   ---------------
 *  IDLE      nothing              start                         SEEDING
 *  SEEDING   a page request       paged, more to come           SEEDING
 *                                 paged, the last one           OPENING; FROZEN
 *                                                               if pinned
 *                                 failed: compacted             SEEDING; ASKING
 *                                                               if pinned
 *                                 failed: future, if pinned     ASKING
 *                                 failed otherwise              WAITING
 *  PROBING   a probe, an audit    probed, the history is ours   OPENING
 *                                 probed, it is not             WAITING; SEEDING
 *                                                               if confirmed
 *                                 probed, too far behind        SEEDING
 *                                 failed: anchor compacted      PROBING, SEEDING
 *                                 failed: anchor in the future  as `it is not`
 *                                 failed otherwise              WAITING
 *  OPENING   the stream           created                       LIVE
 *                                 canceled                      SEEDING
 *                                 ended, refused, timer         WAITING
 *  LIVE      the stream, and      events, progress, timer       LIVE
 *            at times a probe     canceled, event lost          SEEDING
 *                                 ended, failed, lagging,       WAITING
 *                                 probed, history not ours
 *  WAITING   nothing              timer                         PROBING; SEEDING
 *                                                               if dirty
 *  any of    see above            reload                        WAITING, for no time
 *  the last four
 *  FROZEN    nothing
 *  ASKING    a probe or a         any answer, none, timer       MISSING
 *            stream
 *  MISSING   nothing
 *
 * Where it says SEEDING after a mishap: at once after a probe and the first
 * time, by way of WAITING when the watch before did not live long.
 *
 * Invariants: unless `dirty`, the listener holds exactly `applied`;
 * `dirty` unless the listener's state may be resumed; in SEEDING the stream is
 * closed; no revision is unfinished but in LIVE; a request or a stream that is under
 * way when its state ends is closed (RESUME_CLOSE), so that its answer never
 * becomes an input.
 */
#ifndef RESUME_H
#define RESUME_H

#include "backoff.h"
#include "contact.h"
#include "doubt.h"
#include "history.h"
#include "keyspace.h"
#include "lag.h"
#include "response.h"
#include "revisions.h"
#include "wanted.h"

/* The id of our one watch on each stream: not 0, which lets etcd choose. */
#define RESUME_WATCH_ID 1
/* What etcd calls all watches of a stream. */
#define RESUME_STREAM_ID (-1)

typedef enum {
	RESUME_IDLE,
	RESUME_SEEDING,
	RESUME_PROBING,
	RESUME_OPENING,
	RESUME_LIVE,
	RESUME_WAITING,
	RESUME_FROZEN,
	RESUME_ASKING, /* for the revisions that etcd has, since ours is not one of them */
	RESUME_MISSING,
} ResumeState;

typedef enum {
	RESUME_START,
	RESUME_PAGED,	   /* a page arrived whole, and makes sense */
	RESUME_PROBED,	   /* the probe's answer */
	RESUME_FAILED,	   /* the page or the probe has none */
	RESUME_VERSION,	   /* the server's, if it told */
	RESUME_AUDITED,	   /* the audit's answer, if there was one */
	RESUME_RESPONSE,   /* a message on the stream */
	RESUME_ENDED,	   /* the stream's status, whichever */
	RESUME_EVENT_LOST, /* the listener refused the batch just delivered, or does
			    * not hold what was to be verified */
	RESUME_TIMER,	   /* the time last armed has come */
	RESUME_TICK,	   /* that of contact_deadline has */
	RESUME_WANTED,	   /* somebody waits for a revision */
	RESUME_CONFIRMED,  /* the answer to whether anything is newer than what is held */
	RESUME_RELOAD,	   /* the next connection is made with other files */
} ResumeInputType;

typedef struct {
	ResumeInputType type;
	gint64 now_us;	/* monotonic */
	gint64 boot_us; /* the same, and the time asleep: contact.h */
	union {
		struct {
			EtcdHeader header;
			const KeyValue *newest; /* greatest mod_revision; NULL: no keys */
			gboolean more;
		} page;
		struct {
			EtcdHeader header;
			const KeyValue *anchor; /* what the key was; NULL: absent */
		} probe;
		struct {
			EtcdFailure failure;
			const char *reason; /* one line */
		} failure;		    /* RESUME_FAILED, RESUME_ENDED */
		const EtcdWatch *response;
		gint64 lost;	     /* EVENT_LOST: the revision that was refused */
		const char *version; /* NULL: not told */
		const char *audit;   /* the difference; NULL: none, or nobody knows */
		gint64 wanted;
		struct {
			EtcdHeader header;
			gboolean same; /* FALSE: it is, or nobody knows */
		} confirmed;
	};
} ResumeInput;

typedef enum {
	RESUME_BLAME,	  /* the endpoint in use, for `last_error` */
	RESUME_CONNECT,	  /* to the next endpoint, afresh */
	RESUME_CLOSE,	  /* the stream and the request, if there are any */
	RESUME_READ_PAGE, /* `first`: of a new seed */
	RESUME_PROBE,	  /* linearizable; with `anchor` if its revision is not 0,
			   * else also whether we may read the range */
	RESUME_OPEN,	  /* a stream with our watch, from `revision` on */
	RESUME_RECEIVE,	  /* the stream's next message */
	RESUME_ASK_VERSION,
	RESUME_ASK_PROGRESS, /* of the stream */
	RESUME_AUDIT,	     /* is etcd at `revision` what the listener holds now? */
	RESUME_SEED_BEGIN,   /* tell the listener; at `revision` */
	RESUME_SEED_PAGE,    /* the page of this input */
	RESUME_SEED_END,
	RESUME_CONFIRM,	 /* has anything changed in the range from `revision` on? */
	RESUME_CURRENT,	 /* what the listener holds is etcd's state at `revision`, too */
	RESUME_HANG_UP,	 /* for good */
	RESUME_DELIVER,	 /* `batch`; if refused, drop the rest and step EVENT_LOST */
	RESUME_VERIFY,	 /* `batch`, an old one: the same if the listener lacks any of it */
	RESUME_PROGRESS, /* to `revision` */
	RESUME_ARM,	 /* the one timer, to `at_us` */
} ResumeActionType;

typedef struct {
	ResumeActionType type;
	union {
		gboolean first;
		gint64 revision;
		gint64 at_us;
		KvBatch batch; /* borrowed from the input, or until the next step */
		struct {
			KvBytes key; /* borrowed until the next step */
			gint64 revision;
		} anchor;
		struct {
			gint64 revision;
			gint64 since; /* has no key changed from here on?  0: count all */
		} audit;
	};
} ResumeAction;

typedef struct {
	guint n_endpoints;
	gint64 probe_us; /* while live, between two probes; up to a half more */
	guint32 chance;
	gint64 max_stale_us; /* of contact.h */
	gint64 pinned;	     /* the revision to show, for ever; 0: follow the newest */
} ResumeConfig;

typedef struct Resume {
	/* for whoever shows it; the rest is private */
	ResumeState state;
	KeyspaceState shown;
	gint64 applied;
	History history;
	guint64 reconnects;
	guint64 reseeds[KEYSPACE_N_RESEED_REASONS];
	guint64 replays_dropped;
	char *last_error; /* NULL: none yet */
	KeyspaceError last_error_kind;
	guint64 errors[KEYSPACE_N_ERRORS];
	guint64 n_errors;
	char *missing; /* why etcd does not have the revision that was asked for; NULL in any
			* other state than MISSING */

	ResumeConfig config;
	gint64 now_us; /* of this step; so the next */
	gint64 boot_us;
	gboolean dirty;
	gboolean opened;       /* a stream, ever */
	EtcdFailure asked_for; /* ASKING: which failure of the pinned revision */
	gint64 seed_revision;  /* 0: the first page is not here yet */
	gint64 watch_id;       /* etcd's gRPC proxy gives another than it was asked for */
	gint64 live_since_us;
	Backoff backoff;
	guint failures;
	Doubt doubt;
	guint refusals; /* of the watch, in a row */
	Lag lag;
	Contact contact;
	gint64 probe_boot_us;		   /* when the last probe went out */
	gint64 lag_boot_us;		   /* when the one did by which `lag` judges */
	gint64 probe_floor;		   /* what a probe under way must not be below */
	const HistoryAnchor *probe_anchor; /* what it asks for; NULL: nothing */
	gboolean probing;		   /* one is under way beside the stream */
	gint64 probed;			   /* where the last probe found etcd */
	gint64 audit_us;		   /* not before */
	gint64 audit_since_us;
	gint64 probe_at_us; /* when the next is due */
	Wanted wanted;
	Revisions revisions;
} Resume;

void resume_init(Resume *resume, const ResumeConfig *config);
void resume_clear(Resume *resume);

/* From now on there are so many. */
void resume_set_endpoints(Resume *resume, guint n_endpoints);

/* One step.  Appends ResumeAction to ACTIONS, which the caller has emptied;
 * they are to be carried out in order. */
void resume_step(Resume *resume, const ResumeInput *input, GArray *actions);

#endif
