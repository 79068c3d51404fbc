/* SPDX-License-Identifier: Apache-2.0 */
/* What a node gives back is what it was made of. */
#include <string.h>

#include "node.h"
#include "packed.h"

static void test_packed(void)
{
	static const struct {
		guint64 numbers[PACKED_N];
		gsize size;
	} cases[] = {
	    {{0, 0, 0, 0}, 0},
	    {{1, 0, 0, 0}, 4},
	    {{0, 0, 0, G_MAXUINT32}, 4},
	    {{0, G_MAXUINT32 + G_GUINT64_CONSTANT(1), 0, 0}, 8},
	    {{7, G_MAXUINT64, 0, 9}, 16},
	    {{G_MAXUINT64, G_MAXUINT64, G_MAXUINT64, G_MAXUINT64}, 32},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		guint8 widths = packed_widths(cases[i].numbers);
		guint64 numbers[PACKED_N];
		g_autofree guint8 *bytes = g_malloc(cases[i].size + 1);
		guint8 *end = bytes + 1 + cases[i].size;

		g_assert_cmpuint(packed_size(widths), ==, cases[i].size);
		g_assert_true(packed_write(bytes + 1, cases[i].numbers) == end);
		g_assert_true(packed_read(bytes + 1, widths, numbers) == end);
		g_assert_cmpmem(numbers, sizeof(numbers), cases[i].numbers, sizeof(numbers));
	}
}

static void assert_file(const NodeName *name, NodeRevisions revisions, KvBytes value)
{
	g_autoptr(Node) node = node_new_file(NULL, name, &revisions, value);
	NodeRevisions got = node_revisions(node);

	g_assert_cmpint(node->create_revision, ==, revisions.create_revision);
	g_assert_cmpint(got.create_revision, ==, revisions.create_revision);
	g_assert_cmpint(got.mod_revision, ==, revisions.mod_revision);
	g_assert_cmpint(got.version, ==, revisions.version);
	g_assert_cmpint(got.lease, ==, revisions.lease);
	g_assert_cmpstr(node_name(node), ==, name->name);
	g_assert_cmpmem(node_raw(node).data, node_raw(node).len, name->raw.data, name->raw.len);
	g_assert_cmpmem(node_value(node).data, node_value(node).len, value.data, value.len);
}

/* Also what etcd never sends, but nothing forbids. */
static const NodeRevisions all_revisions[] = {
    {5, 5, 1, 0},
    {5, 9, 2, 0},
    {5, 9, 2, 0x694d5765fc71500b},
    {1, G_MAXINT64, G_MAXINT64, G_MAXINT64},
    {0, 0, 0, 0},
    {9, 5, -1, -1},
    {G_MININT64, G_MAXINT64, G_MININT64, G_MININT64},
};

static void test_files(void)
{
	NodeName plain = {"name", 4, {NULL, 0}};
	NodeName cut = {"na~1", 4, {(const guint8 *)"na\0me", 5}};
	KvBytes value = {(const guint8 *)"va\0lue", 6};

	for (gsize i = 0; i < G_N_ELEMENTS(all_revisions); i++) {
		assert_file(&plain, all_revisions[i], value);
		assert_file(&cut, all_revisions[i], value);
		assert_file(&cut, all_revisions[i], (KvBytes){NULL, 0});
	}
}

/* Of names of each length: what changes in it is aligned. */
static void test_dirs(void)
{
	const char *text = "0123456789abcdef";

	for (gsize len = 0; len <= strlen(text); len++) {
		NodeName name = {text, len, {(const guint8 *)text, len / 2}};
		g_autoptr(Node) node = node_new_dir(NULL, &name);

		g_assert_cmpuint((guintptr)node->dir % G_ALIGNOF(NodeDir), ==, 0);
		g_assert_null(node->dir->children);
		node->dir->n_children = G_MAXUINT32;
		g_assert_cmpmem(node_name(node), node->name_len, text, len);
		g_assert_cmpmem(node_raw(node).data, node_raw(node).len, text, len / 2);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/node/packed", test_packed);
	g_test_add_func("/node/files", test_files);
	g_test_add_func("/node/dirs", test_dirs);
	return g_test_run();
}
