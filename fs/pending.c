/* SPDX-License-Identifier: Apache-2.0 */
#include "pending.h"

/* The entry alone: a record on the stack with nothing else is a key (find). */
static guint record_hash(gconstpointer p)
{
	return node_entry_hash(((const PendingRecord *)p)->entry);
}

static gboolean record_equal(gconstpointer a, gconstpointer b)
{
	return node_entry_equal(((const PendingRecord *)a)->entry,
				((const PendingRecord *)b)->entry);
}

void pending_init(Pending *pending)
{
	pending->records = g_hash_table_new_full(record_hash, record_equal,
						 (GDestroyNotify)pending_record_free, NULL);
	g_queue_init(&pending->order);
	g_queue_init(&pending->stale);
}

void pending_clear(Pending *pending)
{
	/* The queues' links are in the records. */
	g_clear_pointer(&pending->records, g_hash_table_unref);
}

void pending_record_free(PendingRecord *record)
{
	if (!record)
		return;
	node_unref(record->entry);
	node_unref(record->told);
	node_unref(record->now);
	node_unref(record->went);
	g_free(record);
}

static PendingRecord *find(const Pending *pending, const Node *node)
{
	/* Mostly there are none, and then the name need not be hashed. */
	if (g_hash_table_size(pending->records) == 0)
		return NULL;
	PendingRecord probe = {.entry = (Node *)node};
	return g_hash_table_lookup(pending->records, &probe);
}

gboolean pending_has(const Pending *pending, const Node *node)
{
	return find(pending, node) != NULL;
}

static void set_stale(Pending *pending, PendingRecord *record)
{
	if (!record->stale)
		g_queue_push_tail_link(&pending->stale, &record->in_stale);
	record->stale = TRUE;
}

static Node *ref_or_null(Node *node)
{
	return node ? node_ref(node) : NULL;
}

static void replace_now(PendingRecord *record, Node *now)
{
	Node *before = record->now;
	record->now = ref_or_null(now);
	node_unref(before);
}

/* NODE came and goes untold. */
static void set_went(PendingRecord *record, Node *node)
{
	node_unref(record->went);
	record->went = node_ref(node);
}

void pending_push(Pending *pending, Node *old, Node *now, gboolean seen)
{
	Node *entry = old ? old : now;
	PendingRecord *record = find(pending, entry);

	if (record) {
		if (!record->told && record->now && seen)
			set_went(record, record->now);
		replace_now(record, now);
	} else {
		record = g_new0(PendingRecord, 1);
		record->entry = node_ref(entry);
		record->told = ref_or_null(old);
		record->told_seen = seen;
		record->since_us = pending->now_us;
		record->now = ref_or_null(now);
		record->in_order.data = record;
		record->in_stale.data = record;
		g_hash_table_add(pending->records, record);
		g_queue_push_tail_link(&pending->order, &record->in_order);
	}
	set_stale(pending, record);
}

GPtrArray *pending_take_stale(Pending *pending)
{
	if (g_queue_is_empty(&pending->stale))
		return NULL;

	GPtrArray *entries = g_ptr_array_new_full(g_queue_get_length(&pending->stale),
						  (GDestroyNotify)node_unref);
	GList *link;
	while ((link = g_queue_pop_head_link(&pending->stale))) {
		PendingRecord *record = link->data;
		record->stale = FALSE;
		g_ptr_array_add(entries, node_ref(record->entry));
	}
	return entries;
}

static PendingRecord *take(Pending *pending, GList *link)
{
	if (!link)
		return NULL;

	PendingRecord *record = link->data;
	g_queue_unlink(&pending->order, link);
	if (record->stale)
		g_queue_unlink(&pending->stale, &record->in_stale);
	g_hash_table_steal(pending->records, record);
	return record;
}

PendingRecord *pending_take(Pending *pending)
{
	return take(pending, pending->order.head);
}

static GList *find_in(const Pending *pending, guint64 nodeid)
{
	GList *link = pending->order.head;

	while (link && ((PendingRecord *)link->data)->entry->parent->nodeid != nodeid)
		link = link->next;
	return link;
}

gboolean pending_has_in(const Pending *pending, guint64 nodeid)
{
	return find_in(pending, nodeid) != NULL;
}

PendingRecord *pending_take_in(Pending *pending, guint64 nodeid)
{
	return take(pending, find_in(pending, nodeid));
}

void pending_give_back(Pending *pending, PendingRecord *record)
{
	PendingRecord *newer = find(pending, record->entry);

	if (newer) {
		if (!record->told && newer->told && newer->told_seen)
			set_went(newer, newer->told);
		node_unref(newer->told);
		newer->told = g_steal_pointer(&record->told);
		newer->since_us = MIN(newer->since_us, record->since_us);
	}
	pending_record_free(record);
}
