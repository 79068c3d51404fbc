/* SPDX-License-Identifier: Apache-2.0 */
#include "seeding.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "progress.h"
#include "transient.h"

/* What is over by then needs no bar, and no eye follows a quicker one. */
#define BAR_AFTER_US G_TIME_SPAN_SECOND
#define BAR_EACH_US (100 * G_TIME_SPAN_MILLISECOND)
#define LINE_AFTER_US (5 * G_TIME_SPAN_SECOND)
/* A line each tenth, but not more often than this, and not more rarely. */
#define LINE_MIN_US (10 * G_TIME_SPAN_SECOND)
#define LINE_MAX_US G_TIME_SPAN_MINUTE
#define LINE_PERCENT 10
#define DEFAULT_WIDTH 80

struct Seeding {
	/* Of the watch's thread. */
	gboolean complete; /* the first one: nobody sits at the terminal any more */
	gboolean on_terminal;
	gint64 since_us; /* of the first attempt */
	gint64 bar_us;	 /* when it was last drawn; so the next */
	gint64 line_us;
	guint line_percent;

	GMutex lock;
	/* Guarded by the lock; written by the watch's thread alone. */
	gboolean under_way;
	Progress progress;
};

Seeding *seeding_new(void)
{
	Seeding *seeding = g_new0(Seeding, 1);

	g_mutex_init(&seeding->lock);
	return seeding;
}

void seeding_free(Seeding *seeding)
{
	if (!seeding)
		return;
	if (seeding->on_terminal)
		transient_show(NULL);
	g_mutex_clear(&seeding->lock);
	g_free(seeding);
}

/* One that can go back to the beginning of a line.  Asked each time: in the background
 * standard error becomes nobody's. */
static gboolean has_terminal(void)
{
	return isatty(STDERR_FILENO) && g_strcmp0(g_getenv("TERM"), "dumb") != 0;
}

static guint terminal_width(void)
{
	struct winsize size = {0};

	ioctl(STDERR_FILENO, TIOCGWINSZ, &size);
	return size.ws_col > 1 ? size.ws_col : DEFAULT_WIDTH;
}

void seeding_begin(Seeding *seeding, guint64 n_keys)
{
	gint64 now_us = g_get_monotonic_time();
	gboolean over = seeding->under_way;

	if (!over) {
		seeding->since_us = now_us;
		seeding->line_us = now_us + LINE_AFTER_US - LINE_MIN_US;
	}
	seeding->bar_us = 0; /* at once: it says something else now */
	seeding->line_percent = 0;
	seeding->on_terminal = !seeding->complete && has_terminal();
	g_mutex_lock(&seeding->lock);
	progress_begin(&seeding->progress, n_keys, over, now_us);
	seeding->under_way = TRUE;
	g_mutex_unlock(&seeding->lock);
}

static void draw_bar(Seeding *seeding, gint64 now_us)
{
	g_autofree char *bar = NULL;

	if (now_us - seeding->since_us < BAR_AFTER_US || now_us - seeding->bar_us < BAR_EACH_US)
		return;
	/* in its last column many a terminal begins another line */
	bar = progress_bar(&seeding->progress, terminal_width() - 1, now_us);
	transient_show(bar);
	seeding->bar_us = now_us;
}

static gboolean line_is_due(const Seeding *seeding, gint64 now_us)
{
	gint64 since_us = now_us - seeding->line_us;
	guint percent = progress_percent(&seeding->progress);

	if (now_us - seeding->since_us < LINE_AFTER_US || since_us < LINE_MIN_US)
		return FALSE;
	return seeding->line_us < seeding->since_us || since_us >= LINE_MAX_US ||
	       percent >= seeding->line_percent + LINE_PERCENT;
}

static void log_line(Seeding *seeding, gint64 now_us)
{
	g_autofree char *line = NULL;

	if (!line_is_due(seeding, now_us))
		return;
	line = progress_line(&seeding->progress, now_us);
	g_message("%s", line);
	seeding->line_us = now_us;
	seeding->line_percent = progress_percent(&seeding->progress);
}

static guint64 bytes_of(const KeyValue *kvs, gsize n_kvs)
{
	guint64 bytes = 0;

	for (gsize i = 0; i < n_kvs; i++)
		bytes += kvs[i].key.len + kvs[i].value.len;
	return bytes;
}

void seeding_page(Seeding *seeding, const KeyValue *kvs, gsize n_kvs)
{
	gint64 now_us = g_get_monotonic_time();

	g_mutex_lock(&seeding->lock);
	progress_add(&seeding->progress, n_kvs, bytes_of(kvs, n_kvs), now_us);
	g_mutex_unlock(&seeding->lock);
	if (seeding->on_terminal)
		draw_bar(seeding, now_us);
	else
		log_line(seeding, now_us);
}

void seeding_end(Seeding *seeding)
{
	if (seeding->on_terminal)
		transient_show(NULL);
	seeding->on_terminal = FALSE;
	seeding->complete = TRUE;
	g_mutex_lock(&seeding->lock);
	seeding->under_way = FALSE;
	g_mutex_unlock(&seeding->lock);
}

gboolean seeding_counts(Seeding *seeding, guint64 *ret_keys, guint64 *ret_total)
{
	gboolean under_way;

	g_mutex_lock(&seeding->lock);
	under_way = seeding->under_way;
	if (under_way) {
		*ret_keys = seeding->progress.keys;
		*ret_total = seeding->progress.total;
	}
	g_mutex_unlock(&seeding->lock);
	return under_way;
}
