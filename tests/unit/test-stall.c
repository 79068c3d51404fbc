/* SPDX-License-Identifier: Apache-2.0 */
#include "stall.h"

#define LIMIT_MS 20

static GMainLoop *loop;
static guint warnings;

static GLogWriterOutput count(GLogLevelFlags level, const GLogField *fields, gsize n_fields,
			      gpointer data)
{
	warnings += level == G_LOG_LEVEL_WARNING;
	return G_LOG_WRITER_HANDLED;
}

static gboolean quit(gpointer data)
{
	g_main_loop_quit(loop);
	return G_SOURCE_REMOVE;
}

static void run_for(guint ms)
{
	g_timeout_add(ms, quit, NULL);
	g_main_loop_run(loop);
}

static void test_long_step(void)
{
	Stall stall;

	warnings = 0;
	stall_init(&stall, LIMIT_MS);
	stall_begin(&stall);
	run_for(10 * LIMIT_MS);
	g_assert_cmpuint(warnings, ==, 1);
	stall_end(&stall);
	/* and of the next again */
	stall_begin(&stall);
	run_for(10 * LIMIT_MS);
	g_assert_cmpuint(warnings, ==, 2);
	stall_end(&stall);
	stall_clear(&stall);
}

static void test_no_step(void)
{
	Stall stall;

	warnings = 0;
	stall_init(&stall, LIMIT_MS);
	stall_begin(&stall);
	stall_end(&stall);
	run_for(5 * LIMIT_MS);
	g_assert_cmpuint(warnings, ==, 0);
	/* nobody is woken any more */
	g_assert_cmpuint(stall.timer, ==, 0);
	stall_clear(&stall);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_log_set_writer_func(count, NULL, NULL);
	loop = g_main_loop_new(NULL, FALSE);
	g_test_add_func("/stall/long-step", test_long_step);
	g_test_add_func("/stall/no-step", test_no_step);
	int r = g_test_run();
	g_main_loop_unref(loop);
	return r;
}
