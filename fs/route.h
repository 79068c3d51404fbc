/* SPDX-License-Identifier: Apache-2.0 */
/* route.h - how the announcer gets to a directory of its own mount.
 *
 * Privileged, through a detached clone of the mount, which nobody else sees and
 * which does not keep the visible mount from being unmounted.  Else through the
 * mount point; then no descriptor is held while there is nothing to announce.
 *
 * The announcer's thread only; calls out to the kernel, so no lock may be held.
 */
#ifndef ROUTE_H
#define ROUTE_H

#include <sys/types.h>

#include "device.h"
#include "inode.h"
#include "tree.h"

typedef struct {
	/* Given. */
	Tree *tree;
	Device *device;
	int clone_fd;		/* of the clone's root, or -1 */
	const char *mountpoint; /* used where there is no clone; NULL: no way in */
	dev_t dev;		/* of the mount: nothing else is ever acted on */

	/* Of route.c. */
	int root_fd;   /* clone_fd, or the mount point while announcing; or -1 */
	Node *dir;     /* owned: the directory last opened */
	int dir_fd;    /* its descriptor, or -1 */
	int hidden_fd; /* .etcdfs/inode, or -1 */
} Route;

void route_init(Route *route, Tree *tree, Device *device, int clone_fd, const char *mountpoint,
		dev_t dev);

/* A descriptor of the directory DIR, whether an entry still leads to it or not;
 * borrowed until the next call.  Negative errno: it cannot be reached now. */
int route_open(Route *route, Node *dir);

/* A descriptor of the directory in which every known inode has its nodeid as its
 * name; borrowed until route_rest. */
int route_open_hidden(Route *route);

/* Whether an entry leads to the directory.  Takes the tree lock. */
gboolean route_is_linked(Route *route, const Node *dir);

/* Nothing to announce: holds nothing. */
void route_rest(Route *route);

/* Between two announcements: holds nothing on the visible mount, so that somebody
 * who unmounts it has a chance. */
void route_yield(Route *route);

#endif
