/* SPDX-License-Identifier: Apache-2.0 */
/* Where a line goes:
 *
 *   standard error is        in the foreground  in the background
 *   the journal              the journal        the journal
 *   anything else            standard error     the journal
 *   ... and no journal here  standard error     syslog
 *
 * The journal is asked anew for each line: it may be restarted while we run.
 */
#include "log.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "transient.h"

gint log_requests;

static gint least_severe; /* atomic: a GLogLevelFlags; the more severe, the smaller */

/* Set before there are threads. */
static gboolean in_background;
static gboolean stderr_is_journal; /* as it was at the start */
static char *mount_source;	   /* owned; NULL until log_identify; so the next */
static char *mount_point;

/* What g_strescape is to leave alone. */
#define UNESCAPED_ASCII "\"\\"
static char unescaped[sizeof(UNESCAPED_ASCII) + 0x80];

/* A line on its way to the thread that writes it. */
typedef struct {
	GLogLevelFlags level;
	GArray *fields; /* of GLogField, owned like their keys and values */
} Line;

static GAsyncQueue *handed_over; /* of Line, owned */
static int handed_over_fd = -1;	 /* readable: there are some */
static _Thread_local gboolean hands_over;

/* --- Words and numbers ------------------------------------------------------------- */

static int priority(GLogLevelFlags level)
{
	if (level & G_LOG_LEVEL_ERROR)
		return LOG_CRIT;
	if (level & G_LOG_LEVEL_CRITICAL)
		return LOG_ERR;
	if (level & G_LOG_LEVEL_WARNING)
		return LOG_WARNING;
	if (level & G_LOG_LEVEL_MESSAGE)
		return LOG_NOTICE;
	return level & G_LOG_LEVEL_INFO ? LOG_INFO : LOG_DEBUG;
}

static const char *level_name(GLogLevelFlags level)
{
	if (level & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL))
		return "critical: ";
	return level & G_LOG_LEVEL_WARNING ? "warning: " : "";
}

static const char *field(const GLogField *fields, gsize n_fields, const char *key)
{
	for (gsize i = 0; i < n_fields; i++)
		if (g_str_equal(fields[i].key, key) && fields[i].length == -1)
			return fields[i].value;
	return "";
}

/* A key may hold a newline, and nobody is to write a second line in our name; and what
 * is not UTF-8 journalctl does not show. */
static char *one_line(const char *message)
{
	gboolean is_text = g_utf8_validate(message, -1, NULL);

	return g_strescape(message, is_text ? unescaped : UNESCAPED_ASCII);
}

static void init_unescaped(void)
{
	char *at = g_stpcpy(unescaped, UNESCAPED_ASCII);

	for (int byte = 0x80; byte <= 0xff; byte++)
		*at++ = (char)byte;
}

/* --- Writing ------------------------------------------------------------------------ */

static void add(GArray *fields, const char *key, const char *value)
{
	GLogField item = {key, value, -1};

	if (value && *value)
		g_array_append_val(fields, item);
}

/* What every line has, and what this one brings but PRIORITY, for which GLib knows other
 * numbers, and MESSAGE. */
static GArray *collect(const GLogField *given, gsize n_given)
{
	GArray *fields = g_array_new(FALSE, FALSE, sizeof(GLogField));

	add(fields, "SYSLOG_IDENTIFIER", "etcdfs");
	add(fields, "SYSLOG_FACILITY", G_STRINGIFY(3)); /* LOG_DAEMON >> 3 */
	add(fields, "ETCDFS_SOURCE", mount_source);
	add(fields, "ETCDFS_MOUNTPOINT", mount_point);
	for (gsize i = 0; i < n_given; i++) {
		if (g_str_equal(given[i].key, "PRIORITY") || g_str_equal(given[i].key, "MESSAGE"))
			continue;
		if (given[i].length != 0 && (given[i].length > 0 || *(const char *)given[i].value))
			g_array_append_val(fields, given[i]);
	}
	return fields;
}

static gboolean write_journal(GLogLevelFlags level, const char *message, const GLogField *given,
			      gsize n_given)
{
	g_autoptr(GArray) fields = collect(given, n_given);
	const char number[] = {(char)('0' + priority(level)), '\0'};

	add(fields, "PRIORITY", number);
	add(fields, "MESSAGE", message);
	return g_log_writer_journald(level, (const GLogField *)(void *)fields->data, fields->len,
				     NULL) == G_LOG_WRITER_HANDLED;
}

static gboolean uses_journal(void)
{
	return in_background || stderr_is_journal;
}

static void write_stderr(const char *level, const char *message)
{
	flockfile(stderr);
	transient_hide_locked();
	fprintf(stderr, "etcdfs: %s%s\n", level, message);
	funlockfile(stderr);
}

static void write_fields(GLogLevelFlags level, const GLogField *fields, gsize n_fields)
{
	g_autofree char *message = one_line(field(fields, n_fields, "MESSAGE"));

	if (uses_journal() && write_journal(level, message, fields, n_fields))
		return;
	if (in_background)
		syslog(priority(level), "%s", message);
	else
		write_stderr(level_name(level), message);
}

/* --- Handing over --------------------------------------------------------------------- */

static void clear_field(gpointer data)
{
	GLogField *copy = data;

	g_free((char *)copy->key);
	g_free((gpointer)copy->value);
}

static void hand_over(GLogLevelFlags level, const GLogField *fields, gsize n_fields)
{
	Line *line = g_new(Line, 1);

	*line = (Line){level, g_array_sized_new(FALSE, FALSE, sizeof(GLogField), (guint)n_fields)};
	g_array_set_clear_func(line->fields, clear_field);
	for (gsize i = 0; i < n_fields; i++) {
		GLogField copy = {g_strdup(fields[i].key), NULL, fields[i].length};

		copy.value = copy.length < 0 ? g_strdup(fields[i].value)
					     : g_memdup2(fields[i].value, (gsize)copy.length);
		g_array_append_val(line->fields, copy);
	}
	g_async_queue_push(handed_over, line);
	eventfd_write(handed_over_fd, 1);
}

int log_hand_over(void)
{
	hands_over = uses_journal();
	return hands_over ? handed_over_fd : STDERR_FILENO;
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
		write_fields(line->level, (const GLogField *)(void *)line->fields->data,
			     line->fields->len);
		g_array_unref(line->fields);
		g_free(line);
	}
}

/* --- GLib's writer ---------------------------------------------------------------------- */

static GLogWriterOutput write_line(GLogLevelFlags level, const GLogField *fields, gsize n_fields,
				   gpointer user_data)
{
	if ((gint)(level & G_LOG_LEVEL_MASK) > g_atomic_int_get(&least_severe))
		return G_LOG_WRITER_HANDLED;
	if (hands_over)
		hand_over(level, fields, n_fields);
	else
		write_fields(level, fields, n_fields);
	return G_LOG_WRITER_HANDLED;
}

/* Also where the journal is one of systemd's namespaces, which GLib does not see. */
static gboolean is_journal_stream(int fd)
{
	const char *stream = g_getenv("JOURNAL_STREAM");
	struct stat st;

	if (!stream || fstat(fd, &st) < 0)
		return FALSE;
	g_autofree char *ours = g_strdup_printf("%ju:%ju", (uintmax_t)st.st_dev,
						(uintmax_t)st.st_ino);
	return g_str_equal(ours, stream);
}

void log_init(GLogLevelFlags level)
{
	init_unescaped();
	log_set_level(level);
	stderr_is_journal = g_log_writer_is_journald(STDERR_FILENO) ||
			    is_journal_stream(STDERR_FILENO);
	handed_over = g_async_queue_new();
	handed_over_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	g_log_set_writer_func(write_line, NULL, NULL);
}

void log_background(void)
{
	openlog("etcdfs", LOG_PID, LOG_DAEMON);
	in_background = TRUE;
}

void log_identify(const char *source, const char *mountpoint)
{
	mount_source = g_strdup(source);
	mount_point = g_strdup(mountpoint);
}

void log_set_level(GLogLevelFlags level)
{
	g_atomic_int_set(&least_severe, (gint)level);
	g_atomic_int_set(&log_requests, level >= G_LOG_LEVEL_DEBUG);
}

static void log_twice(GLogLevelFlags level, const char *message)
{
	g_autofree char *text = one_line(message);

	if (uses_journal())
		LOG_EVENT(level, "MESSAGE", "%s", message);
	if (!stderr_is_journal)
		write_stderr("", text);
}

void log_fatal(const char *message)
{
	log_twice(G_LOG_LEVEL_CRITICAL, message);
}

void log_warn_starter(const char *message)
{
	log_twice(G_LOG_LEVEL_WARNING, message);
}
