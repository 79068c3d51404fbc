/* SPDX-License-Identifier: Apache-2.0 */
#include "revisions.h"

#define BYTES_BLOCK (64 * 1024)

static void part_init(RevisionsPart *part)
{
	part->events = g_array_new(FALSE, FALSE, sizeof(KvEvent));
	part->bytes = NULL;
}

static void part_clear(RevisionsPart *part)
{
	g_clear_pointer(&part->events, g_array_unref);
	g_clear_pointer(&part->bytes, g_string_chunk_free);
}

static void part_reset(RevisionsPart *part)
{
	if (!part->bytes)
		return;
	part_clear(part);
	part_init(part);
}

static KvBytes bytes_copy(GStringChunk *chunk, KvBytes bytes)
{
	if (bytes.len == 0)
		return bytes;
	return (KvBytes){
	    (const guint8 *)g_string_chunk_insert_len(chunk, (const char *)bytes.data, bytes.len),
	    bytes.len,
	};
}

static void part_append(RevisionsPart *part, const KvEvent *events, gsize n_events)
{
	if (!part->bytes)
		part->bytes = g_string_chunk_new(BYTES_BLOCK);
	for (gsize i = 0; i < n_events; i++) {
		KvEvent event = events[i];

		event.kv.key = bytes_copy(part->bytes, event.kv.key);
		event.kv.value = bytes_copy(part->bytes, event.kv.value);
		g_array_append_val(part->events, event);
	}
}

static KvBatch part_batch(const RevisionsPart *part)
{
	const KvEvent *events = (const KvEvent *)(gpointer)part->events->data;

	return (KvBatch){events[0].kv.mod_revision, events, part->events->len};
}

void revisions_init(Revisions *revisions)
{
	part_init(&revisions->kept);
	part_init(&revisions->out);
}

void revisions_clear(Revisions *revisions)
{
	part_clear(&revisions->kept);
	part_clear(&revisions->out);
}

void revisions_drop(Revisions *revisions)
{
	part_reset(&revisions->kept);
}

void revisions_begin(Revisions *revisions)
{
	part_reset(&revisions->out);
}

gboolean revisions_unfinished(const Revisions *revisions)
{
	return revisions->kept.events->len > 0;
}

static gsize same_revision(const EtcdWatch *response, gsize from, gint64 revision)
{
	gsize i = from;

	while (i < response->n_events && response->events[i].kv.mod_revision == revision)
		i++;
	return i - from;
}

static gboolean goes_on(const EtcdWatch *response, gsize at)
{
	return response->fragment && at == response->n_events;
}

/* What is kept is whole when something else follows it. */
static gboolean finish_kept(Revisions *revisions, const EtcdWatch *response, gsize *at,
			    KvBatch *ret)
{
	gsize n = same_revision(response, *at, part_batch(&revisions->kept).revision);

	part_append(&revisions->kept, &response->events[*at], n);
	*at += n;
	if (goes_on(response, *at))
		return FALSE;
	part_clear(&revisions->out);
	revisions->out = revisions->kept;
	part_init(&revisions->kept);
	*ret = part_batch(&revisions->out);
	return TRUE;
}

gboolean revisions_next(Revisions *revisions, const EtcdWatch *response, gsize *at, KvBatch *ret)
{
	const KvEvent *events = &response->events[*at];
	gsize n;

	if (revisions_unfinished(revisions))
		return finish_kept(revisions, response, at, ret);
	if (*at == response->n_events)
		return FALSE;
	n = same_revision(response, *at, events->kv.mod_revision);
	*at += n;
	if (goes_on(response, *at)) {
		part_append(&revisions->kept, events, n);
		return FALSE;
	}
	*ret = (KvBatch){events->kv.mod_revision, events, n};
	return TRUE;
}
