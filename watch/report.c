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
	       a->replays_dropped == b->replays_dropped && a->last_error_us == b->last_error_us;
}

static void log_lost(Report *report, const KeyspaceStatus *status)
{
	if (!report->warned)
		g_warning("lost contact with etcd at %s: %s", status->endpoint, status->last_error);
	report->warned = TRUE;
}

static void log_state(Report *report, const KeyspaceStatus *status, gint64 revision)
{
	switch (status->state) {
	case KEYSPACE_SEEDING:
		break;
	case KEYSPACE_LIVE:
		g_message("watching etcd at %s from revision %" G_GINT64_FORMAT, status->endpoint,
			  revision);
		report->warned = FALSE;
		break;
	case KEYSPACE_RECONNECTING:
		log_lost(report, status);
		break;
	case KEYSPACE_DENIED:
		g_warning("etcd at %s denies access: %s", status->endpoint, status->last_error);
		break;
	case KEYSPACE_RESEEDING:
		g_message("reading everything again: %s", status->last_error);
		break;
	}
}

/* The strings are borrowed. */
static KeyspaceStatus status_of(Report *report, const Resume *resume, const char *endpoint)
{
	KeyspaceStatus status = {
	    .state = resume->shown,
	    .endpoint = endpoint,
	    .cluster_id = resume->history.seen.cluster_id,
	    .member_id = resume->history.seen.member_id,
	    .raft_term = resume->history.seen.raft_term,
	    .reconnects = resume->reconnects,
	    .replays_dropped = resume->replays_dropped,
	    .last_error = resume->last_error,
	    .last_error_us = report->status.last_error_us,
	};

	memcpy(status.reseeds, resume->reseeds, sizeof(status.reseeds));
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
