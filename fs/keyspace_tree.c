/* SPDX-License-Identifier: Apache-2.0 */
/* The writer: the watch's thread runs through here, one call at a time.
 *
 * Before the first seed is complete nobody can read the tree, so its pages go in
 * as they come.  A later seed is collected as a difference, and the tree changes
 * at its end.  The first seed too may begin again (compaction overtook it); then
 * what the abandoned one put in is part of the difference.
 */
#include "keyspace_tree.h"

#include "diff.h"

#define PUTS_AT_ONCE 256

struct KeyspaceTree {
	Keyspace keyspace;
	Tree *tree;
	InodeTable *inodes;
	Announcer *announcer;
	Control *control;
	Seeding *seeding;
	Meters *meters;
	Withheld *withheld;

	/* Of the watch's thread. */
	gboolean seeded; /* once: readers may be there */
	gboolean direct; /* pages go into the tree as they come */
	gint64 seed_revision;
	Diff *diff;
};

static KeyspaceTree *of(Keyspace *keyspace)
{
	return (KeyspaceTree *)keyspace;
}

/* With the write lock: nodes that no entry leads to any more. */
static void retire_locked(KeyspaceTree *self, const GArray *changes)
{
	inode_table_lock(self->inodes);
	for (guint i = 0; i < changes->len; i++) {
		const TreeChange *change = &g_array_index(changes, TreeChange, i);
		if (change->old)
			inode_retire_locked(self->inodes, change->old,
					    change->now && node_same_key(change->old, change->now));
	}
	inode_table_unlock(self->inodes);
}

/* Readers wait for this: what can be done before is in PREPARED, and memory is freed after. */
static void apply(KeyspaceTree *self, const KvEvent *events, gsize n_events, GArray *prepared,
		  gint64 revision)
{
	g_autoptr(GArray) changes = tree_changes_new((guint)n_events);

	tree_write_lock(self->tree);
	tree_apply_locked(self->tree, events, n_events, prepared, revision, changes);
	retire_locked(self, changes);
	announcer_push(self->announcer, changes, revision);
	tree_write_unlock(self->tree);
}

static void seed_begin(Keyspace *keyspace, gint64 revision, guint64 n_keys)
{
	KeyspaceTree *self = of(keyspace);

	self->direct = !self->seeded && tree_totals_locked(self->tree).n_keys == 0;
	self->seed_revision = revision;
	diff_begin(self->diff);
	seeding_begin(self->seeding, n_keys);
}

/* Into a tree that nobody reads yet, a part at a time: a page may have a million keys. */
static void put_page(KeyspaceTree *self, const KeyValue *kvs, gsize n_kvs)
{
	KvEvent puts[PUTS_AT_ONCE];
	gsize n;

	for (gsize at = 0; at < n_kvs; at += n) {
		n = MIN(n_kvs - at, PUTS_AT_ONCE);
		for (gsize i = 0; i < n; i++)
			puts[i] = (KvEvent){KV_PUT, kvs[at + i]};
		tree_write_lock(self->tree);
		tree_apply_locked(self->tree, puts, n, NULL, self->seed_revision, NULL);
		tree_write_unlock(self->tree);
	}
}

static void seed_page(Keyspace *keyspace, const KeyValue *kvs, gsize n_kvs)
{
	KeyspaceTree *self = of(keyspace);

	if (self->direct)
		put_page(self, kvs, n_kvs);
	else
		diff_page(self->diff, kvs, n_kvs);
	seeding_page(self->seeding, kvs, n_kvs);
}

static void progress(Keyspace *keyspace, gint64 revision)
{
	KeyspaceTree *self = of(keyspace);

	tree_write_lock(self->tree);
	tree_progress_locked(self->tree, revision);
	announcer_progress(self->announcer, revision);
	tree_write_unlock(self->tree);
}

static void current(Keyspace *keyspace, gint64 revision)
{
	announcer_progress(of(keyspace)->announcer, revision);
}

static void seed_end(Keyspace *keyspace)
{
	KeyspaceTree *self = of(keyspace);

	if (self->direct) {
		progress(keyspace, self->seed_revision);
	} else {
		gsize n_events;
		const KvEvent *events = diff_end(self->diff, &n_events);
		announcer_rewind(self->announcer, self->seed_revision);
		g_autoptr(GArray) prepared = tree_prepare(self->tree, events, n_events);
		apply(self, events, n_events, prepared, self->seed_revision);
	}
	diff_forget(self->diff);
	self->seeded = TRUE;
	seeding_end(self->seeding);
}

static void count_batch(Meters *meters, const KvBatch *batch)
{
	gsize n_puts = 0;

	for (gsize i = 0; i < batch->n_events; i++)
		n_puts += batch->events[i].type == KV_PUT;
	meter_add(&meters->batches, 1);
	meter_add(&meters->events[KV_PUT], n_puts);
	meter_add(&meters->events[KV_DELETE], batch->n_events - n_puts);
	if (batch->arrived_us)
		histogram_observe(&meters->apply, g_get_monotonic_time() - batch->arrived_us);
}

static KeyspaceVerdict apply_batch(Keyspace *keyspace, const KvBatch *batch)
{
	KeyspaceTree *self = of(keyspace);
	g_autoptr(GArray) prepared = tree_prepare(self->tree, batch->events, batch->n_events);

	if (!tree_check(prepared, batch))
		return KEYSPACE_EVENT_LOST;
	apply(self, batch->events, batch->n_events, prepared, batch->revision);
	count_batch(self->meters, batch);
	return KEYSPACE_APPLIED;
}

static gboolean holds(Keyspace *keyspace, const KvEvent *event)
{
	return tree_holds(of(keyspace)->tree, event);
}

static guint64 count(Keyspace *keyspace)
{
	return tree_totals_locked(of(keyspace)->tree).n_keys;
}

/* Nobody hears that it is stale before nothing is shown any more, nor that it is not
 * before all is. */
static void set_status(Keyspace *keyspace, const KeyspaceStatus *status)
{
	KeyspaceTree *self = of(keyspace);
	gboolean on = self->withheld->policy && status->state == KEYSPACE_STALE;
	gboolean was_on = withheld_is_on(self->withheld);

	if (on != was_on)
		withheld_set(self->withheld, self->tree, on);
	if (was_on && !on)
		announcer_release(self->announcer);
	control_set_status(self->control, status, on && !was_on);
	if (on && !was_on)
		announcer_withhold(self->announcer, control_show_stale, self->control);
}

KeyspaceTree *keyspace_tree_new(Tree *tree, InodeTable *inodes, Announcer *announcer,
				Control *control, Seeding *seeding, Meters *meters,
				Withheld *withheld)
{
	KeyspaceTree *self = g_new0(KeyspaceTree, 1);

	self->keyspace = (Keyspace){
	    .seed_begin = seed_begin,
	    .seed_page = seed_page,
	    .seed_end = seed_end,
	    .apply = apply_batch,
	    .holds = holds,
	    .count = count,
	    .progress = progress,
	    .current = current,
	    .status = set_status,
	    .meter = &meters->watch,
	};
	self->tree = tree;
	self->inodes = inodes;
	self->announcer = announcer;
	self->control = control;
	self->seeding = seeding;
	self->meters = meters;
	self->withheld = withheld;
	self->diff = diff_new(tree);
	return self;
}

void keyspace_tree_free(KeyspaceTree *self)
{
	if (!self)
		return;
	diff_free(self->diff);
	g_free(self);
}

Keyspace *keyspace_tree_keyspace(KeyspaceTree *self)
{
	return &self->keyspace;
}
