/* SPDX-License-Identifier: Apache-2.0 */
/* control.h - the directory .etcdfs: what etcdfs says about itself.
 *
 * `status`, `revision` and `metrics` are like every other file: what one open sees never
 * changes.  Each lookup finds a new inode if there is something new to say.
 */
#ifndef CONTROL_H
#define CONTROL_H

#include "announce.h"
#include "keyspace.h"
#include "meters.h"
#include "status.h"

#define CONTROL_NODEID 2
#define CONTROL_INODE_DIR_NODEID 3
#define CONTROL_INODE_DIR_PATH ".etcdfs/inode"

typedef struct Control Control;

/* Everything is borrowed and must outlive the control directory. */
Control *control_new(Tree *tree, InodeTable *inodes, Announcer *announcer, Waiting *waiting,
		     const Meters *meters, const StatusAbout *about);
void control_free(Control *control);

/* The directory itself; borrowed, never changes. */
Node *control_dir(const Control *control);

/* Whether the node is .etcdfs or .etcdfs/inode. */
gboolean control_is_dir(const Control *control, const Node *node);

/* Whether it is one of those or a file in there. */
static inline gboolean control_has(const Node *node)
{
	return node->nodeid == CONTROL_NODEID || node->nodeid == CONTROL_INODE_DIR_NODEID ||
	       (node->parent && node->parent->nodeid == CONTROL_NODEID);
}

/* NAME in DIR, one of the two; a reference for the caller, already counted as a
 * lookup; NULL if there is none.  .etcdfs/inode exists for the ANNOUNCER alone.
 * Any thread, no lock held. */
Node *control_lookup(Control *control, const Node *dir, const char *name, gboolean announcer);

/* The name that leads from .etcdfs/inode to the inode. */
#define CONTROL_NODEID_NAME_SIZE 24
void control_nodeid_name(guint64 nodeid, char name[CONTROL_NODEID_NAME_SIZE]);

/* What .etcdfs lists. */
#define CONTROL_N_FILES 3
const char *control_file_name(guint i);

/* The state of the connection changed.  Raises events on `status` if the state
 * itself did.  HIDES: that it is stale now is not shown before control_show_stale, if it
 * is still true then.  No lock held. */
void control_set_status(Control *control, const KeyspaceStatus *status, gboolean hides);
void control_show_stale(gpointer control);

/* ON_STATUS(DATA) is called after each of the two above, from their thread, no lock held.
 * Before there are threads. */
void control_on_status(Control *control, void (*on_status)(gpointer data), gpointer data);

/* sentence.h; owned by the caller. */
char *control_sentence(Control *control, const char *since);

/* For the xattrs of the root.  The revision is the one shown (announce.h). */
gint64 control_revision(Control *control);
const char *control_state(Control *control); /* a static string */
guint64 control_cluster_id(Control *control);

/* Where the mount stands: one line for a person, the caller's. */
char *control_standing(Control *control);

#endif
