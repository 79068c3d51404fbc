/* SPDX-License-Identifier: Apache-2.0 */
/* How far, how fast and how much longer, in as many columns as there are. */
#include "progress.h"

#include <string.h>

#define SECOND G_TIME_SPAN_SECOND

/* 1200 of 5000 keys, 240 kB: the last 1000 of them, 200 kB, in 2 s. */
static Progress some(gboolean over)
{
	Progress progress;

	progress_begin(&progress, 5000, over, 0);
	progress_add(&progress, 200, 40000, 0);
	progress_add(&progress, 400, 80000, SECOND);
	progress_add(&progress, 600, 120000, 2 * SECOND);
	return progress;
}

static void assert_bar(const Progress *progress, guint width, const char *expected)
{
	g_autofree char *bar = progress_bar(progress, width, 2 * SECOND);

	g_assert_cmpstr(bar, ==, expected);
}

static void test_bar(void)
{
	Progress progress = some(FALSE);

	assert_bar(
	    &progress, 200,
	    "reading 1200 of 5000 keys [#########                             ]  24 % 240 kB 100 kB/s 0:08 left");
	assert_bar(
	    &progress, 79,
	    "reading 1200 of 5000 keys [####               ]  24 % 240 kB 100 kB/s 0:08 left");
	assert_bar(&progress, 60, "reading 1200 of 5000 keys [#      ]  24 % 100 kB/s 0:08 left");
	assert_bar(&progress, 50, "reading 1200 of 5000 keys [#     ]  24 % 0:08 left");
	assert_bar(&progress, 40, "1200 of 5000 keys [    ]  24 % 0:08 left");
	assert_bar(&progress, 30, "1200 of 5000 keys [    ]  24 %");
	assert_bar(&progress, 20, "[##          ]  24 %");
	progress = some(TRUE);
	assert_bar(
	    &progress, 79,
	    "starting over: 1200 of 5000 keys [##          ]  24 % 240 kB 100 kB/s 0:08 left");
}

static void test_total_unknown(void)
{
	Progress progress = some(FALSE);

	progress.total = 0;
	assert_bar(&progress, 79, "reading 1200 keys 240 kB 100 kB/s");
	progress.total = 1199;
	assert_bar(&progress, 79, "reading 1200 keys 240 kB 100 kB/s");
	g_assert_cmpint(progress_percent(&progress), ==, 0);
}

/* Two moments that are too near make no rate. */
static void test_rate_unknown(void)
{
	Progress progress;

	progress_begin(&progress, 4, FALSE, 0);
	progress_add(&progress, 1, 10, 2 * SECOND - 1000);
	assert_bar(&progress, 60, "reading 1 of 4 keys [######                     ]  25 % 10 B");
}

/* What was long ago does not count: ten quick seconds, then slow ones. */
static void test_sliding_window(void)
{
	Progress progress;
	gint64 now_us = 0;

	progress_begin(&progress, 1000000, FALSE, 0);
	for (int i = 0; i < 20; i++)
		progress_add(&progress, 10000, 1000000, now_us += SECOND / 2);
	for (int i = 0; i < PROGRESS_SAMPLES; i++)
		progress_add(&progress, 100, 10000, now_us += SECOND);

	g_autofree char *line = progress_line(&progress, now_us);
	g_assert_cmpstr(line, ==,
			"read 200800 of 1000000 keys (20 %), 20.1 MB, 10.0 kB/s, 2:13:12 left");
	/* and nothing more comes */
	g_autofree char *later = progress_line(&progress, now_us + 63 * SECOND);
	g_assert_cmpstr(later, ==,
			"read 200800 of 1000000 keys (20 %), 20.1 MB, 1.0 kB/s, 22:12:00 left");
}

static void test_line(void)
{
	Progress progress = some(TRUE);
	g_autofree char *line = progress_line(&progress, 2 * SECOND);

	g_assert_cmpstr(
	    line, ==, "starting over: read 1200 of 5000 keys (24 %), 240 kB, 100 kB/s, 0:08 left");
	progress.total = 0;
	progress.over = FALSE;

	g_autofree char *unknown = progress_line(&progress, 2 * SECOND);
	g_assert_cmpstr(unknown, ==, "read 1200 keys, 240 kB, 100 kB/s");
}

static void assert_fits(const Progress *progress, guint width)
{
	g_autofree char *bar = progress_bar(progress, width, 2 * SECOND);

	g_assert_cmpint(strlen(bar), <=, width);
	for (const char *c = bar; *c; c++)
		g_assert_true(g_ascii_isprint(*c));
}

static void test_widths(void)
{
	static const guint64 totals[] = {0, 1, 1200, 5000, 500000, G_MAXUINT64};

	for (guint width = 0; width <= 200; width++)
		for (gsize i = 0; i < G_N_ELEMENTS(totals); i++) {
			Progress progress = some(TRUE);

			progress.total = totals[i];
			assert_fits(&progress, width);
			progress.bytes = G_MAXUINT64;
			progress.keys = totals[i];
			assert_fits(&progress, width);
		}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/progress/bar", test_bar);
	g_test_add_func("/progress/total-unknown", test_total_unknown);
	g_test_add_func("/progress/rate-unknown", test_rate_unknown);
	g_test_add_func("/progress/sliding-window", test_sliding_window);
	g_test_add_func("/progress/line", test_line);
	g_test_add_func("/progress/widths", test_widths);
	return g_test_run();
}
