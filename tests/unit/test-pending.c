/* SPDX-License-Identifier: Apache-2.0 */
/* What watchers are told when they are told late: one record an entry, from what
 * they believe to what is there. */
#include "nodes.h"
#include "pending.h"

typedef struct {
	Pending pending;
	Node *root;
	Node *a1, *a2, *a3, *b1;
} Fixture;

static void set_up(Fixture *f, gconstpointer data)
{
	pending_init(&f->pending);
	f->root = nodes_root();
	f->a1 = nodes_file(f->root, "a", 1);
	f->a2 = nodes_file(f->root, "a", 1);
	f->a3 = nodes_file(f->root, "a", 1);
	f->b1 = nodes_file(f->root, "b", 1);
}

static void tear_down(Fixture *f, gconstpointer data)
{
	pending_clear(&f->pending);
	Node *nodes[] = {f->a1, f->a2, f->a3, f->b1};
	for (gsize i = 0; i < G_N_ELEMENTS(nodes); i++) {
		g_assert_cmpint(nodes[i]->ref_count, ==, 1);
		node_unref(nodes[i]);
	}
	node_unref(f->root);
}

static void assert_next(Fixture *f, Node *told, Node *now)
{
	g_autoptr(PendingRecord) record = pending_take(&f->pending);
	g_assert_nonnull(record);
	g_assert_true(record->told == told);
	g_assert_true(record->now == now);
}

static void assert_stale(Fixture *f, guint n)
{
	g_autoptr(GPtrArray) entries = pending_take_stale(&f->pending);
	g_assert_cmpuint(entries ? entries->len : 0, ==, n);
}

static void test_order(Fixture *f, gconstpointer data)
{
	pending_push(&f->pending, f->a1, f->a2, FALSE);
	pending_push(&f->pending, NULL, f->b1, FALSE);
	pending_push(&f->pending, f->a2, f->a3, FALSE);
	assert_next(f, f->a1, f->a3);
	assert_next(f, NULL, f->b1);
	g_assert_null(pending_take(&f->pending));
}

static void test_of_one_directory(Fixture *f, gconstpointer data)
{
	g_autoptr(Node) dir = nodes_dir(f->root, "d");
	g_autoptr(Node) in_dir = nodes_file(dir, "a", 1);

	pending_push(&f->pending, f->a1, f->a2, FALSE);
	g_assert_false(pending_has_in(&f->pending, dir->nodeid));
	g_assert_null(pending_take_in(&f->pending, dir->nodeid));
	pending_push(&f->pending, NULL, in_dir, FALSE);
	g_assert_true(pending_has_in(&f->pending, dir->nodeid));
	pending_record_free(pending_take_in(&f->pending, dir->nodeid));
	g_assert_false(pending_has_in(&f->pending, dir->nodeid));
	assert_next(f, f->a1, f->a2);
}

static void test_came_and_went(Fixture *f, gconstpointer data)
{
	pending_push(&f->pending, NULL, f->a1, FALSE);
	pending_push(&f->pending, f->a1, NULL, FALSE);
	assert_next(f, NULL, NULL);
}

static Node *next_went(Fixture *f)
{
	g_autoptr(PendingRecord) record = pending_take(&f->pending);
	g_assert_null(record->told);
	return record->went;
}

/* Before it was told: somebody may have met it, and must learn that it has gone. */
static void test_seen_and_went(Fixture *f, gconstpointer data)
{
	pending_push(&f->pending, NULL, f->a1, FALSE);
	pending_push(&f->pending, f->a1, NULL, TRUE);
	g_assert_true(next_went(f) == f->a1);
	pending_push(&f->pending, NULL, f->a1, FALSE);
	pending_push(&f->pending, f->a1, NULL, FALSE);
	g_assert_null(next_went(f));
}

/* The same while the record is in the announcer's hands. */
static void test_seen_and_went_meanwhile(Fixture *f, gconstpointer data)
{
	pending_push(&f->pending, NULL, f->a1, FALSE);
	PendingRecord *record = pending_take(&f->pending);
	pending_push(&f->pending, f->a1, NULL, TRUE);
	pending_give_back(&f->pending, record);
	g_assert_true(next_went(f) == f->a1);
}

static void test_stale_once(Fixture *f, gconstpointer data)
{
	pending_push(&f->pending, f->a1, f->a2, FALSE);
	pending_push(&f->pending, f->a2, f->a3, FALSE);
	pending_push(&f->pending, NULL, f->b1, FALSE);
	assert_stale(f, 2);
	assert_stale(f, 0);
	pending_push(&f->pending, f->b1, NULL, FALSE);
	assert_stale(f, 1);
	assert_next(f, f->a1, f->a3);
	assert_next(f, NULL, NULL);
}

static void test_stale_is_dropped_with_its_record(Fixture *f, gconstpointer data)
{
	pending_push(&f->pending, f->a1, f->a2, FALSE);
	assert_next(f, f->a1, f->a2);
	assert_stale(f, 0);
}

static void test_has(Fixture *f, gconstpointer data)
{
	pending_push(&f->pending, f->a1, f->a2, FALSE);
	g_assert_true(pending_has(&f->pending, f->a3));
	g_assert_false(pending_has(&f->pending, f->b1));
	assert_next(f, f->a1, f->a2);
	g_assert_false(pending_has(&f->pending, f->a1));
}

static void test_give_back(Fixture *f, gconstpointer data)
{
	pending_push(&f->pending, f->a1, f->a2, FALSE);
	PendingRecord *record = pending_take(&f->pending);
	pending_push(&f->pending, f->a2, NULL, FALSE);
	pending_give_back(&f->pending, record);
	assert_next(f, f->a1, NULL);
}

static void test_give_back_alone(Fixture *f, gconstpointer data)
{
	pending_push(&f->pending, f->a1, f->a2, FALSE);
	pending_give_back(&f->pending, pending_take(&f->pending));
	g_assert_null(pending_take(&f->pending));
}

/* A record is as old as the first change that is not told. */
static void test_since(Fixture *f, gconstpointer data)
{
	g_autoptr(PendingRecord) record = NULL;

	f->pending.now_us = 1;
	pending_push(&f->pending, f->a1, f->a2, FALSE);
	PendingRecord *first = pending_take(&f->pending);
	f->pending.now_us = 2;
	pending_push(&f->pending, f->a2, f->a3, FALSE);
	pending_give_back(&f->pending, first);
	f->pending.now_us = 3;
	pending_push(&f->pending, f->a3, NULL, FALSE);
	record = pending_take(&f->pending);
	g_assert_cmpint(record->since_us, ==, 1);
}

static void add(const char *path, void (*test)(Fixture *, gconstpointer))
{
	g_test_add(path, Fixture, NULL, set_up, test, tear_down);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	add("/pending/order", test_order);
	add("/pending/of-one-directory", test_of_one_directory);
	add("/pending/came-and-went", test_came_and_went);
	add("/pending/seen-and-went", test_seen_and_went);
	add("/pending/seen-and-went-meanwhile", test_seen_and_went_meanwhile);
	add("/pending/stale-once", test_stale_once);
	add("/pending/stale-is-dropped-with-its-record", test_stale_is_dropped_with_its_record);
	add("/pending/has", test_has);
	add("/pending/give-back", test_give_back);
	add("/pending/give-back-alone", test_give_back_alone);
	add("/pending/since", test_since);
	return g_test_run();
}
