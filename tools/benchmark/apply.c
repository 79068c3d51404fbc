/* SPDX-License-Identifier: Apache-2.0 */
/* apply.c - what an event costs from its bytes on the wire to the tree, while nobody
 * looks, beside the least that one could do with it: a hash table.
 *
 *	apply KEYS EVENTS
 *
 * Prints the ns of processor time per event: of etcdfs, of the table.  EVENTS puts of 100
 * bytes, a revision each and 100 in a response, go round KEYS keys in no order, 100 in a directory.
 */
#include <stdlib.h>
#include <time.h>

#include "model.h"
#include "revisions.h"
#include "rpc.pb-c.h"
#include "wire.h"

#define VALUE_BYTES 100
#define IN_RESPONSE 100
#define IN_DIRECTORY 100
/* So nothing is where it was expected: a prime that divides no number of keys. */
#define STRIDE G_GUINT64_CONSTANT(100000007)
#define PREFIX "/bench/"

typedef void (*Take)(gpointer data, const KvBatch *batch);

static char *key_name(guint64 i)
{
	return g_strdup_printf(PREFIX "%06" G_GUINT64_FORMAT "/%04" G_GUINT64_FORMAT,
			       i / IN_DIRECTORY, i % IN_DIRECTORY);
}

/* All keys are there from the beginning, each of its own revision. */
static KeyValue key_value(guint64 n_keys, guint64 event)
{
	static guint8 value[VALUE_BYTES];
	guint64 turn = event % n_keys;
	char *key = key_name(turn * STRIDE % n_keys);

	memset(value, (int)('a' + event % 26), sizeof(value));
	return (KeyValue){
	    .key = {(guint8 *)key, strlen(key)},
	    .value = {value, sizeof(value)},
	    .create_revision = (gint64)turn + 1,
	    .mod_revision = (gint64)event + 1,
	    .version = (gint64)(event / n_keys) + 1,
	};
}

static void key_value_clear(KeyValue *kv)
{
	g_free((gpointer)kv->key.data);
}

/* The response with the events from FIRST on. */
static GBytes *response_new(guint64 n_keys, guint64 first)
{
	Etcdserverpb__WatchResponse response = ETCDSERVERPB__WATCH_RESPONSE__INIT;
	Etcdserverpb__ResponseHeader header = ETCDSERVERPB__RESPONSE_HEADER__INIT;
	Mvccpb__Event events[IN_RESPONSE], *all[IN_RESPONSE];
	Mvccpb__KeyValue kvs[IN_RESPONSE];
	KeyValue from[IN_RESPONSE];
	gsize len;
	guint8 *data;

	for (guint i = 0; i < IN_RESPONSE; i++) {
		from[i] = key_value(n_keys, first + i);
		mvccpb__key_value__init(&kvs[i]);
		kvs[i].key = (ProtobufCBinaryData){from[i].key.len, (guint8 *)from[i].key.data};
		kvs[i].value = (ProtobufCBinaryData){from[i].value.len,
						     (guint8 *)from[i].value.data};
		kvs[i].create_revision = from[i].create_revision;
		kvs[i].mod_revision = from[i].mod_revision;
		kvs[i].version = from[i].version;
		mvccpb__event__init(&events[i]);
		events[i].kv = &kvs[i];
		all[i] = &events[i];
	}
	header.revision = (gint64)first + IN_RESPONSE;
	response.header = &header;
	response.events = all;
	response.n_events = IN_RESPONSE;
	len = etcdserverpb__watch_response__get_packed_size(&response);
	data = g_malloc(len);
	etcdserverpb__watch_response__pack(&response, data);
	for (guint i = 0; i < IN_RESPONSE; i++)
		key_value_clear(&from[i]);
	return g_bytes_new_take(data, len);
}

static double thread_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* As watch/driver.c takes a message. */
static void take_response(Revisions *revisions, GBytes *message, Take take, gpointer data)
{
	g_auto(Arena) arena = {0};
	EtcdWatch response;
	KvBatch batch;
	gsize len, at = 0;
	const guint8 *bytes = g_bytes_get_data(message, &len);

	arena_init(&arena, 2 * len);
	if (!wire_watch_decode(&arena, bytes, len, &response))
		g_error("the response does not decode");
	revisions_begin(revisions);
	while (revisions_next(revisions, &response, &at, &batch))
		take(data, &batch);
}

/* The ns of each. */
static double time_events(guint64 n_keys, guint64 n_events, Take take, gpointer data)
{
	Revisions revisions;
	double ns = 0;

	revisions_init(&revisions);
	for (guint64 n = 0; n < n_events; n += IN_RESPONSE) {
		g_autoptr(GBytes) message = response_new(n_keys, n_keys + n);
		double start = thread_ns();

		take_response(&revisions, message, take, data);
		ns += thread_ns() - start;
	}
	revisions_clear(&revisions);
	return ns / (double)n_events;
}

/* ---- etcdfs ---- */

static void apply(gpointer data, const KvBatch *batch)
{
	Keyspace *keyspace = data;

	if (keyspace->apply(keyspace, batch) != KEYSPACE_APPLIED)
		g_error("revision %" G_GINT64_FORMAT " was not applied", batch->revision);
}

static void fill(Keyspace *keyspace, guint64 n_keys)
{
	keyspace->seed_begin(keyspace, (gint64)n_keys, n_keys);
	for (guint64 i = 0; i < n_keys; i++) {
		KeyValue kv = key_value(n_keys, i);

		keyspace->seed_page(keyspace, &kv, 1);
		key_value_clear(&kv);
	}
	keyspace->seed_end(keyspace);
}

static double time_etcdfs(guint64 n_keys, guint64 n_events)
{
	Model *model = model_new(PREFIX);
	double ns;

	fill(model_keyspace(model), n_keys);
	ns = time_events(n_keys, n_events, apply, model_keyspace(model));
	model_free(model);
	return ns;
}

/* ---- the table ---- */

static GBytes *copied(KvBytes bytes)
{
	return g_bytes_new(bytes.data, bytes.len);
}

static void insert(gpointer data, const KvBatch *batch)
{
	for (gsize i = 0; i < batch->n_events; i++)
		g_hash_table_insert(data, copied(batch->events[i].kv.key),
				    copied(batch->events[i].kv.value));
}

static double time_table(guint64 n_keys, guint64 n_events)
{
	g_autoptr(GHashTable) table = g_hash_table_new_full(g_bytes_hash, g_bytes_equal,
							    (GDestroyNotify)g_bytes_unref,
							    (GDestroyNotify)g_bytes_unref);

	for (guint64 i = 0; i < n_keys; i++) {
		KeyValue kv = key_value(n_keys, i);

		g_hash_table_insert(table, copied(kv.key), copied(kv.value));
		key_value_clear(&kv);
	}
	return time_events(n_keys, n_events, insert, table);
}

int main(int argc, char **argv)
{
	guint64 n_keys, n_events;

	if (argc != 3 || !g_ascii_string_to_unsigned(argv[1], 10, 1, 1e8, &n_keys, NULL) ||
	    !g_ascii_string_to_unsigned(argv[2], 10, 1, 1e9, &n_events, NULL)) {
		g_printerr("usage: apply KEYS EVENTS\n");
		return 2;
	}
	g_print("%g %g\n", time_etcdfs(n_keys, n_events), time_table(n_keys, n_events));
	return 0;
}
