/* SPDX-License-Identifier: Apache-2.0 */
#include "fragment.h"

#define BYTES_BLOCK (64 * 1024)

void fragment_init(Fragment *fragment)
{
	fragment->events = g_array_new(FALSE, FALSE, sizeof(KvEvent));
	fragment->bytes = NULL;
}

void fragment_clear(Fragment *fragment)
{
	g_clear_pointer(&fragment->events, g_array_unref);
	g_clear_pointer(&fragment->bytes, g_string_chunk_free);
}

void fragment_reset(Fragment *fragment)
{
	if (!fragment->bytes)
		return;
	fragment_clear(fragment);
	fragment_init(fragment);
}

void fragment_move(Fragment *fragment, Fragment *to)
{
	fragment_clear(to);
	*to = *fragment;
	fragment_init(fragment);
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

void fragment_append(Fragment *fragment, const KvEvent *events, gsize n_events)
{
	if (!fragment->bytes)
		fragment->bytes = g_string_chunk_new(BYTES_BLOCK);
	for (gsize i = 0; i < n_events; i++) {
		KvEvent event = events[i];

		event.kv.key = bytes_copy(fragment->bytes, event.kv.key);
		event.kv.value = bytes_copy(fragment->bytes, event.kv.value);
		g_array_append_val(fragment->events, event);
	}
}

KvBatch fragment_batch(const Fragment *fragment)
{
	const KvEvent *events = (const KvEvent *)(gpointer)fragment->events->data;
	gsize n_events = fragment->events->len;

	if (n_events == 0)
		return (KvBatch){0};
	return (KvBatch){events[0].kv.mod_revision, events, n_events};
}
