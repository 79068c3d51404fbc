/* SPDX-License-Identifier: Apache-2.0 */
/* A reseed is exactly what differs, and leaves no memory taken. */
#include <malloc.h>
#include <string.h>

#include "diff.h"

typedef struct {
	Tree *tree;
	Diff *diff;
} Fixture;

static KvBytes bytes(const char *text)
{
	return (KvBytes){(const guint8 *)text, strlen(text)};
}

static KeyValue kv(const char *key, const char *value, gint64 mod_revision)
{
	return (KeyValue){bytes(key), bytes(value), 1, mod_revision, mod_revision, 0};
}

static void put(Tree *tree, KeyValue kv)
{
	KvEvent event = {KV_PUT, kv};
	tree_write_lock(tree);
	tree_apply_locked(tree, &event, 1, NULL, kv.mod_revision, NULL);
	tree_write_unlock(tree);
}

static void set_up(Fixture *f, gconstpointer data)
{
	f->tree = tree_new(bytes("/"));
	f->diff = diff_new(f->tree);
	put(f->tree, kv("/a", "1", 1));
	put(f->tree, kv("/b", "2", 2));
	put(f->tree, kv("/b/c", "3", 3));
}

static void tear_down(Fixture *f, gconstpointer data)
{
	diff_free(f->diff);
	tree_free(f->tree);
}

/* "-key" for a deletion, "key=value" for a put. */
static void assert_diff(Fixture *f, const char *expected)
{
	g_autoptr(GString) text = g_string_new(NULL);
	gsize n;
	const KvEvent *events = diff_end(f->diff, &n);

	for (gsize i = 0; i < n; i++) {
		const KeyValue *e = &events[i].kv;
		g_string_append_printf(text, "%s%s%.*s", i ? " " : "",
				       events[i].type == KV_DELETE ? "-" : "", (int)e->key.len,
				       (const char *)e->key.data);
		if (events[i].type == KV_PUT)
			g_string_append_printf(text, "=%.*s", (int)e->value.len,
					       (const char *)e->value.data);
	}
	g_assert_cmpstr(text->str, ==, expected);
}

static void test_same(Fixture *f, gconstpointer data)
{
	KeyValue first[] = {kv("/a", "1", 1), kv("/b", "2", 2)};
	KeyValue second[] = {kv("/b/c", "3", 3)};

	diff_begin(f->diff);
	diff_page(f->diff, first, 2);
	diff_page(f->diff, second, 1);
	assert_diff(f, "");
}

static void test_differences(Fixture *f, gconstpointer data)
{
	KeyValue page[] = {kv("/a", "other", 1), kv("/b", "2", 4), kv("/d", "new", 5)};

	diff_begin(f->diff);
	diff_page(f->diff, page, 3);
	assert_diff(f, "-/b/c /a=other /b=2 /d=new");
}

static void test_begun_twice(Fixture *f, gconstpointer data)
{
	KeyValue none[] = {kv("/d", "4", 4)};
	KeyValue left[] = {kv("/a", "1", 1)};

	/* An unfinished seed leaves nothing behind. */
	diff_begin(f->diff);
	diff_page(f->diff, none, 1);
	diff_begin(f->diff);
	diff_page(f->diff, left, 1);
	gsize n;
	g_assert_nonnull(diff_end(f->diff, &n));
	g_assert_cmpuint(n, ==, 2);
}

/* In bytes; a sanitizer's allocator says 0. */
static gsize allocated(void)
{
	struct mallinfo2 info = mallinfo2();
	return info.uordblks + info.hblkhd;
}

#define MANY 10000

static void test_forgotten(Fixture *f, gconstpointer data)
{
	gsize before = allocated();

	diff_begin(f->diff);
	for (guint i = 0; i < MANY; i++) {
		g_autofree char *key = g_strdup_printf("/many/%u", i);
		diff_page(f->diff, &(KeyValue){bytes(key), bytes(key), 1, 4, 4, 0}, 1);
	}
	gsize n;
	diff_end(f->diff, &n);
	g_assert_cmpuint(n, ==, MANY + 3);
	if (before > 0)
		g_assert_cmpuint(allocated(), >, before + MANY * sizeof(KvEvent));
	diff_forget(f->diff);
	g_assert_cmpuint(allocated(), <, before + MANY);
}

static void add(const char *path, void (*test)(Fixture *, gconstpointer))
{
	g_test_add(path, Fixture, NULL, set_up, test, tear_down);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	add("/diff/same", test_same);
	add("/diff/differences", test_differences);
	add("/diff/begun-twice", test_begun_twice);
	add("/diff/forgotten", test_forgotten);
	return g_test_run();
}
