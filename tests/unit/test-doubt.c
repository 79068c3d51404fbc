/* SPDX-License-Identifier: Apache-2.0 */
#include "doubt.h"

static void test_one_endpoint(void)
{
	Doubt doubt = {.n_endpoints = 1};

	g_assert_false(doubt_raise(&doubt));
	g_assert_true(doubt_raise(&doubt));
	/* over, so it begins anew */
	g_assert_false(doubt_raise(&doubt));
}

static void test_settled(void)
{
	Doubt doubt = {.n_endpoints = 1};

	g_assert_false(doubt_raise(&doubt));
	doubt_settle(&doubt);
	g_assert_false(doubt_raise(&doubt));
	g_assert_true(doubt_raise(&doubt));
}

static void test_each_is_asked(void)
{
	Doubt doubt = {.n_endpoints = 3};

	g_assert_false(doubt_raise(&doubt));
	g_assert_false(doubt_raise(&doubt));
	g_assert_true(doubt_raise(&doubt));
}

static void test_away(void)
{
	Doubt doubt = {.n_endpoints = 3};

	doubt_miss(&doubt); /* before there is a doubt it says nothing */
	g_assert_false(doubt_raise(&doubt));
	doubt_miss(&doubt);
	doubt_miss(&doubt);
	/* the only one there, and asked again */
	g_assert_true(doubt_raise(&doubt));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/doubt/one-endpoint", test_one_endpoint);
	g_test_add_func("/doubt/settled", test_settled);
	g_test_add_func("/doubt/each-is-asked", test_each_is_asked);
	g_test_add_func("/doubt/away", test_away);
	return g_test_run();
}
