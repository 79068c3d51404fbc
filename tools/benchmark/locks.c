/* SPDX-License-Identifier: Apache-2.0 */
/* locks.c - how long readers of the tree may have to wait for its writer.
 *
 *	locks KEYS DIFFERENCES
 *
 * Prints the longest that the write lock was held, in us: in a reseed of KEYS keys, of which
 * DIFFERENCES are different (the median of several), in a transaction with as many, and
 * while KEYS keys come one after the other.
 */
#include <pthread.h>
#include <stdlib.h>

#include "model.h"

#define PREFIX "/bench/"
#define TURNS 9
#define PAGE 1000

static gint64 held_since_us, longest_us;

/* The linker has what the tree calls come here (--wrap): there is only this thread. */
int __real_pthread_rwlock_wrlock(pthread_rwlock_t *lock);
int __real_pthread_rwlock_unlock(pthread_rwlock_t *lock);
int __wrap_pthread_rwlock_wrlock(pthread_rwlock_t *lock);
int __wrap_pthread_rwlock_unlock(pthread_rwlock_t *lock);

int __wrap_pthread_rwlock_wrlock(pthread_rwlock_t *lock)
{
	int r = __real_pthread_rwlock_wrlock(lock);

	held_since_us = g_get_monotonic_time();
	return r;
}

int __wrap_pthread_rwlock_unlock(pthread_rwlock_t *lock)
{
	if (held_since_us != 0)
		longest_us = MAX(longest_us, g_get_monotonic_time() - held_since_us);
	held_since_us = 0;
	return __real_pthread_rwlock_unlock(lock);
}

/* Keys and values as long as etcd's keys in the other benchmarks. */
typedef struct {
	char key[32];
	char value[100];
} Text;

/* The Ith key; of each TURN the first N_DIFFERENT are of its own revision. */
static KeyValue key_value(Text *text, guint64 i, guint64 turn, guint64 n_different)
{
	guint64 version = i < n_different ? turn : 1;

	g_snprintf(text->key, sizeof(text->key),
		   PREFIX "%05" G_GUINT64_FORMAT "/%04" G_GUINT64_FORMAT, i / 1000, i % 1000);
	memset(text->value, (int)('a' + version % 26), sizeof(text->value));
	return (KeyValue){
	    .key = {(guint8 *)text->key, strlen(text->key)},
	    .value = {(guint8 *)text->value, sizeof(text->value)},
	    .create_revision = 1,
	    .mod_revision = (gint64)version,
	    .version = (gint64)version,
	};
}

static gint64 seed(Keyspace *keyspace, guint64 n_keys, guint64 turn, guint64 n_different)
{
	static Text texts[PAGE];
	KeyValue page[PAGE];

	longest_us = 0;
	keyspace->seed_begin(keyspace, (gint64)turn, n_keys);
	for (guint64 at = 0; at < n_keys; at += PAGE) {
		guint64 n = MIN(n_keys - at, PAGE);

		for (guint64 i = 0; i < n; i++)
			page[i] = key_value(&texts[i], at + i, turn, n_different);
		keyspace->seed_page(keyspace, page, n);
	}
	keyspace->seed_end(keyspace);
	return longest_us;
}

static gint64 transaction(Keyspace *keyspace, guint64 n, guint64 turn)
{
	g_autofree Text *texts = g_new(Text, n);
	g_autofree KvEvent *events = g_new(KvEvent, n);
	KvBatch batch = {.revision = (gint64)turn, .events = events, .n_events = n};

	longest_us = 0;
	for (guint64 i = 0; i < n; i++)
		events[i] = (KvEvent){KV_PUT, key_value(&texts[i], i, turn, n)};
	if (keyspace->apply(keyspace, &batch) != KEYSPACE_APPLIED)
		g_error("it was not applied");
	return longest_us;
}

/* Into an empty tree. */
static gint64 growth(Keyspace *keyspace, guint64 n_keys)
{
	gint64 longest = 0;

	seed(keyspace, 0, 1, 0);
	for (guint64 i = 0; i < n_keys; i++) {
		Text text;
		KvEvent put = {KV_PUT, key_value(&text, i, 1, 0)};
		KvBatch batch = {.revision = (gint64)i + 2, .events = &put, .n_events = 1};

		put.kv.create_revision = put.kv.mod_revision = batch.revision;
		longest_us = 0;
		if (keyspace->apply(keyspace, &batch) != KEYSPACE_APPLIED)
			g_error("it was not applied");
		longest = MAX(longest, longest_us);
	}
	return longest;
}

static int compare(gconstpointer a, gconstpointer b)
{
	return *(const gint64 *)a < *(const gint64 *)b ? -1 : 1;
}

static gint64 median(gint64 *figures)
{
	qsort(figures, TURNS, sizeof(*figures), compare);
	return figures[TURNS / 2];
}

int main(int argc, char **argv)
{
	guint64 n_keys, n_different;
	gint64 reseeds[TURNS], transactions[TURNS];
	guint64 turn = 1;

	if (argc != 3 || !g_ascii_string_to_unsigned(argv[1], 10, 1, 100000000, &n_keys, NULL) ||
	    !g_ascii_string_to_unsigned(argv[2], 10, 1, n_keys, &n_different, NULL)) {
		g_printerr("usage: locks KEYS DIFFERENCES\n");
		return 2;
	}
	Model *model = model_new(PREFIX);
	Keyspace *keyspace = model_keyspace(model);
	seed(keyspace, n_keys, turn, 0);
	for (int i = 0; i < TURNS; i++)
		reseeds[i] = seed(keyspace, n_keys, ++turn, n_different);
	for (int i = 0; i < TURNS; i++)
		transactions[i] = transaction(keyspace, n_different, ++turn);
	model_free(model);
	model = model_new(PREFIX);
	gint64 grown = growth(model_keyspace(model), n_keys);
	g_print("%" G_GINT64_FORMAT " %" G_GINT64_FORMAT " %" G_GINT64_FORMAT "\n", median(reseeds),
		median(transactions), grown);
	model_free(model);
	return 0;
}
