/* SPDX-License-Identifier: Apache-2.0 */
/* Each process_* has our prefix: node_exporter, through which these may go, has
 * its own of the plain names, and takes no second ones with another help. */
#include "metrics.h"

#include "exposition.h"

static void counter(Exposition *out, const char *name, const char *help, guint64 n)
{
	exposition_family(out, EXPOSITION_COUNTER, name, help);
	exposition_count(out, NULL, NULL, n);
}

static void gauge(Exposition *out, const char *name, const char *help, guint64 n)
{
	exposition_family(out, EXPOSITION_GAUGE, name, help);
	exposition_count(out, NULL, NULL, n);
}

static void gauge_time(Exposition *out, const char *name, const char *help, gint64 us)
{
	exposition_family(out, EXPOSITION_GAUGE, name, help);
	exposition_time(out, us);
}

static void add_identity(Exposition *out, const Status *status)
{
	const KeyspaceStatus *connection = status->connection;
	g_autofree char *cluster = g_strdup_printf("%" G_GINT64_MODIFIER "x",
						   connection->cluster_id);
	g_autofree char *member = g_strdup_printf("%" G_GINT64_MODIFIER "x", connection->member_id);

	exposition_family(out, EXPOSITION_GAUGE, "etcdfs_build_info", "The program's version.");
	exposition_info(out, "version", ETCDFS_VERSION, NULL);
	exposition_family(out, EXPOSITION_GAUGE, "etcdfs_mount_info", "What is mounted.");
	exposition_info(out, "source", status->about->source, NULL);
	exposition_family(out, EXPOSITION_GAUGE, "etcdfs_connection_info",
			  "Whom it talks to, or tried to last.");
	exposition_info(out, "endpoint", connection->endpoint, "cluster_id", cluster, "member_id",
			member, NULL);
	gauge_time(out, "etcdfs_start_time_seconds", "When it began.", status->started_us);
}

static void add_state(Exposition *out, const Status *status)
{
	const KeyspaceStatus *connection = status->connection;

	exposition_family(out, EXPOSITION_GAUGE, "etcdfs_state",
			  "1 for the state it is in, 0 for the others.");
	for (guint i = 0; i < KEYSPACE_N_STATES; i++)
		exposition_count(out, "state", keyspace_state_name(i), i == connection->state);
	gauge(out, "etcdfs_revision", "The last revision applied.", (guint64)status->tree.revision);
	gauge(out, "etcdfs_probe_revision", "Where the last probe found etcd.",
	      meter_get(&status->meters->watch.probe_revision));
	gauge(out, "etcdfs_lag_revisions", "How far that is ahead of what is applied.",
	      status_lag(status));
	gauge_time(out, "etcdfs_last_contact_timestamp_seconds",
		   "When etcd was last heard from; 0: never.",
		   status_wall_us(status, meter_get(&status->meters->watch.heard_us)));
	gauge(out, "etcdfs_raft_term", "The cluster's term.", connection->raft_term);
}

static void add_mishaps(Exposition *out, const Status *status)
{
	const KeyspaceStatus *connection = status->connection;

	counter(out, "etcdfs_reconnects_total", "Watch streams opened after the first.",
		connection->reconnects);
	exposition_family(out, EXPOSITION_COUNTER, "etcdfs_reseeds_total",
			  "How often the tree was read again, by reason.");
	for (guint i = 0; i < KEYSPACE_N_RESEED_REASONS; i++)
		exposition_count(out, "reason", keyspace_reseed_name(i), connection->reseeds[i]);
	exposition_family(out, EXPOSITION_COUNTER, "etcdfs_errors_total",
			  "What went wrong with the connection, by kind.");
	for (guint i = 0; i < KEYSPACE_N_ERRORS; i++)
		exposition_count(out, "kind", keyspace_error_name(i), connection->errors[i]);
	gauge_time(out, "etcdfs_last_error_timestamp_seconds",
		   "When that was for the last time; 0: never.", connection->last_error_us);
	counter(out, "etcdfs_losses_detected_total",
		"Events that etcd lost on the way here, each mended by a reseed.",
		connection->reseeds[KEYSPACE_RESEED_EVENT_LOST]);
	counter(out, "etcdfs_replays_dropped_total",
		"Events that etcd sent again, and that had left their trace.",
		connection->replays_dropped);
}

static void add_watch(Exposition *out, const Meters *meters)
{
	const KeyspaceMeter *watch = &meters->watch;

	exposition_family(out, EXPOSITION_COUNTER, "etcdfs_events_total",
			  "Events applied, by type.");
	exposition_count(out, "type", "put", meter_get(&meters->events[KV_PUT]));
	exposition_count(out, "type", "delete", meter_get(&meters->events[KV_DELETE]));
	counter(out, "etcdfs_batches_total", "Revisions applied, each a whole transaction.",
		meter_get(&meters->batches));
	counter(out, "etcdfs_received_bytes_total",
		"Bytes of etcd's messages, without HTTP/2 and TLS.",
		meter_get(&watch->received_bytes));
	counter(out, "etcdfs_watch_messages_total", "Messages of the watch.",
		meter_get(&watch->received_messages));
	counter(out, "etcdfs_progress_notifications_total",
		"Of these, how many said only how far the watch is.", meter_get(&watch->progress));
	counter(out, "etcdfs_pages_total", "Pages of seeds and reseeds read.",
		meter_get(&watch->pages));
	counter(out, "etcdfs_probes_total", "Probes that etcd answered.",
		meter_get(&watch->probes));
	counter(out, "etcdfs_audits_total", "Counts of the range that etcd answered.",
		meter_get(&watch->audits));
	counter(out, "etcdfs_tokens_total", "Tokens asked for with user and password.",
		meter_get(&watch->tokens));
}

static void add_seed(Exposition *out, const KeyspaceMeter *watch)
{
	counter(out, "etcdfs_seeds_total", "Complete readings of the range, the first included.",
		meter_get(&watch->seeds));
	gauge_time(out, "etcdfs_seed_duration_seconds", "How long the last one took.",
		   (gint64)meter_get(&watch->seed_took_us));
	gauge(out, "etcdfs_seed_keys", "How many keys it brought.", meter_get(&watch->seed_keys));
	gauge(out, "etcdfs_seed_bytes", "How many bytes etcd sent for it.",
	      meter_get(&watch->seed_bytes));
}

static void add_tree(Exposition *out, const Status *status)
{
	gauge(out, "etcdfs_keys", "Keys held.", status->tree.n_keys);
	gauge(out, "etcdfs_directories", "Directories they make, the root included.",
	      status->tree.n_dirs);
	gauge(out, "etcdfs_value_bytes", "Bytes in the values held.", status->tree.value_bytes);
	gauge(out, "etcdfs_inodes_known", "Inodes that the kernel knows.", status->inodes.known);
	gauge(out, "etcdfs_inodes_older",
	      "Of these, replaced or deleted ones that somebody still uses.", status->inodes.older);
}

static void add_kernel(Exposition *out, const Status *status)
{
	const Meters *meters = status->meters;

	exposition_family(out, EXPOSITION_COUNTER, "etcdfs_requests_total",
			  "Requests of the kernel, those for announcements included.");
	for (guint i = 0; i < METERS_N_REQUESTS; i++)
		exposition_count(out, "op", meters_request_name(i),
				 meter_get(&meters->requests[i]));
	counter(out, "etcdfs_notifications_total", "Invalidations sent to the kernel.",
		status->announcer.notifications);
	gauge(out, "etcdfs_invalidations_pending", "Names still to be invalidated.",
	      status->announcer.stale);
	gauge(out, "etcdfs_announcements_pending",
	      "Names and older inodes with something left to tell.", status->announcer.pending);
	counter(out, "etcdfs_announcements_told_total", "Changes told to watchers.",
		status->announcer.announced);
	counter(out, "etcdfs_announcements_untold_total", "Changes that could not be told.",
		status->announcer.untold);
}

static void add_latency(Exposition *out, const Meters *meters)
{
	Histogram copy;

	histogram_copy(&meters->apply, &copy);
	exposition_family(out, EXPOSITION_HISTOGRAM, "etcdfs_apply_seconds",
			  "From a revision's arrival until it is in the tree.");
	exposition_histogram(out, &copy);
	histogram_copy(&meters->announce, &copy);
	exposition_family(out, EXPOSITION_HISTOGRAM, "etcdfs_announce_seconds",
			  "From there until the watchers of a name were told.");
	exposition_histogram(out, &copy);
}

static void add_process(Exposition *out, const Process *process)
{
	exposition_family(out, EXPOSITION_COUNTER, "etcdfs_process_cpu_seconds_total",
			  "Processor time used.");
	exposition_time(out, process->cpu_us);
	gauge(out, "etcdfs_process_resident_memory_bytes", "Memory in use.",
	      process->resident_bytes);
	gauge(out, "etcdfs_process_virtual_memory_bytes", "Address space in use.",
	      process->virtual_bytes);
	gauge(out, "etcdfs_process_threads", "Threads.", process->threads);
	gauge(out, "etcdfs_process_open_fds", "Open file descriptors.", process->fds);
	gauge(out, "etcdfs_process_max_fds", "How many there may be.", process->fds_max);
}

char *metrics_to_text(const Status *status, const Process *process)
{
	g_auto(Exposition) out = {0};

	exposition_init(&out, "mountpoint", status->about->mountpoint);
	add_identity(&out, status);
	add_state(&out, status);
	add_mishaps(&out, status);
	add_watch(&out, status->meters);
	add_seed(&out, &status->meters->watch);
	add_tree(&out, status);
	add_kernel(&out, status);
	add_latency(&out, status->meters);
	add_process(&out, process);
	return g_string_free(g_steal_pointer(&out.text), FALSE);
}
