/* SPDX-License-Identifier: Apache-2.0 */
#include "lag.h"

#define S G_TIME_SPAN_SECOND

static void test_version(void)
{
	static const char *const right[] = {"3.4.31", "3.4.45", "3.5.13", "3.5.100",
					    "3.6.0",  "3.7.1",	"4.0.0",  "3.6.0-rc.1"};
	static const char *const wrong[] = {"3.4.23", "3.4.30", "3.5.12", "3.3.99", "2.3.8",
					    "",	      "3",	"3.6",	  "x.y.z",  "-3.6.0"};

	for (gsize i = 0; i < G_N_ELEMENTS(right); i++)
		g_assert_true(lag_version_asks(right[i]));
	for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++)
		g_assert_false(lag_version_asks(wrong[i]));
}

static void test_not_to_be_asked(void)
{
	Lag lag = {0};

	g_assert_false(lag_probed(&lag, 20, 10, 0));
	g_assert_false(lag_answered(&lag));
	g_assert_true(lag_bearable(&lag, 10, 1000 * S));
}

static void test_asked(void)
{
	Lag lag = {.asks = TRUE, .bearable_us = 30 * S};

	g_assert_false(lag_probed(&lag, 10, 10, 0));
	g_assert_false(lag_answered(&lag));
	g_assert_true(lag_probed(&lag, 20, 10, 0));
	g_assert_true(lag_answered(&lag));
	g_assert_false(lag_answered(&lag));
}

static void test_lagging(void)
{
	Lag lag = {.asks = TRUE, .bearable_us = 30 * S};

	lag_probed(&lag, 20, 10, 0);
	lag_answered(&lag);
	g_assert_true(lag_bearable(&lag, 10, 30 * S - 1));
	g_assert_false(lag_bearable(&lag, 19, 30 * S));
	g_assert_true(lag_bearable(&lag, 20, 30 * S));
	/* from the first probe that it has not come to */
	lag_probed(&lag, 25, 15, 20 * S);
	g_assert_false(lag_bearable(&lag, 15, 30 * S));
	/* there, and behind again */
	lag_probed(&lag, 30, 20, 40 * S);
	g_assert_true(lag_bearable(&lag, 20, 69 * S));
	g_assert_false(lag_bearable(&lag, 20, 70 * S));
}

/* As behind the gRPC proxy. */
static void test_never_answered(void)
{
	Lag lag = {.asks = TRUE, .bearable_us = 30 * S};

	g_assert_true(lag_probed(&lag, 20, 10, 0));
	g_assert_true(lag_bearable(&lag, 10, 1000 * S));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/lag/version", test_version);
	g_test_add_func("/lag/not-to-be-asked", test_not_to_be_asked);
	g_test_add_func("/lag/asked", test_asked);
	g_test_add_func("/lag/lagging", test_lagging);
	g_test_add_func("/lag/never-answered", test_never_answered);
	return g_test_run();
}
