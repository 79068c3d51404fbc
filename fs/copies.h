/* SPDX-License-Identifier: Apache-2.0 */
/* copies.h - the listings that the kernel has begun to copy, and not completed.
 *
 * Directories are nodeids, offsets readdir's.  Any thread; a lock of its own, in which no
 * other is taken.
 */
#ifndef COPIES_H
#define COPIES_H

#include <glib.h>

typedef struct Copies Copies;

Copies *copies_new(void);
void copies_free(Copies *copies);

/* Somebody begins to list DIR, whose epoch is NOW (node_epoch); NOW_US is of the monotonic
 * clock.  Returns the epoch of his listing. */
guint8 copies_begin(Copies *copies, guint64 dir, guint8 now, gint64 now_us);

/* How far a copy goes. */
typedef struct {
	guint64 end;   /* the offset of its last entry; 0: it has none */
	guint64 bytes; /* that the kernel keeps it in */
} CopyExtent;

/* Somebody whose listing is of EPOCH goes on.  FALSE: no copy is of this epoch; else its
 * extent.  Nothing but the first entries makes one, so where there is none at all it is
 * there, and empty. */
gboolean copies_find(Copies *copies, guint64 dir, guint8 epoch, gint64 now_us,
		     CopyExtent *ret_extent);

/* The kernel is given what makes FROM, of copies_find, become TO.  Nothing is done if
 * somebody else was first. */
void copies_extend(Copies *copies, guint64 dir, guint8 epoch, CopyExtent from, CopyExtent to,
		   gint64 now_us);

/* The copy is complete, or gone with what the kernel knew of the directory. */
void copies_forget(Copies *copies, guint64 dir);

#endif
