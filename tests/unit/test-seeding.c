/* SPDX-License-Identifier: Apache-2.0 */
/* What the log tells of a seed, and when: without a terminal, and with a clock of our
 * own. */
#include "seeding.h"

#define SECOND G_TIME_SPAN_SECOND

gint64 __wrap_g_get_monotonic_time(void);

static gint64 now_us;
static GString *said;

gint64 __wrap_g_get_monotonic_time(void)
{
	return now_us;
}

static GLogWriterOutput keep_line(GLogLevelFlags level, const GLogField *fields, gsize n_fields,
				  gpointer data)
{
	for (gsize i = 0; i < n_fields; i++)
		if (g_str_equal(fields[i].key, "MESSAGE"))
			g_string_append_printf(said, "%s\n", (const char *)fields[i].value);
	return G_LOG_WRITER_HANDLED;
}

static void assert_said(const char *expected)
{
	g_assert_cmpstr(said->str, ==, expected);
	g_string_truncate(said, 0);
}

/* N_PAGES of 100 keys and 1 kB, one each SECONDS. */
static void pages(Seeding *seeding, guint n_pages, double seconds)
{
	KeyValue kvs[100] = {0};

	for (guint i = 0; i < G_N_ELEMENTS(kvs); i++)
		kvs[i].value.len = 10;
	for (guint i = 0; i < n_pages; i++) {
		now_us += (gint64)(seconds * SECOND);
		seeding_page(seeding, kvs, G_N_ELEMENTS(kvs));
	}
}

static void assert_counts(Seeding *seeding, guint64 keys, guint64 total)
{
	guint64 read, all;

	g_assert_true(seeding_counts(seeding, &read, &all));
	g_assert_cmpint(read, ==, keys);
	g_assert_cmpint(all, ==, total);
}

static void test_quick(void)
{
	Seeding *seeding = seeding_new();
	guint64 read, all;

	g_assert_false(seeding_counts(seeding, &read, &all));
	seeding_begin(seeding, 400);
	assert_counts(seeding, 0, 400);
	pages(seeding, 4, 1.2);
	assert_counts(seeding, 400, 400);
	seeding_end(seeding);
	g_assert_false(seeding_counts(seeding, &read, &all));
	assert_said("");
	seeding_free(seeding);
}

/* The first after 5 s, then one for each tenth, at least 10 s apart. */
static void test_lines(void)
{
	Seeding *seeding = seeding_new();

	seeding_begin(seeding, 2000);
	pages(seeding, 20, 2.5);
	seeding_end(seeding);
	assert_said("read 200 of 2000 keys (10 %), 2.0 kB, 400 B/s, 0:45 left\n"
		    "read 600 of 2000 keys (30 %), 6.0 kB, 400 B/s, 0:35 left\n"
		    "read 1000 of 2000 keys (50 %), 10.0 kB, 400 B/s, 0:25 left\n"
		    "read 1400 of 2000 keys (70 %), 14.0 kB, 400 B/s, 0:15 left\n"
		    "read 1800 of 2000 keys (90 %), 18.0 kB, 400 B/s, 0:05 left\n");
	seeding_free(seeding);
}

/* Each minute, whatever the share. */
static void test_slow(void)
{
	Seeding *seeding = seeding_new();

	seeding_begin(seeding, 100000);
	pages(seeding, 13, 10);
	assert_said("read 100 of 100000 keys (0 %), 1.0 kB\n"
		    "read 700 of 100000 keys (0 %), 7.0 kB, 100 B/s, 2:45:30 left\n"
		    "read 1300 of 100000 keys (1 %), 13.0 kB, 100 B/s, 2:44:30 left\n");
	seeding_free(seeding);
}

static void test_over(void)
{
	Seeding *seeding = seeding_new();

	seeding_begin(seeding, 2000);
	pages(seeding, 2, 1);
	seeding_begin(seeding, 1000);
	assert_counts(seeding, 0, 1000);
	pages(seeding, 2, 2.5);
	assert_said("starting over: read 200 of 1000 keys (20 %), 2.0 kB, 400 B/s, 0:20 left\n");
	seeding_end(seeding);
	/* the next is a reseed, and its first attempt */
	seeding_begin(seeding, 1000);
	pages(seeding, 1, 5);
	assert_said("read 100 of 1000 keys (10 %), 1.0 kB\n");
	seeding_free(seeding);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	said = g_string_new(NULL);
	g_log_set_writer_func(keep_line, NULL, NULL);
	g_setenv("TERM", "dumb", TRUE);
	g_test_add_func("/seeding/quick", test_quick);
	g_test_add_func("/seeding/lines", test_lines);
	g_test_add_func("/seeding/slow", test_slow);
	g_test_add_func("/seeding/over", test_over);
	return g_test_run();
}
