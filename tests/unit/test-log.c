/* SPDX-License-Identifier: Apache-2.0 */
/* log.h on standard error: which lines are shown, and that each is one.  What goes to the
 * journal and to syslog: tests/mount/test_logging.py. */
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"

/* What SAY writes to standard error, in a process of its own: GLib takes one writer. */
static void assert_says(void (*say)(void), const char *expected)
{
	int fd = memfd_create("standard error", 0), status;
	pid_t child = fork();

	if (child == 0) {
		dup2(fd, STDERR_FILENO);
		say();
		_exit(0);
	}
	g_assert_cmpint(waitpid(child, &status, 0), ==, child);
	g_assert_cmpint(status, ==, 0);

	off_t len = lseek(fd, 0, SEEK_END);
	g_autofree char *said = g_malloc0((gsize)len + 1);
	g_assert_cmpint(pread(fd, said, (gsize)len, 0), ==, len);
	g_assert_cmpstr(said, ==, expected);
	close(fd);
}

static void say_all(void)
{
	LOG_REQUEST("request");
	g_debug("debugged");
	g_info("informed");
	g_message("messaged");
	g_warning("warned");
	log_fatal("fatal");
}

static void say_at_each_level(void)
{
	static const GLogLevelFlags levels[] = {G_LOG_LEVEL_CRITICAL, G_LOG_LEVEL_WARNING,
						G_LOG_LEVEL_INFO, G_LOG_LEVEL_DEBUG};

	log_init(G_LOG_LEVEL_DEBUG);
	for (gsize i = 0; i < G_N_ELEMENTS(levels); i++) {
		log_set_level(levels[i]);
		say_all();
	}
}

static void test_levels(void)
{
	assert_says(say_at_each_level, "etcdfs: fatal\n"
				       "etcdfs: warning: warned\n"
				       "etcdfs: fatal\n"
				       "etcdfs: informed\n"
				       "etcdfs: messaged\n"
				       "etcdfs: warning: warned\n"
				       "etcdfs: fatal\n"
				       "etcdfs: request\n"
				       "etcdfs: debugged\n"
				       "etcdfs: informed\n"
				       "etcdfs: messaged\n"
				       "etcdfs: warning: warned\n"
				       "etcdfs: fatal\n");
}

static void say_what_is_no_line(void)
{
	log_init(G_LOG_LEVEL_INFO);
	g_message("a \"key\" with\na newline\x1b and \xc3\xa9 \\");
	g_message("no \"text\": \xc3\xa9 \xff\\");
	LOG_EVENT(G_LOG_LEVEL_MESSAGE, "ETCDFS_STATE", "live", "ETCDFS_ERROR", "", "MESSAGE",
		  "%s %d", "formatted", 1);
}

static void test_one_line(void)
{
	assert_says(say_what_is_no_line, "etcdfs: a \"key\" with\\na newline\\033 and \xc3\xa9 \\\n"
					 "etcdfs: no \"text\": \\303\\251 \\377\\\n"
					 "etcdfs: formatted 1\n");
}

static gpointer log_from_elsewhere(gpointer data)
{
	g_assert_cmpint(log_hand_over(), ==, STDERR_FILENO);
	g_message("from elsewhere");
	return NULL;
}

static void say_from_elsewhere(void)
{
	log_init(G_LOG_LEVEL_INFO);
	g_thread_join(g_thread_new("elsewhere", log_from_elsewhere, NULL));
}

/* In the foreground nobody needs another thread to write. */
static void test_no_hand_over(void)
{
	assert_says(say_from_elsewhere, "etcdfs: from elsewhere\n");
}

static gpointer log_and_end(gpointer data)
{
	g_assert_cmpint(log_hand_over(), ==, log_handed_over_fd());
	for (guint i = 0; i < 2; i++)
		LOG_EVENT(G_LOG_LEVEL_WARNING, "ETCDFS_STATE", "live", "MESSAGE", "number %u", i);
	g_debug("not shown");
	return NULL;
}

static void hand_over(void)
{
	struct stat st;

	g_assert_cmpint(fstat(STDERR_FILENO, &st), ==, 0);
	g_autofree char *stream = g_strdup_printf("%ju:%ju", (uintmax_t)st.st_dev,
						  (uintmax_t)st.st_ino);
	g_setenv("JOURNAL_STREAM", stream, TRUE);
	log_init(G_LOG_LEVEL_INFO);
	g_thread_join(g_thread_new("elsewhere", log_and_end, NULL));
	g_message("first");
	GPollFD handed_over = {.fd = log_handed_over_fd(), .events = G_IO_IN};
	g_assert_cmpint(g_poll(&handed_over, 1, 0), ==, 1);
	log_flush();
	g_assert_cmpint(g_poll(&handed_over, 1, 0), ==, 0);
}

/* Nothing is lost while nobody writes, not even when the thread has ended.  Where there
 * is no journal after all, standard error gets the lines. */
static void test_hand_over(void)
{
	assert_says(hand_over, "etcdfs: first\n"
			       "etcdfs: warning: number 0\n"
			       "etcdfs: warning: number 1\n");
}

int main(int argc, char **argv)
{
	g_unsetenv("JOURNAL_STREAM");
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/log/levels", test_levels);
	g_test_add_func("/log/one-line", test_one_line);
	g_test_add_func("/log/no-hand-over", test_no_hand_over);
	/* Else the machine's own journal would get them. */
	if (access("/run/systemd/journal/socket", F_OK) < 0)
		g_test_add_func("/log/hand-over", test_hand_over);
	return g_test_run();
}
