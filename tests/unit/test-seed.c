/* SPDX-License-Identifier: Apache-2.0 */
/* Prefixes to ranges, and pages to the next request. */
#include <string.h>

#include "seed.h"

#define KV(literal) ((KvBytes){(const guint8 *)(literal), sizeof(literal) - 1})
#define SECOND G_TIME_SPAN_SECOND

static void assert_range(KvBytes prefix, KvBytes key, KvBytes end)
{
	KeyRange range;

	key_range_init(&range, prefix);
	g_assert_cmpmem(range.key->data, range.key->len, key.data, key.len);
	g_assert_cmpmem(range.end->data, range.end->len, end.data, end.len);
	key_range_clear(&range);
}

static void test_range(void)
{
	assert_range(KV("a"), KV("a"), KV("b"));
	assert_range(KV("/app/"), KV("/app/"), KV("/app0"));
	assert_range(KV("a\xff"), KV("a\xff"), KV("b"));
	assert_range(KV("a\xff\xff"), KV("a\xff\xff"), KV("b"));
	assert_range(KV("\xff"), KV("\xff"), KV("\0"));
	assert_range(KV("\xff\xff"), KV("\xff\xff"), KV("\0"));
	assert_range(KV("a\0"), KV("a\0"), KV("a\1"));
	assert_range(KV(""), KV("\0"), KV("\0"));
}

typedef struct {
	KeyRange range;
	Seed seed;
} Fixture;

static void set_up(Fixture *fixture, gconstpointer data)
{
	key_range_init(&fixture->range, KV("a"));
	seed_init(&fixture->seed, &fixture->range, 0);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
	seed_clear(&fixture->seed);
	key_range_clear(&fixture->range);
}

static void assert_request(const Seed *seed, KvBytes key, gint64 revision)
{
	g_autoptr(GBytes) got = seed_request(seed);
	g_autoptr(GBytes) expected = wire_range_encode(&(WireRange){
	    .key = key,
	    .range_end = KV("b"),
	    .limit = seed->limit,
	    .revision = revision,
	});

	g_assert_true(g_bytes_equal(got, expected));
}

/* As it is on the wire, but not in these bytes. */
static SeedVerdict take_kvs(Seed *seed, const EtcdRange *page, gint64 elapsed_us)
{
	g_autofree KvBytes *kvs = g_new0(KvBytes, page->n_kvs);
	EtcdOutline outline = {page->header, kvs, page->n_kvs, {0}, page->more, page->count};
	SeedVerdict verdict;

	for (gsize i = 0; i < page->n_kvs; i++) {
		kvs[i].len = page->kvs[i].key.len + page->kvs[i].value.len;
		outline.last = page->kvs[i].key;
	}
	verdict = seed_take(seed, &outline, elapsed_us);
	return seed_check(seed, page) ? verdict : SEED_BROKEN;
}

static SeedVerdict take(Seed *seed, gint64 revision, gboolean more, const char *keys)
{
	KeyValue kvs[16] = {0};
	EtcdRange page = {.header.revision = revision, .kvs = kvs, .more = more};

	for (; *keys; keys++)
		kvs[page.n_kvs++].key = (KvBytes){(const guint8 *)keys, 1};
	return take_kvs(seed, &page, 1);
}

static void test_pages(Fixture *fixture, gconstpointer data)
{
	Seed *seed = &fixture->seed;

	assert_request(seed, KV("a"), 0);
	g_assert_cmpint(take(seed, 10, TRUE, "abc"), ==, SEED_MORE);
	assert_request(seed, KV("c\0"), 10);
	g_assert_cmpint(take(seed, 12, TRUE, "d"), ==, SEED_MORE);
	assert_request(seed, KV("d\0"), 10);
	g_assert_cmpint(take(seed, 15, FALSE, ""), ==, SEED_DONE);
	g_assert_cmpint(seed->revision, ==, 10);
	seed_restart(seed);
	assert_request(seed, KV("a"), 0);
}

static void test_pinned(Fixture *fixture, gconstpointer data)
{
	Seed *seed = &fixture->seed;

	seed->pinned = 7;
	for (int i = 0; i < 2; i++) {
		seed_restart(seed);
		assert_request(seed, KV("a"), 7);
		g_assert_cmpint(take(seed, 10, TRUE, "abc"), ==, SEED_MORE);
		assert_request(seed, KV("c\0"), 7);
	}
	g_assert_cmpint(take(seed, 15, FALSE, ""), ==, SEED_DONE);
	g_assert_cmpint(seed->revision, ==, 7);
}

static void test_broken(Fixture *fixture, gconstpointer data)
{
	static const char *const pages[] = {"ba", "aa", "b", "cb"};

	for (gsize i = 0; i < G_N_ELEMENTS(pages); i++) {
		seed_restart(&fixture->seed);
		g_assert_cmpint(take(&fixture->seed, 10, TRUE, "b"), ==, SEED_MORE);
		g_assert_cmpint(take(&fixture->seed, 10, FALSE, pages[i]), ==, SEED_BROKEN);
	}
	seed_restart(&fixture->seed);
	g_assert_cmpint(take(&fixture->seed, 10, TRUE, ""), ==, SEED_BROKEN);
	g_assert_cmpint(take(&fixture->seed, 0, FALSE, "a"), ==, SEED_BROKEN);
}

static void test_empty_key(Fixture *fixture, gconstpointer data)
{
	KeyValue kv = {0};
	EtcdRange page = {.header.revision = 1, .kvs = &kv, .n_kvs = 1};

	g_assert_cmpint(take_kvs(&fixture->seed, &page, 1), ==, SEED_BROKEN);
}

/* Newer than the revision that was asked for, on the first page or a later one. */
static void test_too_new(Fixture *fixture, gconstpointer data)
{
	KeyValue kv = {.key = KV("b"), .mod_revision = 11};
	EtcdRange page = {.header.revision = 10, .kvs = &kv, .n_kvs = 1};

	g_assert_cmpint(take_kvs(&fixture->seed, &page, 1), ==, SEED_BROKEN);
	seed_restart(&fixture->seed);
	g_assert_cmpint(take(&fixture->seed, 10, TRUE, "a"), ==, SEED_MORE);
	page.header.revision = 12;
	g_assert_cmpint(take_kvs(&fixture->seed, &page, 1), ==, SEED_BROKEN);
}

static gint64 take_page_of(Seed *seed, gsize n, gsize len, gint64 elapsed_us, gint64 count)
{
	g_autofree char *names = g_malloc(n * 8);
	g_autofree KeyValue *kvs = g_new0(KeyValue, n);
	EtcdRange page = {.kvs = kvs, .n_kvs = n, .more = TRUE, .count = count};

	page.header.revision = 1;
	for (gsize i = 0; i < n; i++) {
		g_snprintf(names + i * 8, 8, "a%06" G_GSIZE_FORMAT, i);
		kvs[i].key = (KvBytes){(const guint8 *)names + i * 8, 7};
		kvs[i].value = (KvBytes){NULL, len};
	}
	g_byte_array_set_size(seed->last, 0); /* the same keys again */
	g_assert_cmpint(take_kvs(seed, &page, elapsed_us), ==, SEED_MORE);
	return seed->limit;
}

static gint64 take_page(Seed *seed, gsize n, gsize len, gint64 elapsed_us)
{
	return take_page_of(seed, n, len, elapsed_us, 0);
}

/* The limit after a first page of N keys whose values have LEN bytes. */
static gint64 limit_after(Seed *seed, gsize n, gsize len, gint64 elapsed_us)
{
	seed_restart(seed);
	return take_page(seed, n, len, elapsed_us);
}

static void test_limit(Fixture *fixture, gconstpointer data)
{
	Seed *seed = &fixture->seed;

	/* grows, but not to anything at once: the next values may be long */
	g_assert_cmpint(limit_after(seed, 100, 93, 1000), ==, 102400);
	/* to so many bytes a page */
	g_assert_cmpint(limit_after(seed, 100000, 93, SECOND / 10), ==, 167772);
	/* one long value may not be alone */
	seed->longest = 128 * 1024;
	g_assert_cmpint(take_page(seed, 100, 93, 1000), ==, 1024);
	/* shrinks when the values are long, at worst to one */
	g_assert_cmpint(limit_after(seed, 100, 1024 * 1024 - 7, SECOND / 10), ==, 16);
	g_assert_cmpint(limit_after(seed, 1, 1024 * 1024 * 1024, SECOND / 10), ==, 1);
	/* and when the line is slow */
	g_assert_cmpint(limit_after(seed, 1000, 93, 10 * SECOND), ==, 200);
}

/* The limit after a page of N keys with 100 bytes each, COUNT from its first to the end. */
static gint64 limit_within(Seed *seed, gsize n, gint64 count)
{
	seed_restart(seed);
	return take_page_of(seed, n, 93, SECOND / 10, count);
}

static void test_limit_at_the_end(Fixture *fixture, gconstpointer data)
{
	Seed *seed = &fixture->seed;

	/* far away */
	g_assert_cmpint(limit_within(seed, 1000, 1000000), ==, 167772);
	/* half of what is left */
	g_assert_cmpint(limit_within(seed, 1000, 201000), ==, 100000);
	/* but no tiny pages */
	g_assert_cmpint(limit_within(seed, 1000, 31000), ==, 20971);
	/* and a count that cannot be is none */
	g_assert_cmpint(limit_within(seed, 1000, 1000), ==, 167772);
}

/* A page that never came; smaller ones from then on, until a seed is done. */
static void test_too_large(Fixture *fixture, gconstpointer data)
{
	Seed *seed = &fixture->seed;
	gint64 first = seed->limit;

	g_assert_cmpint(limit_after(seed, 1000, 93, 1), ==, 167772);
	seed_too_large(seed);
	seed_restart(seed);
	g_assert_cmpint(seed->limit, ==, first);
	g_assert_cmpint(limit_after(seed, 1000, 93, 1), ==, 41943);
	for (int i = 0; i < 20; i++) {
		seed_restart(seed);
		seed_too_large(seed);
	}
	seed_restart(seed);
	g_assert_cmpint(seed->limit, ==, 1);
	g_assert_cmpint(take(seed, 10, FALSE, "a"), ==, SEED_DONE);
	seed_restart(seed);
	g_assert_cmpint(seed->limit, ==, first);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/seed/range", test_range);
	g_test_add("/seed/pages", Fixture, NULL, set_up, test_pages, tear_down);
	g_test_add("/seed/pinned", Fixture, NULL, set_up, test_pinned, tear_down);
	g_test_add("/seed/broken", Fixture, NULL, set_up, test_broken, tear_down);
	g_test_add("/seed/empty-key", Fixture, NULL, set_up, test_empty_key, tear_down);
	g_test_add("/seed/too-new", Fixture, NULL, set_up, test_too_new, tear_down);
	g_test_add("/seed/limit", Fixture, NULL, set_up, test_limit, tear_down);
	g_test_add("/seed/limit-at-the-end", Fixture, NULL, set_up, test_limit_at_the_end,
		   tear_down);
	g_test_add("/seed/too-large", Fixture, NULL, set_up, test_too_large, tear_down);
	return g_test_run();
}
