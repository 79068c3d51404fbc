/* SPDX-License-Identifier: Apache-2.0 */
#include "endpoint.h"

#define S G_TIME_SPAN_SECOND

static const char *const names[] = {"a:1", "b:2", "c:3", NULL};

static void test_in_turn(void)
{
	g_autoptr(EndpointList) list = endpoint_list_new(names);

	g_assert_null(endpoint_list_current(list));
	g_assert_cmpstr(endpoint_list_next(list, 0), ==, "a:1");
	g_assert_cmpstr(endpoint_list_next(list, 0), ==, "b:2");
	g_assert_cmpstr(endpoint_list_current(list), ==, "b:2");
	g_assert_cmpstr(endpoint_list_next(list, 0), ==, "c:3");
	g_assert_cmpstr(endpoint_list_next(list, 0), ==, "a:1");
}

static void test_reasons(void)
{
	g_autoptr(EndpointList) list = endpoint_list_new(names);
	g_autofree char *reasons = NULL;

	endpoint_list_next(list, 0);
	endpoint_list_blame(list, "old", 0);
	endpoint_list_blame(list, "refused", 0);
	reasons = endpoint_list_reasons(list);
	g_assert_cmpstr(reasons, ==, "a:1: refused; b:2: no answer; c:3: no answer");
}

static gboolean is_refused(const char *reason)
{
	return g_str_equal(reason, "refused");
}

static void test_all(void)
{
	g_autoptr(EndpointList) list = endpoint_list_new(names);

	for (int i = 0; i < 3; i++) {
		g_assert_false(endpoint_list_all(list, is_refused));
		endpoint_list_next(list, 0);
		endpoint_list_blame(list, "refused", 0);
	}
	g_assert_true(endpoint_list_all(list, is_refused));
	endpoint_list_blame(list, "other", 0);
	g_assert_false(endpoint_list_all(list, is_refused));
}

static void test_one_alone(void)
{
	static const char *const one[] = {"a:1", NULL};
	g_autoptr(EndpointList) list = endpoint_list_new(one);

	for (int i = 0; i < 10; i++) {
		g_assert_cmpstr(endpoint_list_next(list, 0), ==, "a:1");
		endpoint_list_blame(list, "refused", 0);
	}
}

static void test_set_aside(void)
{
	g_autoptr(EndpointList) list = endpoint_list_new(names);

	endpoint_list_next(list, 0);
	endpoint_list_blame(list, "refused", 0);
	g_assert_cmpstr(endpoint_list_next(list, 0), ==, "b:2");
	g_assert_cmpstr(endpoint_list_next(list, 0), ==, "c:3");
	/* not yet */
	g_assert_cmpstr(endpoint_list_next(list, S - 1), ==, "b:2");
	g_assert_cmpstr(endpoint_list_next(list, S), ==, "c:3");
	g_assert_cmpstr(endpoint_list_next(list, S), ==, "a:1");
}

/* Each time for longer, up to a minute; not after it was well for a while. */
static void test_set_aside_longer(void)
{
	static const char *const two[] = {"a:1", "b:2", NULL};
	static const int aside_s[] = {1, 2, 4, 8, 16, 32, 60, 60};
	g_autoptr(EndpointList) list = endpoint_list_new(two);
	gint64 now = 0;

	g_assert_cmpstr(endpoint_list_next(list, now), ==, "a:1");
	for (gsize i = 0; i < G_N_ELEMENTS(aside_s); i++) {
		endpoint_list_blame(list, "refused", now);
		g_assert_cmpstr(endpoint_list_next(list, now), ==, "b:2");
		now += aside_s[i] * S;
		g_assert_cmpstr(endpoint_list_next(list, now - 1), ==, "b:2");
		g_assert_cmpstr(endpoint_list_next(list, now), ==, "a:1");
	}
	now += 10 * S;
	endpoint_list_blame(list, "reset", now);
	g_assert_cmpstr(endpoint_list_next(list, now), ==, "b:2");
	g_assert_cmpstr(endpoint_list_next(list, now + S), ==, "a:1");
}

/* There is no waiting for the first to come back. */
static void test_all_aside(void)
{
	g_autoptr(EndpointList) list = endpoint_list_new(names);

	for (int i = 0; i < 3; i++) {
		endpoint_list_next(list, i);
		endpoint_list_blame(list, "refused", i);
	}
	g_assert_cmpstr(endpoint_list_next(list, 3), ==, "a:1");
	endpoint_list_blame(list, "refused", 3);
	g_assert_cmpstr(endpoint_list_next(list, 4), ==, "b:2");
}

/* Those that stay are still set aside; those that are new are not. */
static void test_replaced(void)
{
	static const char *const others[] = {"c:3", "a:1", "d:4", NULL};
	g_autoptr(EndpointList) list = endpoint_list_new(names);
	g_autofree char *reasons = NULL;

	for (int i = 0; i < 3; i++) {
		endpoint_list_next(list, 0);
		endpoint_list_blame(list, "refused", 0);
	}
	endpoint_list_replace(list, others);
	g_assert_cmpint(endpoint_list_size(list), ==, 3);
	g_assert_null(endpoint_list_current(list));
	reasons = endpoint_list_reasons(list);
	g_assert_cmpstr(reasons, ==, "c:3: refused; a:1: refused; d:4: no answer");
	g_assert_cmpstr(endpoint_list_next(list, 0), ==, "d:4");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/endpoint/in-turn", test_in_turn);
	g_test_add_func("/endpoint/reasons", test_reasons);
	g_test_add_func("/endpoint/all", test_all);
	g_test_add_func("/endpoint/one-alone", test_one_alone);
	g_test_add_func("/endpoint/set-aside", test_set_aside);
	g_test_add_func("/endpoint/set-aside-longer", test_set_aside_longer);
	g_test_add_func("/endpoint/all-aside", test_all_aside);
	g_test_add_func("/endpoint/replaced", test_replaced);
	return g_test_run();
}
