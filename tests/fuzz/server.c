/* SPDX-License-Identifier: Apache-2.0 */
#include "server.h"

void server_init(Server *server)
{
	*server = (Server){
	    .header = {.cluster_id = 1, .member_id = 7, .revision = 1, .raft_term = 1000000},
	    .events = g_array_new(FALSE, FALSE, sizeof(KvEvent)),
	};
}

void server_clear(Server *server)
{
	g_clear_pointer(&server->events, g_array_unref);
}

/* ---- the store ---- */

static const KvEvent *event_at(const Server *server, guint index)
{
	return &g_array_index(server->events, KvEvent, index);
}

Keys server_keys(const Server *server, gint64 revision)
{
	Keys keys = {0};

	for (guint i = 0; i < server->events->len; i++) {
		const KvEvent *event = event_at(server, i);

		if (event->kv.mod_revision > revision)
			break;
		keys_apply(&keys, event);
	}
	return keys;
}

static KeyValue next_kv(const Server *server, const KeyValue *old, guint index)
{
	gint64 revision = server->header.revision;

	return (KeyValue){
	    .key = keys_name(index),
	    .value = keys_value(revision + server->generation),
	    .create_revision = old->mod_revision ? old->create_revision : revision,
	    .mod_revision = revision,
	    .version = old->version + 1,
	};
}

void server_write(Server *server, KvEventType type, guint mask)
{
	Keys keys = server_keys(server, server->header.revision);

	server->header.revision++;
	for (guint i = 0; i < KEYS_N; i++) {
		KvEvent event = {type, {.key = keys_name(i)}};

		if (!(mask & 1U << i) || (type == KV_DELETE && keys.kv[i].mod_revision == 0))
			continue;
		event.kv.mod_revision = server->header.revision;
		if (type == KV_PUT)
			event.kv = next_kv(server, &keys.kv[i], i);
		g_array_append_val(server->events, event);
	}
}

void server_skip(Server *server, gint64 count)
{
	server->header.revision += count;
}

void server_compact(Server *server, gint64 revision)
{
	server->compacted = CLAMP(revision, server->compacted, server->header.revision);
}

void server_restore(Server *server, gint64 revision)
{
	guint n = server->events->len;

	server->header.revision = CLAMP(revision, 1, server->header.revision);
	while (n > 0 && event_at(server, n - 1)->kv.mod_revision > server->header.revision)
		n--;
	g_array_set_size(server->events, n);
	server->compacted = MIN(server->compacted, server->header.revision);
	server->generation++;
}

/* ---- requests ---- */

/* TRUE: the revision asked for cannot be read, and that was said. */
static gboolean refuse_revision(Server *server, Machine *machine, gint64 revision)
{
	if (revision == 0)
		return FALSE;
	if (revision < server->compacted)
		machine_failed(machine, ETCD_COMPACTED);
	else if (revision > server->header.revision)
		machine_failed(machine, ETCD_FUTURE);
	else
		return FALSE;
	return TRUE;
}

static void answer_page(Server *server, Machine *machine, guint chance)
{
	gint64 revision = machine->page_revision;
	Keys keys;

	if (refuse_revision(server, machine, revision))
		return;
	keys = server_keys(server, revision ? revision : server->header.revision);
	machine_page(machine, &server->header, &keys, 1 + chance % KEYS_N);
}

static void answer_probe(Server *server, Machine *machine)
{
	Keys keys;

	if (refuse_revision(server, machine, machine->anchor_revision))
		return;
	keys = server_keys(server, machine->anchor_revision);
	machine_probed(machine, &server->header,
		       machine->anchor_revision ? keys_find(&keys, machine->anchor) : NULL);
}

/* As driver.c does it: the listener's keys were counted when it asked. */
static void answer_audit(Server *server, Machine *machine)
{
	Keys keys = server_keys(server, machine->audit_revision);
	gboolean known = machine->audit_revision >= server->compacted &&
			 machine->audit_revision <= server->header.revision;

	gboolean same = machine->audit_since == 0
			    ? keys_count(&keys) == machine->audit_held
			    : keys_newest(&keys).mod_revision < machine->audit_since;

	machine_audited(machine, known && !same ? "a difference" : NULL);
}

static void answer_confirm(Server *server, Machine *machine)
{
	Keys keys = server_keys(server, server->header.revision);
	gboolean same = keys_newest(&keys).mod_revision < machine->confirm_since &&
			keys_count(&keys) == machine->confirm_held;

	machine_confirmed(machine, &server->header, same);
}

void server_answer(Server *server, Machine *machine, guint chance)
{
	switch (machine->ask) {
	case MACHINE_NOTHING:
		break;
	case MACHINE_PAGE:
		answer_page(server, machine, chance);
		break;
	case MACHINE_PROBE:
		answer_probe(server, machine);
		break;
	case MACHINE_AUDIT:
		answer_audit(server, machine);
		break;
	case MACHINE_VERSION:
		machine_version(machine, chance & 1 ? "3.5.16" : "3.4.23");
		break;
	case MACHINE_CONFIRM:
		answer_confirm(server, machine);
		break;
	}
}

/* ---- the stream ---- */

static void take_stream(Server *server, const Machine *machine)
{
	if (server->n_opens == machine->n_opens)
		return;
	server->n_opens = machine->n_opens;
	server->created = server->unfinished = FALSE;
	server->next_revision = machine->start_revision;
	server->told = 0;
	server->sent = 0;
	while (server->sent < server->events->len &&
	       event_at(server, server->sent)->kv.mod_revision < server->next_revision)
		server->sent++;
}

static void send_created(Server *server, Machine *machine)
{
	server->created = TRUE;
	machine_respond(machine, &(EtcdWatch){
				     .header = server->header,
				     .watch_id = RESUME_WATCH_ID,
				     .created = TRUE,
				     .cancel_reason = "",
				 });
}

static void send_compacted(Server *server, Machine *machine)
{
	machine_respond(machine, &(EtcdWatch){
				     .watch_id = RESUME_WATCH_ID,
				     .canceled = TRUE,
				     .compact_revision = server->compacted,
				     .cancel_reason = "",
				 });
}

static void send_progress(Server *server, Machine *machine)
{
	server->told = server->header.revision;
	machine_respond(
	    machine, &(EtcdWatch){
			 .header = server->header,
			 .watch_id = machine->progress_asked ? RESUME_STREAM_ID : RESUME_WATCH_ID,
			 .cancel_reason = "",
		     });
	machine->progress_asked = FALSE;
}

/* Whether the events before INDEX end a revision. */
static gboolean is_whole(const Server *server, guint index)
{
	return index == server->events->len || event_at(server, index - 1)->kv.mod_revision !=
						   event_at(server, index)->kv.mod_revision;
}

/* Up to the one before END. */
static void send_events(Server *server, Machine *machine, guint end, gboolean fragment)
{
	EtcdWatch response = {
	    .header = server->header,
	    .watch_id = RESUME_WATCH_ID,
	    .fragment = fragment,
	    .cancel_reason = "",
	    .events = event_at(server, server->sent),
	    .n_events = end - server->sent,
	};

	server->sent = end;
	server->unfinished = fragment;
	server->next_revision = end < server->events->len ? event_at(server, end)->kv.mod_revision
							  : server->header.revision + 1;
	machine_respond(machine, &response);
}

/* The low bits of CHANCE say how many, all ones that it be all; the next, whether
 * more is to come where that is not plain. */
static void send_some(Server *server, Machine *machine, guint chance)
{
	guint left = server->events->len - server->sent, count = chance & 7;
	guint end = server->sent + (count == 7 ? left : MIN(count + 1, left));
	gboolean more = end < server->events->len && chance & 8;

	send_events(server, machine, end, more || !is_whole(server, end));
}

void server_send(Server *server, Machine *machine, guint chance)
{
	if (!machine->receiving)
		return;
	take_stream(server, machine);
	if (!server->created)
		send_created(server, machine);
	else if (!server->unfinished && server->next_revision < server->compacted)
		send_compacted(server, machine);
	else if (server->sent < server->events->len)
		send_some(server, machine, chance);
	else
		send_progress(server, machine);
}

/* Whole revisions: no fragment is ever sent twice. */
void server_replay(Server *server, Machine *machine, guint count)
{
	if (!machine->receiving)
		return;
	take_stream(server, machine);
	if (!server->created || server->unfinished || server->sent == 0)
		return;
	server->sent -= MIN(count, server->sent);
	while (server->sent > 0 && !is_whole(server, server->sent))
		server->sent--;
	send_some(server, machine, 7);
}

void server_overtake(Server *server, Machine *machine)
{
	if (!machine->receiving || server->n_opens != machine->n_opens || !server->unfinished)
		return;
	send_progress(server, machine);
	server->told = 0;
}

gboolean server_promise(Server *server, Machine *machine)
{
	guint due = server->sent;

	if (!machine->receiving || server->n_opens != machine->n_opens || !server->created ||
	    server->unfinished)
		return FALSE;
	/* not what is sent a second time */
	while (due < server->events->len &&
	       event_at(server, due)->kv.mod_revision <= machine->revision)
		due++;
	if (due == server->events->len)
		return FALSE;
	server->sent = due;
	send_progress(server, machine);
	return machine->revision == server->header.revision;
}

gboolean server_is_done(const Server *server, const Machine *machine)
{
	return machine->receiving && server->n_opens == machine->n_opens && server->created &&
	       server->sent == server->events->len && server->told == server->header.revision;
}
