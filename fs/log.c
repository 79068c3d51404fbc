/* SPDX-License-Identifier: Apache-2.0 */
#include "log.h"

#include <stdio.h>
#include <syslog.h>

gboolean log_requests;

static gboolean in_background;

static const char *field(const GLogField *fields, gsize n_fields, const char *key)
{
	for (gsize i = 0; i < n_fields; i++)
		if (g_str_equal(fields[i].key, key) && fields[i].length == -1)
			return fields[i].value;
	return "";
}

static const char *level_name(GLogLevelFlags level)
{
	if (level & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL))
		return "critical: ";
	return level & G_LOG_LEVEL_WARNING ? "warning: " : "";
}

static int syslog_priority(GLogLevelFlags level)
{
	if (level & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL))
		return LOG_CRIT;
	return level & G_LOG_LEVEL_WARNING ? LOG_WARNING : LOG_NOTICE;
}

static GLogWriterOutput write_line(GLogLevelFlags level, const GLogField *fields, gsize n_fields,
				   gpointer user_data)
{
	const char *message = field(fields, n_fields, "MESSAGE");

	if ((level & (G_LOG_LEVEL_DEBUG | G_LOG_LEVEL_INFO)) && !log_requests)
		return G_LOG_WRITER_HANDLED;
	if (in_background)
		syslog(syslog_priority(level), "%s", message);
	else
		fprintf(stderr, "etcdfs: %s%s\n", level_name(level), message);
	return G_LOG_WRITER_HANDLED;
}

void log_init(gboolean debug)
{
	log_requests = debug;
	g_log_set_writer_func(write_line, NULL, NULL);
}

void log_background(void)
{
	openlog("etcdfs", LOG_PID, LOG_DAEMON);
	in_background = TRUE;
}
