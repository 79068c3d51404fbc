/* SPDX-License-Identifier: Apache-2.0 */
/* keyspace-log ENDPOINTS [PREFIX] - says what a watch tells its listener.
 *
 * One line for each call of keyspace.h, on standard output, until standard input
 * ends.  ENDPOINTS is HOST:PORT[,HOST:PORT...].  A mirror of the keys is kept,
 * so that versions are checked as the real tree checks them and a reseed can be
 * told as the difference it makes.  In keys and values each byte that is not a
 * visible ASCII character is a backslash and three octal digits.
 *
 *   begin REVISION              a seed
 *   end REVISION KEYS CHANGED   complete: how many keys, how many not as before
 *   diff KEY VALUE NUMBERS      of a reseed, each key that is not as before
 *   diff KEY                    or went
 *   batch REVISION EVENTS       followed by as many
 *   put KEY VALUE NUMBERS       NUMBERS: create_revision, mod_revision, version, lease
 *   delete KEY MOD_REVISION
 *   lost REVISION               the batch contradicted the mirror
 *   progress REVISION
 *   state NAME ENDPOINT RECONNECTS REPLAYS_DROPPED RESEEDS... ERROR
 *   failed MESSAGE              watch_start did
 *   stopped                     the last line
 *
 * The rest of the configuration is in the environment, as KEYSPACE_LOG_... :
 * DIAL_MS, COMMAND_MS, KEEPALIVE_MS and PING_MS (for its answer; KEEPALIVE_MS); TLS and
 * INSECURE (if set at all), CACERT, CERT, KEY; USER, PASSWORD, PASSWORD_FILE; with QUIET the
 * keys of seeds and batches are left out.
 */
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "watch.h"

typedef struct {
	GBytes *value;
	gint64 create_revision;
	gint64 mod_revision;
	gint64 version;
	gint64 lease;
} Entry;

typedef struct {
	Keyspace keyspace;
	GHashTable *mirror; /* GBytes key to Entry */
	GHashTable *seed;   /* the next mirror, while one is read */
	gint64 seed_revision;
	gboolean quiet;
} Log;

static void entry_free(gpointer data)
{
	Entry *entry = data;

	g_bytes_unref(entry->value);
	g_free(entry);
}

static GHashTable *mirror_new(void)
{
	return g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref,
				     entry_free);
}

static void mirror_put(GHashTable *mirror, const KeyValue *kv)
{
	Entry *entry = g_new(Entry, 1);

	*entry = (Entry){
	    .value = g_bytes_new(kv->value.data, kv->value.len),
	    .create_revision = kv->create_revision,
	    .mod_revision = kv->mod_revision,
	    .version = kv->version,
	    .lease = kv->lease,
	};
	g_hash_table_insert(mirror, g_bytes_new(kv->key.data, kv->key.len), entry);
}

static const Entry *mirror_find(GHashTable *mirror, KvBytes key)
{
	g_autoptr(GBytes) bytes = g_bytes_new_static(key.data, key.len);

	return g_hash_table_lookup(mirror, bytes);
}

static void print_bytes(const guint8 *data, gsize len)
{
	putchar(' ');
	for (gsize i = 0; i < len; i++)
		if (g_ascii_isgraph(data[i]) && data[i] != '\\')
			putchar(data[i]);
		else
			printf("\\%03o", data[i]);
}

static void print_entry(const Entry *entry)
{
	print_bytes(g_bytes_get_data(entry->value, NULL), g_bytes_get_size(entry->value));
	printf(" %" G_GINT64_FORMAT " %" G_GINT64_FORMAT " %" G_GINT64_FORMAT " %" G_GINT64_FORMAT,
	       entry->create_revision, entry->mod_revision, entry->version, entry->lease);
}

static gboolean entry_equal(const Entry *a, const Entry *b)
{
	return a->create_revision == b->create_revision && a->mod_revision == b->mod_revision &&
	       a->version == b->version && a->lease == b->lease &&
	       g_bytes_equal(a->value, b->value);
}

static void log_begin(Keyspace *keyspace, gint64 revision, guint64 n_keys)
{
	Log *log = (Log *)keyspace;

	g_clear_pointer(&log->seed, g_hash_table_unref);
	log->seed = mirror_new();
	log->seed_revision = revision;
	printf("begin %" G_GINT64_FORMAT "\n", revision);
}

static void log_page(Keyspace *keyspace, const KeyValue *kvs, gsize n_kvs)
{
	Log *log = (Log *)keyspace;

	for (gsize i = 0; i < n_kvs; i++)
		mirror_put(log->seed, &kvs[i]);
}

static void print_diff(Log *log, GBytes *key, const Entry *entry)
{
	if (log->quiet)
		return;
	printf("diff");
	print_bytes(g_bytes_get_data(key, NULL), g_bytes_get_size(key));
	if (entry)
		print_entry(entry);
	printf("\n");
}

/* Which keys of A are not so in B; TOLD: print what they are in A, else that
 * they are gone from B. */
static guint diff(Log *log, GHashTable *a, GHashTable *b, gboolean told)
{
	GHashTableIter iter;
	gpointer key, value;
	guint n = 0;

	g_hash_table_iter_init(&iter, a);
	while (g_hash_table_iter_next(&iter, &key, &value)) {
		const Entry *new = value, *old = g_hash_table_lookup(b, key);

		if (old && (!told || entry_equal(old, new)))
			continue;
		print_diff(log, key, told ? new : NULL);
		n++;
	}
	return n;
}

static void log_end(Keyspace *keyspace)
{
	Log *log = (Log *)keyspace;
	guint n = diff(log, log->mirror, log->seed, FALSE) +
		  diff(log, log->seed, log->mirror, TRUE);

	g_hash_table_unref(log->mirror);
	log->mirror = g_steal_pointer(&log->seed);
	printf("end %" G_GINT64_FORMAT " %u %u\n", log->seed_revision,
	       g_hash_table_size(log->mirror), n);
}

static gboolean event_follows(Log *log, const KvEvent *event)
{
	const KeyValue *kv = &event->kv;
	const Entry *old = mirror_find(log->mirror, kv->key);

	if (event->type == KV_DELETE)
		return old != NULL;
	if (!old)
		return kv->version == 1 && kv->create_revision == kv->mod_revision;
	return kv->version == old->version + 1 && kv->create_revision == old->create_revision;
}

static void print_event(Log *log, const KvEvent *event)
{
	const KeyValue *kv = &event->kv;

	printf("%s", event->type == KV_PUT ? "put" : "delete");
	print_bytes(kv->key.data, kv->key.len);
	if (event->type == KV_PUT)
		print_entry(mirror_find(log->mirror, kv->key));
	else
		printf(" %" G_GINT64_FORMAT, kv->mod_revision);
	printf("\n");
}

static void apply_event(Log *log, const KvEvent *event)
{
	g_autoptr(GBytes) key = g_bytes_new_static(event->kv.key.data, event->kv.key.len);

	if (event->type == KV_PUT)
		mirror_put(log->mirror, &event->kv);
	else
		g_hash_table_remove(log->mirror, key);
	if (!log->quiet)
		print_event(log, event);
}

static KeyspaceVerdict log_apply(Keyspace *keyspace, const KvBatch *batch)
{
	Log *log = (Log *)keyspace;

	for (gsize i = 0; i < batch->n_events; i++)
		if (!event_follows(log, &batch->events[i])) {
			printf("lost %" G_GINT64_FORMAT "\n", batch->revision);
			return KEYSPACE_EVENT_LOST;
		}
	printf("batch %" G_GINT64_FORMAT " %" G_GSIZE_FORMAT "\n", batch->revision,
	       batch->n_events);
	for (gsize i = 0; i < batch->n_events; i++)
		apply_event(log, &batch->events[i]);
	return KEYSPACE_APPLIED;
}

static guint64 log_count(Keyspace *keyspace)
{
	return g_hash_table_size(((Log *)keyspace)->mirror);
}

static gboolean log_holds(Keyspace *keyspace, const KvEvent *event)
{
	const Entry *held = mirror_find(((Log *)keyspace)->mirror, event->kv.key);

	if (event->type == KV_DELETE)
		return !held || held->create_revision > event->kv.mod_revision;
	return held && held->mod_revision >= event->kv.mod_revision;
}

static void log_progress(Keyspace *keyspace, gint64 revision)
{
	printf("progress %" G_GINT64_FORMAT "\n", revision);
}

static void log_status(Keyspace *keyspace, const KeyspaceStatus *status)
{
	static const char *const names[] = {"seeding", "live", "reconnecting", "reseeding",
					    "denied"};

	printf("state %s %s %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT, names[status->state],
	       status->endpoint ? status->endpoint : "-", status->reconnects,
	       status->replays_dropped);
	for (gsize i = 0; i < KEYSPACE_N_RESEED_REASONS; i++)
		printf(" %" G_GUINT64_FORMAT, status->reseeds[i]);
	printf(" %s\n", status->last_error ? status->last_error : "-");
}

static void wait_for_end_of_input(void)
{
	char buffer[256];

	while (read(STDIN_FILENO, buffer, sizeof(buffer)) > 0)
		;
}

static guint env_ms(const char *name, guint otherwise)
{
	const char *text = g_getenv(name);

	return text ? g_ascii_strtoull(text, NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
	Log log = {
	    .keyspace = {log_begin, log_page, log_end, log_apply, log_holds, log_count,
			 log_progress, log_status, NULL, NULL},
	    .mirror = mirror_new(),
	    .quiet = g_getenv("KEYSPACE_LOG_QUIET") != NULL,
	};
	g_auto(GStrv) endpoints = g_strsplit(argc > 1 ? argv[1] : "127.0.0.1:2379", ",", -1);
	const char *prefix = argc > 2 ? argv[2] : "";
	WatchConfig config = {
	    .endpoints = (const char *const *)endpoints,
	    .prefix = {(const guint8 *)prefix, strlen(prefix)},
	    .dial_timeout_ms = env_ms("KEYSPACE_LOG_DIAL_MS", 2000),
	    .command_timeout_ms = env_ms("KEYSPACE_LOG_COMMAND_MS", 5000),
	    .keepalive_time_ms = env_ms("KEYSPACE_LOG_KEEPALIVE_MS", 10000),
	    .keepalive_timeout_ms = env_ms("KEYSPACE_LOG_PING_MS",
					   env_ms("KEYSPACE_LOG_KEEPALIVE_MS", 10000)),
	    .tls =
		{
		    .enabled = g_getenv("KEYSPACE_LOG_TLS") != NULL,
		    .cacert = g_getenv("KEYSPACE_LOG_CACERT"),
		    .cert = g_getenv("KEYSPACE_LOG_CERT"),
		    .key = g_getenv("KEYSPACE_LOG_KEY"),
		    .insecure_skip_verify = g_getenv("KEYSPACE_LOG_INSECURE") != NULL,
		},
	    .auth =
		{
		    .user = g_getenv("KEYSPACE_LOG_USER"),
		    .password = g_getenv("KEYSPACE_LOG_PASSWORD"),
		    .password_file = g_getenv("KEYSPACE_LOG_PASSWORD_FILE"),
		    .token = g_getenv("KEYSPACE_LOG_TOKEN"),
		    .token_file = g_getenv("KEYSPACE_LOG_TOKEN_FILE"),
		},
	};
	g_autoptr(GError) error = NULL;
	Watch *watch;

	setlinebuf(stdout);
	watch = watch_start(&config, &log.keyspace, &error);
	if (!watch)
		printf("failed %s\n", error->message);
	else
		wait_for_end_of_input();
	watch_stop(watch);
	g_hash_table_unref(log.mirror);
	g_clear_pointer(&log.seed, g_hash_table_unref);
	printf("stopped\n");
	return watch ? 0 : 1;
}
