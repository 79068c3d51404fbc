/* SPDX-License-Identifier: Apache-2.0 */
/* Answers written byte by byte: what etcd sends, and what nobody should. */
#include <string.h>

#include "wire.h"

#define BYTES(literal) (const guint8 *)(literal), sizeof(literal) - 1
#define KV(literal) ((KvBytes){(const guint8 *)(literal), sizeof(literal) - 1})

static void assert_bytes(KvBytes bytes, const char *data, gsize len)
{
	g_assert_cmpmem(bytes.data, bytes.len, data, len);
}

static void assert_encoded(GBytes *bytes, const char *data, gsize len)
{
	g_assert_cmpmem(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), data, len);
}

static void test_range_request(void)
{
	g_autoptr(GBytes) bytes = wire_range_encode(&(WireRange){
	    .key = KV("a\0"),
	    .range_end = KV("b"),
	    .limit = 128,
	    .revision = 5,
	});

	assert_encoded(bytes,
		       "\x0a\x02"
		       "a\0"
		       "\x12\x01"
		       "b"
		       "\x18\x80\x01"
		       "\x20\x05",
		       12);
}

static void test_range_request_keys_only(void)
{
	g_autoptr(GBytes)
	    bytes = wire_range_encode(&(WireRange){.key = KV("k"), .keys_only = TRUE});

	assert_encoded(bytes, "\x0a\x01k\x40\x01", 5);
}

static void test_range_request_count_only(void)
{
	g_autoptr(GBytes)
	    bytes = wire_range_encode(&(WireRange){.key = KV("k"), .count_only = TRUE});

	assert_encoded(bytes, "\x0a\x01k\x48\x01", 5);
}

static void test_probe_request(void)
{
	g_autoptr(GBytes) bytes = wire_probe_encode(KV("a"), KV("b"));

	/* no compare; success { range { key, keys_only } }, failure { range { key,
	 * range_end } } */
	assert_encoded(bytes,
		       "\x12\x07\x0a\x05"
		       "\x0a\x01\x61\x40\x01"
		       "\x1a\x08\x0a\x06"
		       "\x0a\x01\x61\x12\x01\x62",
		       19);
}

static void test_small_requests(void)
{
	g_autoptr(GBytes) progress = wire_progress_encode();
	g_autoptr(GBytes) authenticate = wire_authenticate_encode("me", "secret");
	g_autoptr(GBytes) nobody = wire_authenticate_encode("", "");
	g_autoptr(GBytes) status = wire_status_encode();

	/* progress_request {}, there although it is empty */
	assert_encoded(progress, "\x1a\x00", 2);
	assert_encoded(authenticate,
		       "\x0a\x02me"
		       "\x12\x06secret",
		       12);
	assert_encoded(nobody, "", 0);
	assert_encoded(status, "", 0);
}

static void test_watch_request(void)
{
	g_autoptr(GBytes) bytes = wire_watch_encode(&(WireWatch){
	    .key = KV("\0"),
	    .range_end = KV("\0"),
	    .start_revision = 7,
	    .watch_id = 1,
	});

	/* create { key, range_end, start_revision, progress_notify, watch_id,
	 * fragment } and no prev_kv */
	assert_encoded(bytes,
		       "\x0a\x0e"
		       "\x0a\x01\0"
		       "\x12\x01\0"
		       "\x18\x07"
		       "\x20\x01"
		       "\x38\x01"
		       "\x40\x01",
		       16);
}

/* header { cluster_id 1, member_id 2, revision 9, raft_term 3 } */
#define HEADER "\x0a\x08\x08\x01\x10\x02\x18\x09\x20\x03"
/* There is none after it to watch from. */
#define LAST_REVISION "\xff\xff\xff\xff\xff\xff\xff\xff\x7f"

static void test_range_response(void)
{
	g_auto(Arena) arena = {0};
	EtcdRange range;

	g_assert_true(wire_range_decode(&arena,
					BYTES(HEADER "\x12\x11"
						     "\x0a\x03"
						     "a\0b"
						     "\x10\x04\x18\x05\x20\x02"
						     "\x2a\x02"
						     "v\0"
						     "\x30\x06"
						     "\x12\x03\x0a\x01z"
						     "\x18\x01\x20\x63"),
					&range));
	g_assert_cmpuint(range.header.cluster_id, ==, 1);
	g_assert_cmpuint(range.header.member_id, ==, 2);
	g_assert_cmpint(range.header.revision, ==, 9);
	g_assert_cmpuint(range.header.raft_term, ==, 3);
	g_assert_true(range.more);
	g_assert_cmpuint(range.n_kvs, ==, 2);
	assert_bytes(range.kvs[0].key, "a\0b", 3);
	assert_bytes(range.kvs[0].value, "v\0", 2);
	g_assert_cmpint(range.kvs[0].create_revision, ==, 4);
	g_assert_cmpint(range.kvs[0].mod_revision, ==, 5);
	g_assert_cmpint(range.kvs[0].version, ==, 2);
	g_assert_cmpint(range.kvs[0].lease, ==, 6);
	assert_bytes(range.kvs[1].key, "z", 1);
	assert_bytes(range.kvs[1].value, "", 0);
}

/* What is there before the keys are decoded, and what is then. */
static void test_outline(void)
{
	g_auto(Arena) arena = {0};
	EtcdOutline outline;
	EtcdRange range;

	g_assert_true(
	    wire_outline_decode(&arena,
				BYTES(HEADER "\x12\x09\x0a\x01\x61\x18\x05\x2a\x02\x76\x00"
					     "\x12\x03\x0a\x01\x7a\x18\x01\x20\x80\x08"),
				&outline));
	g_assert_cmpint(outline.header.revision, ==, 9);
	g_assert_true(outline.more);
	g_assert_cmpint(outline.count, ==, 1024);
	g_assert_cmpuint(outline.n_kvs, ==, 2);
	g_assert_cmpuint(outline.kvs[0].len, ==, 9);
	assert_bytes(outline.last, "z", 1);

	g_assert_true(wire_outline_fill(&arena, &outline, &range));
	g_assert_cmpint(range.header.revision, ==, 9);
	g_assert_true(range.more);
	g_assert_cmpint(range.count, ==, 1024);
	g_assert_cmpuint(range.n_kvs, ==, 2);
	assert_bytes(range.kvs[0].key, "a", 1);
	assert_bytes(range.kvs[0].value, "v\0", 2);
	g_assert_cmpint(range.kvs[0].mod_revision, ==, 5);
	assert_bytes(range.kvs[1].key, "z", 1);
}

static void test_outline_broken(void)
{
	g_auto(Arena) arena = {0};
	EtcdOutline outline;
	EtcdRange range;

	g_assert_false(wire_outline_decode(&arena, BYTES("\x12\x05\x0a"), &outline));
	g_assert_false(wire_outline_decode(&arena, BYTES("\x0a\x0a\x18" LAST_REVISION), &outline));
	/* the last key, and one before it */
	g_assert_false(wire_outline_decode(&arena, BYTES("\x12\x02\x0a\x05"), &outline));
	g_assert_true(
	    wire_outline_decode(&arena, BYTES("\x12\x02\x0a\x05\x12\x03\x0a\x01\x7a"), &outline));
	g_assert_false(wire_outline_fill(&arena, &outline, &range));
}

static void test_range_response_empty(void)
{
	g_auto(Arena) arena = {0};
	EtcdRange range;

	g_assert_true(wire_range_decode(&arena, NULL, 0, &range));
	g_assert_cmpint(range.header.revision, ==, 0);
	g_assert_cmpuint(range.n_kvs, ==, 0);
	g_assert_false(range.more);
}

static void test_range_response_count(void)
{
	g_auto(Arena) arena = {0};
	EtcdRange range;

	g_assert_true(wire_range_decode(&arena, BYTES(HEADER "\x20\x80\x08"), &range));
	g_assert_cmpint(range.count, ==, 1024);
	g_assert_cmpuint(range.n_kvs, ==, 0);
}

/* The header of the whole, the keys of the first answer. */
static void test_probe_response(void)
{
	g_auto(Arena) arena = {0};
	EtcdRange range;

	g_assert_true(wire_probe_decode(&arena,
					BYTES(HEADER "\x10\x01"
						     "\x1a\x0f\x0a\x0d"
						     "\x0a\x02\x18\x07"
						     "\x12\x05\x0a\x01k\x18\x05"
						     "\x20\x01"),
					&range));
	g_assert_cmpuint(range.header.cluster_id, ==, 1);
	g_assert_cmpuint(range.header.member_id, ==, 2);
	g_assert_cmpint(range.header.revision, ==, 9);
	g_assert_cmpuint(range.header.raft_term, ==, 3);
	g_assert_cmpuint(range.n_kvs, ==, 1);
	assert_bytes(range.kvs[0].key, "k", 1);
	g_assert_cmpint(range.kvs[0].mod_revision, ==, 5);
}

static void test_probe_response_empty(void)
{
	g_auto(Arena) arena = {0};
	EtcdRange range;

	g_assert_true(wire_probe_decode(&arena, BYTES(HEADER "\x10\x01\x1a\x02\x0a\x00"), &range));
	g_assert_cmpint(range.header.revision, ==, 9);
	g_assert_cmpuint(range.n_kvs, ==, 0);
}

static void assert_no_probe(const guint8 *data, gsize len)
{
	g_auto(Arena) arena = {0};
	EtcdRange range = {.n_kvs = 42};

	g_assert_false(wire_probe_decode(&arena, data, len, &range));
	g_assert_cmpuint(range.n_kvs, ==, 42);
}

static void test_probe_bad_response(void)
{
	assert_no_probe(BYTES(""));
	assert_no_probe(BYTES(HEADER));				    /* no answer */
	assert_no_probe(BYTES(HEADER "\x1a\x00"));		    /* of no kind */
	assert_no_probe(BYTES(HEADER "\x1a\x02\x12\x00"));	    /* to a put */
	assert_no_probe(BYTES("\x1a\x02\x0a\x00\x1a\x02\x0a\x00")); /* two */
	assert_no_probe(BYTES("\x1a\x7f"));
}

static void test_token(void)
{
	g_auto(Arena) arena = {0};
	const char *token = NULL;

	g_assert_true(wire_token_decode(&arena, BYTES(HEADER "\x12\x05t.123"), &token));
	g_assert_cmpstr(token, ==, "t.123");
	g_assert_true(wire_token_decode(&arena, BYTES(HEADER), &token));
	g_assert_cmpstr(token, ==, "");
	token = "before";
	g_assert_false(wire_token_decode(&arena, BYTES("\x12\x7ft"), &token));
	g_assert_cmpstr(token, ==, "before");
}

/* It goes out as the value of a header, where gRPC takes visible ASCII alone. */
static void test_token_no_header(void)
{
	g_auto(Arena) arena = {0};
	const char *token = "before";

	g_assert_false(wire_token_decode(&arena, BYTES("\x12\x03t\n1"), &token));
	g_assert_false(wire_token_decode(&arena, BYTES("\x12\x03t\xc3\xa4"), &token));
	g_assert_false(wire_token_decode(&arena, BYTES("\x12\x03t\x7f!"), &token));
	g_assert_cmpstr(token, ==, "before");
}

static void test_version(void)
{
	g_auto(Arena) arena = {0};
	const char *version = NULL;

	/* version, then dbSize and leader, which nobody asks for */
	g_assert_true(wire_version_decode(&arena,
					  BYTES(HEADER "\x12\x06"
						       "3.5.16"
						       "\x18\x80\x20\x20\x07"),
					  &version));
	g_assert_cmpstr(version, ==, "3.5.16");
	g_assert_true(wire_version_decode(&arena, BYTES(""), &version));
	g_assert_cmpstr(version, ==, "");
	version = "before";
	g_assert_false(wire_version_decode(&arena, BYTES("\x12"), &version));
	g_assert_cmpstr(version, ==, "before");
}

static void test_watch_created(void)
{
	g_auto(Arena) arena = {0};
	EtcdWatch watch;

	g_assert_true(wire_watch_decode(&arena, BYTES(HEADER "\x10\x01\x18\x01"), &watch));
	g_assert_true(watch.created);
	g_assert_false(watch.canceled);
	g_assert_cmpint(watch.watch_id, ==, 1);
	g_assert_cmpint(watch.header.revision, ==, 9);
	g_assert_cmpstr(watch.cancel_reason, ==, "");
}

static void test_watch_compacted(void)
{
	g_auto(Arena) arena = {0};
	EtcdWatch watch;

	/* no header, as etcd sends it; the id is -1 */
	g_assert_true(wire_watch_decode(&arena,
					BYTES("\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
					      "\x20\x01\x28\x0c\x32\x02no"),
					&watch));
	g_assert_true(watch.canceled);
	g_assert_cmpint(watch.watch_id, ==, -1);
	g_assert_cmpint(watch.compact_revision, ==, 12);
	g_assert_cmpstr(watch.cancel_reason, ==, "no");
	g_assert_cmpint(watch.header.revision, ==, 0);
}

static void test_watch_events(void)
{
	g_auto(Arena) arena = {0};
	EtcdWatch watch;

	g_assert_true(wire_watch_decode(&arena,
					BYTES(HEADER "\x10\x01\x38\x01"
						     "\x5a\x0a\x12\x08\x0a\x01k\x18\x08\x2a\x01v"
						     "\x5a\x09\x08\x01\x12\x05\x0a\x01g\x18\x08"),
					&watch));
	g_assert_true(watch.fragment);
	g_assert_cmpuint(watch.n_events, ==, 2);
	g_assert_cmpint(watch.events[0].type, ==, KV_PUT);
	assert_bytes(watch.events[0].kv.key, "k", 1);
	assert_bytes(watch.events[0].kv.value, "v", 1);
	g_assert_cmpint(watch.events[1].type, ==, KV_DELETE);
	g_assert_cmpint(watch.events[1].kv.mod_revision, ==, 8);
	assert_bytes(watch.events[1].kv.value, "", 0);
}

static void assert_no_watch(const guint8 *data, gsize len)
{
	g_auto(Arena) arena = {0};
	EtcdWatch watch = {.watch_id = 42};

	g_assert_false(wire_watch_decode(&arena, data, len, &watch));
	g_assert_cmpint(watch.watch_id, ==, 42);
}

static void test_watch_bad_events(void)
{
	assert_no_watch(BYTES("\x5a\x00"));			     /* no kv */
	assert_no_watch(BYTES("\x5a\x02\x12\x00"));		     /* no key */
	assert_no_watch(BYTES("\x5a\x07\x08\x07\x12\x03\x0a\x01k")); /* no such type */
}

static void test_hostile(void)
{
	g_auto(Arena) arena = {0};
	EtcdRange range = {.n_kvs = 42};

	assert_no_watch(BYTES("\xff"));
	assert_no_watch(BYTES("\x0a\x7f"));		    /* longer than the rest */
	assert_no_watch(BYTES("\x0a\xff\xff\xff\xff\x0f")); /* 4 GiB */
	assert_no_watch(BYTES("\x32\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"));
	g_assert_false(wire_range_decode(&arena, BYTES("\x12\x02\x0a\x05"), &range));
	g_assert_cmpuint(range.n_kvs, ==, 42);
}

static void test_last_revision(void)
{
	g_auto(Arena) arena = {0};
	EtcdRange range = {.n_kvs = 42};

	assert_no_watch(BYTES("\x0a\x0a\x18" LAST_REVISION "\x10\x01"));
	assert_no_watch(BYTES("\x10\x01\x5a\x0f\x12\x0d\x0a\x01k\x18" LAST_REVISION));
	assert_no_probe(BYTES("\x0a\x0a\x18" LAST_REVISION "\x1a\x02\x0a\x00"));
	g_assert_false(wire_range_decode(&arena, BYTES("\x0a\x0a\x18" LAST_REVISION), &range));
	g_assert_cmpuint(range.n_kvs, ==, 42);
}

/* What later versions add is skipped; of a field given twice the last counts. */
static void test_unknown_fields(void)
{
	g_auto(Arena) arena = {0};
	EtcdRange range;

	g_assert_true(
	    wire_range_decode(&arena, BYTES("\xfa\x01\x03new" HEADER "\x0a\x02\x18\x0a"), &range));
	g_assert_cmpint(range.header.revision, ==, 10);
}

static void test_arena(void)
{
	g_auto(Arena) arena = {0};
	guint8 *before = NULL;

	for (gsize size = 0; size < 5000; size++) {
		guint8 *piece = arena_alloc(&arena, size);

		g_assert_cmpuint((gsize)piece % (2 * sizeof(gpointer)), ==, 0);
		g_assert_true(size == 0 || piece != before);
		if (size > 0)
			memset(piece, 1, size);
		before = piece;
	}
	arena_alloc(&arena, 3 * 1024 * 1024);
	arena_clear(&arena);
	g_assert_nonnull(arena_alloc(&arena, 1));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/wire/range/request", test_range_request);
	g_test_add_func("/wire/range/request-keys-only", test_range_request_keys_only);
	g_test_add_func("/wire/range/request-count-only", test_range_request_count_only);
	g_test_add_func("/wire/range/response", test_range_response);
	g_test_add_func("/wire/range/response-empty", test_range_response_empty);
	g_test_add_func("/wire/range/response-count", test_range_response_count);
	g_test_add_func("/wire/range/outline", test_outline);
	g_test_add_func("/wire/range/outline-broken", test_outline_broken);
	g_test_add_func("/wire/probe/request", test_probe_request);
	g_test_add_func("/wire/probe/response", test_probe_response);
	g_test_add_func("/wire/probe/response-empty", test_probe_response_empty);
	g_test_add_func("/wire/probe/bad-response", test_probe_bad_response);
	g_test_add_func("/wire/small-requests", test_small_requests);
	g_test_add_func("/wire/token", test_token);
	g_test_add_func("/wire/token-no-header", test_token_no_header);
	g_test_add_func("/wire/version", test_version);
	g_test_add_func("/wire/watch/request", test_watch_request);
	g_test_add_func("/wire/watch/created", test_watch_created);
	g_test_add_func("/wire/watch/compacted", test_watch_compacted);
	g_test_add_func("/wire/watch/events", test_watch_events);
	g_test_add_func("/wire/watch/bad-events", test_watch_bad_events);
	g_test_add_func("/wire/hostile", test_hostile);
	g_test_add_func("/wire/last-revision", test_last_revision);
	g_test_add_func("/wire/unknown-fields", test_unknown_fields);
	g_test_add_func("/wire/arena", test_arena);
	return g_test_run();
}
