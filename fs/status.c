/* SPDX-License-Identifier: Apache-2.0 */
#include "status.h"

#include <json-glib/json-glib.h>

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
	add_string(builder, "last_error", connection->last_error);
	add_time(builder, "last_error_time", connection->last_error_us);
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
	add_connection(builder, status->connection);
	add_totals(builder, status);
	json_builder_end_object(builder);

	g_autoptr(JsonNode) root = json_builder_get_root(builder);
	g_autofree char *text = json_to_string(root, TRUE);
	return g_strconcat(text, "\n", NULL);
}
