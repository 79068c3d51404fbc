/* SPDX-License-Identifier: Apache-2.0 */
/* sequence.h: who reads one file after the other is given the next ones, and nobody else. */
#include "sequence.h"

#include <string.h>

#include "siblings.h"
#include "tree.h"

#define N_DIRS 100

typedef struct {
	Tree *tree;
	Sequence sequence;
} Fixture;

static void put(Fixture *f, const char *key, gsize len)
{
	g_autofree guint8 *value = g_malloc0(len);
	KvEvent event = {KV_PUT, {{(const guint8 *)key, strlen(key)}, {value, len}, 1, 1, 1, 0}};

	tree_apply_locked(f->tree, &event, 1, NULL, 1, NULL);
}

static void set_up(Fixture *f, gconstpointer data)
{
	f->tree = tree_new((KvBytes){NULL, 0});
	f->sequence = (Sequence){0};
}

static void tear_down(Fixture *f, gconstpointer data)
{
	tree_free(f->tree);
}

static Node *dir_of(Fixture *f, guint number)
{
	g_autofree char *name = g_strdup_printf("d%02u", number);
	return tree_lookup_locked(f->tree, tree_root(f->tree), name);
}

static void fill(Fixture *f, guint number, guint n_files, gsize len)
{
	for (guint i = 0; i < n_files; i++) {
		g_autofree char *key = g_strdup_printf("d%02u/f%04u", number, i);
		put(f, key, len);
	}
}

static guint n_and_free(GPtrArray *files)
{
	guint n = files ? files->len : 0;

	g_clear_pointer(&files, g_ptr_array_unref);
	return n;
}

/* How many files are given when the one of that number is asked for. */
static guint ask(Fixture *f, guint dir, guint file)
{
	g_autofree char *name = g_strdup_printf("f%04u", file);
	return n_and_free(
	    sequence_read_locked(&f->sequence, tree_lookup_locked(f->tree, dir_of(f, dir), name)));
}

static guint list(Fixture *f, guint dir)
{
	return n_and_free(sequence_listed_locked(&f->sequence, dir_of(f, dir)));
}

/* How many are asked for by whoever reads all N of them in turn. */
static guint read_all(Fixture *f, guint dir, guint n)
{
	guint n_asked = 0;
	guint have = list(f, dir);

	for (guint i = 0; i < n; i++) {
		if (have > 0) {
			have--;
			continue;
		}
		n_asked++;
		have = ask(f, dir, i);
	}
	return n_asked;
}

static void test_one_after_the_other(Fixture *f, gconstpointer data)
{
	fill(f, 0, 1000, 100);
	g_assert_cmpuint(read_all(f, 0, 1000), <, 10);
}

static void test_one_alone(Fixture *f, gconstpointer data)
{
	fill(f, 0, 100, 100);
	for (guint i = 0; i < 100; i += 10)
		g_assert_cmpuint(ask(f, 0, i), ==, 0);
	for (guint i = 100; i-- > 0;)
		g_assert_cmpuint(ask(f, 0, i), ==, 0);
}

/* What lies between is not read. */
static void test_with_gaps(Fixture *f, gconstpointer data)
{
	fill(f, 0, 100, 100);
	g_assert_cmpuint(ask(f, 0, 0), ==, 0);
	g_assert_cmpuint(ask(f, 0, 3), >, 0);
}

static void test_small_directories(Fixture *f, gconstpointer data)
{
	guint n_asked = 0;

	for (guint dir = 0; dir < N_DIRS; dir++)
		fill(f, dir, 10, 100);
	for (guint dir = 0; dir < N_DIRS; dir++)
		n_asked += read_all(f, dir, 10);
	g_assert_cmpuint(n_asked, <, N_DIRS / 5);
}

/* After somebody who read all, one lists, and one reads the first file of each. */
static void test_the_reach_is_lost_again(Fixture *f, gconstpointer data)
{
	guint n_given = 0;

	for (guint dir = 0; dir < N_DIRS; dir++)
		fill(f, dir, 10, 100);
	for (guint dir = 0; dir < 10; dir++)
		read_all(f, dir, 10);
	for (guint dir = 10; dir < 50; dir++)
		n_given += list(f, dir) > 0;
	g_assert_cmpuint(n_given, <, 20);

	n_given = 0;
	for (guint dir = 50; dir < N_DIRS; dir++)
		n_given += ask(f, dir, 0) > 0;
	g_assert_cmpuint(n_given, <, 10);
}

static void test_what_is_not_worth_it(Fixture *f, gconstpointer data)
{
	fill(f, 0, 10, 100);
	put(f, "d00/f0004", 0);
	put(f, "d00/f0005", SEQUENCE_MAX_VALUE + 1);
	put(f, "d00/f0006/below", 100);
	g_assert_cmpuint(ask(f, 0, 0), ==, 0);
	g_assert_cmpuint(ask(f, 0, 1), ==, 2);
	g_assert_cmpuint(ask(f, 0, 7), ==, 2);
}

static void test_not_too_much_at_a_time(Fixture *f, gconstpointer data)
{
	fill(f, 0, 300, SEQUENCE_MAX_VALUE);
	for (guint i = 0, given = 0; i < 300; i += given + 1) {
		given = ask(f, 0, i);
		g_assert_cmpuint(given * SEQUENCE_MAX_VALUE, <=, SEQUENCE_MAX_BYTES);
	}
}

static void test_an_older_revision(Fixture *f, gconstpointer data)
{
	fill(f, 0, 10, 100);
	g_autoptr(Node) older = node_ref(tree_lookup_locked(f->tree, dir_of(f, 0), "f0001"));

	put(f, "d00/f0001", 100);
	g_assert_cmpuint(ask(f, 0, 0), ==, 0);
	g_assert_null(sequence_read_locked(&f->sequence, older));
	g_assert_cmpuint(ask(f, 0, 1), ==, 4);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *path;
		void (*test)(Fixture *f, gconstpointer data);
	} tests[] = {
	    {"/sequence/one-after-the-other", test_one_after_the_other},
	    {"/sequence/one-alone", test_one_alone},
	    {"/sequence/with-gaps", test_with_gaps},
	    {"/sequence/small-directories", test_small_directories},
	    {"/sequence/the-reach-is-lost-again", test_the_reach_is_lost_again},
	    {"/sequence/what-is-not-worth-it", test_what_is_not_worth_it},
	    {"/sequence/not-too-much-at-a-time", test_not_too_much_at_a_time},
	    {"/sequence/an-older-revision", test_an_older_revision},
	};

	g_test_init(&argc, &argv, NULL);
	for (gsize i = 0; i < G_N_ELEMENTS(tests); i++)
		g_test_add(tests[i].path, Fixture, NULL, set_up, tests[i].test, tear_down);
	return g_test_run();
}
