/* SPDX-License-Identifier: Apache-2.0 */
/* Entries are spread over tables that grow at different times, and are found in them. */
#include "entries.h"

#define N_DIRS 100
#define N_NAMES 1000

static Node *link_file(Entries *entries, Node *dir, guint i)
{
	static const NodeRevisions revisions = {1, 1, 1, 0};
	char text[16];
	gint len = g_snprintf(text, sizeof(text), "%04u", i);
	NodeName name = {text, (gsize)len, {NULL, 0}};
	Node *file = node_new_file(dir, &name, &revisions, (KvBytes){NULL, 0});

	entries_link(entries, file);
	return file;
}

static Node *link_dir(Entries *entries, guint i)
{
	char text[16];
	gint len = g_snprintf(text, sizeof(text), "%05u", i);
	NodeName name = {text, (gsize)len, {NULL, 0}};
	Node *dir = node_new_dir(entries->root, &name);

	entries_link(entries, dir);
	return dir;
}

static void get_sizes(const Entries *entries, guint *sizes)
{
	for (guint i = 0; i < ENTRIES_TABLES; i++)
		sizes[i] = g_hash_table_size(entries->index[i]);
}

/* How many tables have grown since they had SIZES, which are set to what they have. */
static guint n_grown(const Entries *entries, guint *sizes)
{
	guint now[ENTRIES_TABLES], n = 0;

	get_sizes(entries, now);
	for (guint i = 0; i < ENTRIES_TABLES; i++) {
		n += now[i] > sizes[i];
		sizes[i] = now[i];
	}
	return n;
}

/* Those that come one after the other go into few tables; all of them, into all alike. */
static void test_spread(void)
{
	guint sizes[ENTRIES_TABLES], largest = 0;
	Entries entries;

	entries_init(&entries);
	for (guint i = 0; i < N_DIRS; i++) {
		Node *dir = link_dir(&entries, i);
		get_sizes(&entries, sizes);
		for (guint j = 0; j < N_NAMES; j++) {
			link_file(&entries, dir, j);
			if ((j + 1) % 100 == 0)
				g_assert_cmpuint(n_grown(&entries, sizes), ==, 1);
		}
	}
	for (guint i = 0; i < ENTRIES_TABLES; i++)
		largest = MAX(largest, sizes[i]);
	g_assert_cmpuint(largest, <, 3 * N_DIRS * N_NAMES / ENTRIES_TABLES);
	entries_clear(&entries);
}

static void count_file(Node *file, gpointer data)
{
	guint *n = data;

	*n += file->linked;
}

static void test_found_in_their_tables(void)
{
	Entries entries;
	guint n = 0;

	entries_init(&entries);
	Node *dir = link_dir(&entries, 0);
	for (guint i = 0; i < N_NAMES; i++) {
		Node *file = link_file(&entries, dir, i);
		g_assert_true(entries_lookup(&entries, dir, node_name(file), 4) == file);
		g_assert_true(entries_has(&entries, file));
	}
	entries_foreach_file(&entries, count_file, &n);
	g_assert_cmpuint(n, ==, N_NAMES);

	entries_unlink(&entries, entries_lookup(&entries, dir, "0500", 4));
	g_assert_null(entries_lookup(&entries, dir, "0500", 4));
	g_assert_null(entries_lookup(&entries, entries.root, "0501", 4));
	g_assert_null(entries_lookup(&entries, dir, "", 0));
	n = 0;
	entries_foreach_file(&entries, count_file, &n);
	g_assert_cmpuint(n, ==, N_NAMES - 1);
	entries_clear(&entries);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/entries/spread", test_spread);
	g_test_add_func("/entries/found-in-their-tables", test_found_in_their_tables);
	return g_test_run();
}
