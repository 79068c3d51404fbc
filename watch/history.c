/* SPDX-License-Identifier: Apache-2.0 */
#include "history.h"

#include <string.h>

void history_init(History *history)
{
	*history = (History){0};
	for (guint i = 0; i < G_N_ELEMENTS(history->anchors); i++) {
		history->anchors[i].key = g_byte_array_new();
		history->anchors[i].value = g_byte_array_new();
	}
}

void history_clear(History *history)
{
	for (guint i = 0; i < G_N_ELEMENTS(history->anchors); i++) {
		g_clear_pointer(&history->anchors[i].key, g_byte_array_unref);
		g_clear_pointer(&history->anchors[i].value, g_byte_array_unref);
	}
}

void history_forget_anchors(History *history)
{
	for (guint i = 0; i < G_N_ELEMENTS(history->anchors); i++)
		history->anchors[i].revision = 0;
}

void history_forget(History *history)
{
	history->seen = (EtcdHeader){0};
	history_forget_anchors(history);
}

void history_see(History *history, const EtcdHeader *header)
{
	history->seen = *header;
}

static void bytes_set(GByteArray *array, KvBytes bytes)
{
	g_byte_array_set_size(array, 0);
	g_byte_array_append(array, bytes.data, bytes.len);
}

static gboolean bytes_are(const GByteArray *array, KvBytes bytes)
{
	return array->len == bytes.len &&
	       (bytes.len == 0 || memcmp(array->data, bytes.data, bytes.len) == 0);
}

void history_anchor(History *history, const KeyValue *kv, KvEventType type)
{
	HistoryAnchor *anchor = &history->anchors[type];

	bytes_set(anchor->key, kv->key);
	bytes_set(anchor->value, kv->value);
	anchor->revision = kv->mod_revision;
	anchor->create_revision = kv->create_revision;
	anchor->version = kv->version;
	anchor->lease = kv->lease;
}

void history_anchor_batch(History *history, const KvBatch *batch)
{
	gboolean done[2] = {FALSE};

	for (gsize i = batch->n_events; i > 0 && !(done[KV_PUT] && done[KV_DELETE]); i--) {
		const KvEvent *event = &batch->events[i - 1];

		if (!done[event->type])
			history_anchor(history, &event->kv, event->type);
		done[event->type] = TRUE;
	}
}

const HistoryAnchor *history_first_anchor(const History *history)
{
	if (history->anchors[KV_PUT].revision != 0)
		return &history->anchors[KV_PUT];
	if (history->anchors[KV_DELETE].revision != 0)
		return &history->anchors[KV_DELETE];
	return NULL;
}

const HistoryAnchor *history_anchor_after(const History *history, const HistoryAnchor *anchor)
{
	const HistoryAnchor *deletion = &history->anchors[KV_DELETE];

	return deletion->revision > anchor->revision ? deletion : NULL;
}

gboolean history_anchor_holds(const History *history, const HistoryAnchor *anchor,
			      const KeyValue *kv)
{
	if (anchor == &history->anchors[KV_DELETE])
		return kv == NULL;
	return kv && kv->mod_revision == anchor->revision &&
	       kv->create_revision == anchor->create_revision && kv->version == anchor->version &&
	       kv->lease == anchor->lease && bytes_are(anchor->value, kv->value);
}

const char *history_fault(const History *history, const EtcdHeader *header, gint64 floor)
{
	if (history->seen.cluster_id != 0 && header->cluster_id != history->seen.cluster_id)
		return "another cluster answers";
	if (header->revision < floor)
		return "etcd's revision went back";
	/* terms never fall in one history, and a backup starts again at 1 */
	if (header->raft_term < history->seen.raft_term)
		return "etcd's raft term went back";
	return NULL;
}
