/* SPDX-License-Identifier: Apache-2.0 */
/* log.h - how a line gets into the log.
 *
 * GLib's structured logging under one domain (G_LOG_DOMAIN and
 * G_LOG_USE_STRUCTURED come from the build).  Library code logs with g_debug
 * only; a thread's main loop says once, with g_message or g_warning, what an
 * operator should know.  A g_warning means something is wrong that a person may
 * have to mend: tests fail on one they do not expect.
 *
 *   call         shown from --log-level  priority
 *   g_debug      debug                   debug    each request and step
 *   g_info       info                    info     counted detail
 *   g_message    info                    notice   changes of state: connected, unmounted
 *   g_warning    warning                 warning  lost contact, refused, internal surprise
 *   log_fatal    error                   err      why the program ends
 *
 * Fields, in the journal only.  On every line, once it is known: ETCDFS_MOUNTPOINT,
 * ETCDFS_SOURCE; and what the journal and GLib define (SYSLOG_IDENTIFIER, PRIORITY,
 * CODE_FILE...).  With LOG_EVENT, where it has something to say:
 *
 *   ETCDFS_STATE       the new state, a word of .etcdfs/status
 *   ETCDFS_ENDPOINT    of etcd, as in .etcdfs/status
 *   ETCDFS_REVISION    the last one applied
 *   ETCDFS_CLUSTER_ID  in hex, as etcdctl prints them
 *   ETCDFS_MEMBER_ID
 *   ETCDFS_REASON      of a reseed, a word of .etcdfs/status
 *   ETCDFS_ERROR       what went wrong, alone
 *   ETCDFS_ERROR_KIND  a word of .etcdfs/status
 *
 * No field and no line holds a password, a token or a value.
 */
#ifndef LOG_H
#define LOG_H

#include <glib.h>

/* The first line comes after log_init, and only those of LEVEL or more severe are
 * shown.  They go to standard error, or to the journal if that is what standard error is
 * connected to; after log_background, which follows the fork, to the journal, or to
 * syslog where there is none.  Call all three before there are threads. */
void log_init(GLogLevelFlags level);
void log_background(void);
void log_identify(const char *source, const char *mountpoint); /* both are copied */

/* Any thread, while others log. */
void log_set_level(GLogLevelFlags level);

/* Says why the program ends; also on standard error, as long as that is
 * somebody's.  The main thread only. */
void log_fatal(const char *message);

/* A warning that whoever started us is to see as well, as long as standard error is
 * somebody's.  The main thread only. */
void log_warn_starter(const char *message);

/* The calling thread is going to have descriptors of its own; returns the one that it
 * must keep to log.  What goes elsewhere than to standard error is written by another
 * thread: whoever calls log_flush when log_handed_over_fd is readable.  Until then it is
 * kept, and nobody waits. */
int log_hand_over(void);
int log_handed_over_fd(void);
void log_flush(void);

/* A line with fields: their names and values, strings all, of which empty ones are left
 * out; then "MESSAGE", a format and its arguments. */
#define LOG_EVENT(level, ...)                                                                      \
	g_log_structured(G_LOG_DOMAIN, level, "CODE_FILE", __FILE__, "CODE_LINE",                  \
			 G_STRINGIFY(__LINE__), "CODE_FUNC", G_STRFUNC, __VA_ARGS__)

/* A line for each request; costs nothing while nobody reads it. */
extern gint log_requests; /* atomic; of log_set_level */
#define LOG_REQUEST(...)                                                                           \
	G_STMT_START                                                                               \
	{                                                                                          \
		if (G_UNLIKELY(__atomic_load_n(&log_requests, __ATOMIC_RELAXED)))                  \
			g_debug(__VA_ARGS__);                                                      \
	}                                                                                          \
	G_STMT_END

#endif
