/* SPDX-License-Identifier: Apache-2.0 */
/* tell.h - carries out one announcement.
 *
 * The announcer's thread only; calls out to the kernel, so no lock may be held.
 */
#ifndef TELL_H
#define TELL_H

#include "backlog.h"
#include "pending.h"
#include "route.h"
#include "view.h"

typedef struct {
	InodeTable *inodes;
	View *view;
	Route route;
	Backlog backlog;
} Teller;

/* Raises the events by which RECORD's entry turns from what was told into what is
 * now, on its directory, its inode, and the older inodes of the key.  A negative
 * errno: it could not, most often because the entry changed again; record->told
 * is then what watchers believe by now. */
int tell(Teller *teller, PendingRecord *record);

/* Tells one of the older inodes that were left for later, if there is one. */
void tell_later(Teller *teller);

#endif
