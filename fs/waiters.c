/* SPDX-License-Identifier: Apache-2.0 */
#include "waiters.h"

typedef struct {
	gpointer waiter;
	Wait wait;
} Place;

void waiters_init(Waiters *waiters)
{
	waiters->all = g_hash_table_new(NULL, NULL);
	waiters->revisions = g_sequence_new(g_free);
	waiters->lives = g_sequence_new(g_free);
	waiters->changes = g_sequence_new(g_free);
}

void waiters_clear(Waiters *waiters)
{
	g_clear_pointer(&waiters->all, g_hash_table_unref);
	g_clear_pointer(&waiters->revisions, g_sequence_free);
	g_clear_pointer(&waiters->lives, g_sequence_free);
	g_clear_pointer(&waiters->changes, g_sequence_free);
}

static gint compare(gconstpointer a, gconstpointer b, gpointer data)
{
	guint64 left = ((const Place *)a)->wait.number, right = ((const Place *)b)->wait.number;
	return (left > right) - (left < right);
}

static GSequence *sequence_of(Waiters *waiters, WaitKind kind)
{
	if (kind == WAIT_REVISION)
		return waiters->revisions;
	return kind == WAIT_LIVE ? waiters->lives : waiters->changes;
}

void waiters_add(Waiters *waiters, gpointer waiter, const Wait *wait)
{
	GSequence *sequence = sequence_of(waiters, wait->kind);
	Place *place = g_new(Place, 1);

	*place = (Place){waiter, *wait};
	g_hash_table_insert(waiters->all, waiter,
			    g_sequence_insert_sorted(sequence, place, compare, NULL));
}

gboolean waiters_remove(Waiters *waiters, gpointer waiter)
{
	GSequenceIter *at = g_hash_table_lookup(waiters->all, waiter);

	if (!at)
		return FALSE;
	g_sequence_remove(at);
	g_hash_table_remove(waiters->all, waiter);
	return TRUE;
}

gboolean waiters_is_due(const Wait *wait, const WaitFacts *facts)
{
	switch (wait->kind) {
	case WAIT_REVISION:
		return facts->shown >= 0 && (guint64)facts->shown >= wait->number;
	case WAIT_LIVE:
		return facts->live;
	default:
		return facts->tick != wait->number;
	}
}

static const Place *first_of(GSequence *sequence)
{
	GSequenceIter *first = g_sequence_get_begin_iter(sequence);
	return g_sequence_iter_is_end(first) ? NULL : g_sequence_get(first);
}

/* Of those that wait for a change only one tick is the present one: who waits for
 * another is answered before he is added. */
gpointer waiters_take_due(Waiters *waiters, const WaitFacts *facts)
{
	GSequence *sequences[] = {waiters->revisions, waiters->lives, waiters->changes};

	for (gsize i = 0; i < G_N_ELEMENTS(sequences); i++) {
		const Place *first = first_of(sequences[i]);
		if (!first || !waiters_is_due(&first->wait, facts))
			continue;
		gpointer waiter = first->waiter;
		waiters_remove(waiters, waiter);
		return waiter;
	}
	return NULL;
}

gpointer waiters_take(Waiters *waiters)
{
	GSequence *sequences[] = {waiters->revisions, waiters->lives, waiters->changes};

	for (gsize i = 0; i < G_N_ELEMENTS(sequences); i++) {
		const Place *first = first_of(sequences[i]);
		if (!first)
			continue;
		gpointer waiter = first->waiter;
		waiters_remove(waiters, waiter);
		return waiter;
	}
	return NULL;
}

gint64 waiters_least(const Waiters *waiters)
{
	const Place *first = first_of(waiters->revisions);
	return first ? (gint64)first->wait.number : G_MAXINT64;
}

guint waiters_count(const Waiters *waiters)
{
	return g_hash_table_size(waiters->all);
}

gboolean waiters_has_changes(const Waiters *waiters)
{
	return !g_sequence_is_empty(waiters->changes);
}
