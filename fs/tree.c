/* SPDX-License-Identifier: Apache-2.0 */
/* How keys become entries.
 *
 * names.c says which path a key has when it is alone.  Two rules depend on the
 * other keys, and are kept here at each put and delete:
 *
 *  - A key that is also a directory (`a` beside `a/b`) is the file `.value` in
 *    that directory.  A put that needs a directory where a file is turns the one
 *    into the other at once.  The way back waits for the end of the revision,
 *    where prune() looks at each directory that lost entries: an empty one goes,
 *    one with only `.value` left becomes a file.  So a directory keeps its inode
 *    through a transaction that deletes its last key and creates another.
 *
 *  - `x` and `/x` (less the prefix) have one path.  The key without the slash
 *    gets it; the other one, its twin, is then found at the path in which the
 *    slash is spelt %2F.  The twin moves when the key without the slash comes
 *    and goes, so the result does not depend on the order of arrival.
 */
#include "tree.h"

#include <pthread.h>
#include <string.h>

#include "entries.h"
#include "names.h"

struct Tree {
	pthread_rwlock_t lock; /* guards entries (but not what node.h calls immutable), revision */
	Entries entries;
	gint64 revision;
	GByteArray *prefix; /* immutable */

	/* Writer thread only. */
	NamesPath path;	   /* of the key in hand */
	NamesPath twin;	   /* of its twin */
	GByteArray *rest;  /* scratch: the twin's key less the prefix */
	gboolean twins;	   /* there was one, some time: see twin_moves_to */
	GPtrArray *shrunk; /* directories (owned) that lost entries in this revision */
	GArray *changes;   /* borrowed for the time of tree_apply_locked; may be NULL */
};

static void change_clear(gpointer p)
{
	TreeChange *change = p;
	node_unref(change->old);
	node_unref(change->now);
}

GArray *tree_changes_new(guint n)
{
	GArray *changes = g_array_sized_new(FALSE, FALSE, sizeof(TreeChange), n);
	g_array_set_clear_func(changes, change_clear);
	return changes;
}

Tree *tree_new(KvBytes prefix)
{
	Tree *tree = g_new0(Tree, 1);
	pthread_rwlockattr_t attr;

	/* With the default kind, readers that overlap for ever starve the writer. */
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&tree->lock, &attr);
	pthread_rwlockattr_destroy(&attr);

	entries_init(&tree->entries);
	tree->prefix = g_byte_array_new();
	g_byte_array_append(tree->prefix, prefix.data, (guint)prefix.len);
	names_path_init(&tree->path);
	names_path_init(&tree->twin);
	tree->rest = g_byte_array_new();
	tree->shrunk = g_ptr_array_new_with_free_func((GDestroyNotify)node_unref);
	return tree;
}

void tree_free(Tree *tree)
{
	if (!tree)
		return;
	g_ptr_array_unref(tree->shrunk);
	g_byte_array_unref(tree->rest);
	names_path_clear(&tree->twin);
	names_path_clear(&tree->path);
	g_byte_array_unref(tree->prefix);
	entries_clear(&tree->entries);
	pthread_rwlock_destroy(&tree->lock);
	g_free(tree);
}

void tree_read_lock(Tree *tree)
{
	pthread_rwlock_rdlock(&tree->lock);
}

void tree_read_unlock(Tree *tree)
{
	pthread_rwlock_unlock(&tree->lock);
}

void tree_write_lock(Tree *tree)
{
	pthread_rwlock_wrlock(&tree->lock);
}

void tree_write_unlock(Tree *tree)
{
	pthread_rwlock_unlock(&tree->lock);
}

Node *tree_root(Tree *tree)
{
	return tree->entries.root;
}

KvBytes tree_prefix(const Tree *tree)
{
	return (KvBytes){tree->prefix->data, tree->prefix->len};
}

Node *tree_lookup_locked(Tree *tree, Node *dir, const char *name)
{
	return entries_lookup(&tree->entries, dir, name, strlen(name));
}

TreeTotals tree_totals_locked(Tree *tree)
{
	return (TreeTotals){
	    .revision = tree->revision,
	    .n_keys = tree->entries.n_files,
	    .n_dirs = tree->entries.n_dirs,
	    .value_bytes = tree->entries.value_bytes,
	};
}

GByteArray *tree_node_key(const Tree *tree, const Node *node)
{
	GByteArray *key = g_byte_array_new();
	g_byte_array_append(key, tree->prefix->data, tree->prefix->len);
	node_append_rest(node, key);
	return key;
}

/* --- Walking a path ------------------------------------------------------ */

static const NodeName dir_value_name = {NAMES_VALUE, sizeof(NAMES_VALUE) - 1, {NULL, 0}};

static NodeName component(const NamesPath *path, gsize i)
{
	const NamesComponent *c = &path->components[i];
	return (NodeName){c->name, c->len, {c->raw, c->raw_len}};
}

static Node *child(Tree *tree, Node *dir, const NodeName *name)
{
	return entries_lookup(&tree->entries, dir, name->name, name->len);
}

/* What is found along a path; borrowed. */
typedef struct {
	Node *file; /* at its end, in a directory of that name its `.value`; or NULL */
	Node *dir;  /* in which nothing but the last name is missing; or NULL */
} Place;

static Place place_of(Tree *tree, const NamesPath *path)
{
	Node *node = tree->entries.root;

	for (gsize i = 0; i < path->n_components; i++) {
		NodeName name = component(path, i);
		Node *dir = node;

		if (dir->kind != NODE_DIR)
			return (Place){NULL, NULL};
		node = child(tree, dir, &name);
		if (!node)
			return (Place){NULL, i + 1 == path->n_components ? dir : NULL};
	}
	return (Place){node->kind == NODE_DIR ? child(tree, node, &dir_value_name) : node, NULL};
}

static Node *file_at(Tree *tree, const NamesPath *path)
{
	return place_of(tree, path).file;
}

/* Sets the canonical path of a key; returns the key less the prefix. */
static KvBytes set_path(Tree *tree, KvBytes key)
{
	g_assert(key.len >= tree->prefix->len);
	KvBytes rest = {key.data + tree->prefix->len, key.len - tree->prefix->len};
	names_path_set(&tree->path, rest.data, rest.len, NAMES_DROP_SLASH);
	return rest;
}

static void set_twin_path(Tree *tree, KvBytes rest_with_slash)
{
	names_path_set(&tree->twin, rest_with_slash.data, rest_with_slash.len, NAMES_KEEP_SLASH);
}

/* The same, for the twin of a key without the slash. */
static void set_path_of_twin_of(Tree *tree, KvBytes rest)
{
	g_byte_array_set_size(tree->rest, 0);
	g_byte_array_append(tree->rest, (const guint8 *)"/", 1);
	g_byte_array_append(tree->rest, rest.data, (guint)rest.len);
	set_twin_path(tree, (KvBytes){tree->rest->data, tree->rest->len});
}

/* Where the file of KEY is; or else where it can be made, if nothing is in its way. */
static Place find(Tree *tree, KvBytes key)
{
	KvBytes rest = set_path(tree, key);
	Place place = place_of(tree, &tree->path);
	Node *file = place.file;

	if (!file || file->slash == tree->path.slash)
		return place;
	if (!tree->path.slash)
		return (Place){NULL, NULL};
	set_twin_path(tree, rest);
	return (Place){file_at(tree, &tree->twin), NULL};
}

Node *tree_find(Tree *tree, KvBytes key)
{
	return find(tree, key).file;
}

/* --- One entry ------------------------------------------------------------ */

/* Takes over the reference to OLD. */
static void report(Tree *tree, Node *old, Node *now)
{
	if (tree->changes) {
		TreeChange change = {old, now ? node_ref(now) : NULL};
		g_array_append_val(tree->changes, change);
	} else {
		node_unref(old);
	}
}

static Node *link_new(Tree *tree, Node *node)
{
	entries_link(&tree->entries, node);
	report(tree, NULL, node);
	return node;
}

static Node *swing(Tree *tree, Node *old, Node *now)
{
	node_ref(old);
	entries_swing(&tree->entries, old, now);
	report(tree, old, now);
	return now;
}

static void unlink_file(Tree *tree, Node *file)
{
	Node *dir = file->parent;

	node_ref(file);
	entries_unlink(&tree->entries, file);
	/* Above one, there is more than `.value` left. */
	if (dir->dir->n_children <= 1)
		g_ptr_array_add(tree->shrunk, node_ref(dir));
	report(tree, file, NULL);
}

static Node *new_file(Node *dir, const NodeName *name, const NodeRevisions *revisions,
		      KvBytes value, gboolean slash)
{
	Node *file = node_new_file(dir, name, revisions, value);

	file->slash = slash != 0;
	return file;
}

/* A new file node with the content of FILE for another name. */
static Node *copy_file(const Node *file, Node *parent, const NodeName *name)
{
	NodeRevisions revisions = node_revisions(file);

	return new_file(parent, name, &revisions, node_value(file), file->slash);
}

static NodeName name_of(const Node *node)
{
	return (NodeName){node_name(node), node->name_len, node_raw(node)};
}

static Node *file_to_dir(Tree *tree, Node *file)
{
	g_autoptr(Node) keep = node_ref(file);
	NodeName name = name_of(file);
	Node *dir = node_new_dir(file->parent, &name);

	dir->slash = file->slash;
	swing(tree, file, dir);
	link_new(tree, copy_file(keep, dir, &dir_value_name));
	return dir;
}

static void dir_to_file(Tree *tree, Node *dir, Node *value)
{
	g_autoptr(Node) keep = node_ref(value);
	NodeName name = name_of(dir);

	entries_unlink(&tree->entries, value);
	report(tree, node_ref(keep), NULL);
	swing(tree, dir, copy_file(keep, dir->parent, &name));
}

/* --- Put and delete ------------------------------------------------------- */

/* The directory NAME in PARENT; made, or made of a file, where it is missing. */
static Node *need_dir(Tree *tree, Node *parent, const NodeName *name, gboolean slash)
{
	Node *node = child(tree, parent, name);

	if (!node) {
		node = node_new_dir(parent, name);
		node->slash = slash != 0;
		return link_new(tree, node);
	}
	return node->kind == NODE_DIR ? node : file_to_dir(tree, node);
}

/* Finds where the file at PATH belongs: its directory and its name there. */
static Node *need_place(Tree *tree, const NamesPath *path, NodeName *ret_name)
{
	gboolean slash = path->slash;
	Node *dir = tree->entries.root;
	gsize n = path->n_components;

	*ret_name = dir_value_name;
	if (n == 0)
		return dir;
	for (gsize i = 0; i + 1 < n; i++) {
		NodeName name = component(path, i);
		dir = need_dir(tree, dir, &name, slash);
	}
	NodeName last = component(path, n - 1);
	Node *there = child(tree, dir, &last);
	if (there && there->kind == NODE_DIR)
		return there;
	*ret_name = last;
	return dir;
}

static void put_at(Tree *tree, const NamesPath *path, const NodeRevisions *revisions, KvBytes value)
{
	NodeName name;
	Node *dir = need_place(tree, path, &name);
	Node *old = child(tree, dir, &name);
	Node *now = new_file(dir, &name, revisions, value, path->slash);

	if (old)
		swing(tree, old, now);
	else
		link_new(tree, now);
}

static NodeRevisions revisions_of(const KeyValue *kv)
{
	return (NodeRevisions){kv->create_revision, kv->mod_revision, kv->version, kv->lease};
}

/* For the key whose path is set, where DIR has no such name. */
static Node *new_key(const Tree *tree, Node *dir, const KeyValue *kv)
{
	NodeName name = component(&tree->path, tree->path.n_components - 1);
	NodeRevisions revisions = revisions_of(kv);

	return new_file(dir, &name, &revisions, kv->value, tree->path.slash);
}

/* A new value of the key that FILE holds, for the same entry. */
static Node *new_value(const Node *file, const KeyValue *kv)
{
	NodeName name = name_of(file);
	NodeRevisions revisions = revisions_of(kv);

	return new_file(file->parent, &name, &revisions, kv->value, file->slash);
}

static void put_twin(Tree *tree, const NodeRevisions *revisions, KvBytes value)
{
	tree->twins = TRUE;
	put_at(tree, &tree->twin, revisions, value);
}

static void put_key(Tree *tree, const KeyValue *kv)
{
	NodeRevisions revisions = revisions_of(kv);
	KvBytes rest = set_path(tree, kv->key);
	gboolean slash = tree->path.slash;
	Place place = place_of(tree, &tree->path);
	Node *there = place.file;

	if (there && slash && !there->slash) {
		set_twin_path(tree, rest);
		put_twin(tree, &revisions, kv->value);
	} else if (there && !slash && there->slash) {
		g_autoptr(Node) twin = node_ref(there);
		NodeRevisions held = node_revisions(twin);
		put_at(tree, &tree->path, &revisions, kv->value);
		set_path_of_twin_of(tree, rest);
		put_twin(tree, &held, node_value(twin));
	} else if (there) {
		/* Found already: what most events are, a new value of a key. */
		swing(tree, there, new_value(there, kv));
	} else if (place.dir) {
		link_new(tree, new_key(tree, place.dir, kv));
	} else {
		put_at(tree, &tree->path, &revisions, kv->value);
	}
}

/* The twin of the key just deleted, if there is one, gets the path at which THERE
 * still is; FALSE if there is none. */
static gboolean twin_moves_to(Tree *tree, Node *there, KvBytes rest)
{
	if (!tree->twins)
		return FALSE;
	set_path_of_twin_of(tree, rest);
	Node *twin = file_at(tree, &tree->twin);
	if (!twin)
		return FALSE;

	NodeName name = name_of(there);
	Node *moved = copy_file(twin, there->parent, &name);
	moved->slash = TRUE;
	swing(tree, there, moved);
	unlink_file(tree, twin);
	return TRUE;
}

static void delete_key(Tree *tree, KvBytes key)
{
	Node *file = tree_find(tree, key);
	if (!file)
		return;

	/* A twin at its %2F path has no slash flag, but its key has the slash. */
	gboolean slash = tree->path.slash;
	KvBytes rest = {key.data + tree->prefix->len, key.len - tree->prefix->len};
	if (slash || !twin_moves_to(tree, file, rest))
		unlink_file(tree, file);
}

/* Removes DIR and the directories above it as far as they are empty; one that
 * holds only its own value becomes a file. */
static void prune(Tree *tree, Node *dir)
{
	while (dir->parent && dir->linked) {
		g_autoptr(Node) keep = node_ref(dir);
		Node *value = child(tree, dir, &dir_value_name);

		if (dir->dir->n_children > (value ? 1 : 0))
			return;
		if (value) {
			dir_to_file(tree, dir, value);
			return;
		}
		entries_unlink(&tree->entries, dir);
		report(tree, node_ref(dir), NULL);
		dir = keep->parent;
	}
}

/* --- Before the lock --------------------------------------------------------- */

static TreeChange prepare(Tree *tree, const KvEvent *event)
{
	Place place = find(tree, event->kv.key);
	Node *file = place.file;

	if (event->type == KV_DELETE)
		return (TreeChange){file ? node_ref(file) : NULL, NULL};
	if (file)
		return (TreeChange){node_ref(file), new_value(file, &event->kv)};
	return (TreeChange){NULL, place.dir ? new_key(tree, place.dir, &event->kv) : NULL};
}

GArray *tree_prepare(Tree *tree, const KvEvent *events, gsize n_events)
{
	GArray *prepared = tree_changes_new((guint)n_events);

	for (gsize i = 0; i < n_events; i++) {
		TreeChange change = prepare(tree, &events[i]);
		g_array_append_val(prepared, change);
	}
	return prepared;
}

/* FALSE: nothing was prepared, or an event before this one has interfered.  A file that
 * is still linked is still where its key leads; a name that is still free is still the new
 * file's, since directories only go at the end. */
static gboolean apply_prepared(Tree *tree, TreeChange *prepared)
{
	Node *old = prepared->old, *now = prepared->now;

	if (old && (!old->linked || (!now && tree->twins)))
		return FALSE;
	if (!old && (!now || entries_has(&tree->entries, now)))
		return FALSE;
	prepared->now = NULL;
	if (!now)
		unlink_file(tree, old);
	else if (old)
		swing(tree, old, now);
	else
		link_new(tree, now);
	return TRUE;
}

/* --- A whole revision ------------------------------------------------------ */

gboolean tree_check(const GArray *prepared, const KvBatch *batch)
{
	for (gsize i = 0; i < batch->n_events; i++) {
		const KvEvent *event = &batch->events[i];
		const Node *held = g_array_index(prepared, TreeChange, i).old;
		gint64 created = held ? held->create_revision : event->kv.mod_revision;
		gint64 version = held ? node_revisions(held).version + 1 : 1;

		if (event->type == KV_DELETE
			? !held
			: event->kv.version != version || event->kv.create_revision != created)
			return FALSE;
	}
	return TRUE;
}

gboolean tree_holds(Tree *tree, const KvEvent *event)
{
	const Node *held = tree_find(tree, event->kv.key);

	if (event->type == KV_DELETE)
		return !held || held->create_revision > event->kv.mod_revision;
	return held && node_revisions(held).mod_revision >= event->kv.mod_revision;
}

static void apply_event(Tree *tree, const KvEvent *event)
{
	if (event->type == KV_PUT)
		put_key(tree, &event->kv);
	else
		delete_key(tree, event->kv.key);
}

void tree_apply_locked(Tree *tree, const KvEvent *events, gsize n_events, GArray *prepared,
		       gint64 revision, GArray *changes)
{
	tree->changes = changes;
	entries_stamp(&tree->entries, g_get_real_time() * 1000);
	for (gsize i = 0; i < n_events; i++)
		if (!prepared || !apply_prepared(tree, &g_array_index(prepared, TreeChange, i)))
			apply_event(tree, &events[i]);
	for (guint i = 0; i < tree->shrunk->len; i++)
		prune(tree, tree->shrunk->pdata[i]);
	g_ptr_array_set_size(tree->shrunk, 0);
	tree->revision = revision;
	tree->changes = NULL;
}

void tree_progress_locked(Tree *tree, gint64 revision)
{
	tree->revision = revision;
}

void tree_foreach_file(Tree *tree, void (*func)(Node *file, gpointer data), gpointer data)
{
	entries_foreach_file(&tree->entries, func, data);
}
