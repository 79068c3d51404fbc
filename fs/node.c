/* SPDX-License-Identifier: Apache-2.0 */
#include "node.h"

#include <string.h>

#include "names.h"
#include "packed.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

/* With so many last bytes of their names different, entries are still of one region. */
#define REGION_BYTES 2

/* What is packed: 0 for most keys. */
enum {
	NUMBER_RAW_LEN, /* a cut name (names.h): the key bytes that it stands for */
	NUMBER_LATER,	/* mod_revision less create_revision */
	NUMBER_UPDATES, /* version less 1 */
	NUMBER_LEASE,
};

/* With TAIL_LEN bytes at RET_TAIL, for the caller to fill. */
static Node *node_new(NodeKind kind, Node *parent, const NodeName *name,
		      const guint64 numbers[PACKED_N], gsize tail_len, guint8 **ret_tail)
{
	guint8 widths = packed_widths(numbers);
	gsize head_len = name->len + 1 + packed_size(widths) + name->raw.len;
	Node *node = g_malloc(sizeof(Node) + head_len + tail_len);
	guint8 *at = (guint8 *)node->bytes;

	g_assert(name->len < NODE_NAME_SIZE);
	*node = (Node){
	    .ref_count = 1,
	    .parent = parent ? node_ref(parent) : NULL,
	    .kind = kind,
	    .name_len = (guint8)name->len,
	    .widths = widths,
	};
	memcpy(at, name->name, name->len);
	at += name->len;
	*at++ = '\0';
	at = packed_write(at, numbers);
	if (name->raw.len > 0)
		memcpy(at, name->raw.data, name->raw.len);
	*ret_tail = at + name->raw.len;
	return node;
}

Node *node_new_file(Node *parent, const NodeName *name, const NodeRevisions *revisions,
		    KvBytes value)
{
	/* unsigned: any two revisions have a difference */
	guint64 created = (guint64)revisions->create_revision;
	guint64 numbers[PACKED_N] = {
	    [NUMBER_RAW_LEN] = name->raw.len,
	    [NUMBER_LATER] = (guint64)revisions->mod_revision - created,
	    [NUMBER_UPDATES] = (guint64)revisions->version - 1,
	    [NUMBER_LEASE] = (guint64)revisions->lease,
	};
	guint8 *tail;
	Node *node = node_new(NODE_FILE, parent, name, numbers, value.len, &tail);

	node->create_revision = revisions->create_revision;
	node->value_len = (guint32)value.len;
	if (value.len > 0)
		memcpy(tail, value.data, value.len);
	return node;
}

Node *node_new_dir(Node *parent, const NodeName *name)
{
	guint64 numbers[PACKED_N] = {[NUMBER_RAW_LEN] = name->raw.len};
	gsize align = G_ALIGNOF(NodeDir);
	guint8 *tail;
	Node *node = node_new(NODE_DIR, parent, name, numbers, sizeof(NodeDir) + align - 1, &tail);

	node->dir = (NodeDir *)(((guintptr)tail + align - 1) & ~(align - 1));
	/* "." and ".." have the offsets before. */
	*node->dir = (NodeDir){.last_offset = 2};
	return node;
}

static const guint8 *read_numbers(const Node *node, guint64 ret_numbers[PACKED_N])
{
	return packed_read((const guint8 *)node->bytes + node->name_len + 1, node->widths,
			   ret_numbers);
}

KvBytes node_raw(const Node *node)
{
	guint64 numbers[PACKED_N];
	const guint8 *raw = read_numbers(node, numbers);

	return (KvBytes){raw, numbers[NUMBER_RAW_LEN]};
}

KvBytes node_value(const Node *node)
{
	KvBytes raw = node_raw(node);

	return (KvBytes){raw.data + raw.len, node->value_len};
}

NodeRevisions node_revisions(const Node *node)
{
	guint64 numbers[PACKED_N];

	read_numbers(node, numbers);
	return (NodeRevisions){
	    .create_revision = node->create_revision,
	    .mod_revision = (gint64)((guint64)node->create_revision + numbers[NUMBER_LATER]),
	    .version = (gint64)(numbers[NUMBER_UPDATES] + 1),
	    .lease = (gint64)numbers[NUMBER_LEASE],
	};
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

/* Of the name's first LEN bytes in its directory. */
static guint name_hash(const Node *node, gsize len)
{
	/* The odd factor spreads neighbouring nodeids over the seed's bits. */
	guint64 seed = node_seed() ^
		       (node->parent->nodeid * G_GUINT64_CONSTANT(0x9E3779B97F4A7C15));
	return (guint)XXH3_64bits_withSeed(node->bytes, len, seed);
}

guint node_entry_hash(gconstpointer p)
{
	const Node *node = p;
	return name_hash(node, node->name_len);
}

guint node_region_hash(const Node *node)
{
	return name_hash(node, node->name_len - MIN(node->name_len, REGION_BYTES));
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
	       a->create_revision == b->create_revision;
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
	g_atomic_int_set(&dir->dir->listed, LISTED_EVER | LISTED_LATELY);
}

gboolean node_was_listed(Node *dir)
{
	return g_atomic_int_get(&dir->dir->listed) != 0;
}

gboolean node_take_listed(Node *dir)
{
	return (g_atomic_int_and(&dir->dir->listed, LISTED_EVER) & LISTED_LATELY) != 0;
}

void node_next_epoch(Node *dir)
{
	g_atomic_int_inc(&dir->dir->epoch);
}

guint8 node_epoch(Node *dir)
{
	return (guint8)g_atomic_int_get(&dir->dir->epoch);
}
