/* SPDX-License-Identifier: Apache-2.0 */
#include "histogram.h"

static void test_bounds(void)
{
	for (guint i = 1; i < HISTOGRAM_N_BOUNDS; i++)
		g_assert_cmpint(histogram_bound_us(i), >, histogram_bound_us(i - 1));
	g_assert_cmpint(histogram_bound_us(0), ==, 10);
	g_assert_cmpint(histogram_bound_us(HISTOGRAM_N_BOUNDS - 1), ==, 10 * G_USEC_PER_SEC);
}

/* Each bound belongs to the bucket below it. */
static void test_observe(void)
{
	Histogram histogram = {0}, copy;
	guint64 sum = 0;

	for (guint i = 0; i < HISTOGRAM_N_BOUNDS; i++) {
		histogram_observe(&histogram, histogram_bound_us(i));
		histogram_observe(&histogram, histogram_bound_us(i) + 1);
		sum += 2 * (guint64)histogram_bound_us(i) + 1;
	}
	histogram_copy(&histogram, &copy);
	g_assert_cmpuint(copy.buckets[0], ==, 1);
	for (guint i = 1; i < HISTOGRAM_N_BOUNDS; i++)
		g_assert_cmpuint(copy.buckets[i], ==, 2);
	g_assert_cmpuint(copy.buckets[HISTOGRAM_N_BOUNDS], ==, 1);
	g_assert_cmpuint(copy.sum_us, ==, sum);
}

/* As of a clock that was set back in between. */
static void test_negative(void)
{
	Histogram histogram = {0};

	histogram_observe(&histogram, -5);
	g_assert_cmpuint(histogram.buckets[0], ==, 1);
	g_assert_cmpuint(histogram.sum_us, ==, 0);
}

static gpointer observe_often(gpointer data)
{
	for (int i = 0; i < 10000; i++)
		histogram_observe(data, i);
	return NULL;
}

static void test_threads(void)
{
	Histogram histogram = {0}, copy;
	GThread *threads[4];
	guint64 n = 0;

	for (gsize i = 0; i < G_N_ELEMENTS(threads); i++)
		threads[i] = g_thread_new("observer", observe_often, &histogram);
	histogram_copy(&histogram, &copy);
	for (gsize i = 0; i < G_N_ELEMENTS(threads); i++)
		g_thread_join(threads[i]);
	histogram_copy(&histogram, &copy);
	for (guint i = 0; i <= HISTOGRAM_N_BOUNDS; i++)
		n += copy.buckets[i];
	g_assert_cmpuint(n, ==, 40000);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/histogram/bounds", test_bounds);
	g_test_add_func("/histogram/observe", test_observe);
	g_test_add_func("/histogram/negative", test_negative);
	g_test_add_func("/histogram/threads", test_threads);
	return g_test_run();
}
