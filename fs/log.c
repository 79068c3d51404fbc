/* SPDX-License-Identifier: Apache-2.0 */
#include "log.h"

#include <stdio.h>
#include <sys/eventfd.h>
#include <syslog.h>
#include <unistd.h>

gboolean log_requests;

static gboolean in_background;

typedef struct {
	GLogLevelFlags level;
	char *message; /* owned */
} Line;

static GAsyncQueue *handed_over; /* of Line, owned */
static int handed_over_fd = -1;	 /* readable: there are some */
static _Thread_local gboolean hands_over;

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

static void write_message(GLogLevelFlags level, const char *message)
{
	if (in_background)
		syslog(syslog_priority(level), "%s", message);
	else
		fprintf(stderr, "etcdfs: %s%s\n", level_name(level), message);
}

static void hand_over(GLogLevelFlags level, const char *message)
{
	Line *line = g_new(Line, 1);

	*line = (Line){level, g_strdup(message)};
	g_async_queue_push(handed_over, line);
	eventfd_write(handed_over_fd, 1);
}

static GLogWriterOutput write_line(GLogLevelFlags level, const GLogField *fields, gsize n_fields,
				   gpointer user_data)
{
	const char *message = field(fields, n_fields, "MESSAGE");

	if ((level & (G_LOG_LEVEL_DEBUG | G_LOG_LEVEL_INFO)) && !log_requests)
		return G_LOG_WRITER_HANDLED;
	if (hands_over)
		hand_over(level, message);
	else
		write_message(level, message);
	return G_LOG_WRITER_HANDLED;
}

void log_init(gboolean debug)
{
	log_requests = debug;
	handed_over = g_async_queue_new();
	handed_over_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	g_log_set_writer_func(write_line, NULL, NULL);
}

void log_background(void)
{
	openlog("etcdfs", LOG_PID, LOG_DAEMON);
	in_background = TRUE;
}

int log_hand_over(void)
{
	hands_over = in_background;
	return in_background ? handed_over_fd : STDERR_FILENO;
}

int log_handed_over_fd(void)
{
	return handed_over_fd;
}

void log_flush(void)
{
	eventfd_t count;
	Line *line;

	eventfd_read(handed_over_fd, &count);
	while ((line = g_async_queue_try_pop(handed_over))) {
		write_message(line->level, line->message);
		g_free(line->message);
		g_free(line);
	}
}
