/* SPDX-License-Identifier: Apache-2.0 */
#include "node.h"

#include <string.h>

#include "names.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

static Node *node_new(NodeKind kind, Node *parent, const NodeName *name, KvBytes value)
{
	gsize size = G_STRUCT_OFFSET(Node, bytes) + name->len + 1 + name->raw.len + value.len;
	/* A whole struct even where name and value are shorter than its padding. */
	Node *node = g_malloc(MAX(size, sizeof(Node)));
	memset(node, 0, sizeof(Node));

	g_assert(name->len < NODE_NAME_SIZE);
	node->ref_count = 1;
	node->parent = parent ? node_ref(parent) : NULL;
	node->kind = (guint8)kind;
	node->name_len = (guint8)name->len;
	node->raw_len = (guint32)name->raw.len;
	node->value_len = (guint32)value.len;

	char *end = node->bytes;
	memcpy(end, name->name, name->len);
	end += name->len;
	*end++ = '\0';
	if (name->raw.len > 0)
		memcpy(end, name->raw.data, name->raw.len);
	end += name->raw.len;
	if (value.len > 0)
		memcpy(end, value.data, value.len);
	return node;
}

Node *node_new_file(Node *parent, const NodeName *name, const NodeRevisions *revisions,
		    KvBytes value)
{
	Node *node = node_new(NODE_FILE, parent, name, value);
	node->revisions = *revisions;
	return node;
}

Node *node_new_dir(Node *parent, const NodeName *name)
{
	Node *node = node_new(NODE_DIR, parent, name, (KvBytes){NULL, 0});
	/* "." and ".." have the offsets before. */
	node->dir.last_offset = 2;
	return node;
}

Node *node_ref(Node *node)
{
	g_atomic_int_inc(&node->ref_count);
	return node;
}

void node_unref(Node *node)
{
	/* A loop, since a path may be a thousand directories deep. */
	while (node && g_atomic_int_dec_and_test(&node->ref_count)) {
		Node *parent = node->parent;
		g_free(node);
		node = parent;
	}
}

guint64 node_seed(void)
{
	static gsize seed;
	if (g_once_init_enter(&seed)) {
		gsize random = ((gsize)g_random_int() << 32 | g_random_int()) | 1;
		g_once_init_leave(&seed, random);
	}
	return seed;
}

guint node_entry_hash(gconstpointer p)
{
	const Node *node = p;
	/* The odd factor spreads neighbouring nodeids over the seed's bits. */
	guint64 seed = node_seed() ^
		       (node->parent->nodeid * G_GUINT64_CONSTANT(0x9E3779B97F4A7C15));
	return (guint)XXH3_64bits_withSeed(node->bytes, node->name_len, seed);
}

gboolean node_entry_equal(gconstpointer pa, gconstpointer pb)
{
	const Node *a = pa, *b = pb;
	return a->parent == b->parent && a->name_len == b->name_len &&
	       memcmp(a->bytes, b->bytes, a->name_len) == 0;
}

gboolean node_is_dir_value(const Node *node)
{
	/* A component of that name is escaped (names.c), so nothing else has it. */
	return node->kind == NODE_FILE && strcmp(node->bytes, NAMES_VALUE) == 0;
}

gboolean node_same_key(const Node *a, const Node *b)
{
	return a->kind == NODE_FILE && b->kind == NODE_FILE &&
	       a->revisions.create_revision == b->revisions.create_revision;
}

static void append_raw_component(const Node *node, GByteArray *out)
{
	KvBytes raw = node_raw(node);
	if (raw.len > 0)
		g_byte_array_append(out, raw.data, (guint)raw.len);
	else if (!names_decode(node->bytes, node->name_len, !node->parent->parent, out))
		g_assert_not_reached(); /* every name here came from names_path_set */
}

void node_append_rest(const Node *node, GByteArray *out)
{
	g_autoptr(GPtrArray) chain = g_ptr_array_new();
	for (const Node *n = node_is_dir_value(node) ? node->parent : node; n->parent;
	     n = n->parent)
		g_ptr_array_add(chain, (gpointer)n);

	if (node->slash)
		g_byte_array_append(out, (const guint8 *)"/", 1);
	for (guint i = chain->len; i-- > 0;) {
		append_raw_component(chain->pdata[i], out);
		if (i > 0 || node->kind == NODE_DIR)
			g_byte_array_append(out, (const guint8 *)"/", 1);
	}
}

enum { LISTED_EVER = 1, LISTED_LATELY = 2 };

void node_set_listed_locked(Node *dir)
{
	g_atomic_int_set(&dir->dir.listed, LISTED_EVER | LISTED_LATELY);
}

gboolean node_was_listed(Node *dir)
{
	return g_atomic_int_get(&dir->dir.listed) != 0;
}

gboolean node_take_listed(Node *dir)
{
	return (g_atomic_int_and(&dir->dir.listed, LISTED_EVER) & LISTED_LATELY) != 0;
}
