/* SPDX-License-Identifier: Apache-2.0 */
#include "route.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "control.h"
#include "entries.h"
#include "invalidate.h"
#include "loopback.h"

void route_init(Route *route, Tree *tree, Device *device, int clone_fd, const char *mountpoint,
		dev_t dev)
{
	*route = (Route){
	    .tree = tree,
	    .device = device,
	    .clone_fd = clone_fd,
	    .mountpoint = mountpoint,
	    .dev = dev,
	    .root_fd = -1,
	    .dir_fd = -1,
	    .hidden_fd = -1,
	};
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* FD if it is the directory NODEID of our mount, and not what somebody mounted
 * or created there since; else closes it. */
static int verified(const Route *route, int fd, guint64 nodeid)
{
	struct statx stx;

	if (fd < 0)
		return fd;
	/* Neither of the two ever changes, so the daemon need not be asked. */
	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO, &stx) == 0 &&
	    makedev(stx.stx_dev_major, stx.stx_dev_minor) == route->dev && stx.stx_ino == nodeid)
		return fd;
	close(fd);
	return -ESTALE;
}

static int open_root(Route *route)
{
	if (route->root_fd >= 0)
		return route->root_fd;
	if (route->clone_fd >= 0)
		return route->root_fd = route->clone_fd;

	if (!route->mountpoint)
		return -ENOTCONN;
	int fd = verified(route, loopback_open_dir(AT_FDCWD, route->mountpoint),
			  ENTRIES_ROOT_NODEID);
	if (fd >= 0)
		route->root_fd = fd;
	/* Whatever is there now, it is not ours. */
	return fd < 0 ? -ENOTCONN : fd;
}

int route_open_hidden(Route *route)
{
	int root_fd = open_root(route);

	if (root_fd < 0 || route->hidden_fd >= 0)
		return root_fd < 0 ? root_fd : route->hidden_fd;
	int fd = verified(route, loopback_open_dir(root_fd, CONTROL_INODE_DIR_PATH),
			  CONTROL_INODE_DIR_NODEID);
	if (fd >= 0)
		route->hidden_fd = fd;
	return fd;
}

gboolean route_is_linked(Route *route, const Node *dir)
{
	tree_read_lock(route->tree);
	gboolean linked = dir->linked;
	tree_read_unlock(route->tree);
	return linked;
}

static int open_by_path(Route *route, const Node *dir)
{
	g_autoptr(GString) path = g_string_new(NULL);
	for (const Node *n = dir; n->parent; n = n->parent) {
		g_string_prepend_c(path, '/');
		g_string_prepend_len(path, node_name(n), n->name_len);
	}
	int root_fd = open_root(route);
	return root_fd < 0 ? root_fd
			   : verified(route, loopback_open_dir(root_fd, path->str), dir->nodeid);
}

/* A directory to which no entry leads any more.  (One that has an entry must not
 * be opened so: the kernel knows one place for each directory, and would move it.) */
static int open_by_nodeid(Route *route, const Node *dir)
{
	char name[CONTROL_NODEID_NAME_SIZE];
	int hidden_fd = route_open_hidden(route);

	if (hidden_fd < 0)
		return hidden_fd;
	control_nodeid_name(dir->nodeid, name);
	int fd = verified(route, loopback_open_dir(hidden_fd, name), dir->nodeid);
	invalidate_entry(route->device, CONTROL_INODE_DIR_NODEID, name);
	return fd;
}

static int open_dir(Route *route, const Node *dir)
{
	if (!dir->parent)
		return open_root(route);

	int fd = -ESTALE;
	/* Between the look and the walk the directory may go: then look again. */
	for (int i = 0; i < 3 && fd < 0; i++)
		fd = route_is_linked(route, dir) ? open_by_path(route, dir)
						 : open_by_nodeid(route, dir);
	return fd;
}

static void forget_dir(Route *route)
{
	if (route->dir && route->dir->parent)
		close_fd(&route->dir_fd);
	route->dir_fd = -1;
	g_clear_pointer(&route->dir, node_unref);
}

int route_open(Route *route, Node *dir)
{
	if (route->dir == dir)
		return route->dir_fd;
	forget_dir(route);

	int fd = open_dir(route, dir);
	if (fd >= 0) {
		route->dir = node_ref(dir);
		route->dir_fd = fd;
	}
	return fd;
}

void route_rest(Route *route)
{
	forget_dir(route);
	close_fd(&route->hidden_fd);
	if (route->clone_fd < 0)
		close_fd(&route->root_fd);
	route->root_fd = -1;
}

void route_yield(Route *route)
{
	if (route->clone_fd < 0)
		route_rest(route);
}
