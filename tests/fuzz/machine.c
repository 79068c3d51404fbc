/* SPDX-License-Identifier: Apache-2.0 */
#include "machine.h"

#include "trace.h"

/* ---- actions ---- */

static void do_blame(Machine *machine)
{
	g_assert_nonnull(machine->resume.last_error);
}

static void do_connect(Machine *machine)
{
	g_assert_cmpint(machine->ask, ==, MACHINE_NOTHING);
	g_assert_false(machine->streaming);
}

static void do_close(Machine *machine)
{
	machine->ask = MACHINE_NOTHING;
	machine->streaming = machine->receiving = FALSE;
	machine->closed = TRUE;
}

static void do_ask(Machine *machine, MachineAsk ask)
{
	g_assert_cmpint(machine->ask, ==, MACHINE_NOTHING);
	machine->ask = ask;
}

static void do_read_page(Machine *machine, gboolean first)
{
	do_ask(machine, MACHINE_PAGE);
	g_assert_false(machine->streaming);
	if (!first)
		return;
	machine->page_revision = 0;
	machine->page_from = 0;
}

static void do_probe(Machine *machine, const ResumeAction *action)
{
	do_ask(machine, MACHINE_PROBE);
	machine->anchor_revision = action->anchor.revision;
	if (machine->anchor_revision == 0)
		return;
	g_assert_cmpuint(action->anchor.key.len, ==, 1);
	machine->anchor = keys_name(action->anchor.key.data[0] - 'a');
}

/* The listener may still get the last page: machine_check compares. */
static void do_open(Machine *machine, gint64 revision)
{
	g_assert_false(machine->streaming);
	g_assert_cmpint(machine->ask, ==, MACHINE_NOTHING);
	machine->streaming = machine->receiving = machine->opened = TRUE;
	machine->progress_asked = FALSE;
	machine->start_revision = revision;
	machine->n_opens++;
}

static void do_receive(Machine *machine)
{
	g_assert_true(machine->streaming);
	g_assert_false(machine->receiving);
	machine->receiving = TRUE;
}

static void do_audit(Machine *machine, gint64 revision, gint64 since)
{
	do_ask(machine, MACHINE_AUDIT);
	g_assert_cmpint(revision, ==, machine->revision);
	g_assert_cmpint(since, <=, revision);
	machine->audit_revision = revision;
	machine->audit_since = since;
	machine->audit_held = keys_count(&machine->held);
}

static void do_confirm(Machine *machine, gint64 since)
{
	do_ask(machine, MACHINE_CONFIRM);
	g_assert_true(machine->streaming);
	g_assert_cmpint(since, ==, machine->revision + 1);
	machine->confirm_since = since;
	machine->confirm_held = keys_count(&machine->held);
}

static void do_current(Machine *machine, gint64 revision)
{
	g_assert_true(machine->streaming);
	g_assert_cmpint(revision, >, machine->revision);
	g_assert_cmpint(revision, >, machine->current);
	machine->current = revision;
}

static void do_ask_progress(Machine *machine)
{
	g_assert_true(machine->streaming);
	machine->progress_asked = TRUE;
}

/* Again in one step: for something sooner. */
static void do_arm(Machine *machine, gint64 at_us)
{
	if (machine->armed)
		g_assert_cmpint(at_us, <, machine->timer_us);
	g_assert_cmpint(at_us, >=, machine->now_us);
	machine->armed = TRUE;
	machine->timer_us = at_us;
}

/* ---- the listener ---- */

static void do_seed_begin(Machine *machine, gint64 revision)
{
	g_assert_cmpint(revision, >, 0);
	g_assert_false(machine->streaming);
	machine->seed = (Keys){0};
	machine->seed_revision = revision;
}

static void do_seed_page(Machine *machine)
{
	g_assert_cmpint(machine->seed_revision, !=, 0);
	for (guint i = 0; i < machine->n_page; i++)
		keys_apply(&machine->seed, &(KvEvent){KV_PUT, machine->page[i]});
}

/* Back only where history went back. */
static void do_seed_end(Machine *machine)
{
	guint64 n_histories = machine->resume.reseeds[KEYSPACE_RESEED_HISTORY];

	g_assert_cmpint(machine->seed_revision, !=, 0);
	if (n_histories == machine->n_histories)
		g_assert_cmpint(machine->seed_revision, >=, machine->revision);
	machine->n_histories = n_histories;
	machine->held = machine->seed;
	machine->revision = machine->seed_revision;
	machine->current = 0;
	machine->last_put = keys_newest(&machine->held);
	machine->seed_revision = 0;
	machine->n_seeds++;
	machine->seeded = TRUE;
	machine->owed = FALSE;
}

static void batch_check(const KvBatch *batch)
{
	g_assert_cmpuint(batch->n_events, >, 0);
	for (gsize i = 0; i < batch->n_events; i++)
		g_assert_cmpint(batch->events[i].kv.mod_revision, ==, batch->revision);
}

static gboolean do_deliver(Machine *machine, const KvBatch *batch)
{
	Keys next = machine->held;
	gboolean follows = TRUE;

	batch_check(batch);
	g_assert_true(machine->streaming);
	g_assert_cmpint(batch->revision, >, machine->revision);
	for (gsize i = 0; i < batch->n_events && follows; i++) {
		follows = keys_follow(&next, &batch->events[i]);
		keys_apply(&next, &batch->events[i]);
	}
	machine->n_contradictions += !follows;
	if (!follows || machine->refuse)
		return FALSE;
	for (gsize i = 0; i < batch->n_events; i++)
		if (batch->events[i].type == KV_PUT)
			machine->last_put = keys_copy(&batch->events[i].kv);
	machine->held = next;
	machine->revision = batch->revision;
	return TRUE;
}

static gboolean do_verify(Machine *machine, const KvBatch *batch)
{
	batch_check(batch);
	g_assert_true(machine->streaming);
	g_assert_cmpint(batch->revision, <=, machine->revision);
	for (gsize i = 0; i < batch->n_events; i++)
		if (!keys_hold(&machine->held, &batch->events[i]))
			return FALSE;
	return !machine->refuse;
}

static void do_progress(Machine *machine, gint64 revision)
{
	g_assert_true(machine->streaming);
	g_assert_cmpint(revision, >, machine->revision);
	machine->revision = revision;
}

/* FALSE: the listener refused a batch. */
static gboolean machine_act(Machine *machine, const ResumeAction *action)
{
	switch (action->type) {
	case RESUME_BLAME:
		do_blame(machine);
		break;
	case RESUME_CONNECT:
		do_connect(machine);
		break;
	case RESUME_CLOSE:
		do_close(machine);
		break;
	case RESUME_READ_PAGE:
		do_read_page(machine, action->first);
		break;
	case RESUME_PROBE:
		do_probe(machine, action);
		break;
	case RESUME_OPEN:
		do_open(machine, action->revision);
		break;
	case RESUME_RECEIVE:
		do_receive(machine);
		break;
	case RESUME_ASK_VERSION:
		do_ask(machine, MACHINE_VERSION);
		break;
	case RESUME_AUDIT:
		do_audit(machine, action->audit.revision, action->audit.since);
		break;
	case RESUME_ASK_PROGRESS:
		do_ask_progress(machine);
		break;
	case RESUME_SEED_BEGIN:
		do_seed_begin(machine, action->revision);
		break;
	case RESUME_SEED_PAGE:
		do_seed_page(machine);
		break;
	case RESUME_SEED_END:
		do_seed_end(machine);
		break;
	case RESUME_DELIVER:
		return do_deliver(machine, &action->batch);
	case RESUME_VERIFY:
		return do_verify(machine, &action->batch);
	case RESUME_PROGRESS:
		do_progress(machine, action->revision);
		break;
	case RESUME_ARM:
		do_arm(machine, action->at_us);
		break;
	case RESUME_CONFIRM:
		do_confirm(machine, action->revision);
		break;
	case RESUME_CURRENT:
		do_current(machine, action->revision);
		break;
	case RESUME_HANG_UP: /* of a pinned revision alone */
		g_assert_not_reached();
	}
	return TRUE;
}

/* ---- after each step ---- */

/* Something is to come, and nothing that the state does not wait for. */
static void check_under_way(const Machine *machine)
{
	gboolean armed = machine->timer_us != G_MAXINT64;

	switch (machine->resume.state) {
	case RESUME_IDLE:
	case RESUME_FROZEN: /* these three: as above */
	case RESUME_ASKING:
	case RESUME_MISSING:
		g_assert_not_reached();
	case RESUME_SEEDING:
		g_assert_cmpint(machine->ask, ==, MACHINE_PAGE);
		break;
	case RESUME_PROBING:
		g_assert_true(machine->ask == MACHINE_PROBE || machine->ask == MACHINE_AUDIT);
		break;
	case RESUME_OPENING:
		g_assert_cmpint(machine->ask, ==, MACHINE_NOTHING);
		g_assert_true(armed);
		break;
	case RESUME_LIVE:
		g_assert_cmpint(machine->ask, !=, MACHINE_PAGE);
		g_assert_true(armed);
		break;
	case RESUME_WAITING:
		g_assert_cmpint(machine->ask, ==, MACHINE_NOTHING);
		g_assert_true(armed);
		break;
	}
}

static void check_stream(const Machine *machine)
{
	ResumeState state = machine->resume.state;

	g_assert_cmpint(machine->streaming, ==, state == RESUME_OPENING || state == RESUME_LIVE);
	g_assert_cmpint(machine->receiving, ==, machine->streaming);
	if (machine->opened)
		g_assert_cmpint(machine->start_revision, ==, machine->revision + 1);
}

/* While a seed is owed `applied` may be what the listener refused, or nothing. */
static void check_revision(Machine *machine)
{
	const Resume *resume = &machine->resume;
	guint64 n_reseeds = 0;

	for (guint i = 0; i < KEYSPACE_N_RESEED_REASONS; i++)
		n_reseeds += resume->reseeds[i];
	if (n_reseeds != machine->n_reseeds)
		machine->owed = !machine->seeded;
	machine->n_reseeds = n_reseeds;
	if (!machine->owed)
		g_assert_cmpint(resume->applied, ==, machine->revision);
	g_assert_false(machine->owed && machine->streaming);
}

/* Who reloads goes on showing what was, unless something goes wrong. */
static void check_shown(Machine *machine)
{
	const Resume *resume = &machine->resume;
	gboolean live = resume->shown == KEYSPACE_LIVE;

	machine->reloaded &= live && resume->state != RESUME_LIVE;
	g_assert_cmpint(live, ==, resume->state == RESUME_LIVE || machine->reloaded);
	if (machine->n_seeds == 0)
		g_assert_cmpint(resume->shown, ==, KEYSPACE_SEEDING);
}

static gboolean machine_step(Machine *machine, ResumeInput input)
{
	input.now_us = machine->now_us;
	machine->closed = machine->armed = machine->opened = machine->seeded = FALSE;
	g_array_set_size(machine->actions, 0);
	trace_input(&input);
	resume_step(&machine->resume, &input, machine->actions);
	for (guint i = 0; i < machine->actions->len; i++)
		if (!machine_act(machine, &g_array_index(machine->actions, ResumeAction, i)))
			return FALSE;
	return TRUE;
}

static void machine_feed(Machine *machine, ResumeInput input)
{
	if (!machine_step(machine, input)) {
		machine->refuse = FALSE;
		machine_step(machine, (ResumeInput){RESUME_EVENT_LOST});
		g_assert_true(machine->closed);
	}
	check_revision(machine);
	check_stream(machine);
	check_under_way(machine);
	check_shown(machine);
}

void machine_init(Machine *machine, guint n_endpoints, guint32 chance)
{
	*machine = (Machine){
	    .actions = g_array_new(FALSE, FALSE, sizeof(ResumeAction)),
	    .now_us = 1000 * G_TIME_SPAN_SECOND,
	    .timer_us = G_MAXINT64,
	};
	resume_init(&machine->resume, &(ResumeConfig){
					  .n_endpoints = n_endpoints,
					  .probe_us = 10 * G_TIME_SPAN_SECOND,
					  .chance = chance,
				      });
	machine_feed(machine, (ResumeInput){RESUME_START});
}

void machine_clear(Machine *machine)
{
	resume_clear(&machine->resume);
	g_array_unref(machine->actions);
}

/* ---- inputs ---- */

void machine_wait(Machine *machine, gint64 us)
{
	machine->now_us += us;
}

void machine_timer(Machine *machine)
{
	if (machine->timer_us == G_MAXINT64)
		return;
	machine->now_us = MAX(machine->now_us, machine->timer_us);
	machine->timer_us = G_MAXINT64;
	machine_feed(machine, (ResumeInput){RESUME_TIMER});
}

/* FALSE: nobody asked. */
static gboolean take_answer(Machine *machine, MachineAsk ask)
{
	if (machine->ask != ask || ask == MACHINE_NOTHING)
		return FALSE;
	machine->ask = MACHINE_NOTHING;
	return TRUE;
}

static const KeyValue *newest_of(const KeyValue *kvs, guint n)
{
	const KeyValue *newest = NULL;

	for (guint i = 0; i < n; i++)
		if (!newest || kvs[i].mod_revision > newest->mod_revision)
			newest = &kvs[i];
	return newest;
}

void machine_page(Machine *machine, const EtcdHeader *header, const Keys *keys, guint count)
{
	KeyValue page[KEYS_N];
	gboolean more = FALSE;
	guint n = 0;

	if (!take_answer(machine, MACHINE_PAGE))
		return;
	if (machine->page_revision == 0)
		machine->page_revision = header->revision;
	for (guint i = machine->page_from; i < KEYS_N && !more; i++) {
		if (keys->kv[i].mod_revision == 0)
			continue;
		more = n == count;
		if (more)
			continue;
		page[n++] = keys->kv[i];
		machine->page_from = i + 1;
	}
	machine->page = page;
	machine->n_page = n;
	machine_feed(machine, (ResumeInput){
				  RESUME_PAGED,
				  .page = {*header, newest_of(page, n), more},
			      });
	machine->page = NULL;
}

void machine_probed(Machine *machine, const EtcdHeader *header, const KeyValue *kv)
{
	if (take_answer(machine, MACHINE_PROBE))
		machine_feed(machine, (ResumeInput){RESUME_PROBED, .probe = {*header, kv}});
}

void machine_version(Machine *machine, const char *version)
{
	if (take_answer(machine, MACHINE_VERSION))
		machine_feed(machine, (ResumeInput){RESUME_VERSION, .version = version});
}

void machine_audited(Machine *machine, const char *difference)
{
	if (!take_answer(machine, MACHINE_AUDIT))
		return;
	machine_feed(machine, (ResumeInput){RESUME_AUDITED, .audit = difference});
	/* before a watch it is only a doubt */
	if (machine->audit_since == 0)
		g_assert_cmpint(machine->owed, ==, difference != NULL);
}

void machine_confirmed(Machine *machine, const EtcdHeader *header, gboolean same)
{
	if (take_answer(machine, MACHINE_CONFIRM))
		machine_feed(machine,
			     (ResumeInput){RESUME_CONFIRMED, .confirmed = {*header, same}});
}

/* As driver.c does it. */
static gboolean fail_confirm(Machine *machine, EtcdFailure failure)
{
	static const EtcdHeader none = {0};

	if (machine->ask != MACHINE_CONFIRM || failure == ETCD_REFUSED)
		return FALSE;
	machine_confirmed(machine, &none, FALSE);
	return TRUE;
}

void machine_failed(Machine *machine, EtcdFailure failure)
{
	if (fail_confirm(machine, failure))
		return;
	if (take_answer(machine, machine->ask))
		machine_feed(machine, (ResumeInput){RESUME_FAILED, .failure = {failure, "failed"}});
}

/* A copy whose bytes are gone after the step, as they are in driver.c. */
void machine_respond(Machine *machine, const EtcdWatch *response)
{
	g_autofree KvEvent *events = g_memdup2(response->events,
					       response->n_events * sizeof(KvEvent));
	g_autofree guint8 *bytes = g_malloc(2 * response->n_events);
	gboolean opening = machine->resume.state == RESUME_OPENING;
	gint64 before = machine->revision;
	EtcdWatch copy = *response;

	if (!machine->receiving)
		return;
	machine->receiving = FALSE;
	for (gsize i = 0; i < copy.n_events; i++) {
		KeyValue *kv = &events[i].kv;

		bytes[2 * i] = kv->key.data[0];
		kv->key.data = &bytes[2 * i];
		if (kv->value.len == 0)
			continue;
		bytes[2 * i + 1] = kv->value.data[0];
		kv->value.data = &bytes[2 * i + 1];
	}
	copy.events = events;
	machine_feed(machine, (ResumeInput){RESUME_RESPONSE, .response = &copy});
	if (copy.n_events > 0 && copy.watch_id != machine->resume.watch_id)
		g_assert_cmpint(machine->revision, ==, before);
	if (opening && copy.header.revision < machine->revision)
		g_assert_cmpint(machine->resume.state, !=, RESUME_LIVE);
}

/* Also when its last message could not be read: it is for the machine to close. */
void machine_end(Machine *machine, EtcdFailure failure)
{
	if (!machine->streaming)
		return;
	machine_feed(machine, (ResumeInput){RESUME_ENDED, .failure = {failure, "ended"}});
	g_assert_true(machine->closed);
}

void machine_want(Machine *machine, gint64 revision)
{
	machine_feed(machine, (ResumeInput){RESUME_WANTED, .wanted = revision});
}

void machine_reload(Machine *machine)
{
	machine->reloaded |= machine->resume.shown == KEYSPACE_LIVE;
	machine_feed(machine, (ResumeInput){RESUME_RELOAD});
}
