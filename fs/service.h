/* SPDX-License-Identifier: Apache-2.0 */
/* service.h - what a service manager wants to know, and SIGHUP.
 *
 * The main thread, which is to run the default main context, unless it says otherwise.
 */
#ifndef SERVICE_H
#define SERVICE_H

#include "control.h"

typedef struct Service Service;

typedef struct {
	/* Read files again, and call service_reloaded when that is done. */
	void (*reload)(gpointer data);
	/* How many keys there are so far, and will be (0: unknown). */
	void (*count)(gpointer data, guint64 *ret_keys, guint64 *ret_total);
	/* Which of the threads that matter has not answered since the last call, which
	 * asked it; NULL: all have.  Must not wait. */
	const char *(*hanging)(gpointer data);
	gpointer data;
} ServiceCalls;

/* From here on SIGHUP means reload, unless HANGUP_LEAVES: then it is somebody else's.
 * CONTROL and CALLS are borrowed. */
Service *service_new(Control *control, const ServiceCalls *calls, gboolean hangup_leaves);

/* NULL is fine. */
void service_free(Service *service);

/* There is no contact yet, and the start goes on in spite of REASON. */
void service_trying(Service *service, const char *reason);

/* The mount is there. */
void service_ready(Service *service);
void service_stopping(Service *service);

/* Any thread. */
void service_reloaded(gpointer service);

#endif
