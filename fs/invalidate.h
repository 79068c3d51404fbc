/* SPDX-License-Identifier: Apache-2.0 */
/* invalidate.h - makes the kernel forget what is no longer true.
 *
 * The kernel takes the lock of the directory concerned, and waits for a request
 * that holds it: call these with no lock held, never from a request handler.
 * That the kernel knew nothing of the entry is normal and no error.
 */
#ifndef INVALIDATE_H
#define INVALIDATE_H

#include "device.h"
#include "inode.h"

/* Drops the kernel's entry NAME in the directory PARENT (nodeid).  TRUE: it had one,
 * and takes what it has kept of the directory's listing for outdated. */
gboolean invalidate_entry(Device *device, guint64 parent, const char *name);

/* ENTRIES: nodes whose parent and name say which entries changed.  Drops those
 * entries, and the attributes of their directories, wherever the kernel knows the
 * directory.  Returns the directories whose listing, which somebody has asked for,
 * the kernel may go on using (relist.h). */
GPtrArray *invalidate_entries(Device *device, InodeTable *inodes, const GPtrArray *entries);

/* Drops the pages of a file or, of a directory, those of its listing. */
void invalidate_pages(Device *device, guint64 nodeid);

#endif
