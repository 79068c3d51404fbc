/* SPDX-License-Identifier: Apache-2.0 */
/* seed.h - the paged range read, all pages at one revision.
 *
 * Says what to ask for next and judges what came; who calls does the asking.  A
 * page is judged in two steps, so that etcd can be at the next one while the keys of
 * this one are decoded: its outline says what follows, seed_check whether it was right.
 * The revision is that of the first page's header, unless it is pinned: from then
 * on it is in every request, and later headers, which tell of a store that has
 * moved on, are not looked at.
 */
#ifndef SEED_H
#define SEED_H

#include "range.h"
#include "response.h"
#include "wire.h"

typedef struct {
	const KeyRange *range; /* borrowed */
	gint64 pinned;	       /* the revision to read; 0: whichever is the newest */
	gint64 revision;       /* 0 before the first page, if it is not pinned */
	GByteArray *last;      /* last key so far; empty: none */
	GByteArray *before;    /* the same, before the last page */
	gint64 limit;	       /* keys to ask for next */
	gint64 longest;	       /* bytes of the longest key and value so far */
	gint64 limit_max;      /* never more, until a seed is done */
} Seed;

typedef enum {
	SEED_MORE,   /* ask again */
	SEED_DONE,   /* that was the last page */
	SEED_BROKEN, /* not an answer etcd gives: start over */
} SeedVerdict;

void seed_init(Seed *seed, const KeyRange *range, gint64 pinned);
void seed_clear(Seed *seed);

/* Forgets every page. */
void seed_restart(Seed *seed);

/* The page asked for did not come in time: later ones shall be smaller.  The
 * seed is lost; restart it. */
void seed_too_large(Seed *seed);

/* The request for the next page. */
GBytes *seed_request(const Seed *seed);

/* PAGE answered that request after ELAPSED_US. */
SeedVerdict seed_take(Seed *seed, const EtcdOutline *page, gint64 elapsed_us);

/* Whether the keys of the page taken last are some that etcd can give; if not, the
 * seed is lost. */
gboolean seed_check(const Seed *seed, const EtcdRange *page);

/* The key on PAGE that changed last; NULL: there is none. */
const KeyValue *seed_newest(const EtcdRange *page);

#endif
