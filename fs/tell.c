/* SPDX-License-Identifier: Apache-2.0 */
/* What is told, and to whom.
 *
 *   told      now                    steps
 *   nothing   file                   create, modify
 *   nothing   directory              mkdir
 *   file      file of the same key   modify
 *   file, directory    nothing       unlink, rmdir
 *   anything else that differs       as if it went and came
 *
 * A step on the entry is made only where the kernel knows the directory: else
 * nobody watches it.  A modification is then told to each older inode of the key
 * that the kernel still knows, a deletion likewise, through .etcdfs/inode; if there
 * are many, to most of them later (backlog.h).
 *
 * Races.  The tree goes on changing meanwhile, and everybody looks names up.
 *  - A creation finds that the kernel has the entry (EEXIST: somebody looked the
 *    new name up since it was invalidated), or a removal that the kernel knows already
 *    that nothing is there, or has a newer node: invalidate, and try again.  What
 *    others are told of the name meanwhile the kernel does not keep (view.h), and the
 *    invalidation waits for what they were told before.
 *  - What came or was modified is not there any more, or is of another kind
 *    (ENOENT, EISDIR...): a newer record says so, and takes over.
 */
#include "tell.h"

#include <errno.h>

#include "control.h"
#include "invalidate.h"
#include "loopback.h"

/* The second cannot be lost: see above. */
#define TELL_ATTEMPTS 8

/* With the newer ones' 0.1 ms each nobody notices; of thousands everybody would. */
#define TELL_OLDER_AT_ONCE 16

typedef int (*Recipe)(int dir_fd, const char *name);

/* Whether the kernel holds what somebody else looked up: a node where we announce
 * that there is none; or none (ENOENT), a newer one (view.h: EBUSY) or one of the
 * other kind (EISDIR, ENOTDIR) where we announce the end of one. */
static gboolean is_lost_race(int r, ViewShow show)
{
	return r == -EEXIST || r == -EBUSY || r == -ESTALE ||
	       (show == VIEW_GONE && (r == -ENOENT || r == -EISDIR || r == -ENOTDIR));
}

/* Makes a step under which the kernel must not hold a node of its own. */
static int step_on_entry(Teller *teller, Node *node, ViewShow show, Recipe recipe)
{
	int fd = route_open(&teller->route, node->parent);
	int r = fd;

	for (int i = 0; i < TELL_ATTEMPTS && fd >= 0; i++) {
		view_show(teller->view, node, show);
		r = recipe(fd, node_name(node));
		if (!is_lost_race(r, show))
			break;
		invalidate_entry(teller->route.device, node->parent->nodeid, node_name(node));
	}
	view_show(teller->view, NULL, VIEW_CURRENT);
	return r < 0 ? r : 0;
}

static int modify_entry(Teller *teller, Node *node)
{
	int fd = route_open(&teller->route, node->parent);
	return fd < 0 ? fd : loopback_modify(fd, node_name(node));
}

static void step_on_older(Teller *teller, const Node *node, Recipe recipe)
{
	char name[CONTROL_NODEID_NAME_SIZE];
	int fd = route_open_hidden(&teller->route);

	if (fd < 0)
		return;
	control_nodeid_name(node->nodeid, name);
	int r = recipe(fd, name);
	if (r < 0 && r != -ENOENT)
		g_debug("older inode %s: %s", name, g_strerror(-r));
	/* Else the kernel keeps the name, and with it the inode. */
	invalidate_entry(teller->route.device, CONTROL_INODE_DIR_NODEID, name);
}

static void tell_older(Teller *teller, Node *node)
{
	gboolean key_lives;

	if (!inode_is_older(teller->inodes, node, &key_lives))
		return;
	if (key_lives) {
		step_on_older(teller, node, loopback_modify);
	} else {
		step_on_older(teller, node,
			      node->kind == NODE_DIR ? loopback_rmdir : loopback_unlink);
		inode_unlinked(teller->inodes, node);
	}
}

static void tell_all_older(Teller *teller, const Node *entry, gboolean key_lives)
{
	g_autoptr(GPtrArray) older = inode_older(teller->inodes, entry, key_lives);

	for (guint i = 0; i < older->len; i++) {
		if (i < TELL_OLDER_AT_ONCE)
			tell_older(teller, older->pdata[i]);
		else
			backlog_push(&teller->backlog, older->pdata[i]);
	}
}

void tell_later(Teller *teller)
{
	g_autoptr(Node) node = backlog_pop(&teller->backlog);
	if (node)
		tell_older(teller, node);
}

/* Whether anybody may watch the directory in which NODE is.  The end of a
 * directory ends the watches on it. */
static gboolean is_watched(Teller *teller, const Node *node)
{
	return inode_is_known(teller->inodes, node->parent) &&
	       !inode_is_unlinked(teller->inodes, node->parent);
}

/* Watches on TOLD itself outlive what the kernel knows of the directory, as soon as
 * that one's own entry is gone.  Who is not told here is told as an older inode. */
static int tell_gone(Teller *teller, Node *told)
{
	if (!is_watched(teller, told))
		return 0;
	int r = step_on_entry(teller, told, VIEW_GONE,
			      told->kind == NODE_DIR ? loopback_rmdir : loopback_unlink);
	if (r == 0)
		inode_unlinked(teller->inodes, told);
	/* Nothing can be removed from a directory whose own end was told. */
	if (r == -ENOENT && !route_is_linked(&teller->route, told->parent))
		r = 0;
	return r;
}

static int tell_modified(Teller *teller, Node *now)
{
	int r = is_watched(teller, now) ? modify_entry(teller, now) : 0;
	if (r == 0)
		tell_all_older(teller, now, TRUE);
	return r;
}

static int tell_came(Teller *teller, Node *now)
{
	if (!is_watched(teller, now))
		return 0;
	int r = step_on_entry(teller, now, VIEW_ABSENT,
			      now->kind == NODE_DIR ? loopback_mkdir : loopback_create);
	return r == -EEXIST ? 0 : r;
}

static void believe(PendingRecord *record, Node *node)
{
	Node *before = record->told;
	record->told = node ? node_ref(node) : NULL;
	node_unref(before);
}

static int tell_new(Teller *teller, PendingRecord *record)
{
	Node *now = record->now;

	believe(record, NULL);
	int r = tell_came(teller, now);
	if (r < 0 || now->kind == NODE_DIR)
		return r;
	believe(record, now);
	return tell_modified(teller, now);
}

int tell(Teller *teller, PendingRecord *record)
{
	Node *now = record->now;
	/* What watchers know to be there; or, if that is nothing, what they may have met. */
	Node *gone = record->told ? record->told : now ? NULL : record->went;

	if (record->told && now && node_same_key(record->told, now)) {
		/* it may have gone and come back in between */
		tell_all_older(teller, record->entry, FALSE);
		return tell_modified(teller, now);
	}
	int r = gone ? tell_gone(teller, gone) : 0;
	/* Also those that came and went without a word, but not unseen. */
	tell_all_older(teller, record->entry, FALSE);
	int came = now ? tell_new(teller, record) : 0;
	return r < 0 ? r : came;
}
