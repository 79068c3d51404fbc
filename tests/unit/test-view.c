/* SPDX-License-Identifier: Apache-2.0 */
/* What the announcer alone sees and may do. */
#include <unistd.h>

#include "nodes.h"
#include "view.h"

typedef struct {
	View *view;
	Node *root, *dir, *a;
} Fixture;

static void set_up(Fixture *f, gconstpointer data)
{
	f->view = view_new();
	f->root = nodes_root();
	f->dir = nodes_dir(f->root, "d");
	f->a = nodes_file(f->root, "a", 1);
}

static void tear_down(Fixture *f, gconstpointer data)
{
	view_free(f->view);
	g_assert_cmpint(f->a->ref_count, ==, 1);
	node_unref(f->a);
	node_unref(f->dir);
	node_unref(f->root);
}

static ViewShow look(Fixture *f, Node *parent, const char *name)
{
	g_autoptr(Node) gone = NULL;
	ViewShow show = view_lookup(f->view, parent, name, &gone);
	g_assert_true(show == VIEW_GONE ? gone == f->a : gone == NULL);
	return show;
}

static void test_who(Fixture *f, gconstpointer data)
{
	g_assert_false(view_is_announcer(f->view, gettid()));
	view_enter(f->view);
	g_assert_true(view_is_announcer(f->view, gettid()));
	g_assert_false(view_is_announcer(f->view, gettid() + 1));
	view_leave(f->view);
	g_assert_false(view_is_announcer(f->view, gettid()));
	/* A caller from another pid namespace, before there is an announcer. */
	g_assert_false(view_is_announcer(f->view, 0));
}

static void test_absent(Fixture *f, gconstpointer data)
{
	g_assert_false(view_may_create(f->view, f->root, "a"));
	view_show(f->view, f->a, VIEW_ABSENT);
	g_assert_cmpint(look(f, f->root, "a"), ==, VIEW_ABSENT);
	g_assert_cmpint(look(f, f->root, "b"), ==, VIEW_CURRENT);
	g_assert_cmpint(look(f, f->dir, "a"), ==, VIEW_CURRENT);
	g_assert_false(view_may_create(f->view, f->dir, "a"));
	g_assert_false(view_may_remove(f->view, f->root, "a"));
	g_assert_true(view_may_create(f->view, f->root, "a"));
	/* Once: from here on it is there. */
	g_assert_cmpint(look(f, f->root, "a"), ==, VIEW_CURRENT);
	g_assert_false(view_may_create(f->view, f->root, "a"));
}

static void test_gone(Fixture *f, gconstpointer data)
{
	view_show(f->view, f->a, VIEW_GONE);
	/* The kernel must have looked it up, else it holds another node. */
	g_assert_false(view_may_remove(f->view, f->root, "a"));
	g_assert_cmpint(look(f, f->root, "a"), ==, VIEW_GONE);
	g_assert_false(view_may_remove(f->view, f->root, "b"));
	g_assert_true(view_may_remove(f->view, f->root, "a"));
	g_assert_false(view_may_remove(f->view, f->root, "a"));
	g_assert_cmpint(look(f, f->root, "a"), ==, VIEW_CURRENT);
}

static void test_shown_again(Fixture *f, gconstpointer data)
{
	view_show(f->view, f->a, VIEW_GONE);
	g_assert_cmpint(look(f, f->root, "a"), ==, VIEW_GONE);
	/* Another attempt needs another lookup. */
	view_show(f->view, f->a, VIEW_GONE);
	g_assert_false(view_may_remove(f->view, f->root, "a"));
}

static void test_announced(Fixture *f, gconstpointer data)
{
	g_assert_null(view_announced(f->view, f->root));
	view_show(f->view, f->a, VIEW_ABSENT);
	g_autoptr(Node) absent = view_announced(f->view, f->root);
	g_assert_true(absent == f->a);
	g_assert_null(view_announced(f->view, f->a));
	/* What is created now is there for everybody. */
	g_assert_true(view_may_create(f->view, f->root, "a"));
	g_assert_null(view_announced(f->view, f->root));
	view_show(f->view, f->a, VIEW_GONE);
	g_autoptr(Node) gone = view_announced(f->view, f->root);
	g_assert_true(gone == f->a);
	view_show(f->view, NULL, VIEW_CURRENT);
	g_assert_null(view_announced(f->view, f->root));
}

static void add(const char *path, void (*test)(Fixture *, gconstpointer))
{
	g_test_add(path, Fixture, NULL, set_up, test, tear_down);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	add("/view/who", test_who);
	add("/view/absent", test_absent);
	add("/view/gone", test_gone);
	add("/view/shown-again", test_shown_again);
	add("/view/announced", test_announced);
	return g_test_run();
}
