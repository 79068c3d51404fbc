/* SPDX-License-Identifier: Apache-2.0 */
#include "transition.h"

#define BACKOFF_MIN_US (50 * G_TIME_SPAN_MILLISECOND)
#define BACKOFF_MAX_US (5 * G_TIME_SPAN_SECOND)
/* Where a person has to act first; each attempt costs etcd a hashed password. */
#define DENIED_MIN_US G_TIME_SPAN_SECOND
#define DENIED_MAX_US (30 * G_TIME_SPAN_SECOND)
/* A watch that lived so long ends a series of failures; a connection that was
 * made does not, since it may fail again at once, for ever. */
#define LIVED_US (10 * G_TIME_SPAN_SECOND)
/* etcd answers `created` at once or not at all. */
#define OPENING_US (10 * G_TIME_SPAN_SECOND)
/* A member that catches up slowly must not be left for one that is slower. */
#define BEARABLE_PROBES 3

ResumeAction *transition_act(GArray *actions, ResumeActionType type)
{
	g_array_set_size(actions, actions->len + 1);
	g_array_index(actions, ResumeAction, actions->len - 1) = (ResumeAction){.type = type};
	return &g_array_index(actions, ResumeAction, actions->len - 1);
}

static void arm(Resume *resume, gint64 delay_us, GArray *actions)
{
	transition_act(actions, RESUME_ARM)->at_us = resume->now_us + delay_us;
}

void transition_arm_probe(Resume *resume, GArray *actions)
{
	gint64 least_us = MIN(resume->config.probe_us, contact_period(&resume->contact));

	gint64 delay_us = g_rand_double_range(resume->backoff.rand, least_us, least_us * 1.5);

	resume->probe_at_us = resume->now_us + delay_us;
	arm(resume, delay_us, actions);
}

void transition_blame(Resume *resume, KeyspaceError kind, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	g_free(resume->last_error);
	resume->last_error = g_strdup_vprintf(format, args);
	resume->last_error_kind = kind;
	resume->errors[kind]++;
	resume->n_errors++;
	va_end(args);
}

void transition_seed(Resume *resume, GArray *actions)
{
	resume->state = RESUME_SEEDING;
	resume->dirty = TRUE;
	resume->seed_revision = 0;
	transition_act(actions, RESUME_READ_PAGE)->first = TRUE;
}

void transition_probe(Resume *resume, const HistoryAnchor *anchor, GArray *actions)
{
	ResumeAction *action = transition_act(actions, RESUME_PROBE);

	resume->probe_floor = resume->applied;
	resume->probe_boot_us = resume->boot_us;
	resume->probe_anchor = anchor;
	if (!anchor)
		return;
	action->anchor.key = (KvBytes){anchor->key->data, anchor->key->len};
	action->anchor.revision = anchor->revision;
}

void transition_open(Resume *resume, GArray *actions)
{
	resume->state = RESUME_OPENING;
	if (resume->opened)
		resume->reconnects++;
	resume->opened = TRUE;
	lag_reset(&resume->lag, BEARABLE_PROBES * resume->config.probe_us);
	transition_act(actions, RESUME_OPEN)->revision = resume->applied + 1;
	arm(resume, OPENING_US, actions);
}

/* Ends whatever is under way. */
static void leave(Resume *resume, GArray *actions)
{
	if (resume->state == RESUME_LIVE && resume->now_us - resume->live_since_us >= LIVED_US)
		backoff_reset(&resume->backoff);
	revisions_drop(&resume->revisions);
	resume->probing = FALSE;
	transition_act(actions, RESUME_CLOSE);
}

static void begin_wait(Resume *resume, gint64 delay_us, GArray *actions)
{
	resume->state = RESUME_WAITING;
	arm(resume, delay_us, actions);
}

static gint64 next_delay(Resume *resume)
{
	return backoff_next(&resume->backoff, BACKOFF_MIN_US, BACKOFF_MAX_US);
}

/* Each of the other endpoints has its turn before there is a real wait. */
static void begin_turn(Resume *resume, GArray *actions)
{
	gboolean round_over = ++resume->failures % resume->config.n_endpoints == 0;

	begin_wait(resume, round_over ? next_delay(resume) : backoff_hop(&resume->backoff),
		   actions);
}

void transition_forget_past(Resume *resume)
{
	resume->applied = 0;
	resume->wanted.current = 0;
	history_forget(&resume->history);
}

void transition_show(Resume *resume, KeyspaceState state)
{
	if (resume->shown != KEYSPACE_SEEDING || !resume->dirty)
		resume->shown = state;
}

/* The endpoint is left for the next. */
static void give_up(Resume *resume, KeyspaceState shown, KeyspaceError kind, const char *reason,
		    GArray *actions)
{
	transition_blame(resume, kind, "%s", reason);
	transition_show(resume, shown);
	transition_act(actions, RESUME_BLAME);
	leave(resume, actions);
}

void transition_fail(Resume *resume, KeyspaceError kind, const char *reason, GArray *actions)
{
	give_up(resume, KEYSPACE_RECONNECTING, kind, reason, actions);
	begin_turn(resume, actions);
}

void transition_reconnect(Resume *resume, GArray *actions)
{
	leave(resume, actions);
	begin_wait(resume, 0, actions);
}

void transition_deny(Resume *resume, const char *reason, GArray *actions)
{
	give_up(resume, KEYSPACE_DENIED, KEYSPACE_ERROR_DENIED, reason, actions);
	begin_wait(resume, backoff_next(&resume->backoff, DENIED_MIN_US, DENIED_MAX_US), actions);
}

void transition_refuse(Resume *resume, const char *reason, GArray *actions)
{
	resume->refusals++;
	if (resume->refusals > 1 || resume->shown == KEYSPACE_DENIED)
		transition_deny(resume, reason, actions);
	else
		transition_fail(resume, KEYSPACE_ERROR_DENIED, reason, actions);
}

/* At once if etcd has just answered a probe, or if
 * the last watch lived well; else a range that is compacted faster than it is
 * read would keep etcd busy. */
void transition_reseed(Resume *resume, KeyspaceReseedReason reason, GArray *actions)
{
	gboolean probed = resume->state == RESUME_PROBING;

	resume->reseeds[reason]++;
	resume->dirty = TRUE;
	transition_show(resume, KEYSPACE_RESEEDING);
	if (reason == KEYSPACE_RESEED_HISTORY)
		transition_forget_past(resume);
	leave(resume, actions);
	if (resume->backoff.last_us != 0 && !probed) {
		begin_wait(resume, next_delay(resume), actions);
		return;
	}
	backoff_start(&resume->backoff);
	transition_seed(resume, actions);
}

void transition_doubt(Resume *resume, const char *fault, GArray *actions)
{
	if (!doubt_raise(&resume->doubt)) {
		transition_fail(resume, KEYSPACE_ERROR_HISTORY, fault, actions);
		return;
	}
	transition_blame(resume, KEYSPACE_ERROR_HISTORY, "%s", fault);
	transition_reseed(resume, KEYSPACE_RESEED_HISTORY, actions);
}
