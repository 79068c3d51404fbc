/* SPDX-License-Identifier: Apache-2.0 */
/* test-names-hostile.c - what names.c promises of all keys, on hostile ones: one
 * path each, no path twice, the key given back, no limit passed. */
#include <string.h>

#include "names.h"

#define N_HOSTILE 8000

/* The path as one string. */
static gchar *path_string(const NamesPath *path)
{
	g_autoptr(GString) string = g_string_new(NULL);

	for (gsize i = 0; i < path->n_components; i++)
		g_string_append_printf(string, "%s%s", i ? "/" : "", path->components[i].name);
	return g_string_free(g_steal_pointer(&string), FALSE);
}

static gsize path_len(const NamesPath *path)
{
	gsize len = 0;

	for (gsize i = 0; i < path->n_components; i++)
		len += path->components[i].len + (i ? 1 : 0);
	return len;
}

static const gchar *const atoms[] = {
    "a",
    "b",
    "/",
    "/",
    "//",
    "%",
    "%25",
    "%2E",
    "%2F",
    "%~",
    "~",
    ".",
    "..",
    ".value",
    ".etcdfs",
    "value",
    "\xff",
    "\xc3",
    "\xc3\xa4",
    "\xe2\x82\xac",
    "0123456789abcdef",
    "\n",
    " ",
};

static void atom_append(GString *key)
{
	gint32 i = g_test_rand_int_range(-1, G_N_ELEMENTS(atoms));

	if (i < 0)
		g_string_append_len(key, "\0", 1);
	else
		g_string_append(key, atoms[i]);
}

/* Long runs bring the limits into reach: the same few lengths again and again, so
 * that keys differ in little. */
static void run_append(GString *key)
{
	static const guint16 lens[] = {200, 220, 221, 222, 250, 254, 255, 256, 300};
	static const gchar units[] = "aab%/\xff";
	gsize len = lens[g_test_rand_int_range(0, G_N_ELEMENTS(lens))];
	gchar unit = units[g_test_rand_int_range(0, sizeof(units) - 1)];

	for (gsize i = 0; i < len; i++)
		g_string_append_c(key, unit);
}

static void deep_append(GString *key)
{
	gsize len = (gsize)g_test_rand_int_range(3400, 4000);

	while (key->len < len) {
		run_append(key);
		if (g_test_rand_int_range(0, 8) > 0)
			g_string_append_c(key, '/');
	}
}

static GString *hostile_key(void)
{
	GString *key = g_string_new(NULL);
	gint32 kind = g_test_rand_int_range(0, 40);
	gint32 n = g_test_rand_int_range(0, 6);

	if (kind == 0)
		deep_append(key);
	else if (kind < 8)
		run_append(key);
	for (gint32 i = 0; i < n; i++)
		atom_append(key);
	if (kind == 1)
		run_append(key);
	return key;
}

/* The key that the components stand for. */
static GByteArray *path_decode(const NamesPath *path)
{
	GByteArray *rest = g_byte_array_new();

	if (path->slash)
		g_byte_array_append(rest, (const guint8 *)"/", 1);
	for (gsize i = 0; i < path->n_components; i++) {
		const NamesComponent *name = &path->components[i];

		if (i > 0)
			g_byte_array_append(rest, (const guint8 *)"/", 1);
		g_assert_cmpint(names_is_lossy(name->name, name->len), ==, name->raw != NULL);
		if (name->raw)
			g_byte_array_append(rest, name->raw, (guint)name->raw_len);
		else
			g_assert_true(names_decode(name->name, name->len, i == 0, rest));
	}
	return rest;
}

static void limits_check(const NamesPath *path)
{
	g_assert_cmpuint(path_len(path), <=, NAMES_PATH_MAX);
	for (gsize i = 0; i < path->n_components; i++) {
		const NamesComponent *name = &path->components[i];

		g_assert_cmpuint(name->len, >, 0);
		g_assert_cmpuint(strlen(name->name), ==, name->len);
		g_assert_null(strchr(name->name, '/'));
		g_assert_cmpstr(name->name, !=, ".");
		g_assert_cmpstr(name->name, !=, "..");
		g_assert_cmpstr(name->name, !=, NAMES_VALUE);
	}
	if (path->n_components > 0)
		g_assert_cmpstr(path->components[0].name, !=, NAMES_CONTROL);
}

/* What is below a directory of PATH fits as well. */
static void room_check(const NamesPath *path)
{
	gsize len = 0;

	for (gsize i = 0; i + 1 < path->n_components; i++)
		len += path->components[i].len + 1;
	g_assert_cmpuint(len + strlen(NAMES_VALUE), <=, NAMES_PATH_MAX);
}

typedef struct {
	GHashTable *keys; /* path -> key, owned: what is at that path */
	GHashTable *dirs; /* path -> body of the directory, owned */
	NamesPath path;
} Seen;

static void seen_add(GHashTable *table, const gchar *path, const void *data, gsize len)
{
	GBytes *bytes = g_bytes_new(data, len);
	GBytes *old = g_hash_table_lookup(table, path);

	if (old && !g_bytes_equal(old, bytes))
		g_error("two of one path: %s", path);
	g_hash_table_insert(table, g_strdup(path), bytes);
}

/* The body bytes that the first N components of the path stand for. */
static gsize body_len(const NamesPath *path, gsize n)
{
	g_autoptr(GByteArray) head = NULL;
	NamesPath front = *path;

	front.n_components = n;
	front.slash = FALSE;
	head = path_decode(&front);
	return head->len;
}

static void key_check(Seen *seen, const GString *key, NamesSlash slash)
{
	NamesPath *path = &seen->path;
	g_autoptr(GByteArray) decoded = NULL;
	g_autofree gchar *string = NULL;
	const gchar *body = key->str;

	names_path_set(path, (const guint8 *)key->str, key->len, slash);
	limits_check(path);
	room_check(path);
	decoded = path_decode(path);
	g_assert_cmpmem(decoded->data, decoded->len, key->str, key->len);
	string = path_string(path);
	if (path->slash)
		body++;
	/* Bodies, not keys: x and /x may meet. */
	seen_add(seen->keys, string, body, key->len - (gsize)(body - key->str));
	if (path->n_components > 1) {
		g_autofree gchar *dir = g_path_get_dirname(string);

		seen_add(seen->dirs, dir, body, body_len(path, path->n_components - 1));
	}
}

/* A path may be both a file's and a directory's only for "a" beside "a/...". */
static void meetings_check(const Seen *seen)
{
	GHashTableIter iter;
	gpointer path, dir;
	guint n = 0;

	g_hash_table_iter_init(&iter, seen->dirs);
	while (g_hash_table_iter_next(&iter, &path, &dir)) {
		GBytes *file = g_hash_table_lookup(seen->keys, path);

		if (!file)
			continue;
		g_assert_true(g_bytes_equal(file, dir));
		n++;
	}
	g_test_message("%u keys, %u of them directories too", g_hash_table_size(seen->keys), n);
	g_assert_cmpuint(n, >, 0);
}

static void seen_init(Seen *seen)
{
	seen->keys = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
					   (GDestroyNotify)g_bytes_unref);
	seen->dirs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
					   (GDestroyNotify)g_bytes_unref);
	names_path_init(&seen->path);
}

static void seen_clear(Seen *seen)
{
	g_hash_table_unref(seen->keys);
	g_hash_table_unref(seen->dirs);
	names_path_clear(&seen->path);
}

/* Keys that end around NAMES_PATH_MAX, where files, directories and both kinds of
 * cut names meet. */
static void edge_check(Seen *seen, const GString *base, gsize component_len)
{
	static const gchar *const ends[] = {"", "/", "/x", "/.value", "/x/y"};

	for (gsize i = 0; i < G_N_ELEMENTS(ends); i++) {
		g_autoptr(GString) key = g_string_new_len(base->str, (gssize)base->len);

		for (gsize j = 0; j < component_len; j++)
			g_string_append_c(key, 'c');
		g_string_append(key, ends[i]);
		key_check(seen, key, NAMES_DROP_SLASH);
	}
}

static void test_edges(void)
{
	static const gsize lens[] = {1, 7, 34, 35, 255, 256};
	Seen seen;

	seen_init(&seen);
	for (gsize len = NAMES_PATH_MAX - 300; len < NAMES_PATH_MAX; len++) {
		g_autoptr(GString) base = g_string_new(NULL);

		while (base->len + 201 < len)
			g_string_append_printf(base, "%0199u/", 1U);
		g_string_append_printf(base, "%0*u/", (int)(len - base->len - 1), 2U);
		for (gsize i = 0; i < G_N_ELEMENTS(lens); i++)
			edge_check(&seen, base, lens[i]);
	}
	meetings_check(&seen);
	seen_clear(&seen);
}

/* Keys, each also as the twin it may become and as a directory with a member. */
static void test_hostile(void)
{
	Seen seen;

	seen_init(&seen);
	for (guint i = 0; i < N_HOSTILE; i++) {
		g_autoptr(GString) key = hostile_key();

		key_check(&seen, key, NAMES_DROP_SLASH);
		if (g_test_rand_bit()) {
			g_string_append(key, "/x");
			key_check(&seen, key, NAMES_DROP_SLASH);
		}
		/* "//x" has no twin. */
		if (key->str[0] != '/') {
			g_string_prepend_c(key, '/');
			key_check(&seen, key, NAMES_KEEP_SLASH);
		}
	}
	meetings_check(&seen);
	seen_clear(&seen);
}

/* Any name that decodes is the name of what it decodes to. */
static void test_hostile_names(void)
{
	g_auto(NamesPath) path;
	guint n = 0;

	names_path_init(&path);
	for (guint i = 0; i < N_HOSTILE; i++) {
		g_autoptr(GString) name = hostile_key();
		g_autoptr(GByteArray) raw = g_byte_array_new();

		if (!names_decode(name->str, name->len, TRUE, raw))
			continue;
		n++;
		if (raw->len == 0)
			continue;
		names_path_set(&path, raw->data, raw->len, NAMES_KEEP_SLASH);
		g_assert_cmpuint(path.n_components, ==, 1);
		g_assert_cmpmem(path.components[0].name, path.components[0].len, name->str,
				name->len);
	}
	g_test_message("%u of %u names decode", n, N_HOSTILE);
	g_assert_cmpuint(n, >, 0);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/names-hostile/edges", test_edges);
	g_test_add_func("/names-hostile/keys", test_hostile);
	g_test_add_func("/names-hostile/names", test_hostile_names);
	return g_test_run();
}
