/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel keeps what it is told of a directory's entries, so that it need not ask for
 * the next listing.  Such a copy is begun by whoever lists from the start, and goes on with
 * the answer to whoever asks for what comes after its end, be it somebody else, and be it
 * long after: there may have been changes in between.  It is used once it is complete, that
 * is when at its end we say that nothing follows.
 *
 * Who begins a listing compares the copy with the directory's mtime and count of changes.
 * Who is in the middle of one does not: he looks for his offset in whatever copy is complete
 * by then.  So a copy that was begun before a change, and is completed after it, would show
 * what is gone to a reader who began after the change.
 *
 * Hence each listing is of an epoch, which its offsets tell (listing.c), and a change begins
 * a new one.  Offsets of one epoch are in no copy of another: who began after the change
 * neither finds his own in the older copy, nor goes on with it.
 *
 * But an older copy that nobody completes is in the kernel's way: it makes no other before,
 * and only one who begins finds then that it is outdated.  So once nobody has asked for
 * anything in its epoch for a while, the next to list the directory does so in that epoch,
 * alone.  What of the copy is old he does not see: as long as it is not complete, all that he
 * is told is from us.
 *
 * Whether a copy can be completed depends on its size (listing.c), so that is counted as the
 * kernel does: an entry goes into the copy if what is before it is the copy's end.  A reader
 * whose memory holds less than an answer leaves the rest of it out; but then he asks again.
 */
#include "copies.h"

/* Between two questions of a listing there are microseconds, and what its reader does with
 * the names. */
#define PAUSE_US (3 * G_TIME_SPAN_SECOND)

typedef struct {
	guint64 dir; /* the key */
	CopyExtent extent;
	gint64 asked_us; /* when somebody asked in its epoch */
	guint8 epoch;
} Copy;

struct Copies {
	GMutex lock;	   /* guards what follows */
	GHashTable *begun; /* a set of Copy, owned, by dir; none is empty */
};

Copies *copies_new(void)
{
	Copies *copies = g_new0(Copies, 1);

	g_mutex_init(&copies->lock);
	copies->begun = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
	return copies;
}

void copies_free(Copies *copies)
{
	if (!copies)
		return;
	g_hash_table_unref(copies->begun);
	g_mutex_clear(&copies->lock);
	g_free(copies);
}

static Copy *find_locked(Copies *copies, guint64 dir)
{
	return g_hash_table_lookup(copies->begun, &dir);
}

guint8 copies_begin(Copies *copies, guint64 dir, guint8 now, gint64 now_us)
{
	guint8 epoch = now;

	g_mutex_lock(&copies->lock);
	Copy *copy = find_locked(copies, dir);
	if (copy && now_us - copy->asked_us >= PAUSE_US)
		epoch = copy->epoch;
	if (copy && epoch == copy->epoch)
		copy->asked_us = now_us;
	g_mutex_unlock(&copies->lock);
	return epoch;
}

gboolean copies_find(Copies *copies, guint64 dir, guint8 epoch, gint64 now_us,
		     CopyExtent *ret_extent)
{
	g_mutex_lock(&copies->lock);
	Copy *copy = find_locked(copies, dir);
	gboolean found = !copy || copy->epoch == epoch;
	if (found)
		*ret_extent = copy ? copy->extent : (CopyExtent){0, 0};
	if (found && copy)
		copy->asked_us = now_us;
	g_mutex_unlock(&copies->lock);
	return found;
}

void copies_extend(Copies *copies, guint64 dir, guint8 epoch, CopyExtent from, CopyExtent to,
		   gint64 now_us)
{
	g_mutex_lock(&copies->lock);
	Copy *copy = find_locked(copies, dir);
	if (!copy && from.end == 0) {
		copy = g_new0(Copy, 1);
		*copy = (Copy){.dir = dir, .epoch = epoch, .asked_us = now_us};
		g_hash_table_add(copies->begun, copy);
	}
	if (copy && copy->epoch == epoch && copy->extent.end == from.end)
		copy->extent = to;
	g_mutex_unlock(&copies->lock);
}

void copies_forget(Copies *copies, guint64 dir)
{
	g_mutex_lock(&copies->lock);
	g_hash_table_remove(copies->begun, &dir);
	g_mutex_unlock(&copies->lock);
}
