/* SPDX-License-Identifier: Apache-2.0 */
#include "control.h"

#include <string.h>

#include "entries.h"
#include "metrics.h"
#include "names.h"
#include "sentence.h"
#include "status.h"

enum { STATUS, REVISION, METRICS };

static const char *const file_names[CONTROL_N_FILES] = {
    [STATUS] = "status",
    [REVISION] = "revision",
    [METRICS] = "metrics",
};

struct Control {
	Tree *tree;
	InodeTable *inodes;
	Announcer *announcer;
	Waiting *waiting;
	const Meters *meters;
	const StatusAbout *about;
	gint64 started_us; /* since the epoch */
	Node *dir;	   /* owned: .etcdfs */
	Node *inode_dir;   /* owned: .etcdfs/inode */

	/* Taken before the tree lock and the inode table's, never with one held. */
	GMutex lock;
	void (*on_status)(gpointer data); /* set before there are threads; so the next */
	gpointer on_status_data;
	/* Guarded by the lock. */
	KeyspaceStatus status; /* its strings are owned, by the two below */
	char *endpoint;
	char *last_error;
	gboolean hides_stale;	      /* `status` does not say yet that it is stale */
	Node *files[CONTROL_N_FILES]; /* owned: what was last shown; may be NULL */
};

static Node *new_dir(Node *parent, const char *name, guint64 nodeid)
{
	NodeName node_name = {name, strlen(name), {NULL, 0}};
	Node *dir = node_new_dir(parent, &node_name);

	dir->nodeid = nodeid;
	dir->linked = TRUE;
	dir->mtime_ns = g_get_real_time() * 1000;
	return dir;
}

Control *control_new(Tree *tree, InodeTable *inodes, Announcer *announcer, Waiting *waiting,
		     const Meters *meters, const StatusAbout *about)
{
	Control *control = g_new0(Control, 1);

	g_mutex_init(&control->lock);
	control->tree = tree;
	control->inodes = inodes;
	control->announcer = announcer;
	control->waiting = waiting;
	control->meters = meters;
	control->about = about;
	control->started_us = g_get_real_time();
	control->dir = new_dir(tree_root(tree), NAMES_CONTROL, CONTROL_NODEID);
	control->inode_dir = new_dir(control->dir, "inode", CONTROL_INODE_DIR_NODEID);
	return control;
}

void control_free(Control *control)
{
	if (!control)
		return;
	for (guint i = 0; i < CONTROL_N_FILES; i++)
		node_unref(control->files[i]);
	node_unref(control->inode_dir);
	node_unref(control->dir);
	g_free(control->endpoint);
	g_free(control->last_error);
	g_mutex_clear(&control->lock);
	g_free(control);
}

Node *control_dir(const Control *control)
{
	return control->dir;
}

gboolean control_is_dir(const Control *control, const Node *node)
{
	return node == control->dir || node == control->inode_dir;
}

void control_nodeid_name(guint64 nodeid, char name[CONTROL_NODEID_NAME_SIZE])
{
	g_snprintf(name, CONTROL_NODEID_NAME_SIZE, "%" G_GUINT64_FORMAT, nodeid);
}

const char *control_file_name(guint i)
{
	return file_names[i];
}

/* --- The files -------------------------------------------------------------- */

static TreeTotals totals(Control *control)
{
	tree_read_lock(control->tree);
	TreeTotals totals = tree_totals_locked(control->tree);
	tree_read_unlock(control->tree);
	totals.revision = announcer_shown(control->announcer);
	return totals;
}

/* PROCESS: as of now; for the metrics alone. */
static char *text_locked(Control *control, guint file, const Process *process)
{
	TreeTotals tree = totals(control);

	if (file == REVISION)
		return g_strdup_printf("%" G_GINT64_FORMAT "\n", tree.revision);
	Status status = {
	    .about = control->about,
	    .connection = &control->status,
	    .meters = control->meters,
	    .started_us = control->started_us,
	    .now_us = g_get_real_time(),
	    .monotonic_us = g_get_monotonic_time(),
	    .tree = tree,
	    .inodes = inode_totals(control->inodes),
	    .announcer = announcer_totals(control->announcer),
	};
	return file == METRICS ? metrics_to_text(&status, process) : status_to_json(&status);
}

static gboolean shows_text(const Node *node, const char *text)
{
	KvBytes value = node_value(node);
	return value.len == strlen(text) && memcmp(value.data, text, value.len) == 0;
}

/* Makes files[FILE] say what is true now; borrowed.  What was there before goes
 * on for those who know it, and is an older inode of the new one. */
static Node *refresh_locked(Control *control, guint file, const Process *process)
{
	static const NodeRevisions none = {0};
	g_autofree char *text = text_locked(control, file, process);
	Node *before = control->files[file];

	if (before && shows_text(before, text))
		return before;
	NodeName name = {file_names[file], strlen(file_names[file]), {NULL, 0}};
	Node *node = node_new_file(control->dir, &name, &none,
				   (KvBytes){(const guint8 *)text, strlen(text)});
	node->nodeid = entries_next_nodeid();
	node->mtime_ns = MAX(g_get_real_time() * 1000, before ? before->mtime_ns + 1 : 0);
	node->linked = TRUE;
	if (before)
		inode_retire(control->inodes, before, TRUE);
	control->files[file] = node;
	node_unref(before);
	return node;
}

static Node *lookup_file(Control *control, const char *name)
{
	Node *node = NULL;
	Process process;

	for (guint i = 0; i < CONTROL_N_FILES && !node; i++) {
		if (strcmp(name, file_names[i]) != 0)
			continue;
		if (i == METRICS)
			process_look(&process);
		g_mutex_lock(&control->lock);
		node = node_ref(refresh_locked(control, i, &process));
		/* With the lock, so that nobody retires it before it counts as known. */
		inode_lookup(control->inodes, node);
		g_mutex_unlock(&control->lock);
	}
	return node;
}

static Node *lookup_inode(Control *control, const char *name)
{
	guint64 nodeid;

	if (!g_ascii_string_to_unsigned(name, 10, 1, G_MAXUINT64, &nodeid, NULL))
		return NULL;
	Node *node = inode_get(control->inodes, nodeid);
	if (node)
		inode_lookup(control->inodes, node);
	return node;
}

Node *control_lookup(Control *control, const Node *dir, const char *name, gboolean announcer)
{
	if (dir == control->inode_dir)
		return announcer ? lookup_inode(control, name) : NULL;
	if (announcer && strcmp(name, node_name(control->inode_dir)) == 0) {
		inode_lookup(control->inodes, control->inode_dir);
		return node_ref(control->inode_dir);
	}
	return lookup_file(control, name);
}

/* --- The state ---------------------------------------------------------------- */

static void keep_status_locked(Control *control, const KeyspaceStatus *status)
{
	g_free(control->endpoint);
	g_free(control->last_error);
	control->status = *status;
	control->status.endpoint = control->endpoint = g_strdup(status->endpoint);
	control->status.last_error = control->last_error = g_strdup(status->last_error);
}

/* STATUS may be NULL: only the state is another. */
static void change_locked(Control *control, const KeyspaceStatus *status, KeyspaceState state)
{
	g_autoptr(GArray) changes = tree_changes_new(1);
	gboolean same = control->status.state == state;
	/* Who watches the directory need not have looked at the file. */
	Node *before = same ? NULL : node_ref(refresh_locked(control, STATUS, NULL));

	if (status)
		keep_status_locked(control, status);
	control->status.state = state;
	if (same)
		return;
	TreeChange change = {before, node_ref(refresh_locked(control, STATUS, NULL))};
	g_array_append_val(changes, change);
	announcer_push(control->announcer, changes, 0);
	waiting_state(control->waiting, state == KEYSPACE_LIVE);
}

/* With no lock held. */
static void tell_listener(Control *control)
{
	if (control->on_status)
		control->on_status(control->on_status_data);
}

void control_set_status(Control *control, const KeyspaceStatus *status, gboolean hides)
{
	g_mutex_lock(&control->lock);
	control->hides_stale = status->state == KEYSPACE_STALE && (hides || control->hides_stale);
	change_locked(control, status,
		      control->hides_stale ? control->status.state : status->state);
	g_mutex_unlock(&control->lock);
	tell_listener(control);
}

void control_show_stale(gpointer data)
{
	Control *control = data;

	g_mutex_lock(&control->lock);
	if (control->hides_stale)
		change_locked(control, NULL, KEYSPACE_STALE);
	control->hides_stale = FALSE;
	g_mutex_unlock(&control->lock);
	tell_listener(control);
}

void control_on_status(Control *control, void (*on_status)(gpointer data), gpointer data)
{
	control->on_status = on_status;
	control->on_status_data = data;
}

char *control_sentence(Control *control, const char *since)
{
	gint64 revision = totals(control).revision;

	g_mutex_lock(&control->lock);
	char *text = sentence_of(&control->status, revision, since);
	g_mutex_unlock(&control->lock);
	return text;
}

const char *control_state(Control *control)
{
	g_mutex_lock(&control->lock);
	KeyspaceState state = control->status.state;
	g_mutex_unlock(&control->lock);
	return keyspace_state_name(state);
}

guint64 control_cluster_id(Control *control)
{
	g_mutex_lock(&control->lock);
	guint64 cluster_id = control->status.cluster_id;
	g_mutex_unlock(&control->lock);
	return cluster_id;
}

gint64 control_revision(Control *control)
{
	return announcer_shown(control->announcer);
}

char *control_standing(Control *control)
{
	g_mutex_lock(&control->lock);
	const KeyspaceStatus *status = &control->status;
	char *text = g_strdup_printf(
	    "%s at revision %" G_GINT64_FORMAT ", endpoint %s, last error: %s",
	    keyspace_state_name(status->state), announcer_shown(control->announcer),
	    status->endpoint ? status->endpoint : "none",
	    status->last_error ? status->last_error : "none");
	g_mutex_unlock(&control->lock);
	return text;
}
