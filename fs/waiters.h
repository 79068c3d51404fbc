/* SPDX-License-Identifier: Apache-2.0 */
/* waiters.h - who waits for what.
 *
 * Pure data: whoever owns it guards it.  What is not reached yet costs nothing at a new
 * revision, however many wait for it: they are sorted.
 */
#ifndef WAITERS_H
#define WAITERS_H

#include <glib.h>

typedef enum {
	WAIT_REVISION, /* until that revision, or a later one, shows */
	WAIT_LIVE,     /* until every change arrives */
	WAIT_CHANGE,   /* until anything is otherwise than it was at that tick */
} WaitKind;

typedef struct {
	WaitKind kind;
	guint64 number; /* the revision, at most G_MAXINT64, or the tick */
} Wait;

/* What is waited for. */
typedef struct {
	gint64 shown;
	guint64 tick; /* above 0; goes up when one of the others changes */
	gboolean live;
} WaitFacts;

typedef struct {
	GHashTable *all;      /* the waiter, whatever it is -> its place in a sequence */
	GSequence *revisions; /* the least first */
	GSequence *lives;
	GSequence *changes;
} Waiters;

void waiters_init(Waiters *waiters);
void waiters_clear(Waiters *waiters);

/* WAITER, not NULL, is not there yet. */
void waiters_add(Waiters *waiters, gpointer waiter, const Wait *wait);

/* FALSE: it was not there. */
gboolean waiters_remove(Waiters *waiters, gpointer waiter);

gboolean waiters_is_due(const Wait *wait, const WaitFacts *facts);

/* Removes one whose wait is over, and returns it; NULL: there is none. */
gpointer waiters_take_due(Waiters *waiters, const WaitFacts *facts);

/* The same of any; NULL: there is none. */
gpointer waiters_take(Waiters *waiters);

/* The least revision waited for; G_MAXINT64: none. */
gint64 waiters_least(const Waiters *waiters);

guint waiters_count(const Waiters *waiters);
gboolean waiters_has_changes(const Waiters *waiters);

#endif
