/* SPDX-License-Identifier: Apache-2.0 */
/* Who waits for what, and whose wait is over. */
#include "waiters.h"

static char a, b, c, d;

static void set_up(Waiters *waiters, gconstpointer data)
{
	waiters_init(waiters);
}

static void tear_down(Waiters *waiters, gconstpointer data)
{
	waiters_clear(waiters);
}

static void add(Waiters *waiters, gpointer waiter, WaitKind kind, guint64 number)
{
	waiters_add(waiters, waiter, &(Wait){kind, number});
}

static gpointer take(Waiters *waiters, gint64 shown, guint64 tick, gboolean live)
{
	return waiters_take_due(waiters, &(WaitFacts){shown, tick, live});
}

static void test_revisions(Waiters *waiters, gconstpointer data)
{
	add(waiters, &a, WAIT_REVISION, 12);
	add(waiters, &b, WAIT_REVISION, 10);
	add(waiters, &c, WAIT_REVISION, G_MAXINT64);
	add(waiters, &d, WAIT_REVISION, 12);
	g_assert_cmpint(waiters_least(waiters), ==, 10);
	g_assert_null(take(waiters, 9, 1, TRUE));
	g_assert_true(take(waiters, 11, 1, TRUE) == &b);
	g_assert_null(take(waiters, 11, 1, TRUE));
	g_assert_true(take(waiters, 12, 1, TRUE) == &a);
	g_assert_true(take(waiters, 12, 1, TRUE) == &d);
	g_assert_null(take(waiters, G_MAXINT64 - 1, 1, TRUE));
	g_assert_cmpint(waiters_least(waiters), ==, G_MAXINT64);
	g_assert_cmpuint(waiters_count(waiters), ==, 1);
}

/* Revision 0 shows even where nothing does. */
static void test_no_revision(Waiters *waiters, gconstpointer data)
{
	add(waiters, &a, WAIT_REVISION, 0);
	g_assert_null(take(waiters, -1, 1, FALSE));
	g_assert_true(take(waiters, 0, 1, FALSE) == &a);
}

static void test_live(Waiters *waiters, gconstpointer data)
{
	add(waiters, &a, WAIT_LIVE, 0);
	g_assert_cmpint(waiters_least(waiters), ==, G_MAXINT64);
	g_assert_null(take(waiters, 100, 2, FALSE));
	g_assert_true(take(waiters, 100, 2, TRUE) == &a);
}

static void test_changes(Waiters *waiters, gconstpointer data)
{
	g_assert_false(waiters_has_changes(waiters));
	add(waiters, &a, WAIT_CHANGE, 7);
	add(waiters, &b, WAIT_CHANGE, 7);
	g_assert_true(waiters_has_changes(waiters));
	g_assert_null(take(waiters, 100, 7, TRUE));
	g_assert_true(take(waiters, 100, 8, TRUE) == &a);
	g_assert_true(take(waiters, 100, 8, TRUE) == &b);
	g_assert_false(waiters_has_changes(waiters));
}

static void test_remove(Waiters *waiters, gconstpointer data)
{
	add(waiters, &a, WAIT_REVISION, 5);
	add(waiters, &b, WAIT_REVISION, 6);
	g_assert_true(waiters_remove(waiters, &a));
	g_assert_false(waiters_remove(waiters, &a));
	g_assert_cmpint(waiters_least(waiters), ==, 6);
	g_assert_true(take(waiters, 9, 1, FALSE) == &b);
}

static void test_take_all(Waiters *waiters, gconstpointer data)
{
	add(waiters, &a, WAIT_REVISION, 5);
	add(waiters, &b, WAIT_LIVE, 0);
	add(waiters, &c, WAIT_CHANGE, 1);
	for (int i = 0; i < 3; i++)
		g_assert_nonnull(waiters_take(waiters));
	g_assert_null(waiters_take(waiters));
	g_assert_cmpuint(waiters_count(waiters), ==, 0);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(Waiters *, gconstpointer);
	} tests[] = {
	    {"/waiters/revisions", test_revisions}, {"/waiters/no-revision", test_no_revision},
	    {"/waiters/live", test_live},	    {"/waiters/changes", test_changes},
	    {"/waiters/remove", test_remove},	    {"/waiters/take-all", test_take_all},
	};

	g_test_init(&argc, &argv, NULL);
	for (gsize i = 0; i < G_N_ELEMENTS(tests); i++)
		g_test_add(tests[i].name, Waiters, NULL, set_up, tests[i].run, tear_down);
	return g_test_run();
}
