/* SPDX-License-Identifier: Apache-2.0 */
/* backlog.h: each older inode once, in the order in which they came. */
#include "backlog.h"
#include "nodes.h"

static void test_each_once_in_order(void)
{
	g_autoptr(Node) root = nodes_root();
	g_autoptr(Node) a = nodes_file(root, "a", 1);
	g_autoptr(Node) b = nodes_file(root, "b", 1);
	Backlog backlog;

	backlog_init(&backlog);
	backlog_push(&backlog, a);
	backlog_push(&backlog, b);
	backlog_push(&backlog, a);
	g_assert_cmpuint(backlog_length(&backlog), ==, 2);

	Node *first = backlog_pop(&backlog);
	g_assert_true(first == a);
	/* Its key changed again while it was told. */
	backlog_push(&backlog, a);
	node_unref(first);

	Node *second = backlog_pop(&backlog);
	g_assert_true(second == b);
	node_unref(second);
	g_assert_cmpuint(backlog_length(&backlog), ==, 1);
	backlog_clear(&backlog);
	g_assert_cmpint(a->ref_count, ==, 1);
}

static void test_empty(void)
{
	Backlog backlog;

	backlog_init(&backlog);
	g_assert_null(backlog_pop(&backlog));
	g_assert_cmpuint(backlog_length(&backlog), ==, 0);
	backlog_clear(&backlog);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/backlog/each-once-in-order", test_each_once_in_order);
	g_test_add_func("/backlog/empty", test_empty);
	return g_test_run();
}
