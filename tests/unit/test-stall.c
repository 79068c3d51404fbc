/* SPDX-License-Identifier: Apache-2.0 */
#include "stall.h"

#include <errno.h>
#include <sched.h>
#include <semaphore.h>
#include <unistd.h>

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
	g_assert_false(stall.armed);
	stall_clear(&stall);
}

static sem_t main_waits;

static gint poll_and_tell(GPollFD *fds, guint n_fds, gint timeout_ms)
{
	sem_post(&main_waits);
	return g_poll(fds, n_fds, timeout_ms);
}

static gpointer begin_alone(gpointer data)
{
	Stall *stall = data;

	if (unshare(CLONE_FILES) == 0) {
		close_range(STDERR_FILENO + 1, (unsigned)stall->fd - 1, 0);
		close_range((unsigned)stall->fd + 1, ~0U, 0);
	} else {
		g_assert_cmpint(errno, ==, ENOSYS); /* a sanitizer's (tsan-glib.h) */
	}
	sem_wait(&main_waits);
	stall_begin(stall);
	return NULL;
}

static gboolean give_up(gpointer data)
{
	g_test_message("nobody was woken");
	g_assert_not_reached();
	return G_SOURCE_REMOVE;
}

/* As the announcer has it (device.c), and when the main loop waits already. */
static void test_descriptors_of_its_own(void)
{
	Stall stall;
	GThread *thread;
	guint watchdog = g_timeout_add_seconds(30, give_up, NULL);

	warnings = 0;
	stall_init(&stall, LIMIT_MS);
	sem_init(&main_waits, 0, 0);
	g_main_context_set_poll_func(NULL, poll_and_tell);
	thread = g_thread_new("alone", begin_alone, &stall);
	while (warnings == 0)
		g_main_context_iteration(NULL, TRUE);
	g_main_context_set_poll_func(NULL, NULL);
	g_thread_join(thread);
	stall_end(&stall);
	stall_clear(&stall);
	g_source_remove(watchdog);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_log_set_writer_func(count, NULL, NULL);
	loop = g_main_loop_new(NULL, FALSE);
	g_test_add_func("/stall/long-step", test_long_step);
	g_test_add_func("/stall/no-step", test_no_step);
	g_test_add_func("/stall/descriptors-of-its-own", test_descriptors_of_its_own);
	int r = g_test_run();
	g_main_loop_unref(loop);
	return r;
}
