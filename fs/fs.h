/* SPDX-License-Identifier: Apache-2.0 */
/* fs.h - what all request handlers work on.
 */
#ifndef FS_H
#define FS_H

#include <string.h>

#include "ahead.h"
#include "attr.h"
#include "control.h"
#include "copies.h"
#include "inode.h"
#include "meters.h"
#include "tree.h"
#include "view.h"
#include "waiting.h"
#include "withheld.h"

/* How long the kernel may keep entries and attributes: for ever, since it is told
 * what changes; and not at all, where only a new lookup knows. */
#define FS_FOREVER 1e9
#define FS_NEVER 0.0

/* Everything is borrowed; nothing changes while requests are served but what is pointed to. */
typedef struct {
	Tree *tree;
	InodeTable *inodes;
	View *view;
	Control *control;
	Copies *copies;
	Meters *meters;
	const Withheld *withheld;
	Waiting *waiting;
	Ahead *ahead; /* NULL: nothing is given that was not asked for */
	AttrConfig attr;
	/* Of the nodeids: another mount's begin again, and the kernel must not take a file
	 * handle of one for the other's. */
	guint64 generation;
	/* Answer OPEN with ENOSYS once, and never see it again.  Only where the VFS
	 * itself refuses writers. */
	gboolean no_open;
} Fs;

/* FUSE's FORGET, of all that is known of what the kernel knows; also to undo an inode_lookup
 * whose reply it never took. */
static inline void fs_forget(const Fs *fs, guint64 nodeid, guint64 n_lookups)
{
	if (inode_forget(fs->inodes, nodeid, n_lookups))
		copies_forget(fs->copies, nodeid);
}

/* How long it may keep attributes. */
static inline double fs_attr_timeout(const Withheld *withheld)
{
	return withheld_is_on(withheld) ? FS_NEVER : FS_FOREVER;
}

/* How long the kernel may keep the entry NAME, where ANNOUNCED is of view_announced in
 * its directory. */
static inline double fs_entry_timeout(const Node *announced, const char *name)
{
	return announced && strcmp(node_name(announced), name) == 0 ? FS_NEVER : FS_FOREVER;
}

#endif
