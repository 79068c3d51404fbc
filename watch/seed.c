/* SPDX-License-Identifier: Apache-2.0 */
/* seed.c - how large a page is.
 *
 * etcd (up to 3.6) walks the index from a page's first key to the end of the
 * range, whatever the limit: many small pages cost the square of the keys.  But
 * one page of everything is as large in etcd's memory as in ours.  So the pages
 * grow, from few keys, because nobody knows yet how long the values are, to
 * PAGE_BYTES, and shrink again where values are long or the line is slow.  Nor may a
 * page become LARGE_BYTES if all its values are as long as the longest so far.  Where
 * a page does not come in time at all, the next seed stays below it.
 *
 * The last pages shrink, too: each to half of what is left, since memory is scarce
 * when nearly all keys are there, and a walk to a near end is short.
 */
#include "seed.h"

#include <string.h>

#define FIRST_LIMIT 128
#define GROWTH_MAX 1024
#define PAGE_BYTES (16 * 1024 * 1024)
#define LARGE_BYTES (8 * PAGE_BYTES)
/* Not worth halving. */
#define LAST_BYTES (2 * 1024 * 1024)
/* Below this most of a page's time may be the walk, and says nothing. */
#define PAGE_US (2 * G_TIME_SPAN_SECOND)

void seed_init(Seed *seed, const KeyRange *range, gint64 pinned)
{
	*seed = (Seed){
	    .range = range,
	    .pinned = pinned,
	    .last = g_byte_array_new(),
	    .before = g_byte_array_new(),
	    .limit_max = G_MAXINT64,
	};
	seed_restart(seed);
}

void seed_clear(Seed *seed)
{
	g_clear_pointer(&seed->last, g_byte_array_unref);
	g_clear_pointer(&seed->before, g_byte_array_unref);
}

void seed_restart(Seed *seed)
{
	seed->revision = seed->pinned;
	seed->limit = MIN(FIRST_LIMIT, seed->limit_max);
	seed->longest = 0;
	g_byte_array_set_size(seed->last, 0);
	g_byte_array_set_size(seed->before, 0);
}

void seed_too_large(Seed *seed)
{
	seed->limit_max = MAX(seed->limit / 4, 1);
}

/* The least key above KEY is KEY with a NUL after it. */
static void append_successor(GByteArray *to, const GByteArray *key)
{
	g_byte_array_append(to, key->data, key->len);
	g_byte_array_append(to, (const guint8 *)"", 1);
}

GBytes *seed_request(const Seed *seed)
{
	g_autoptr(GByteArray) from = g_byte_array_new();

	if (seed->last->len > 0)
		append_successor(from, seed->last);
	else
		g_byte_array_append(from, seed->range->key->data, seed->range->key->len);
	return wire_range_encode(&(WireRange){
	    .key = key_range_bytes(from),
	    .range_end = key_range_bytes(seed->range->end),
	    .limit = seed->limit,
	    .revision = seed->revision,
	});
}

static int key_compare(KvBytes a, KvBytes b)
{
	gsize len = MIN(a.len, b.len);
	int r = len > 0 ? memcmp(a.data, b.data, len) : 0;

	return r != 0 ? r : (a.len > b.len) - (a.len < b.len);
}

/* Ascending, none twice, also across pages; an empty key cannot be. */
static gboolean page_ascends(const Seed *seed, const EtcdRange *page)
{
	KvBytes last = key_range_bytes(seed->before);

	for (gsize i = 0; i < page->n_kvs; i++) {
		if (key_compare(last, page->kvs[i].key) >= 0)
			return FALSE;
		last = page->kvs[i].key;
	}
	return TRUE;
}

/* Nothing on it is newer than the revision it was asked for. */
static gboolean page_is_of(gint64 revision, const EtcdRange *page)
{
	for (gsize i = 0; i < page->n_kvs; i++)
		if (page->kvs[i].mod_revision > revision)
			return FALSE;
	return TRUE;
}

static gint64 page_bytes(const EtcdOutline *page)
{
	gint64 bytes = 0;

	for (gsize i = 0; i < page->n_kvs; i++)
		bytes += (gint64)page->kvs[i].len;
	return bytes;
}

static gint64 page_longest(const EtcdOutline *page)
{
	gint64 longest = 0;

	for (gsize i = 0; i < page->n_kvs; i++)
		longest = MAX(longest, (gint64)page->kvs[i].len);
	return longest;
}

static gint64 next_limit(const Seed *seed, const EtcdOutline *page, gint64 elapsed_us)
{
	gint64 n = page->n_kvs;
	gint64 bytes = MAX(page_bytes(page), 1);
	gint64 limit = MIN(n * GROWTH_MAX, PAGE_BYTES * n / bytes);

	/* of another count nothing follows */
	if (page->count > n)
		limit = MIN(limit, MAX((page->count - n) / 2, LAST_BYTES * n / bytes));
	limit = MIN(limit, LARGE_BYTES / MAX(seed->longest, 1));
	if (elapsed_us > PAGE_US)
		limit = MIN(limit, PAGE_US * n / elapsed_us);
	return CLAMP(limit, 1, seed->limit_max);
}

static void set_last(Seed *seed, KvBytes key)
{
	GByteArray *spare = seed->before;

	seed->before = seed->last;
	seed->last = spare;
	g_byte_array_set_size(seed->last, 0);
	g_byte_array_append(seed->last, key.data, (guint)key.len);
}

SeedVerdict seed_take(Seed *seed, const EtcdOutline *page, gint64 elapsed_us)
{
	if (page->header.revision <= 0 || (page->more && page->n_kvs == 0))
		return SEED_BROKEN;
	if (seed->revision == 0)
		seed->revision = page->header.revision;
	set_last(seed, page->last);
	if (!page->more) {
		seed->limit_max = G_MAXINT64;
		return SEED_DONE;
	}
	seed->longest = MAX(seed->longest, page_longest(page));
	seed->limit = next_limit(seed, page, elapsed_us);
	return SEED_MORE;
}

gboolean seed_check(const Seed *seed, const EtcdRange *page)
{
	return page_ascends(seed, page) && page_is_of(seed->revision, page);
}

const KeyValue *seed_newest(const EtcdRange *page)
{
	const KeyValue *newest = NULL;

	for (gsize i = 0; i < page->n_kvs; i++)
		if (!newest || page->kvs[i].mod_revision > newest->mod_revision)
			newest = &page->kvs[i];
	return newest;
}
