/* SPDX-License-Identifier: Apache-2.0 */
#include "diff.h"

#include <string.h>

#define BYTES_AT_ONCE (64 * 1024)

struct Diff {
	Tree *tree;
	guint32 seed;	  /* number of this seed; marks the nodes that it has */
	guint64 n_marked; /* nodes that have its mark */
	/* NULL while no seed is under way: they may be as large as the tree. */
	GArray *deletions;   /* KvEvent */
	GArray *puts;	     /* KvEvent; in the end behind the deletions */
	GStringChunk *bytes; /* keys and values of both */
};

Diff *diff_new(Tree *tree)
{
	Diff *diff = g_new0(Diff, 1);

	diff->tree = tree;
	return diff;
}

void diff_free(Diff *diff)
{
	if (!diff)
		return;
	diff_forget(diff);
	g_free(diff);
}

void diff_forget(Diff *diff)
{
	g_clear_pointer(&diff->deletions, g_array_unref);
	g_clear_pointer(&diff->puts, g_array_unref);
	g_clear_pointer(&diff->bytes, g_string_chunk_free);
}

void diff_begin(Diff *diff)
{
	diff_forget(diff);
	diff->seed++;
	diff->n_marked = 0;
	diff->deletions = g_array_new(FALSE, FALSE, sizeof(KvEvent));
	diff->puts = g_array_new(FALSE, FALSE, sizeof(KvEvent));
	diff->bytes = g_string_chunk_new(BYTES_AT_ONCE);
}

/* All of it is compared: after a restore, another value may have the same
 * revision. */
static gboolean holds(const Node *node, const KeyValue *kv)
{
	NodeRevisions held = node_revisions(node);
	KvBytes value = node_value(node);

	return held.mod_revision == kv->mod_revision &&
	       held.create_revision == kv->create_revision && held.version == kv->version &&
	       held.lease == kv->lease && value.len == kv->value.len &&
	       (value.len == 0 || memcmp(value.data, kv->value.data, value.len) == 0);
}

static KvBytes copy(Diff *diff, KvBytes bytes)
{
	const char *data = (const char *)bytes.data;

	if (bytes.len == 0)
		return (KvBytes){NULL, 0};
	data = g_string_chunk_insert_len(diff->bytes, data, (gssize)bytes.len);
	return (KvBytes){(const guint8 *)data, bytes.len};
}

void diff_page(Diff *diff, const KeyValue *kvs, gsize n_kvs)
{
	for (gsize i = 0; i < n_kvs; i++) {
		Node *node = tree_find(diff->tree, kvs[i].key);
		if (node) {
			diff->n_marked += node->seed != diff->seed;
			node->seed = diff->seed;
		}
		if (node && holds(node, &kvs[i]))
			continue;
		KvEvent put = {KV_PUT, kvs[i]};
		put.kv.key = copy(diff, kvs[i].key);
		put.kv.value = copy(diff, kvs[i].value);
		g_array_append_val(diff->puts, put);
	}
}

static void add_deletion(Node *file, gpointer data)
{
	Diff *diff = data;
	if (file->seed == diff->seed)
		return;

	g_autoptr(GByteArray) key = tree_node_key(diff->tree, file);
	KvEvent event = {.type = KV_DELETE};
	event.kv.key = copy(diff, (KvBytes){key->data, key->len});
	g_array_append_val(diff->deletions, event);
}

const KvEvent *diff_end(Diff *diff, gsize *ret_n_events)
{
	if (diff->n_marked < tree_totals_locked(diff->tree).n_keys)
		tree_foreach_file(diff->tree, add_deletion, diff);
	g_array_prepend_vals(diff->puts, diff->deletions->data, diff->deletions->len);
	*ret_n_events = diff->puts->len;
	return (const KvEvent *)(void *)diff->puts->data;
}
