/* SPDX-License-Identifier: Apache-2.0 */
/* A node lives exactly as long as the tree or the kernel holds it. */
#include "inode.h"
#include "nodes.h"

typedef struct {
	InodeTable *table;
	Node *root, *a1, *a2, *a3;
} Fixture;

static void set_up(Fixture *f, gconstpointer data)
{
	f->root = nodes_root();
	f->table = inode_table_new(f->root);
	f->a1 = nodes_file(f->root, "a", 1);
	f->a2 = nodes_file(f->root, "a", 1);
	f->a3 = nodes_file(f->root, "a", 1);
}

static void tear_down(Fixture *f, gconstpointer data)
{
	inode_table_free(f->table);
	Node *nodes[] = {f->a1, f->a2, f->a3};
	for (gsize i = 0; i < G_N_ELEMENTS(nodes); i++) {
		g_assert_cmpint(nodes[i]->ref_count, ==, 1);
		node_unref(nodes[i]);
	}
	g_assert_cmpint(f->root->ref_count, ==, 1);
	node_unref(f->root);
}

static void assert_older(Fixture *f, gboolean key_lives, guint n)
{
	g_autoptr(GPtrArray) older = inode_older(f->table, f->a3, key_lives);
	g_assert_cmpuint(older->len, ==, n);
}

static gboolean has_older(Fixture *f, const Node *entry)
{
	inode_table_lock(f->table);
	gboolean has = inode_has_older_locked(f->table, entry);
	inode_table_unlock(f->table);
	return has;
}

static void test_lookup_count(Fixture *f, gconstpointer data)
{
	g_assert_false(inode_is_known(f->table, f->a1));
	inode_lookup(f->table, f->a1);
	inode_lookup(f->table, f->a1);
	inode_lookup(f->table, f->a1);
	g_assert_false(inode_forget(f->table, f->a1->nodeid, 2));
	g_autoptr(Node) got = inode_get(f->table, f->a1->nodeid);
	g_assert_true(got == f->a1);
	g_assert_true(inode_forget(f->table, f->a1->nodeid, 1));
	g_assert_false(inode_is_known(f->table, f->a1));
	g_assert_null(inode_get(f->table, f->a1->nodeid));
	/* More than was looked up, or something never known: no harm. */
	g_assert_false(inode_forget(f->table, f->a1->nodeid, 5));
	g_assert_cmpuint(inode_totals(f->table).known, ==, 1);
}

static void test_root_stays(Fixture *f, gconstpointer data)
{
	g_assert_false(inode_forget(f->table, ENTRIES_ROOT_NODEID, G_MAXUINT64));
	g_assert_true(inode_is_known(f->table, f->root));
}

static void test_unknown_is_not_older(Fixture *f, gconstpointer data)
{
	inode_retire(f->table, f->a1, TRUE);
	g_assert_false(has_older(f, f->a3));
	assert_older(f, TRUE, 0);
}

static void test_older_until_forgotten(Fixture *f, gconstpointer data)
{
	inode_lookup(f->table, f->a1);
	inode_retire(f->table, f->a1, TRUE);
	inode_lookup(f->table, f->a2);
	inode_retire(f->table, f->a2, TRUE);
	assert_older(f, TRUE, 2);
	g_assert_cmpuint(inode_totals(f->table).older, ==, 2);
	inode_forget(f->table, f->a1->nodeid, 1);
	assert_older(f, TRUE, 1);
	inode_forget(f->table, f->a2->nodeid, 1);
	g_assert_false(has_older(f, f->a3));
	g_assert_cmpuint(inode_totals(f->table).older, ==, 0);
}

static void test_key_deleted(Fixture *f, gconstpointer data)
{
	inode_lookup(f->table, f->a1);
	inode_retire(f->table, f->a1, TRUE);
	inode_lookup(f->table, f->a2);
	inode_retire(f->table, f->a2, FALSE);
	assert_older(f, TRUE, 0);
	assert_older(f, FALSE, 2);

	gboolean key_lives = TRUE;
	g_assert_true(inode_is_older(f->table, f->a1, &key_lives));
	g_assert_false(key_lives);
	inode_unlinked(f->table, f->a1);
	g_assert_false(inode_is_older(f->table, f->a1, &key_lives));
	assert_older(f, FALSE, 1);
	g_assert_true(inode_is_unlinked(f->table, f->a1));
	g_assert_false(inode_is_unlinked(f->table, f->a2));
}

/* The key is deleted and created again before anybody was told. */
static void test_two_lives(Fixture *f, gconstpointer data)
{
	inode_lookup(f->table, f->a1);
	inode_retire(f->table, f->a1, FALSE);
	inode_lookup(f->table, f->a2);
	inode_retire(f->table, f->a2, TRUE);
	assert_older(f, FALSE, 1);
	assert_older(f, TRUE, 1);
}

static void test_all(Fixture *f, gconstpointer data)
{
	inode_lookup(f->table, f->a1);
	inode_lookup(f->table, f->a2);
	inode_retire(f->table, f->a1, TRUE);
	inode_lookup(f->table, f->a3);
	inode_forget(f->table, f->a3->nodeid, 1);

	g_autoptr(GPtrArray) all = inode_all(f->table);
	g_assert_cmpuint(all->len, ==, 3);
	g_assert_true(g_ptr_array_find(all, f->root, NULL));
	g_assert_true(g_ptr_array_find(all, f->a1, NULL));
	g_assert_true(g_ptr_array_find(all, f->a2, NULL));
}

static void add(const char *path, void (*test)(Fixture *, gconstpointer))
{
	g_test_add(path, Fixture, NULL, set_up, test, tear_down);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	add("/inode/lookup-count", test_lookup_count);
	add("/inode/root-stays", test_root_stays);
	add("/inode/unknown-is-not-older", test_unknown_is_not_older);
	add("/inode/older-until-forgotten", test_older_until_forgotten);
	add("/inode/key-deleted", test_key_deleted);
	add("/inode/two-lives", test_two_lives);
	add("/inode/all", test_all);
	return g_test_run();
}
