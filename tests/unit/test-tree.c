/* SPDX-License-Identifier: Apache-2.0 */
/* The tree against a model that knows only the rules of names: after every random
 * revision, each key is at the one path it must have, with its value; nothing else
 * is there; what was reported is what changed; and what did not change kept its
 * node. */
#include <string.h>

#include "names.h"
#include "siblings.h"
#include "tree.h"

/* --- Building events ------------------------------------------------------------ */

static KvBytes bytes(const char *text)
{
	return (KvBytes){(const guint8 *)text, strlen(text)};
}

static KvEvent put(const char *key, const char *value, gint64 revision)
{
	return (KvEvent){KV_PUT, {bytes(key), bytes(value), revision, revision, 1, 0}};
}

static KvEvent del(const char *key)
{
	return (KvEvent){.type = KV_DELETE, .kv = {.key = bytes(key)}};
}

/* --- The model ----------------------------------------------------------------------- */

static char *join(const NamesPath *path, gsize n)
{
	GString *joined = g_string_new(NULL);
	for (gsize i = 0; i < n; i++)
		g_string_append_printf(joined, "%s%s", i ? "/" : "", path->components[i].name);
	return g_string_free(joined, FALSE);
}

static void set_path(NamesPath *path, GHashTable *keys, const char *key)
{
	/* The other key must not drop a slash of its own. */
	gboolean is_twin = key[0] == '/' && key[1] != '/' && g_hash_table_contains(keys, key + 1);
	names_path_set(path, (const guint8 *)key, strlen(key),
		       is_twin ? NAMES_KEEP_SLASH : NAMES_DROP_SLASH);
}

/* path -> value, as the rules of names want it for the keys. */
static GHashTable *expected_files(GHashTable *keys)
{
	g_autoptr(GHashTable) dirs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	GHashTable *files = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	g_auto(NamesPath) path;
	GHashTableIter iter;
	gpointer key, value;

	names_path_init(&path);
	g_hash_table_iter_init(&iter, keys);
	while (g_hash_table_iter_next(&iter, &key, NULL)) {
		set_path(&path, keys, key);
		for (gsize n = 0; n < path.n_components; n++)
			g_hash_table_add(dirs, join(&path, n));
	}
	g_hash_table_add(dirs, g_strdup(""));
	g_hash_table_iter_init(&iter, keys);
	while (g_hash_table_iter_next(&iter, &key, &value)) {
		set_path(&path, keys, key);
		char *name = join(&path, path.n_components);
		if (g_hash_table_contains(dirs, name)) {
			char *inside = g_strdup_printf("%s%s.value", name, *name ? "/" : "");
			g_free(name);
			name = inside;
		}
		g_assert_false(g_hash_table_contains(files, name));
		g_hash_table_insert(files, name, g_strdup(value));
	}
	return files;
}

/* --- The tree, walked -------------------------------------------------------------------- */

typedef struct {
	GHashTable *files; /* path -> Node */
	GHashTable *nodes; /* path -> Node, directories too */
} Walk;

static void walk_dir(Walk *walk, Node *dir, const char *prefix)
{
	SiblingsIter iter;
	guint n = 0, n_dirs = 0;
	guint64 offset = 2;
	Node *node;

	siblings_seek(&iter, dir->dir->children, 0);
	while ((node = siblings_next(&iter))) {
		char *path = g_strdup_printf("%s%s%s", prefix, *prefix ? "/" : "", node_name(node));
		g_assert_true(node->linked);
		g_assert_true(node->parent == dir);
		g_assert_cmpuint(node->offset, >, offset);
		offset = node->offset;
		n++;
		if (node->kind == NODE_DIR) {
			n_dirs++;
			g_assert_cmpuint(node->dir->n_children, >, 0);
			walk_dir(walk, node, path);
		} else {
			g_hash_table_insert(walk->files, g_strdup(path), node);
		}
		g_assert_true(g_hash_table_insert(walk->nodes, path, node_ref(node)));
	}
	g_assert_cmpuint(n, ==, dir->dir->n_children);
	g_assert_cmpuint(n_dirs, ==, dir->dir->n_dirs);
}

static void walk_init(Walk *walk, Tree *tree)
{
	walk->files = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	walk->nodes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
					    (GDestroyNotify)node_unref);
	walk_dir(walk, tree_root(tree), "");
}

static void walk_clear(Walk *walk)
{
	g_hash_table_unref(walk->files);
	g_hash_table_unref(walk->nodes);
}

/* --- Checks --------------------------------------------------------------------------------- */

static void check_file(Tree *tree, const char *path, Node *node, const char *value,
		       GHashTable *keys)
{
	KvBytes held = node_value(node);
	g_assert_cmpmem(held.data, held.len, value, strlen(value));

	g_autoptr(GByteArray) key = tree_node_key(tree, node);
	g_autofree char *text = g_strndup((char *)key->data, key->len);
	g_assert_true(g_hash_table_contains(keys, text));
	g_assert_cmpstr(g_hash_table_lookup(keys, text), ==, value);
	g_assert_true(tree_find(tree, bytes(text)) == node);
}

static void check_tree(Tree *tree, GHashTable *keys, const Walk *walk)
{
	g_autoptr(GHashTable) expected = expected_files(keys);
	GHashTableIter iter;
	gpointer path, value;

	g_hash_table_iter_init(&iter, expected);
	while (g_hash_table_iter_next(&iter, &path, &value)) {
		Node *node = g_hash_table_lookup(walk->files, path);
		if (!node)
			g_error("no file at %s", (char *)path);
		check_file(tree, path, node, value, keys);
	}
	g_assert_cmpuint(g_hash_table_size(walk->files), ==, g_hash_table_size(expected));
	g_assert_cmpuint(tree_totals_locked(tree).n_keys, ==, g_hash_table_size(keys));
}

static char *path_of(const Node *node)
{
	if (!node->parent || !node->parent->parent)
		return g_strdup(node_name(node));
	g_autofree char *parent = path_of(node->parent);
	return g_strdup_printf("%s/%s", parent, node_name(node));
}

/* Playing the changes on what was there before gives what is there now; and each
 * change is one of an entry that led to what it says. */
static void check_changes(const Walk *before, const Walk *after, const GArray *changes)
{
	g_autoptr(GHashTable) nodes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	GHashTableIter iter;
	gpointer path, node;

	g_hash_table_iter_init(&iter, before->nodes);
	while (g_hash_table_iter_next(&iter, &path, &node))
		g_hash_table_insert(nodes, g_strdup(path), node);
	for (guint i = 0; i < changes->len; i++) {
		const TreeChange *change = &g_array_index(changes, TreeChange, i);
		g_autofree char *at = path_of(change->old ? change->old : change->now);
		g_assert_true(g_hash_table_lookup(nodes, at) == change->old);
		if (change->now)
			g_hash_table_insert(nodes, g_strdup(at), change->now);
		else
			g_hash_table_remove(nodes, at);
	}
	g_assert_cmpuint(g_hash_table_size(nodes), ==, g_hash_table_size(after->nodes));
	g_hash_table_iter_init(&iter, after->nodes);
	while (g_hash_table_iter_next(&iter, &path, &node))
		g_assert_true(g_hash_table_lookup(nodes, path) == node);
}

/* A directory that is there before and after is the same one; so is a file whose
 * value was not put. */
static void check_kept(const Walk *before, const Walk *after)
{
	GHashTableIter iter;
	gpointer path, p;

	g_hash_table_iter_init(&iter, after->nodes);
	while (g_hash_table_iter_next(&iter, &path, &p)) {
		Node *node = p, *was = g_hash_table_lookup(before->nodes, path);
		if (!was || was->kind != node->kind)
			continue;
		if (node->kind == NODE_DIR)
			g_assert_true(was == node);
		else if (was != node)
			g_assert_cmpint(node->mtime_ns, >, was->mtime_ns);
	}
}

/* --- Random revisions ------------------------------------------------------------------------- */

static char *random_key(GRand *rand)
{
	static const char *const parts[] = {"", "a", "b", ".value", "%", "..", ".etcdfs"};
	GString *key = g_string_new(g_rand_boolean(rand) ? "/" : NULL);
	gint n = g_rand_int_range(rand, 1, 4);

	for (gint i = 0; i < n; i++)
		g_string_append_printf(key, "%s%s", i ? "/" : "",
				       parts[g_rand_int_range(rand, 0, G_N_ELEMENTS(parts))]);
	if (key->len == 0)
		g_string_append_c(key, 'a');
	return g_string_free(key, FALSE);
}

static void add_random_event(GRand *rand, GHashTable *keys, GPtrArray *owned, GArray *events,
			     gint64 revision)
{
	char *key = random_key(rand);
	g_ptr_array_add(owned, key);

	KvEvent event;
	if (g_rand_int_range(rand, 0, 5) < 3) {
		char *value = g_strdup_printf("%s@%" G_GINT64_FORMAT, key, revision);
		g_ptr_array_add(owned, value);
		event = put(key, value, revision);
		g_hash_table_insert(keys, g_strdup(key), g_strdup(value));
	} else {
		event = del(key);
		g_hash_table_remove(keys, key);
	}
	g_array_append_val(events, event);
}

static void random_revision(GRand *rand, Tree *tree, GHashTable *keys, gint64 revision)
{
	g_autoptr(GPtrArray) owned = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GArray) events = g_array_new(FALSE, FALSE, sizeof(KvEvent));
	g_autoptr(GArray) changes = tree_changes_new(1);
	g_autoptr(GArray) prepared = NULL;
	Walk before, after;

	for (gint n = g_rand_int_range(rand, 1, 12); n > 0; n--)
		add_random_event(rand, keys, owned, events, revision);

	const KvEvent *all = (KvEvent *)(void *)events->data;

	walk_init(&before, tree);
	if (g_rand_boolean(rand))
		prepared = tree_prepare(tree, all, events->len);
	tree_write_lock(tree);
	tree_apply_locked(tree, all, events->len, prepared, revision, changes);
	tree_write_unlock(tree);
	walk_init(&after, tree);
	check_tree(tree, keys, &after);
	check_changes(&before, &after, changes);
	check_kept(&before, &after);
	walk_clear(&before);
	walk_clear(&after);
}

static void test_random(void)
{
	guint32 seed = g_test_rand_int();
	g_autoptr(GRand) rand = g_rand_new_with_seed(seed);

	/* Also set under valgrind, where a round takes a second. */
	int n_rounds = g_getenv("ETCDFS_SLOW") ? 10 : 40;

	g_test_message("seed %u", seed);
	for (int round = 0; round < n_rounds; round++) {
		Tree *tree = tree_new(bytes(""));
		g_autoptr(GHashTable)
		    keys = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
		for (gint64 revision = 1; revision <= 100; revision++)
			random_revision(rand, tree, keys, revision);
		tree_free(tree);
	}
}

/* --- One rule at a time
 * --------------------------------------------------------------------------- */

static GArray *apply(Tree *tree, const KvEvent *events, gsize n, gint64 revision)
{
	GArray *changes = tree_changes_new(1);
	g_autoptr(GArray) prepared = tree_prepare(tree, events, n);
	tree_write_lock(tree);
	tree_apply_locked(tree, events, n, prepared, revision, changes);
	tree_write_unlock(tree);
	return changes;
}

/* "+d" a directory comes, "-f" a file goes, "~f" a file is replaced, "fd" turns. */
static char *describe(const GArray *changes)
{
	GString *text = g_string_new(NULL);

	for (guint i = 0; i < changes->len; i++) {
		const TreeChange *change = &g_array_index(changes, TreeChange, i);
		g_autofree char *path = path_of(change->old ? change->old : change->now);
		char old = !change->old ? '+' : change->old->kind == NODE_DIR ? 'd' : 'f';
		char now = !change->now ? '-' : change->now->kind == NODE_DIR ? 'd' : 'f';
		g_string_append_printf(text, "%s%c%c %s", i ? ", " : "", old, now, path);
	}
	return g_string_free(text, FALSE);
}

static void step(Tree *tree, KvEvent event, gint64 revision, const char *expected)
{
	g_autoptr(GArray) changes = apply(tree, &event, 1, revision);
	g_autofree char *text = describe(changes);
	g_assert_cmpstr(text, ==, expected);
}

static void test_file_and_directory(void)
{
	Tree *tree = tree_new(bytes("/app/"));

	step(tree, put("/app/a", "1", 1), 1, "+f a");
	step(tree, put("/app/a/b", "2", 2), 2, "fd a, +f a/.value, +f a/b");
	step(tree, put("/app/a", "3", 3), 3, "ff a/.value");
	step(tree, del("/app/a/b"), 4, "f- a/b, f- a/.value, df a");
	step(tree, put("/app/a/b/c", "5", 5), 5, "fd a, +f a/.value, +d a/b, +f a/b/c");
	step(tree, del("/app/a"), 6, "f- a/.value");
	step(tree, del("/app/a/b/c"), 7, "f- a/b/c, d- a/b, d- a");
	step(tree, put("/app/", "root", 8), 8, "+f .value");
	step(tree, del("/app/"), 9, "f- .value");
	tree_free(tree);
}

static void test_twins(void)
{
	Tree *tree = tree_new(bytes("/app"));

	step(tree, put("/app/x", "slash", 1), 1, "+f x");
	step(tree, put("/appx", "none", 2), 2, "ff x, +f %2Fx");
	step(tree, del("/appx"), 3, "ff x, f- %2Fx");
	step(tree, put("/appx", "none", 4), 4, "ff x, +f %2Fx");
	step(tree, del("/app/x"), 5, "f- %2Fx");
	step(tree, put("/app/x", "slash", 6), 6, "+f %2Fx");
	tree_free(tree);
}

static void test_directory_survives_transaction(void)
{
	Tree *tree = tree_new(bytes(""));
	KvEvent first = put("d/a", "1", 1);
	KvEvent both[] = {del("d/a"), put("d/b", "2", 2)};

	g_array_unref(apply(tree, &first, 1, 1));
	Node *dir = tree_lookup_locked(tree, tree_root(tree), "d");
	g_autoptr(GArray) changes = apply(tree, both, 2, 2);
	g_autofree char *text = describe(changes);
	g_assert_cmpstr(text, ==, "f- d/a, +f d/b");
	g_assert_true(tree_lookup_locked(tree, tree_root(tree), "d") == dir);
	tree_free(tree);
}

/* EVENTS, of one revision, on a tree of the keys d/a, e and e/f. */
static void together(const KvEvent *events, gsize n, const char *expected)
{
	Tree *tree = tree_new(bytes(""));
	KvEvent first[] = {put("d/a", "1", 1), put("e", "1", 1), put("e/f", "1", 1)};

	g_array_unref(apply(tree, first, G_N_ELEMENTS(first), 1));
	g_autoptr(GArray) changes = apply(tree, events, n, 2);
	g_autofree char *text = describe(changes);
	g_assert_cmpstr(text, ==, expected);
	tree_free(tree);
}

#define TOGETHER(expected, ...)                                                                    \
	do {                                                                                       \
		KvEvent events_[] = {__VA_ARGS__};                                                 \
		together(events_, G_N_ELEMENTS(events_), expected);                                \
	} while (0)

/* What was prepared for an event is of no use when one before it did something else. */
static void test_interference(void)
{
	TOGETHER("ff d/a, ff d/a", put("d/a", "2", 2), put("d/a", "3", 2));
	TOGETHER("f- d/a, +f d/a", del("d/a"), put("d/a", "3", 2));
	TOGETHER("ff d/a, f- d/a, d- d", put("d/a", "2", 2), del("d/a"));
	TOGETHER("f- d/a, d- d", del("d/a"), del("d/a"));
	TOGETHER("+f d/b, ff d/b", put("d/b", "2", 2), put("d/b", "3", 2));
	TOGETHER("+f d/b, f- d/b", put("d/b", "2", 2), del("d/b"));
	TOGETHER("+d n, +f n/a, f- n/a, d- n", put("n/a", "2", 2), del("n/a"));
	TOGETHER("+f n, fd n, +f n/.value, +f n/a", put("n", "2", 2), put("n/a", "2", 2));
	TOGETHER("+d n, +f n/a, +f n/.value", put("n/a", "2", 2), put("n", "2", 2));
	TOGETHER("fd d/a, +f d/a/.value, +f d/a/b, ff d/a/.value", put("d/a/b", "2", 2),
		 put("d/a", "2", 2));
	TOGETHER("fd d/a, +f d/a/.value, +f d/a/b, f- d/a/.value", put("d/a/b", "2", 2),
		 del("d/a"));
	TOGETHER("ff e/.value, f- e/f, f- e/.value, df e", put("e", "2", 2), del("e/f"));
	TOGETHER("f- e/.value, f- e/f, +f e/.value, f- e/.value, df e", del("e"), del("e/f"),
		 put("e", "2", 2));
	TOGETHER("+f x, ff x, +f %2Fx, ff x, f- %2Fx", put("/x", "2", 2), put("x", "2", 2),
		 del("x"));
}

static gboolean check_one(Tree *tree, KvEvent event, gint64 create, gint64 mod, gint64 version)
{
	event.kv.create_revision = create;
	event.kv.mod_revision = mod;
	event.kv.version = version;
	KvBatch batch = {mod, &event, 1};
	g_autoptr(GArray) prepared = tree_prepare(tree, &event, 1);
	return tree_check(prepared, &batch);
}

static void test_continuity(void)
{
	Tree *tree = tree_new(bytes(""));
	KvEvent known = put("a", "", 5);

	g_array_unref(apply(tree, &known, 1, 5));
	g_assert_true(check_one(tree, put("a", "", 0), 5, 7, 2));
	g_assert_false(check_one(tree, put("a", "", 0), 5, 7, 3));
	g_assert_false(check_one(tree, put("a", "", 0), 6, 7, 2));
	g_assert_false(check_one(tree, put("a", "", 0), 7, 7, 1));
	g_assert_true(check_one(tree, put("b", "", 0), 7, 7, 1));
	g_assert_false(check_one(tree, put("b", "", 0), 6, 7, 1));
	g_assert_false(check_one(tree, put("b", "", 0), 6, 7, 2));
	g_assert_true(check_one(tree, del("a"), 0, 7, 0));
	g_assert_false(check_one(tree, del("b"), 0, 7, 0));
	tree_free(tree);
}

static void test_deep(void)
{
	Tree *tree = tree_new(bytes(""));
	g_autofree char *deep = g_malloc0(10001);

	for (int i = 0; i < 10000; i++)
		deep[i] = i % 2 ? '/' : 'a';
	deep[9999] = 'z';
	KvEvent event = put(deep, "v", 1);
	g_array_unref(apply(tree, &event, 1, 1));
	Node *file = tree_find(tree, bytes(deep));
	g_assert_nonnull(file);
	g_autoptr(GByteArray) key = tree_node_key(tree, file);
	g_assert_cmpmem(key->data, key->len, deep, strlen(deep));
	event = del(deep);
	g_array_unref(apply(tree, &event, 1, 2));
	g_assert_cmpuint(tree_totals_locked(tree).n_dirs, ==, 1);
	tree_free(tree);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/tree/file-and-directory", test_file_and_directory);
	g_test_add_func("/tree/twins", test_twins);
	g_test_add_func("/tree/directory-survives-transaction",
			test_directory_survives_transaction);
	g_test_add_func("/tree/interference", test_interference);
	g_test_add_func("/tree/continuity", test_continuity);
	g_test_add_func("/tree/deep", test_deep);
	g_test_add_func("/tree/random", test_random);
	return g_test_run();
}
