/* SPDX-License-Identifier: Apache-2.0 */
#include "report.h"

#include <string.h>

#include "log.h"

void report_init(Report *report, Keyspace *keyspace)
{
	*report = (Report){.keyspace = keyspace};
}

void report_clear(Report *report)
{
	g_free((char *)report->status.endpoint);
	g_free((char *)report->status.last_error);
	report->status.endpoint = report->status.last_error = NULL;
}

static gboolean status_equal(const KeyspaceStatus *a, const KeyspaceStatus *b)
{
	return a->state == b->state && g_strcmp0(a->endpoint, b->endpoint) == 0 &&
	       a->cluster_id == b->cluster_id && a->member_id == b->member_id &&
	       a->raft_term == b->raft_term && a->reconnects == b->reconnects &&
	       memcmp(a->reseeds, b->reseeds, sizeof(a->reseeds)) == 0 &&
	       memcmp(a->errors, b->errors, sizeof(a->errors)) == 0 &&
	       a->replays_dropped == b->replays_dropped && a->last_error_us == b->last_error_us;
}

/* Ids as etcdctl prints them. */
static void say(GLogLevelFlags level, const KeyspaceStatus *status, gint64 revision,
		const char *reason, const char *message)
{
	g_autofree char *applied = g_strdup_printf("%" G_GINT64_FORMAT, revision);
	g_autofree char *cluster = g_strdup_printf("%" G_GINT64_MODIFIER "x", status->cluster_id);
	g_autofree char *member = g_strdup_printf("%" G_GINT64_MODIFIER "x", status->member_id);
	gboolean failed = status->state != KEYSPACE_LIVE && status->last_error;

	LOG_EVENT(level, "ETCDFS_STATE", keyspace_state_name(status->state), "ETCDFS_ENDPOINT",
		  status->endpoint ? status->endpoint : "", "ETCDFS_REVISION", applied,
		  "ETCDFS_CLUSTER_ID", status->cluster_id ? cluster : "", "ETCDFS_MEMBER_ID",
		  status->member_id ? member : "", "ETCDFS_REASON", reason, "ETCDFS_ERROR",
		  failed ? status->last_error : "", "ETCDFS_ERROR_KIND",
		  failed ? keyspace_error_name(status->last_error_kind) : "", "MESSAGE", "%s",
		  message);
}

/* What was counted since the last time. */
static const char *reseed_reason(const Report *report, const KeyspaceStatus *status)
{
	for (guint i = 0; i < KEYSPACE_N_RESEED_REASONS; i++)
		if (status->reseeds[i] != report->status.reseeds[i])
			return keyspace_reseed_name(i);
	return "";
}

static void log_lost(Report *report, const KeyspaceStatus *status, gint64 revision)
{
	g_autofree char *text = g_strdup_printf("lost contact with etcd at %s: %s",
						status->endpoint, status->last_error);
	if (!report->warned)
		say(G_LOG_LEVEL_WARNING, status, revision, "", text);
	report->warned = TRUE;
}

static void log_live(Report *report, const KeyspaceStatus *status, gint64 revision)
{
	g_autofree char *text = g_strdup_printf(
	    "watching etcd at %s from revision %" G_GINT64_FORMAT, status->endpoint, revision);

	say(G_LOG_LEVEL_MESSAGE, status, revision, "", text);
	report->warned = FALSE;
}

static void log_frozen(const KeyspaceStatus *status, gint64 revision)
{
	g_autofree char *text = g_strdup_printf(
	    "revision %" G_GINT64_FORMAT " of etcd at %s is complete; nothing more is asked of it",
	    revision, status->endpoint);

	say(G_LOG_LEVEL_MESSAGE, status, revision, "", text);
}

static void log_state(Report *report, const KeyspaceStatus *status, gint64 revision)
{
	g_autofree char *text = NULL;

	switch (status->state) {
	case KEYSPACE_SEEDING:
		break;
	case KEYSPACE_LIVE:
		log_live(report, status, revision);
		break;
	case KEYSPACE_RECONNECTING:
		log_lost(report, status, revision);
		break;
	case KEYSPACE_DENIED:
		text = g_strdup_printf("etcd at %s denies access: %s", status->endpoint,
				       status->last_error);
		say(G_LOG_LEVEL_WARNING, status, revision, "", text);
		break;
	case KEYSPACE_RESEEDING:
		text = g_strdup_printf("reading everything again: %s", status->last_error);
		say(G_LOG_LEVEL_MESSAGE, status, revision, reseed_reason(report, status), text);
		break;
	case KEYSPACE_STALE:
		say(G_LOG_LEVEL_WARNING, status, revision, "",
		    "no contact with etcd for longer than --max-stale: the tree is stale");
		break;
	case KEYSPACE_FROZEN:
		log_frozen(status, revision);
		break;
	case KEYSPACE_N_STATES:
		break;
	}
}

/* The strings are borrowed. */
static KeyspaceStatus status_of(Report *report, const Resume *resume, const char *endpoint)
{
	KeyspaceStatus status = {
	    .state = resume->contact.stale ? KEYSPACE_STALE : resume->shown,
	    .endpoint = endpoint,
	    .cluster_id = resume->history.seen.cluster_id,
	    .member_id = resume->history.seen.member_id,
	    .raft_term = resume->history.seen.raft_term,
	    .reconnects = resume->reconnects,
	    .replays_dropped = resume->replays_dropped,
	    .last_error = resume->last_error,
	    .last_error_kind = resume->last_error_kind,
	    .last_error_us = report->status.last_error_us,
	};

	memcpy(status.reseeds, resume->reseeds, sizeof(status.reseeds));
	memcpy(status.errors, resume->errors, sizeof(status.errors));
	if (resume->n_errors != report->n_errors)
		status.last_error_us = g_get_real_time();
	report->n_errors = resume->n_errors;
	return status;
}

static void report_keep(Report *report, const KeyspaceStatus *status)
{
	report_clear(report);
	report->status = *status;
	report->status.endpoint = g_strdup(status->endpoint);
	report->status.last_error = g_strdup(status->last_error);
}

void report_update(Report *report, const Resume *resume, const char *endpoint)
{
	KeyspaceStatus status = status_of(report, resume, endpoint);

	if (report->told && status_equal(&status, &report->status))
		return;
	if (report->told && status.state != report->status.state)
		log_state(report, &status, resume->applied);
	report->told = TRUE;
	report_keep(report, &status);
	report->keyspace->status(report->keyspace, &report->status);
}
