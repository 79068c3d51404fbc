/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz-resume.c - any fate of a watch: the tree is etcd's, and nothing is stuck.
 *
 * The input is a script, two bytes a line: what happens next, and how.  An etcd that
 * is honest is written to, compacted and restored, and answers; between that requests
 * fail, streams end, and somebody makes things up.  machine.c watches each step.
 *
 * As long as nobody has made anything up, what the listener holds is etcd's state at
 * that very revision, after each step.  And at the end of every script honest
 * answers and the timer alone lead back to a live watch that holds what etcd holds;
 * where things were made up, one more seed after that.
 */
#include <stdint.h>
#include <string.h>

#include "server.h"

/* Honest answers that it may take, whatever came before. */
#define SETTLE_MAX 300
/* There is always a next one. */
#define REVISION_MAX (G_MAXINT64 - 1)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct {
	Server server;
	Machine machine;
	gboolean made_up;  /* the listener may hold anything */
	gboolean restored; /* and the listener still holds what was before */
	gboolean renamed;  /* and that shows in the ids */
	guint n_seeds;	   /* the listener's, when that happened */
	gint64 checked;	   /* the revision that was compared last */
	gint64 current;	   /* that of the machine, then */
} Fuzz;

/* ---- what etcd's people do ---- */

static void on_put(Fuzz *fuzz, guint8 how)
{
	server_write(&fuzz->server, KV_PUT, how);
}

static void on_delete(Fuzz *fuzz, guint8 how)
{
	server_write(&fuzz->server, KV_DELETE, how);
}

/* Once in a while more than a watch should catch up with. */
static void on_skip(Fuzz *fuzz, guint8 how)
{
	server_skip(&fuzz->server, how == 255 ? 100001 : how % 8);
}

static void on_compact(Fuzz *fuzz, guint8 how)
{
	server_compact(&fuzz->server, fuzz->server.header.revision - how % 8);
}

static void on_restore(Fuzz *fuzz, guint8 how)
{
	server_restore(&fuzz->server, fuzz->server.header.revision - (how >> 2) % 16);
	if (how & 1)
		fuzz->server.header.cluster_id++;
	else if (how & 2)
		fuzz->server.header.raft_term--;
	if (how & 3)
		fuzz->renamed = TRUE;
	fuzz->restored = TRUE;
	fuzz->n_seeds = fuzz->machine.n_seeds;
	machine_failed(&fuzz->machine, ETCD_AWAY);
	machine_end(&fuzz->machine, ETCD_AWAY);
}

/* ---- what the network does ---- */

static void on_time(Fuzz *fuzz, guint8 how)
{
	machine_wait(&fuzz->machine, how * G_TIME_SPAN_SECOND / 4);
}

static void on_timer(Fuzz *fuzz, guint8 how)
{
	machine_timer(&fuzz->machine);
}

static void on_answer(Fuzz *fuzz, guint8 how)
{
	server_answer(&fuzz->server, &fuzz->machine, how);
}

static void on_send(Fuzz *fuzz, guint8 how)
{
	server_send(&fuzz->server, &fuzz->machine, how);
}

static void on_replay(Fuzz *fuzz, guint8 how)
{
	server_replay(&fuzz->server, &fuzz->machine, how % 8);
}

static void on_overtake(Fuzz *fuzz, guint8 how)
{
	server_overtake(&fuzz->server, &fuzz->machine);
}

/* Says that everything has been sent, and sends it then: etcd before 3.4.25 and
 * 3.5.8.  What comes late is seen to be missing. */
static void on_promise(Fuzz *fuzz, guint8 how)
{
	if (!server_promise(&fuzz->server, &fuzz->machine))
		return;
	server_send(&fuzz->server, &fuzz->machine, 7);
	g_assert_true(fuzz->machine.owed || fuzz->made_up);
}

/* Where an anchor is said to be compacted it cannot tell anything. */
static void on_fail(Fuzz *fuzz, guint8 how)
{
	if (fuzz->machine.ask == MACHINE_PROBE && how % 4 == ETCD_COMPACTED)
		fuzz->made_up = TRUE;
	machine_failed(&fuzz->machine, how % 4);
}

static void on_end(Fuzz *fuzz, guint8 how)
{
	machine_end(&fuzz->machine, how % 4);
}

static void on_refuse(Fuzz *fuzz, guint8 how)
{
	fuzz->machine.refuse = TRUE;
}

/* A reseed, and nothing worse, whether it is true or not. */
static void on_cancel(Fuzz *fuzz, guint8 how)
{
	static const char *const reasons[] = {"", "no reason", "etcdserver: permission denied",
					      "etcdserver: invalid auth token"};

	machine_respond(&fuzz->machine, &(EtcdWatch){
					    .watch_id = how & 4 ? RESUME_WATCH_ID : -1,
					    .created = !!(how & 8),
					    .canceled = !(how & 16),
					    .compact_revision = how & 48 ? 3 : 0,
					    .cancel_reason = reasons[how % 4],
					});
}

/* From a member that is not where the others are. */
static void on_created(Fuzz *fuzz, guint8 how)
{
	EtcdHeader header = fuzz->server.header;

	header.revision -= how;
	machine_respond(&fuzz->machine, &(EtcdWatch){
					    .header = header,
					    .watch_id = RESUME_WATCH_ID,
					    .created = TRUE,
					    .cancel_reason = "",
					});
}

static void on_version(Fuzz *fuzz, guint8 how)
{
	static const char *const versions[] = {NULL, "", "3.", "3.4.23", "3.5.16", "9.9.9"};

	machine_version(&fuzz->machine, versions[how % G_N_ELEMENTS(versions)]);
}

static void on_audited(Fuzz *fuzz, guint8 how)
{
	machine_audited(&fuzz->machine, how & 1 ? "another count" : NULL);
}

/* ---- what the program does ---- */

static gint64 any_revision(const Fuzz *fuzz, guint8 how)
{
	gint64 held = MIN(fuzz->machine.revision, G_MAXINT64 / 2);
	gint64 there = fuzz->server.header.revision;

	switch (how % 8) {
	case 0:
		return REVISION_MAX - how / 8;
	case 1:
		return there + how / 8;
	case 2:
		return MAX(there - how / 8, 1);
	case 3:
		return held + 1000000;
	default:
		return MAX(held + how / 8 - 4, 1);
	}
}

/* A revision that is there, or to come, or one that never comes. */
static void on_want(Fuzz *fuzz, guint8 how)
{
	machine_want(&fuzz->machine, any_revision(fuzz, how));
}

static void on_reload(Fuzz *fuzz, guint8 how)
{
	machine_reload(&fuzz->machine);
}

/* ---- what somebody makes up ---- */

static EtcdHeader any_header(const Fuzz *fuzz, guint8 how)
{
	EtcdHeader header = fuzz->server.header;

	header.revision = any_revision(fuzz, how);
	header.cluster_id += how == 7;
	header.raft_term += how % 16 == 5;
	header.raft_term -= how % 16 == 13;
	return header;
}

/* Mostly such as the listener takes. */
static KvEvent any_event(const Fuzz *fuzz, guint8 how, gint64 revision)
{
	guint index = how % KEYS_N;
	const KeyValue *held = &fuzz->machine.held.kv[index];
	KvEvent event = {how & 4 ? KV_DELETE : KV_PUT,
			 {.key = keys_name(index), .mod_revision = revision}};

	if (event.type == KV_DELETE)
		return event;
	event.kv.value = keys_value(how);
	event.kv.version = held->version + (how & 128 ? 2 : 1);
	event.kv.create_revision = held->mod_revision ? held->create_revision : revision;
	return event;
}

/* Two revisions at most, three events. */
static void on_made_up_events(Fuzz *fuzz, guint8 how)
{
	gint64 revision = any_revision(fuzz, how);
	KvEvent events[] = {
	    any_event(fuzz, how, revision),
	    any_event(fuzz, how + 1, MIN(revision + !!(how & 16), REVISION_MAX)),
	    any_event(fuzz, how + 2, revision),
	};

	fuzz->made_up = TRUE;
	machine_respond(&fuzz->machine, &(EtcdWatch){
					    .header = fuzz->server.header,
					    .watch_id = how % 32 == 31 ? 0 : RESUME_WATCH_ID,
					    .fragment = how >> 6 & 1,
					    .cancel_reason = "",
					    .events = events,
					    .n_events = how % 4,
					});
}

static void on_made_up_progress(Fuzz *fuzz, guint8 how)
{
	fuzz->made_up = TRUE;
	machine_respond(&fuzz->machine,
			&(EtcdWatch){
			    .header = any_header(fuzz, how),
			    .watch_id = how & 64 ? RESUME_STREAM_ID : RESUME_WATCH_ID,
			    .cancel_reason = "",
			});
}

static void on_made_up_page(Fuzz *fuzz, guint8 how)
{
	EtcdHeader header = any_header(fuzz, how);
	Keys keys = fuzz->machine.held;

	fuzz->made_up = TRUE;
	for (guint i = 0; i < how % 4; i++) {
		KvEvent event = any_event(fuzz, how + i, header.revision - i);

		keys_apply(&keys, &event);
	}
	machine_page(&fuzz->machine, &header, &keys, 1 + how % KEYS_N);
}

static void on_made_up_probe(Fuzz *fuzz, guint8 how)
{
	EtcdHeader header = any_header(fuzz, how);
	const Keys *held = &fuzz->machine.held;

	fuzz->made_up = TRUE;
	machine_probed(&fuzz->machine, &header, how & 64 ? &held->kv[how % KEYS_N] : NULL);
}

/* ---- what must be true ---- */

/* Whether etcd no longer has, at its revision, the last put that the listener got. */
static gboolean anchor_is_gone(const Fuzz *fuzz)
{
	const KeyValue *put = &fuzz->machine.last_put, *now;
	Keys keys = server_keys(&fuzz->server, put->mod_revision);

	if (put->mod_revision == 0 || put->mod_revision < fuzz->server.compacted)
		return FALSE;
	now = keys_find(&keys, put->key);
	return !now || !keys_kv_equal(now, put);
}

/* What etcd was restored from is not watched as if nothing had been, unless there is
 * nothing that could tell. */
static void check_restored(Fuzz *fuzz)
{
	const Machine *machine = &fuzz->machine;

	if (machine->n_seeds != fuzz->n_seeds)
		fuzz->restored = fuzz->renamed = FALSE;
	if (!fuzz->restored || !machine->streaming || fuzz->made_up)
		return;
	g_assert_false(fuzz->renamed || anchor_is_gone(fuzz));
	fuzz->made_up = TRUE;
}

/* What is said of a later revision, when it is said. */
static void check_current(Fuzz *fuzz)
{
	const Machine *machine = &fuzz->machine;
	Keys keys;

	if (machine->current == fuzz->current)
		return;
	fuzz->current = machine->current;
	if (machine->current == 0 || fuzz->restored)
		return;
	keys = server_keys(&fuzz->server, machine->current);
	g_assert_true(keys_equal(&machine->held, &keys));
}

/* After each step. */
static void check_held(Fuzz *fuzz)
{
	const Machine *machine = &fuzz->machine;
	Keys keys;

	check_restored(fuzz);
	if (fuzz->made_up)
		return;
	check_current(fuzz);
	g_assert_cmpuint(machine->n_contradictions, ==, 0);
	if (fuzz->restored || machine->owed || machine->revision == fuzz->checked)
		return;
	keys = server_keys(&fuzz->server, machine->revision);
	g_assert_true(keys_equal(&machine->held, &keys));
	fuzz->checked = machine->revision;
}

static gboolean is_settled(const Fuzz *fuzz)
{
	const Machine *machine = &fuzz->machine;

	return machine->resume.state == RESUME_LIVE && machine->ask == MACHINE_NOTHING &&
	       server_is_done(&fuzz->server, machine) &&
	       machine->revision == fuzz->server.header.revision;
}

/* Nothing but honest answers from here on. */
static void settle(Fuzz *fuzz)
{
	for (guint i = 0; i < SETTLE_MAX && !is_settled(fuzz); i++) {
		if (fuzz->machine.ask != MACHINE_NOTHING)
			server_answer(&fuzz->server, &fuzz->machine, i);
		else if (fuzz->machine.streaming && !server_is_done(&fuzz->server, &fuzz->machine))
			server_send(&fuzz->server, &fuzz->machine, 7);
		else
			machine_timer(&fuzz->machine);
		check_held(fuzz);
	}
	g_assert_true(is_settled(fuzz));
}

static void check_end(Fuzz *fuzz)
{
	Keys keys;

	fuzz->machine.refuse = FALSE;
	if (fuzz->made_up) /* it ends a fragment that nobody else would */
		server_write(&fuzz->server, KV_PUT, 1);
	settle(fuzz);
	if (fuzz->made_up) {
		on_cancel(fuzz, 0);
		settle(fuzz);
	}
	keys = server_keys(&fuzz->server, fuzz->server.header.revision);
	g_assert_true(keys_equal(&fuzz->machine.held, &keys));
}

/* ---- the script ---- */

/* What is honest comes most often: a script of nothing but mishaps never gets far. */
static const struct {
	void (*run)(Fuzz *fuzz, guint8 how);
	guint weight;
} lines[] = {
    {on_answer, 7},
    {on_send, 7},
    {on_put, 3},
    {on_delete, 1},
    {on_timer, 3},
    {on_time, 1},
    {on_skip, 1},
    {on_end, 1},
    {on_fail, 1},
    {on_compact, 1},
    {on_restore, 1},
    {on_replay, 1},
    {on_refuse, 1},
    {on_cancel, 1},
    {on_created, 1},
    {on_version, 1},
    {on_audited, 1},
    {on_made_up_events, 1},
    {on_made_up_progress, 1},
    {on_made_up_page, 1},
    {on_made_up_probe, 1},
    {on_overtake, 1},
    {on_promise, 1},
};

/* Beyond what the table makes of a byte, so that older inputs mean what they meant. */
#define WANT_FROM 240
#define RELOAD_FROM 253

static void run_line(Fuzz *fuzz, guint what, guint8 how)
{
	guint i = 0, total = 0;

	if (what >= WANT_FROM) {
		(what >= RELOAD_FROM ? on_reload : on_want)(fuzz, how);
		return;
	}
	for (guint j = 0; j < G_N_ELEMENTS(lines); j++)
		total += lines[j].weight;
	for (what %= total; what >= lines[i].weight; i++)
		what -= lines[i].weight;
	lines[i].run(fuzz, how);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Fuzz fuzz = {0};

	if (size < 2)
		return 0;
	server_init(&fuzz.server);
	machine_init(&fuzz.machine, 1 + data[0] % 3, data[1]);
	for (size_t i = 2; i + 1 < size; i += 2) {
		run_line(&fuzz, data[i], data[i + 1]);
		check_held(&fuzz);
	}
	check_end(&fuzz);
	machine_clear(&fuzz.machine);
	server_clear(&fuzz.server);
	return 0;
}
