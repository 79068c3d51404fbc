/* SPDX-License-Identifier: Apache-2.0 */
#include "view.h"

#include <string.h>
#include <unistd.h>

struct View {
	GMutex lock;	 /* guards all that follows */
	pid_t announcer; /* 0: none */
	ViewShow show;
	Node *node; /* owned; NULL: nothing is being announced */
	gboolean gone_was_shown;
};

View *view_new(void)
{
	View *view = g_new0(View, 1);
	g_mutex_init(&view->lock);
	return view;
}

void view_free(View *view)
{
	if (!view)
		return;
	node_unref(view->node);
	g_mutex_clear(&view->lock);
	g_free(view);
}

void view_enter(View *view)
{
	g_mutex_lock(&view->lock);
	view->announcer = gettid();
	g_mutex_unlock(&view->lock);
}

void view_leave(View *view)
{
	g_mutex_lock(&view->lock);
	view->announcer = 0;
	g_mutex_unlock(&view->lock);
}

void view_show(View *view, Node *node, ViewShow show)
{
	g_mutex_lock(&view->lock);
	Node *before = view->node;
	view->node = node ? node_ref(node) : NULL;
	view->show = show;
	view->gone_was_shown = FALSE;
	g_mutex_unlock(&view->lock);
	node_unref(before);
}

gboolean view_is_announcer(View *view, pid_t pid)
{
	g_mutex_lock(&view->lock);
	/* A process that our pid namespace does not see has 0. */
	gboolean is = pid != 0 && pid == view->announcer;
	g_mutex_unlock(&view->lock);
	return is;
}

static gboolean shows_locked(const View *view, const Node *parent, const char *name, ViewShow show)
{
	return view->node && view->show == show && view->node->parent == parent &&
	       strcmp(node_name(view->node), name) == 0;
}

ViewShow view_lookup(View *view, const Node *parent, const char *name, Node **ret_gone)
{
	ViewShow show = VIEW_CURRENT;

	g_mutex_lock(&view->lock);
	if (shows_locked(view, parent, name, VIEW_ABSENT)) {
		show = VIEW_ABSENT;
	} else if (shows_locked(view, parent, name, VIEW_GONE)) {
		show = VIEW_GONE;
		*ret_gone = node_ref(view->node);
		view->gone_was_shown = TRUE;
	}
	g_mutex_unlock(&view->lock);
	return show;
}

Node *view_announced(View *view, const Node *parent)
{
	Node *node = NULL;

	g_mutex_lock(&view->lock);
	if (view->node && view->show != VIEW_CURRENT && view->node->parent == parent)
		node = node_ref(view->node);
	g_mutex_unlock(&view->lock);
	return node;
}

gboolean view_may_create(View *view, const Node *parent, const char *name)
{
	g_mutex_lock(&view->lock);
	gboolean may = shows_locked(view, parent, name, VIEW_ABSENT);
	if (may)
		view->show = VIEW_CURRENT;
	g_mutex_unlock(&view->lock);
	return may;
}

gboolean view_may_remove(View *view, const Node *parent, const char *name)
{
	g_mutex_lock(&view->lock);
	gboolean may = shows_locked(view, parent, name, VIEW_GONE) && view->gone_was_shown;
	if (may)
		view->show = VIEW_CURRENT;
	g_mutex_unlock(&view->lock);
	return may;
}
