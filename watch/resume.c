/* SPDX-License-Identifier: Apache-2.0 */
/* resume.c - why no event is lost.
 *
 * The listener holds etcd's state at one revision, `applied`.  Everything here
 * keeps that sentence true, whatever the network does.
 *
 * Forward.  A watch is always opened at applied + 1.  etcd sends revisions in
 * order and each of them whole, apart from fragments, so `applied` moves for two
 * reasons only: a whole revision was delivered, or etcd said to our own watch
 * that everything up to a revision had been sent.  The header of a response
 * with events proves nothing: while a watch catches up the header is ahead of
 * the events.  Nor does the header of `created`.  If the stream dies at any
 * byte, `applied` is right, and the next watch begins after it.
 *
 * Twice.  Old servers send old events again.  What is at or below `applied` is
 * counted and dropped, if it has left its trace in the listener's state.  If not,
 * somebody promised more than had been sent: read again.
 *
 * Gaps.  etcd says so when the revision after `applied` is compacted: then
 * nobody can tell what happened in between, and the range is read again.  The
 * revision that it names is no place to resume at.  Old servers also lose
 * events without a word; the listener finds out, because a key's version goes
 * up by one with each put, and refuses the batch: read again.  Of a key that
 * nobody touches again it finds out by counting, now and then (RESUME_AUDIT).
 *
 * Another past.  A watch on a revision that etcd has not reached yet is silent
 * until it gets there, and skips what lies between.  This happens when etcd
 * comes back from a backup or with an empty disk, and the cluster id may well
 * be the same.  So before a watch is resumed, etcd is asked where it stands, by
 * a read that goes through its quorum: a lower revision than ours, another
 * cluster, or a lower term, and the range is read again.  If it went back and
 * has since been written past our revision, none of these shows; then the last
 * put applied is asked for, at its own revision, and must still be there with its
 * value; what was deleted after it must be absent; and where etcd only said that
 * nothing happened since, nothing may have.  One answer does not settle it
 * (doubt.h).
 *
 * The reading again gives the listener the difference only.  While it reads,
 * no stream is open; the watch starts one revision after the one all pages were
 * read at, so nothing falls between.
 */
#include "resume.h"

#include <string.h>

#include "pinned.h"
#include "reason.h"
#include "transition.h"

/* An audit is a walk over the range's index in etcd: a thousandth of its time. */
#define AUDIT_MIN_US G_TIME_SPAN_MINUTE
#define AUDIT_SHARE 1000
/* etcd catches up by 1,000 revisions each 100 ms, with writers waiting: from
 * here on, reading again is quicker for us and kinder to it. */
#define BEHIND_MAX 100000

void resume_init(Resume *resume, const ResumeConfig *config)
{
	*resume = (Resume){
	    .config = *config,
	    .dirty = TRUE,
	    .shown = KEYSPACE_SEEDING,
	    .doubt.n_endpoints = config->n_endpoints,
	    .contact.max_us = config->max_stale_us,
	};
	history_init(&resume->history);
	backoff_init(&resume->backoff, config->chance);
	revisions_init(&resume->revisions);
}

void resume_clear(Resume *resume)
{
	g_clear_pointer(&resume->last_error, g_free);
	g_clear_pointer(&resume->missing, g_free);
	history_clear(&resume->history);
	backoff_clear(&resume->backoff);
	revisions_clear(&resume->revisions);
}

void resume_set_endpoints(Resume *resume, guint n_endpoints)
{
	resume->config.n_endpoints = resume->doubt.n_endpoints = n_endpoints;
}

static void reseed_compacted(Resume *resume, GArray *actions)
{
	transition_blame(
	    resume, KEYSPACE_ERROR_COMPACTED, "revision %" G_GINT64_FORMAT " is compacted",
	    resume->state == RESUME_SEEDING ? resume->seed_revision : resume->applied + 1);
	transition_reseed(resume, KEYSPACE_RESEED_COMPACTED, actions);
}

/* ---- pages ---- */

/* The first page is as good a probe as any.  FALSE: it is not taken. */
static gboolean judge_first_page(Resume *resume, const EtcdHeader *header, GArray *actions)
{
	const char *fault = history_fault(&resume->history, header, resume->applied);

	if (!fault) {
		doubt_settle(&resume->doubt);
		return TRUE;
	}
	if (!doubt_raise(&resume->doubt)) {
		transition_fail(resume, KEYSPACE_ERROR_HISTORY, fault, actions);
		return FALSE;
	}
	/* what a seed replaces anyway needs no second one */
	transition_blame(resume, KEYSPACE_ERROR_HISTORY, "%s", fault);
	resume->reseeds[KEYSPACE_RESEED_HISTORY]++;
	transition_forget_past(resume);
	return TRUE;
}

static void take_first_page(Resume *resume, const EtcdHeader *header, GArray *actions)
{
	history_see(&resume->history, header);
	transition_show(resume, KEYSPACE_RESEEDING);
	history_forget_anchors(&resume->history);
	resume->seed_revision = pinned_revision(resume, header);
	transition_act(actions, RESUME_SEED_BEGIN)->revision = resume->seed_revision;
}

/* The next request goes out before the listener gets the page, and the watch
 * before it gets the last: etcd works while we do. */
static void step_paged(Resume *resume, const ResumeInput *input, GArray *actions)
{
	const KeyValue *newest = input->page.newest;

	if (resume->seed_revision == 0) {
		if (!judge_first_page(resume, &input->page.header, actions))
			return;
		take_first_page(resume, &input->page.header, actions);
	}
	if (newest && newest->mod_revision > resume->history.anchors[KV_PUT].revision)
		history_anchor(&resume->history, newest, KV_PUT);
	if (input->page.more) {
		transition_act(actions, RESUME_READ_PAGE);
		transition_act(actions, RESUME_SEED_PAGE);
		return;
	}
	resume->applied = resume->seed_revision;
	resume->dirty = FALSE;
	if (!resume->config.pinned)
		transition_open(resume, actions);
	transition_act(actions, RESUME_SEED_PAGE);
	transition_act(actions, RESUME_SEED_END);
	if (resume->config.pinned)
		pinned_freeze(resume, actions);
}

/* ---- probes ---- */

static const char *probe_fault(const Resume *resume, const ResumeInput *input)
{
	const HistoryAnchor *anchor = resume->probe_anchor;
	const char *fault = history_fault(&resume->history, &input->probe.header,
					  resume->probe_floor);

	if (!fault && anchor &&
	    !history_anchor_holds(&resume->history, anchor, input->probe.anchor))
		return "etcd's history was rewritten";
	return fault;
}

static void begin_live_probe(Resume *resume, GArray *actions)
{
	transition_probe(resume, NULL, actions);
	resume->probing = TRUE;
}

/* REVISION is where etcd stands. */
static void end_live_probe(Resume *resume, gint64 revision, GArray *actions)
{
	resume->probing = FALSE;
	if (lag_probed(&resume->lag, revision, resume->applied, resume->now_us))
		transition_act(actions, RESUME_ASK_PROGRESS);
	if (!lag_is_behind(&resume->lag, resume->applied))
		contact_made(&resume->contact, resume->probe_boot_us);
	else if (resume->lag.since_us == resume->now_us)
		resume->lag_boot_us = resume->probe_boot_us;
	if (resume->contact.stale && resume->probe_boot_us < resume->contact.since_us) {
		begin_live_probe(resume, actions);
		return;
	}
	if (resume->now_us < resume->audit_us)
		return;
	resume->probing = TRUE;
	resume->audit_since_us = resume->now_us;
	transition_act(actions, RESUME_AUDIT)->audit.revision = resume->applied;
}

static void begin_watch(Resume *resume, GArray *actions)
{
	gint64 behind = resume->probed - resume->applied;

	doubt_settle(&resume->doubt);
	if (behind <= BEHIND_MAX) {
		transition_open(resume, actions);
		return;
	}
	transition_blame(resume, KEYSPACE_ERROR_LAGGING, "%" G_GINT64_FORMAT " revisions behind",
			 behind);
	transition_reseed(resume, KEYSPACE_RESEED_BEHIND, actions);
}

/* The last revision of which we hold an event, or a key that was read. */
static gint64 last_proved(const Resume *resume)
{
	return MAX(resume->history.anchors[KV_PUT].revision,
		   resume->history.anchors[KV_DELETE].revision);
}

/* Every probe has gone well.  What etcd only said, that nothing happened between the
 * last event and where we are, no anchor proves: a backup from that time, written past
 * since, has them all. */
static void end_probe(Resume *resume, gint64 revision, GArray *actions)
{
	gint64 proved = last_proved(resume);
	ResumeAction *action;

	resume->probed = revision;
	if (resume->applied <= proved) {
		begin_watch(resume, actions);
		return;
	}
	action = transition_act(actions, RESUME_AUDIT);
	action->audit.revision = resume->applied;
	action->audit.since = proved + 1;
}

static void end_live_audit(Resume *resume, const char *fault, GArray *actions)
{
	gint64 took_us = resume->now_us - resume->audit_since_us;

	resume->probing = FALSE;
	resume->audit_us = resume->now_us + MAX(took_us * AUDIT_SHARE, AUDIT_MIN_US);
	if (!fault)
		return;
	transition_blame(resume, KEYSPACE_ERROR_EVENT_LOST, "%s", fault);
	transition_reseed(resume, KEYSPACE_RESEED_EVENT_LOST, actions);
}

static void step_audited(Resume *resume, const ResumeInput *input, GArray *actions)
{
	if (resume->state == RESUME_LIVE)
		end_live_audit(resume, input->audit, actions);
	else if (input->audit)
		transition_doubt(resume, "etcd's history was rewritten", actions);
	else
		begin_watch(resume, actions);
}

static void step_probed(Resume *resume, const ResumeInput *input, GArray *actions)
{
	const HistoryAnchor *anchor = resume->probe_anchor;
	const char *fault = probe_fault(resume, input);

	if (resume->state == RESUME_ASKING) {
		pinned_probed(resume, &input->probe.header, actions);
		return;
	}
	if (fault) {
		transition_doubt(resume, fault, actions);
		return;
	}
	history_see(&resume->history, &input->probe.header);
	if (resume->state == RESUME_LIVE) {
		end_live_probe(resume, input->probe.header.revision, actions);
		return;
	}
	if (anchor && history_anchor_after(&resume->history, anchor))
		transition_probe(resume, history_anchor_after(&resume->history, anchor), actions);
	else
		end_probe(resume, input->probe.header.revision, actions);
}

/* No answer, because of the revision of the anchor that was asked for. */
static void anchor_failed(Resume *resume, EtcdFailure failure, GArray *actions)
{
	const HistoryAnchor *anchor = resume->probe_anchor;

	if (failure == ETCD_FUTURE)
		transition_doubt(resume, "etcd's revision went back", actions);
	/* the next revision is then compacted too, or as good as: old servers
	 * lose a deletion at the very revision of the compaction */
	else if (anchor->revision == resume->applied)
		reseed_compacted(resume, actions);
	else
		transition_probe(resume, history_anchor_after(&resume->history, anchor), actions);
}

static void step_failed(Resume *resume, const ResumeInput *input, GArray *actions)
{
	EtcdFailure failure = input->failure.failure;
	gboolean anchored = resume->state == RESUME_PROBING && resume->probe_anchor;

	if (pinned_failed(resume, failure, actions))
		return;
	if (failure == ETCD_COMPACTED && resume->state == RESUME_SEEDING) {
		reseed_compacted(resume, actions);
		return;
	}
	if (anchored && (failure == ETCD_COMPACTED || failure == ETCD_FUTURE)) {
		anchor_failed(resume, failure, actions);
		return;
	}
	doubt_miss(&resume->doubt);
	if (failure == ETCD_REFUSED)
		transition_deny(resume, input->failure.reason, actions);
	else
		transition_fail(resume, reason_kind(input->failure.reason), input->failure.reason,
				actions);
}

static void step_version(Resume *resume, const ResumeInput *input, GArray *actions)
{
	resume->probing = FALSE;
	resume->lag.asks = input->version && lag_version_asks(input->version);
}

/* ---- the stream ---- */

/* What is older than the seed is in it; and of what is older than a deletion
 * nobody can tell whether that is why it is not there. */
static gboolean can_be_verified(const Resume *resume, gint64 revision)
{
	return revision > resume->seed_revision &&
	       revision >= resume->history.anchors[KV_DELETE].revision;
}

static void take_old(Resume *resume, const KvBatch *batch, GArray *actions)
{
	resume->replays_dropped += batch->n_events;
	if (can_be_verified(resume, batch->revision))
		transition_act(actions, RESUME_VERIFY)->batch = *batch;
}

/* The watch has come to where a probe had found etcd. */
static void check_caught_up(Resume *resume)
{
	if (resume->lag_boot_us == 0 || lag_is_behind(&resume->lag, resume->applied))
		return;
	contact_made(&resume->contact, resume->lag_boot_us);
	resume->lag_boot_us = 0;
}

static void deliver(Resume *resume, KvBatch batch, GArray *actions)
{
	if (batch.revision <= resume->applied) {
		take_old(resume, &batch, actions);
		return;
	}
	transition_act(actions, RESUME_DELIVER)->batch = batch;
	resume->applied = batch.revision;
	check_caught_up(resume);
	history_anchor_batch(&resume->history, &batch);
}

static void take_events(Resume *resume, const EtcdWatch *response, GArray *actions)
{
	KvBatch batch;
	gsize at = 0;

	while (revisions_next(&resume->revisions, response, &at, &batch))
		deliver(resume, batch, actions);
}

/* The only other thing that moves `applied`.  Not past a revision of which we
 * hold a part, and never back. */
static void take_progress(Resume *resume, gint64 revision, GArray *actions)
{
	if (revision <= resume->applied || revisions_unfinished(&resume->revisions))
		return;
	resume->applied = revision;
	check_caught_up(resume);
	transition_act(actions, RESUME_PROGRESS)->revision = revision;
}

/* etcd registers the watch before it says so, but a member that has fallen
 * behind, or back, registers it for a time to come and then keeps silent. */
static void take_created(Resume *resume, const EtcdWatch *response, GArray *actions)
{
	if (response->header.revision < resume->applied) {
		transition_fail(resume, KEYSPACE_ERROR_LAGGING, "the member is behind", actions);
		return;
	}
	resume->state = RESUME_LIVE;
	resume->watch_id = response->watch_id;
	resume->live_since_us = resume->now_us;
	resume->refusals = 0;
	resume->probing = TRUE;
	resume->audit_us = 0;
	resume->lag_boot_us = 0;
	contact_made(&resume->contact, resume->boot_us);
	transition_show(resume, KEYSPACE_LIVE);
	transition_act(actions, RESUME_RECEIVE);
	transition_act(actions, RESUME_ASK_VERSION);
	transition_arm_probe(resume, actions);
	wanted_begin(resume, actions);
}

/* A cancellation is final whichever id it names: we have one watch. */
static void take_canceled(Resume *resume, const EtcdWatch *response, GArray *actions)
{
	g_autofree char *reason = NULL;

	if (response->compact_revision != 0) {
		reseed_compacted(resume, actions);
		return;
	}
	reason = reason_from_text(response->cancel_reason, strlen(response->cancel_reason));
	if (reason_is_refusal(reason)) {
		transition_refuse(resume, reason, actions);
		return;
	}
	transition_blame(resume, KEYSPACE_ERROR_CANCELED, "watch canceled: %s", reason);
	transition_reseed(resume, KEYSPACE_RESEED_CANCELED, actions);
}

/* A notification of our watch, or the answer to a question about the stream. */
static gboolean is_progress(Resume *resume, const EtcdWatch *response)
{
	if (response->created || response->fragment || response->n_events > 0)
		return FALSE;
	return response->watch_id == resume->watch_id ||
	       (response->watch_id == RESUME_STREAM_ID && lag_answered(&resume->lag));
}

static void step_response(Resume *resume, const ResumeInput *input, GArray *actions)
{
	const EtcdWatch *response = input->response;
	gboolean ours = response->watch_id == resume->watch_id;

	if (resume->state == RESUME_ASKING) {
		pinned_response(resume, response, actions);
		return;
	}
	if (response->canceled || response->compact_revision != 0) {
		take_canceled(resume, response, actions);
		return;
	}
	if (resume->state == RESUME_OPENING) {
		if (response->created && response->watch_id != RESUME_STREAM_ID)
			take_created(resume, response, actions);
		else
			transition_fail(resume, KEYSPACE_ERROR_PROTOCOL,
					"etcd answered out of turn", actions);
		return;
	}
	if (ours && response->n_events > 0)
		take_events(resume, response, actions);
	else if (is_progress(resume, response))
		take_progress(resume, response->header.revision, actions);
	transition_act(actions, RESUME_RECEIVE);
}

static void step_ended(Resume *resume, const ResumeInput *input, GArray *actions)
{
	if (pinned_failed(resume, input->failure.failure, actions))
		return;
	if (input->failure.failure == ETCD_REFUSED)
		transition_refuse(resume, input->failure.reason, actions);
	else
		transition_fail(resume, reason_kind(input->failure.reason), input->failure.reason,
				actions);
}

static void step_lost(Resume *resume, const ResumeInput *input, GArray *actions)
{
	transition_blame(resume, KEYSPACE_ERROR_EVENT_LOST,
			 "an event up to revision %" G_GINT64_FORMAT " was lost", input->lost);
	transition_reseed(resume, KEYSPACE_RESEED_EVENT_LOST, actions);
}

/* ---- the step ---- */

static void step_waited(Resume *resume, GArray *actions)
{
	transition_act(actions, RESUME_CONNECT);
	if (resume->dirty) {
		transition_seed(resume, actions);
		return;
	}
	resume->state = RESUME_PROBING;
	transition_probe(resume, history_first_anchor(&resume->history), actions);
}

/* While live the probe is for what no ping shows: a member without a quorum, a
 * permission taken away, a history that changed behind a proxy. */
static void step_live_timer(Resume *resume, GArray *actions)
{
	if (!lag_bearable(&resume->lag, resume->applied, resume->now_us)) {
		transition_fail(resume, KEYSPACE_ERROR_LAGGING, "the watch lags behind", actions);
		return;
	}
	if (!resume->probing)
		begin_live_probe(resume, actions);
	transition_arm_probe(resume, actions);
	wanted_arm(resume, actions);
}

static void step_timer(Resume *resume, GArray *actions)
{
	switch (resume->state) {
	case RESUME_WAITING:
		step_waited(resume, actions);
		break;
	case RESUME_OPENING:
		transition_fail(resume, KEYSPACE_ERROR_TIMEOUT, "etcd did not answer the watch",
				actions);
		break;
	case RESUME_LIVE:
		if (!wanted_timer(resume, actions))
			step_live_timer(resume, actions);
		break;
	case RESUME_ASKING:
		pinned_failed(resume, ETCD_AWAY, actions);
		break;
	default: /* armed for a state that has ended since */
		break;
	}
}

/* A seed goes on: its connection is good enough for that, and it may be long. */
static void step_reload(Resume *resume, GArray *actions)
{
	switch (resume->state) {
	case RESUME_PROBING:
	case RESUME_OPENING:
	case RESUME_LIVE:
	case RESUME_WAITING:
		transition_reconnect(resume, actions);
		break;
	default:
		break;
	}
}

static void dispatch(Resume *resume, const ResumeInput *input, GArray *actions)
{
	switch (input->type) {
	case RESUME_START:
		transition_act(actions, RESUME_CONNECT);
		transition_seed(resume, actions);
		break;
	case RESUME_WANTED:
		wanted_add(resume, input->wanted, actions);
		break;
	case RESUME_CONFIRMED:
		wanted_answered(resume, &input->confirmed.header, input->confirmed.same, actions);
		break;
	case RESUME_PAGED:
		step_paged(resume, input, actions);
		break;
	case RESUME_PROBED:
		step_probed(resume, input, actions);
		break;
	case RESUME_FAILED:
		step_failed(resume, input, actions);
		break;
	case RESUME_VERSION:
		step_version(resume, input, actions);
		break;
	case RESUME_AUDITED:
		step_audited(resume, input, actions);
		break;
	case RESUME_RESPONSE:
		step_response(resume, input, actions);
		break;
	case RESUME_ENDED:
		step_ended(resume, input, actions);
		break;
	case RESUME_EVENT_LOST:
		step_lost(resume, input, actions);
		break;
	case RESUME_TIMER:
		step_timer(resume, actions);
		break;
	case RESUME_TICK:
		break;
	case RESUME_RELOAD:
		step_reload(resume, actions);
		break;
	}
}

void resume_step(Resume *resume, const ResumeInput *input, GArray *actions)
{
	resume->now_us = input->now_us;
	resume->boot_us = input->boot_us;
	revisions_begin(&resume->revisions);
	dispatch(resume, input, actions);
	contact_check(&resume->contact, input->boot_us);
}
