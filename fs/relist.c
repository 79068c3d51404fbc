/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel keeps a listing in the pages of the directory, with the directory's
 * mtime and its count of changes as they were when the listing began.  Who begins at
 * the start finds that either is another, and the kernel asks again.
 *
 * The count goes up when the kernel is told to drop an entry that it has.  If it had
 * none of those that changed, it is made to look up one that cannot exist, and told
 * to drop that.  The mtime alone would not do: an update leaves it as it is.
 *
 * To drop the pages looks simpler, and does harm: when a listing was begun and is not
 * complete, the rest no longer fits to what is there, and the kernel never begins
 * anew.  It would ask for each listing as long as it knows the directory.
 */
#include "relist.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "invalidate.h"

/* Names.c gives a percent sign two hexadecimal digits, a tilde or nothing. */
#define NO_NAME "%none"

static gboolean count_change(Route *route, Node *dir)
{
	/* Nobody comes to list a directory that is gone; who is in it may. */
	int fd = route_is_linked(route, dir) ? route_open(route, dir) : -ESTALE;

	return fd >= 0 && faccessat(fd, NO_NAME, F_OK, AT_SYMLINK_NOFOLLOW) < 0 &&
	       errno == ENOENT && invalidate_entry(route->device, dir->nodeid, NO_NAME);
}

void relist(Route *route, Node *dir)
{
	if (!count_change(route, dir))
		invalidate_pages(route->device, dir->nodeid);
}
