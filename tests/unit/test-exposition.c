/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "exposition.h"

static void test_samples(void)
{
	g_auto(Exposition) out = {0};

	exposition_init(&out, "m", "/x");
	exposition_family(&out, EXPOSITION_COUNTER, "a_total", "How many.");
	exposition_count(&out, NULL, NULL, G_MAXUINT64);
	exposition_family(&out, EXPOSITION_GAUGE, "b", "By kind.");
	exposition_count(&out, "kind", "c", 0);
	exposition_count(&out, "kind", "d", 1);
	exposition_family(&out, EXPOSITION_GAUGE, "e_seconds", "When.");
	exposition_time(&out, 1000001);
	exposition_family(&out, EXPOSITION_GAUGE, "f_info", "Who.");
	exposition_info(&out, "g", "h", NULL);
	g_assert_cmpstr(out.text->str, ==,
			"# HELP a_total How many.\n"
			"# TYPE a_total counter\n"
			"a_total{m=\"/x\"} 18446744073709551615\n"
			"# HELP b By kind.\n"
			"# TYPE b gauge\n"
			"b{m=\"/x\",kind=\"c\"} 0\n"
			"b{m=\"/x\",kind=\"d\"} 1\n"
			"# HELP e_seconds When.\n"
			"# TYPE e_seconds gauge\n"
			"e_seconds{m=\"/x\"} 1.000001\n"
			"# HELP f_info Who.\n"
			"# TYPE f_info gauge\n"
			"f_info{m=\"/x\",g=\"h\"} 1\n");
}

static void test_escapes(void)
{
	g_auto(Exposition) out = {0};

	exposition_init(&out, "m", "a\"b\\c\nd\xff");
	exposition_family(&out, EXPOSITION_GAUGE, "x", "X.");
	exposition_count(&out, NULL, NULL, 1);
	g_assert_nonnull(strstr(out.text->str, "x{m=\"a\\\"b\\\\c\\nd\xef\xbf\xbd\"} 1\n"));
}

/* Cumulative, the last bucket being all there is. */
static void test_histogram(void)
{
	g_auto(Exposition) out = {0};
	Histogram histogram = {0};

	histogram_observe(&histogram, 10);
	histogram_observe(&histogram, 600);
	histogram_observe(&histogram, 20 * G_USEC_PER_SEC);
	exposition_init(&out, "m", "/x");
	exposition_family(&out, EXPOSITION_HISTOGRAM, "h_seconds", "H.");
	exposition_histogram(&out, &histogram);
	g_assert_nonnull(strstr(out.text->str, "h_seconds_bucket{m=\"/x\",le=\"1e-05\"} 1\n"));
	g_assert_nonnull(strstr(out.text->str, "h_seconds_bucket{m=\"/x\",le=\"0.0005\"} 1\n"));
	g_assert_nonnull(strstr(out.text->str, "h_seconds_bucket{m=\"/x\",le=\"0.001\"} 2\n"));
	g_assert_nonnull(strstr(out.text->str, "h_seconds_bucket{m=\"/x\",le=\"10\"} 2\n"));
	g_assert_nonnull(strstr(out.text->str, "h_seconds_bucket{m=\"/x\",le=\"+Inf\"} 3\n"
					       "h_seconds_sum{m=\"/x\"} 20.000610\n"
					       "h_seconds_count{m=\"/x\"} 3\n"));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/exposition/samples", test_samples);
	g_test_add_func("/exposition/escapes", test_escapes);
	g_test_add_func("/exposition/histogram", test_histogram);
	return g_test_run();
}
