/* SPDX-License-Identifier: Apache-2.0 */
#include "status.h"

#include <json-glib/json-glib.h>
#include <unistd.h>

static void add_int(JsonBuilder *builder, const char *name, guint64 value)
{
	json_builder_set_member_name(builder, name);
	json_builder_add_int_value(builder, (gint64)value);
}

static void add_string(JsonBuilder *builder, const char *name, const char *value)
{
	json_builder_set_member_name(builder, name);
	if (value)
		json_builder_add_string_value(builder, value);
	else
		json_builder_add_null_value(builder);
}

/* As etcdctl prints ids; JSON numbers would lose their low bits in many readers. */
static void add_id(JsonBuilder *builder, const char *name, guint64 id)
{
	g_autofree char *hex = id ? g_strdup_printf("%" G_GINT64_MODIFIER "x", id) : NULL;
	add_string(builder, name, hex);
}

static void add_time(JsonBuilder *builder, const char *name, gint64 us)
{
	g_autoptr(GDateTime) seconds = g_date_time_new_from_unix_utc(us / G_USEC_PER_SEC);
	g_autoptr(GDateTime) time = g_date_time_add(seconds, us % G_USEC_PER_SEC);
	g_autofree char *text = us ? g_date_time_format(time, "%Y-%m-%dT%H:%M:%S.%fZ") : NULL;
	add_string(builder, name, text);
}

static void begin_object(JsonBuilder *builder, const char *name)
{
	json_builder_set_member_name(builder, name);
	json_builder_begin_object(builder);
}

guint64 status_lag(const Status *status)
{
	guint64 probe = meter_get(&status->meters->watch.probe_revision);
	guint64 applied = (guint64)status->tree.revision;

	return probe > applied ? probe - applied : 0;
}

gint64 status_wall_us(const Status *status, guint64 monotonic_us)
{
	return monotonic_us ? status->now_us - (status->monotonic_us - (gint64)monotonic_us) : 0;
}

static void add_about(JsonBuilder *builder, const Status *status)
{
	const StatusAbout *about = status->about;
	g_autofree char *prefix = g_utf8_make_valid((const char *)about->prefix.data,
						    (gssize)about->prefix.len);

	add_string(builder, "source", about->source);
	add_string(builder, "mountpoint", about->mountpoint);
	add_string(builder, "prefix", prefix);
	add_int(builder, "pid", (guint64)getpid());
	add_time(builder, "started", status->started_us);
	add_int(builder, "uptime_seconds",
		(guint64)(status->now_us - status->started_us) / G_USEC_PER_SEC);
	begin_object(builder, "options");
	if (about->revision)
		add_int(builder, "rev", (guint64)about->revision);
	if (about->max_stale_ms) {
		add_int(builder, "max_stale_ms", about->max_stale_ms);
		add_string(builder, "stale_policy", about->stale_fail ? "fail" : "serve");
	}
	json_builder_end_object(builder);
}

/* How far behind it may be. */
static void add_lag(JsonBuilder *builder, const Status *status)
{
	const KeyspaceMeter *watch = &status->meters->watch;
	guint64 heard_us = meter_get(&watch->heard_us);

	add_time(builder, "last_contact", status_wall_us(status, heard_us));
	add_int(builder, "since_contact_ms",
		heard_us ? (guint64)MAX(status->monotonic_us - (gint64)heard_us, 0) / 1000 : 0);
	begin_object(builder, "lag");
	add_int(builder, "revisions", status_lag(status));
	add_int(builder, "probe_revision", meter_get(&watch->probe_revision));
	add_time(builder, "probe_time", status_wall_us(status, meter_get(&watch->probe_us)));
	json_builder_end_object(builder);
}

static void add_seed(JsonBuilder *builder, const KeyspaceMeter *watch)
{
	begin_object(builder, "seeds");
	add_int(builder, "complete", meter_get(&watch->seeds));
	add_int(builder, "last_keys", meter_get(&watch->seed_keys));
	add_int(builder, "last_bytes", meter_get(&watch->seed_bytes));
	add_int(builder, "last_ms", meter_get(&watch->seed_took_us) / 1000);
	json_builder_end_object(builder);
}

static void add_errors(JsonBuilder *builder, const KeyspaceStatus *connection)
{
	gboolean any = connection->last_error != NULL;

	begin_object(builder, "errors");
	for (guint i = 0; i < KEYSPACE_N_ERRORS; i++)
		add_int(builder, keyspace_error_name(i), connection->errors[i]);
	json_builder_end_object(builder);
	add_string(builder, "last_error", connection->last_error);
	add_string(builder, "last_error_kind",
		   any ? keyspace_error_name(connection->last_error_kind) : NULL);
	add_time(builder, "last_error_time", connection->last_error_us);
}

static void add_connection(JsonBuilder *builder, const KeyspaceStatus *connection)
{
	add_string(builder, "endpoint", connection->endpoint);
	add_id(builder, "cluster_id", connection->cluster_id);
	add_id(builder, "member_id", connection->member_id);
	add_int(builder, "raft_term", connection->raft_term);
	add_int(builder, "reconnects", connection->reconnects);
	begin_object(builder, "reseeds");
	for (guint i = 0; i < KEYSPACE_N_RESEED_REASONS; i++)
		add_int(builder, keyspace_reseed_name(i), connection->reseeds[i]);
	json_builder_end_object(builder);
	add_int(builder, "replays_dropped", connection->replays_dropped);
	add_int(builder, "losses_detected", connection->reseeds[KEYSPACE_RESEED_EVENT_LOST]);
	add_errors(builder, connection);
}

static void add_totals(JsonBuilder *builder, const Status *status)
{
	add_int(builder, "keys", status->tree.n_keys);
	add_int(builder, "directories", status->tree.n_dirs);
	add_int(builder, "value_bytes", status->tree.value_bytes);
	begin_object(builder, "inodes");
	add_int(builder, "known", status->inodes.known);
	add_int(builder, "older", status->inodes.older);
	json_builder_end_object(builder);
	begin_object(builder, "announcements");
	add_int(builder, "pending", status->announcer.pending);
	add_int(builder, "told", status->announcer.announced);
	add_int(builder, "untold", status->announcer.untold);
	json_builder_end_object(builder);
}

char *status_to_json(const Status *status)
{
	g_autoptr(JsonBuilder) builder = json_builder_new();

	json_builder_begin_object(builder);
	add_string(builder, "version", ETCDFS_VERSION);
	add_string(builder, "state", keyspace_state_name(status->connection->state));
	add_int(builder, "revision", (guint64)status->tree.revision);
	add_lag(builder, status);
	add_connection(builder, status->connection);
	add_seed(builder, &status->meters->watch);
	add_totals(builder, status);
	add_about(builder, status);
	json_builder_end_object(builder);

	g_autoptr(JsonNode) root = json_builder_get_root(builder);
	g_autofree char *text = json_to_string(root, TRUE);
	return g_strconcat(text, "\n", NULL);
}
