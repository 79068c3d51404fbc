/* SPDX-License-Identifier: Apache-2.0 */
/* listing.h - the entries of a directory, as FUSE wants them.
 *
 * An entry's offset is given when it is made and never changes or returns, and the kernel is
 * given it together with the epoch of the listing (copies.c).  So a
 * listing goes on correctly while entries come and go: what is there throughout
 * is listed exactly once.
 */
#ifndef LISTING_H
#define LISTING_H

#include <fuse_lowlevel.h>

#include "fs.h"

typedef struct {
	char *buf;	   /* owned */
	gsize len;	   /* bytes of it that are filled */
	GArray *looked_up; /* owned: guint64 nodeids whose lookup count went up */
} Listing;

/* Fills a listing of at most SIZE bytes with what comes after OFF, which is 0 or of an entry
 * that the kernel was given, in DIR; with PLUS each entry is a lookup as well.  Takes the tree
 * lock.  FALSE: they are withheld. */
gboolean listing_init(Listing *listing, const Fs *fs, fuse_req_t req, Node *dir, gsize size,
		      guint64 off, gboolean plus);

/* The kernel did not take the listing: undoes the lookups. */
void listing_undo(Listing *listing, const Fs *fs);

void listing_clear(Listing *listing);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Listing, listing_clear)

#endif
