/* SPDX-License-Identifier: Apache-2.0 */
/* log.h - how a line gets into the log.
 *
 * GLib's structured logging under one domain (G_LOG_DOMAIN and
 * G_LOG_USE_STRUCTURED come from the build).  Library code logs with g_debug
 * only; a thread's main loop says once, with g_message or g_warning, what an
 * operator should know.  A g_warning means something is wrong that a person may
 * have to mend: tests fail on one they do not expect.
 *
 *   g_debug    each request and step (etcdfs -d)
 *   g_info     counted detail
 *   g_message  changes of state: connected, reseeded, unmounted
 *   g_warning  lost contact, refused, internal surprise
 */
#ifndef LOG_H
#define LOG_H

#include <glib.h>

/* Where lines go: standard error in the foreground, syslog in the background.  With
 * DEBUG, all levels; else g_message and above.  Call log_init before the first
 * line, log_background after the fork; both before there are threads. */
void log_init(gboolean debug);
void log_background(void);

/* The calling thread is going to have descriptors of its own; returns the one that it
 * must keep to log.  What goes to syslog is written by another thread: whoever
 * calls log_flush when log_handed_over_fd is readable. */
int log_hand_over(void);
int log_handed_over_fd(void);
void log_flush(void);

/* A line for each request; costs nothing while nobody reads it. */
extern gboolean log_requests; /* set by log_init, before there are threads */
#define LOG_REQUEST(...)                                                                           \
	G_STMT_START                                                                               \
	{                                                                                          \
		if (G_UNLIKELY(log_requests))                                                      \
			g_debug(__VA_ARGS__);                                                      \
	}                                                                                          \
	G_STMT_END

#endif
