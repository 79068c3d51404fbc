/* SPDX-License-Identifier: Apache-2.0 */
/* view.h - what the announcer alone sees, and what it alone may do.
 *
 * The announcer acts on the mount like any program, and the daemon knows it by
 * its thread id.  One announcement is under way at a time, so one entry is shown
 * to it differently: as missing while its creation is announced, as the node
 * that is gone while its deletion is.  A change that the kernel then asks for is
 * allowed only if it is that one.
 *
 * The view has a lock of its own, which nests inside no other and in which no
 * other is taken.
 */
#ifndef VIEW_H
#define VIEW_H

#include <sys/types.h>

#include "node.h"

typedef struct View View;

typedef enum {
	VIEW_CURRENT, /* what everybody sees */
	VIEW_ABSENT,  /* nothing: it is about to be created */
	VIEW_GONE,    /* the node that is gone: it is about to be deleted */
} ViewShow;

View *view_new(void);
void view_free(View *view);

/* --- The announcer's thread --- */

/* The calling thread is the announcer from now on; view_leave ends that. */
void view_enter(View *view);
void view_leave(View *view);

/* Shows the entry of NODE (parent and name) as SHOW until the next call; with
 * VIEW_GONE, NODE is what is shown.  With VIEW_CURRENT, NODE is the entry that
 * may be modified. */
void view_show(View *view, Node *node, ViewShow show);

/* --- Request threads --- */

/* Whether the thread PID, as the request names it, is the announcer. */
gboolean view_is_announcer(View *view, pid_t pid);

/* How the announcer is to see NAME in PARENT; with VIEW_GONE, *ret_gone is the
 * node, a reference for the caller. */
ViewShow view_lookup(View *view, const Node *parent, const char *name, Node **ret_gone);

/* The node whose entry in PARENT the announcer sees otherwise just now, a reference for
 * the caller; NULL if there is none.  What others are told of that name the kernel must
 * not keep: it would be in the announcer's way. */
Node *view_announced(View *view, const Node *parent);

/* The kernel asks, for the announcer, to create NAME in PARENT, or to remove it.
 * TRUE: that is what is being announced.  A removal is allowed only right after
 * the node that is gone was looked up: else the kernel holds a newer node under
 * this name, and would mark that one as deleted. */
gboolean view_may_create(View *view, const Node *parent, const char *name);
gboolean view_may_remove(View *view, const Node *parent, const char *name);

#endif
