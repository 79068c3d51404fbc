/* SPDX-License-Identifier: Apache-2.0 */
/* machine.h - the state machine, driven as driver.c does it, and watched.
 *
 * Carries out each action on a model: one request, one stream, one timer and a
 * listener.  An action that breaks a promise of resume.h or keyspace.h aborts, and
 * so does a state in which nothing is to come any more.
 */
#ifndef MACHINE_H
#define MACHINE_H

#include "keys.h"
#include "resume.h"

typedef enum {
	MACHINE_NOTHING,
	MACHINE_PAGE,
	MACHINE_PROBE,
	MACHINE_VERSION,
	MACHINE_AUDIT,
	MACHINE_CONFIRM,
} MachineAsk;

typedef struct {
	Resume resume;
	GArray *actions;
	gint64 now_us;

	/* under way */
	gint64 timer_us; /* G_MAXINT64: not armed */
	MachineAsk ask;
	gint64 page_revision;	/* of the seed that is read; 0: the first page's to say */
	guint page_from;	/* the first key it has not asked for */
	KvBytes anchor;		/* of the probe */
	gint64 anchor_revision; /* 0: none */
	gint64 audit_revision;
	gint64 audit_since; /* 0: the keys are counted */
	guint audit_held;   /* keys, then */
	gint64 confirm_since;
	guint confirm_held; /* keys, then */
	gboolean streaming;
	gboolean receiving;
	gboolean progress_asked;
	gint64 start_revision;
	gboolean reloaded; /* and not live again since */
	guint n_opens;	   /* so far */

	/* the listener */
	Keys held;
	gint64 revision;   /* of `held`; 0: nothing yet */
	gint64 current;	   /* a later one that is the same; 0: none */
	KeyValue last_put; /* applied; mod_revision 0: none */
	Keys seed;	   /* the next, while it is read */
	gint64 seed_revision;
	guint n_seeds;		/* complete ones */
	gboolean refuse;	/* the next batch, whatever it is */
	guint n_contradictions; /* batches that it refused of itself */

	const KeyValue *page; /* of the step */
	guint n_page;
	gboolean closed; /* in this step; so the next three */
	gboolean armed;
	gboolean opened;
	gboolean seeded;
	gboolean owed;	     /* a seed, before the next stream */
	guint64 n_reseeds;   /* counted by the machine; so the next */
	guint64 n_histories; /* when the last seed was complete */
} Machine;

/* Started.  CHANCE: that of its delays. */
void machine_init(Machine *machine, guint n_endpoints, guint32 chance);
void machine_clear(Machine *machine);

void machine_wait(Machine *machine, gint64 us);

/* Inputs; without effect when nothing waits for them. */

/* Time moves on to the timer's. */
void machine_timer(Machine *machine);
/* The next of KEYS, at most COUNT; those that are left make it `more`. */
void machine_page(Machine *machine, const EtcdHeader *header, const Keys *keys, guint count);
void machine_probed(Machine *machine, const EtcdHeader *header, const KeyValue *kv);
void machine_version(Machine *machine, const char *version);
/* DIFFERENCE: NULL, or what it found. */
void machine_audited(Machine *machine, const char *difference);
/* HEADER: of the answer; SAME: nothing is newer, and there are as many. */
void machine_confirmed(Machine *machine, const EtcdHeader *header, gboolean same);
void machine_failed(Machine *machine, EtcdFailure failure);
void machine_respond(Machine *machine, const EtcdWatch *response);
void machine_end(Machine *machine, EtcdFailure failure);
/* These two come from the program itself. */
void machine_want(Machine *machine, gint64 revision);
void machine_reload(Machine *machine);

#endif
