/* SPDX-License-Identifier: Apache-2.0 */
/* young.h: who is young, what was born there, and when it is of age. */
#include "nodes.h"
#include "young.h"

#define LONG_US G_USEC_PER_SEC

typedef struct {
	Young young;
	Node *root, *dir, *file, *inner, *deep;
} Fixture;

static void set_up(Fixture *f, gconstpointer data)
{
	young_init(&f->young);
	f->root = nodes_root();
	f->dir = nodes_dir(f->root, "dir");
	f->file = nodes_file(f->dir, "file", 1);
	f->inner = nodes_dir(f->dir, "inner");
	f->deep = nodes_file(f->inner, "deep", 1);
}

static void tear_down(Fixture *f, gconstpointer data)
{
	young_clear(&f->young);
	/* Nothing else holds any of them. */
	g_assert_cmpint(f->deep->ref_count, ==, 1);
	node_unref(f->deep);
	node_unref(f->inner);
	node_unref(f->file);
	node_unref(f->dir);
	node_unref(f->root);
}

static void assert_of_age(Fixture *f, gint64 now, Node *dir, guint n_born)
{
	g_autoptr(YoungDir) of_age = young_take(&f->young, now);
	g_assert_nonnull(of_age);
	g_assert_true(of_age->dir == dir);
	g_assert_cmpuint(of_age->born->len, ==, n_born);
}

static void test_of_age_a_moment_after_it_was_told(Fixture *f, gconstpointer data)
{
	young_add(&f->young, f->dir);
	g_assert_true(young_born(&f->young, f->file));
	g_assert_cmpint(young_next(&f->young), ==, G_MAXINT64);
	g_assert_null(young_take(&f->young, LONG_US));

	young_told(&f->young, f->dir, LONG_US);
	gint64 until = young_next(&f->young);
	g_assert_cmpint(until, >, LONG_US);
	/* It is told of once. */
	young_told(&f->young, f->dir, 2 * LONG_US);
	g_assert_cmpint(young_next(&f->young), ==, until);
	g_assert_null(young_take(&f->young, until - 1));
	assert_of_age(f, until, f->dir, 1);
	g_assert_null(young_take(&f->young, until));
}

static void test_what_comes_after_it_was_told_is_not_born_there(Fixture *f, gconstpointer data)
{
	g_assert_false(young_born(&f->young, f->file));
	young_add(&f->young, f->dir);
	young_told(&f->young, f->dir, 0);
	g_assert_false(young_born(&f->young, f->file));
}

/* A directory in a new directory is told of with it. */
static void test_one_in_the_other(Fixture *f, gconstpointer data)
{
	young_add(&f->young, f->dir);
	g_assert_true(young_born(&f->young, f->file));
	g_assert_true(young_born(&f->young, f->inner));
	g_assert_true(young_born(&f->young, f->deep));
	young_told(&f->young, f->dir, 0);
	assert_of_age(f, LONG_US, f->dir, 2);
	assert_of_age(f, LONG_US, f->inner, 1);
	g_assert_null(young_take(&f->young, LONG_US));
}

static void test_the_end_finds_some(Fixture *f, gconstpointer data)
{
	young_add(&f->young, f->dir);
	g_assert_true(young_born(&f->young, f->inner));
	g_assert_true(young_born(&f->young, f->deep));
}

static void add(const char *path, void (*test)(Fixture *, gconstpointer))
{
	g_test_add(path, Fixture, NULL, set_up, test, tear_down);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	add("/young/of-age-a-moment-after-it-was-told", test_of_age_a_moment_after_it_was_told);
	add("/young/what-comes-later", test_what_comes_after_it_was_told_is_not_born_there);
	add("/young/one-in-the-other", test_one_in_the_other);
	add("/young/the-end-finds-some", test_the_end_finds_some);
	return g_test_run();
}
