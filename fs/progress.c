/* SPDX-License-Identifier: Apache-2.0 */
#include "progress.h"

#include <string.h>

/* Pages may come faster, but a rate of milliseconds says nothing. */
#define SAMPLE_US (250 * G_TIME_SPAN_MILLISECOND)
#define BAR_MIN 6
#define BAR_MAX 40
/* Nobody waits for that, and nobody knows. */
#define LEFT_MAX_S (100 * 3600)

static void take_sample(Progress *progress, gint64 now_us)
{
	progress->samples[progress->n_samples++ % PROGRESS_SAMPLES] = (ProgressSample){
	    now_us, progress->keys, progress->bytes};
}

void progress_begin(Progress *progress, guint64 total, gboolean over, gint64 now_us)
{
	*progress = (Progress){.total = total, .over = over, .begun_us = now_us};
}

void progress_add(Progress *progress, guint64 keys, guint64 bytes, gint64 now_us)
{
	guint last = (progress->n_samples + PROGRESS_SAMPLES - 1) % PROGRESS_SAMPLES;

	progress->keys += keys;
	progress->bytes += bytes;
	if (progress->n_samples == 0 || now_us - progress->samples[last].at_us >= SAMPLE_US)
		take_sample(progress, now_us);
}

/* More keys than were counted: the count was of something else. */
static gboolean is_total_known(const Progress *progress)
{
	return progress->total > 0 && progress->keys <= progress->total;
}

guint progress_percent(const Progress *progress)
{
	if (!is_total_known(progress))
		return 0;
	return (guint)(100.0 * progress->keys / progress->total);
}

typedef struct {
	double keys; /* a second */
	double bytes;
} Rate;

/* FALSE: nobody can tell yet. */
static gboolean rate_of(const Progress *progress, gint64 now_us, Rate *ret_rate)
{
	guint n = progress->n_samples;
	const ProgressSample *oldest =
	    &progress->samples[n > PROGRESS_SAMPLES ? n % PROGRESS_SAMPLES : 0];
	double seconds = (now_us - oldest->at_us) / (double)G_USEC_PER_SEC;

	if (n == 0 || now_us - oldest->at_us < SAMPLE_US)
		return FALSE;
	ret_rate->keys = (progress->keys - oldest->keys) / seconds;
	ret_rate->bytes = (progress->bytes - oldest->bytes) / seconds;
	return TRUE;
}

/* ---- words ---- */

/* GLib's own has a blank that is not ASCII. */
static char *size_text(double bytes)
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
	guint unit = 0;

	for (; bytes >= 999.5 && unit + 1 < G_N_ELEMENTS(units); unit++)
		bytes /= 1000;
	return g_strdup_printf(unit == 0 || bytes >= 99.95 ? "%.0f %s" : "%.1f %s", bytes,
			       units[unit]);
}

static char *rate_text(const Progress *progress, gint64 now_us)
{
	Rate rate;
	g_autofree char *size = NULL;

	if (!rate_of(progress, now_us, &rate))
		return NULL;
	size = size_text(rate.bytes);
	return g_strconcat(size, "/s", NULL);
}

static char *left_text(const Progress *progress, gint64 now_us)
{
	Rate rate;
	double left;
	guint seconds;

	if (!is_total_known(progress) || !rate_of(progress, now_us, &rate) || rate.keys <= 0)
		return NULL;
	left = (progress->total - progress->keys) / rate.keys + 0.5;
	if (left >= LEFT_MAX_S)
		return NULL;
	seconds = (guint)left;
	if (seconds < 3600)
		return g_strdup_printf("%u:%02u left", seconds / 60, seconds % 60);
	return g_strdup_printf("%u:%02u:%02u left", seconds / 3600, seconds / 60 % 60,
			       seconds % 60);
}

static char *keys_text(const Progress *progress)
{
	if (!is_total_known(progress))
		return g_strdup_printf("%" G_GUINT64_FORMAT " keys", progress->keys);
	return g_strdup_printf("%" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT " keys",
			       progress->keys, progress->total);
}

static char *percent_text(const Progress *progress)
{
	if (!is_total_known(progress))
		return NULL;
	return g_strdup_printf("%3u %%", progress_percent(progress));
}

char *progress_line(const Progress *progress, gint64 now_us)
{
	g_autofree char *keys = keys_text(progress);
	g_autofree char *size = size_text(progress->bytes);
	g_autofree char *rate = rate_text(progress, now_us);
	g_autofree char *left = left_text(progress, now_us);
	GString *line = g_string_new(progress->over ? "starting over: " : NULL);

	g_string_append_printf(line, "read %s", keys);
	if (is_total_known(progress))
		g_string_append_printf(line, " (%u %%)", progress_percent(progress));
	g_string_append_printf(line, ", %s", size);
	if (rate)
		g_string_append_printf(line, ", %s", rate);
	if (left)
		g_string_append_printf(line, ", %s", left);
	return g_string_free(line, FALSE);
}

/* ---- the bar ---- */

enum { LABEL, KEYS, BAR, PERCENT, SIZE, RATE, LEFT, N_PARTS };

/* Where there is no room for all. */
static const guint least_needed[] = {SIZE, RATE, LABEL, LEFT, KEYS, BAR, PERCENT};

static char *bar_text(const Progress *progress, guint width)
{
	double share = (double)progress->keys / progress->total;
	guint inside = width - 2, full = (guint)(share * inside);
	g_autofree char *hashes = g_strnfill(full, '#');
	g_autofree char *blanks = g_strnfill(inside - full, ' ');

	return g_strconcat("[", hashes, blanks, "]", NULL);
}

static guint width_of(char *const *parts)
{
	guint width = 0;

	for (guint i = 0; i < N_PARTS; i++)
		if (parts[i])
			width += strlen(parts[i]) + (width > 0);
	return width;
}

static char *join(char *const *parts)
{
	GString *text = g_string_new(NULL);

	for (guint i = 0; i < N_PARTS; i++)
		if (parts[i])
			g_string_append_printf(text, "%s%s", text->len > 0 ? " " : "", parts[i]);
	return g_string_free(text, FALSE);
}

/* The bar has what the others leave. */
static void stretch_bar(const Progress *progress, guint width, char **parts)
{
	guint least = width_of(parts);
	guint bar = MIN(BAR_MIN + width - least, BAR_MAX);

	g_free(parts[BAR]);
	parts[BAR] = bar_text(progress, bar);
}

char *progress_bar(const Progress *progress, guint width, gint64 now_us)
{
	gboolean known = is_total_known(progress);
	char *parts[N_PARTS] = {
	    [LABEL] = g_strdup(progress->over ? "starting over:" : "reading"),
	    [KEYS] = keys_text(progress),
	    [BAR] = known ? bar_text(progress, BAR_MIN) : NULL,
	    [PERCENT] = percent_text(progress),
	    [SIZE] = size_text(progress->bytes),
	    [RATE] = rate_text(progress, now_us),
	    [LEFT] = left_text(progress, now_us),
	};
	char *text;

	for (guint i = 0; i < N_PARTS && width_of(parts) > width; i++)
		g_clear_pointer(&parts[least_needed[i]], g_free);
	if (parts[BAR])
		stretch_bar(progress, width, parts);
	text = join(parts);
	for (guint i = 0; i < N_PARTS; i++)
		g_free(parts[i]);
	return text;
}
