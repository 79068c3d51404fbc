/* SPDX-License-Identifier: Apache-2.0 */
/* report.h - tells the listener, and the log, how the connection is.
 */
#ifndef REPORT_H
#define REPORT_H

#include "resume.h"

typedef struct {
	Keyspace *keyspace;    /* borrowed */
	KeyspaceStatus status; /* as last told; its strings are ours */
	guint64 n_errors;      /* seen of Resume's */
	gboolean told;	       /* anything, ever */
	gboolean warned;       /* of the outage that goes on */
} Report;

void report_init(Report *report, Keyspace *keyspace);
void report_clear(Report *report);

/* Tells what has changed since the last call.  ENDPOINT may be NULL.  Logs
 * changes of state at g_message, but the loss of contact at g_warning, once
 * until the watch is live again. */
void report_update(Report *report, const Resume *resume, const char *endpoint);

#endif
