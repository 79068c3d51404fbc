/* SPDX-License-Identifier: Apache-2.0 */
/* test-names.c - each rule of names.c once. */
#include <string.h>

#include "names.h"

/* The path as one string. */
static gchar *path_string(const NamesPath *path)
{
	g_autoptr(GString) string = g_string_new(NULL);

	for (gsize i = 0; i < path->n_components; i++)
		g_string_append_printf(string, "%s%s", i ? "/" : "", path->components[i].name);
	return g_string_free(g_steal_pointer(&string), FALSE);
}

static gchar *path_of(const guint8 *rest, gsize len, NamesSlash slash)
{
	g_auto(NamesPath) path;

	names_path_init(&path);
	names_path_set(&path, rest, len, slash);
	return path_string(&path);
}

/* ---- each rule ---- */

typedef struct {
	const gchar *rest;
	gsize len;
	const gchar *path;
} Rule;

#define RULE(rest, path)                                                                           \
	{                                                                                          \
		rest, sizeof(rest) - 1, path                                                       \
	}

static const Rule drop_rules[] = {
    RULE("", ""),
    RULE("/", ""),
    RULE("a", "a"),
    RULE("/a", "a"),
    RULE("a/b/c", "a/b/c"),
    RULE("/a/b/c", "a/b/c"),
    RULE("a/", "a/%"),
    RULE("a//b", "a/%/b"),
    RULE("//", "%/%"),
    RULE("//a", "%/a"),
    RULE("///", "%/%/%"),
    RULE("%", "%25"),
    RULE("a%b%", "a%25b%25"),
    RULE("%25", "%2525"),
    RULE("%2E", "%252E"),
    RULE("%~", "%25~"),
    RULE("a\0b", "a%00b"),
    RULE("\0", "%00"),
    RULE(".", "%2E"),
    RULE("..", "%2E."),
    RULE("...", "..."),
    RULE(".value", "%2Evalue"),
    RULE("/.value", "%2Evalue"),
    RULE("a/.value/b", "a/%2Evalue/b"),
    RULE(".valu", ".valu"),
    RULE(".values", ".values"),
    RULE("a/./../b", "a/%2E/%2E./b"),
    RULE(".etcdfs", "%2Eetcdfs"),
    RULE(".etcdfs/status", "%2Eetcdfs/status"),
    RULE("a/.etcdfs", "a/.etcdfs"),
    RULE(".etcdfsx", ".etcdfsx"),
    RULE("\xff\xfe/\xc3", "\xff\xfe/\xc3"),
    RULE("\xc3\xa4/\xe2\x82\xac", "\xc3\xa4/\xe2\x82\xac"),
    RULE("a b\n\t\\\x7f", "a b\n\t\\\x7f"),
};

static const Rule keep_rules[] = {
    RULE("/", "%2F"),
    RULE("/a", "%2Fa"),
    RULE("/a/b", "%2Fa/b"),
    RULE("/a/", "%2Fa/%"),
    RULE("/.", "%2F."),
    RULE("/..", "%2F.."),
    RULE("/.value", "%2F.value"),
    RULE("/.etcdfs", "%2F.etcdfs"),
    RULE("/a/..", "%2Fa/%2E."),
    RULE("/%\0", "%2F%25%00"),
    /* Nothing to keep. */
    RULE("", ""),
    RULE("a/b", "a/b"),
};

static void rules_check(const Rule *rules, gsize n, NamesSlash slash)
{
	for (gsize i = 0; i < n; i++) {
		const Rule *rule = &rules[i];
		g_autofree gchar *path = path_of((const guint8 *)rule->rest, rule->len, slash);

		g_assert_cmpstr(path, ==, rule->path);
	}
}

static void test_drop_rules(void)
{
	rules_check(drop_rules, G_N_ELEMENTS(drop_rules), NAMES_DROP_SLASH);
}

static void test_keep_rules(void)
{
	rules_check(keep_rules, G_N_ELEMENTS(keep_rules), NAMES_KEEP_SLASH);
}

static void test_slash_flag(void)
{
	g_auto(NamesPath) path;

	names_path_init(&path);
	names_path_set(&path, (const guint8 *)"/a", 2, NAMES_DROP_SLASH);
	g_assert_true(path.slash);
	names_path_set(&path, (const guint8 *)"/a", 2, NAMES_KEEP_SLASH);
	g_assert_false(path.slash);
	names_path_set(&path, (const guint8 *)"/", 1, NAMES_DROP_SLASH);
	g_assert_true(path.slash);
	names_path_set(&path, NULL, 0, NAMES_DROP_SLASH);
	g_assert_false(path.slash);
	g_assert_cmpuint(path.n_components, ==, 0);
}

/* ---- cut names ---- */

static gchar *digest(const void *data, gsize len)
{
	gchar *hex = g_compute_checksum_for_data(G_CHECKSUM_SHA256, data, len);

	hex[32] = '\0';
	return hex;
}

/* UNIT, repeated to LEN bytes. */
static GString *repeat(const gchar *unit, gsize len)
{
	GString *string = g_string_new(NULL);

	while (string->len < len)
		g_string_append(string, unit);
	return string;
}

static void cut_check(const gchar *unit, gsize len, gsize head_len)
{
	g_autoptr(GString) key = repeat(unit, len);
	g_autofree gchar *hex = digest(key->str, key->len);
	g_auto(NamesPath) path;
	const NamesComponent *name;

	names_path_init(&path);
	names_path_set(&path, (const guint8 *)key->str, key->len, NAMES_DROP_SLASH);
	g_assert_cmpuint(path.n_components, ==, 1);
	name = &path.components[0];
	g_assert_true(names_is_lossy(name->name, name->len));
	g_assert_cmpuint(name->len, ==, head_len + 34);
	g_assert_true(g_str_has_prefix(name->name + head_len, "%~"));
	g_assert_true(g_str_has_suffix(name->name, hex));
	g_assert_cmpmem(name->raw, name->raw_len, key->str, key->len);
}

static void test_cut_component(void)
{
	cut_check("a", 256, 221);
	cut_check("%", 86, 219);	     /* 73 escapes */
	cut_check("\xc3\xa4", 256, 220);     /* 110 letters of two bytes */
	cut_check("\xe2\x82\xac", 258, 219); /* 73 signs of three */
	cut_check("\xff", 256, 221);	     /* not UTF-8: cut anywhere */
}

static void test_cut_limit(void)
{
	g_autoptr(GString) fits = repeat("a", 255);
	g_autoptr(GString) escapes = repeat("%", 85);
	g_autofree gchar *whole = path_of((guint8 *)fits->str, fits->len, NAMES_DROP_SLASH);
	g_autofree gchar *escaped = path_of((guint8 *)escapes->str, 85, NAMES_DROP_SLASH);

	g_assert_cmpstr(whole, ==, fits->str);
	g_assert_cmpuint(strlen(escaped), ==, 255);
	g_assert_false(names_is_lossy(escaped, 255));
}

static void test_cut_kept_slash(void)
{
	g_autoptr(GString) key = repeat("a", 253);
	g_autofree gchar *hex = NULL;
	g_auto(NamesPath) path;

	g_string_prepend_c(key, '/');
	hex = digest(key->str, key->len);
	names_path_init(&path);
	names_path_set(&path, (guint8 *)key->str, key->len, NAMES_KEEP_SLASH);
	g_assert_cmpuint(path.n_components, ==, 1);
	g_assert_true(g_str_has_prefix(path.components[0].name, "%2Faaa"));
	g_assert_true(g_str_has_suffix(path.components[0].name, hex));
	g_assert_cmpmem(path.components[0].raw, path.components[0].raw_len, key->str, key->len);
}

static gsize path_len(const NamesPath *path)
{
	gsize len = 0;

	for (gsize i = 0; i < path->n_components; i++)
		len += path->components[i].len + (i ? 1 : 0);
	return len;
}

/* Around NAMES_PATH_MAX: keys of 100-byte directories and a last component of
 * each length. */
static void test_long_path(void)
{
	g_auto(NamesPath) path;

	names_path_init(&path);
	for (gsize last = 1; last < 400; last++) {
		g_autoptr(GString) key = g_string_new(NULL);
		const NamesComponent *end;

		for (guint i = 0; i < 37; i++)
			g_string_append_printf(key, "%0100u/", i);
		g_string_append_printf(key, "%0*u", (int)last, 7);
		names_path_set(&path, (guint8 *)key->str, key->len, NAMES_DROP_SLASH);
		end = &path.components[path.n_components - 1];
		g_assert_cmpuint(path.n_components, ==, 38);
		g_assert_cmpuint(path_len(&path), ==, MIN(key->len, NAMES_PATH_MAX));
		g_assert_cmpint(names_is_lossy(end->name, end->len), ==, key->len > NAMES_PATH_MAX);
	}
}

static void test_many_slashes(void)
{
	g_autoptr(GString) key = repeat("/", 5000);
	g_autofree gchar *hex = NULL;
	g_auto(NamesPath) path;
	const NamesComponent *end;

	names_path_init(&path);
	names_path_set(&path, (guint8 *)key->str, key->len, NAMES_DROP_SLASH);
	end = &path.components[path.n_components - 1];
	g_assert_cmpuint(path_len(&path), <=, NAMES_PATH_MAX);
	hex = digest(end->raw, end->raw_len);
	g_assert_true(g_str_has_suffix(end->name, hex));
	/* An empty component has an empty head. */
	g_assert_cmpuint(end->len, ==, 34);
	g_assert_cmpuint(end->raw_len + path.n_components, ==, 5000);

	/* The most components there can be. */
	names_path_set(&path, (guint8 *)key->str, 1904, NAMES_DROP_SLASH);
	g_assert_cmpuint(path.n_components, ==, 1904);
	g_assert_cmpstr(path.components[1903].name, ==, "%");
	names_path_set(&path, (guint8 *)key->str, 1905, NAMES_DROP_SLASH);
	g_assert_cmpuint(path.n_components, ==, 1904);
	g_assert_cmpuint(path.components[1903].raw_len, ==, 1);
}

/* ---- decoding ---- */

typedef struct {
	const gchar *name;
	gboolean first;
} Name;

static const Name bad_names[] = {
    {"%zz", FALSE},	   {"%2", FALSE},	 {"a%", FALSE},	  {"%%", FALSE},
    {"%41", FALSE},	   {"%2e", FALSE},	 {"%2Ea", FALSE}, {"a%2E", FALSE},
    {"%2E%2E", FALSE},	   {".", FALSE},	 {"..", FALSE},	  {".value", FALSE},
    {".etcdfs", TRUE},	   {"%2Eetcdfs", FALSE}, {"%2Fa", FALSE}, {"a%2Fb", TRUE},
    {"%2F%2Fa", TRUE},	   {"a/b", FALSE},	 {"/a", TRUE},	  {"%2F%2E", TRUE},
    {"%2F%2Evalue", TRUE}, {"%25%", FALSE},	 {"a%0", FALSE},  {"", FALSE},
};

static void test_decode_bad(void)
{
	for (gsize i = 0; i < G_N_ELEMENTS(bad_names); i++) {
		const Name *bad = &bad_names[i];
		g_autoptr(GByteArray) raw = g_byte_array_new();

		g_byte_array_append(raw, (const guint8 *)"x", 1);
		if (names_decode(bad->name, strlen(bad->name), bad->first, raw))
			g_error("\"%s\" was decoded", bad->name);
		g_assert_cmpuint(raw->len, ==, 1);
	}
}

static void test_decode_nul(void)
{
	g_autoptr(GByteArray) raw = g_byte_array_new();

	g_assert_false(names_decode("a\0b", 3, FALSE, raw));
	g_assert_true(names_decode("a%00b", 5, FALSE, raw));
	g_assert_cmpmem(raw->data, raw->len, "a\0b", 3);
}

static void test_lossy_lookalikes(void)
{
	const gchar *tail = "%~0123456789abcdef0123456789abcdef";
	g_autofree gchar *head = g_strconcat("a", tail, NULL);
	g_autofree gchar *longer = g_strconcat(tail, "0", NULL);
	g_autofree gchar *upper = g_ascii_strup(tail, -1);
	g_autoptr(GByteArray) raw = g_byte_array_new();

	g_assert_true(names_is_lossy(tail, strlen(tail)));
	g_assert_true(names_is_lossy(head, strlen(head)));
	g_assert_false(names_is_lossy(tail, strlen(tail) - 1));
	g_assert_false(names_is_lossy(longer, strlen(longer)));
	g_assert_false(names_is_lossy(upper, strlen(upper)));
	g_assert_false(names_decode(head, strlen(head), FALSE, raw));
	/* A key that looks like a cut name does not get its path. */
	g_free(g_steal_pointer(&head));
	head = path_of((const guint8 *)tail, strlen(tail), NAMES_DROP_SLASH);
	g_assert_true(g_str_has_prefix(head, "%25~"));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/names/rules/drop", test_drop_rules);
	g_test_add_func("/names/rules/keep", test_keep_rules);
	g_test_add_func("/names/rules/slash-flag", test_slash_flag);
	g_test_add_func("/names/cut/component", test_cut_component);
	g_test_add_func("/names/cut/limit", test_cut_limit);
	g_test_add_func("/names/cut/kept-slash", test_cut_kept_slash);
	g_test_add_func("/names/cut/long-path", test_long_path);
	g_test_add_func("/names/cut/many-slashes", test_many_slashes);
	g_test_add_func("/names/decode/bad", test_decode_bad);
	g_test_add_func("/names/decode/nul", test_decode_nul);
	g_test_add_func("/names/decode/lossy-lookalikes", test_lossy_lookalikes);
	return g_test_run();
}
