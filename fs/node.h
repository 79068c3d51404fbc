/* SPDX-License-Identifier: Apache-2.0 */
/* node.h - one node of the tree: a directory, or one revision of one value.
 *
 * A file node never changes: an update makes a new node and swings the entry
 * to it.  A directory node lives as long as the directory does.
 *
 * Nodes are laid out for a million keys: one allocation holds the struct, the
 * name and the value, and nothing but pointers is shared.  What most keys do not
 * have, or only as a small number, takes no more room than that (packed.h).  A
 * node keeps its parent alive, so that the key of a replaced or deleted node can
 * still be told.
 *
 * Of a key's memory, beyond the last component and the value, 72 bytes are the
 * struct, 1 the NUL, 0 or 8 revisions after the first (16 with a lease), 8 to 23
 * malloc's header and rounding to 16, and 13 to 26 the slot in the index of
 * entries.h: 12 bytes (a pointer and a hash), in a table of a power of two.  The
 * links to the siblings are in the struct.  An inode exists only for what the
 * kernel knows.
 */
#ifndef NODE_H
#define NODE_H

#include "kv.h"

typedef struct Node Node;

typedef enum {
	NODE_FILE,
	NODE_DIR,
} NodeKind;

/* The part of a file node that etcd gives. */
typedef struct {
	gint64 create_revision;
	gint64 mod_revision;
	gint64 version;
	gint64 lease;
} NodeRevisions;

/* The part of a directory node that changes.  Guarded by the tree lock. */
typedef struct {
	Node *children;	     /* siblings.h; the index holds the references */
	guint64 last_offset; /* given to the newest entry; never reused */
	guint32 n_children;
	guint32 n_dirs; /* of them directories */
	guint listed;	/* atomic, no lock: node_set_listed_locked */
	guint epoch;	/* likewise: node_next_epoch */
} NodeDir;

struct Node {
	gint ref_count;	 /* atomic */
	guint32 seed;	 /* writer thread: the last seed in which the key was met */
	Node *parent;	 /* owned reference, immutable; NULL: the root */
	guint64 nodeid;	 /* immutable, never reused */
	guint64 offset;	 /* immutable: the readdir offset of the entry */
	Node *left;	 /* tree lock: siblings.c */
	Node *right;	 /* tree lock: siblings.c */
	gint64 mtime_ns; /* since the epoch; a file's is immutable, a directory's: tree lock */
	union {
		gint64 create_revision; /* file: immutable */
		NodeDir *dir;		/* directory: the pointer immutable, the rest tree lock */
	};
	guint32 value_len; /* immutable, so all that follows */
	guint8 kind : 1;   /* NodeKind */
	guint8 slash : 1;  /* the key had a leading slash that its path has not */
	guint8 linked;	   /* tree lock: the tree has an entry that leads here */
	guint8 name_len;
	guint8 widths; /* of the numbers */
	char bytes[];  /* name, NUL, numbers (node.c), raw; then value or NodeDir */
};

/* The longest name, NUL included, and room for it behind a Node on the stack. */
#define NODE_NAME_SIZE 256

/* A name: a component, and the raw bytes it stands for when it was cut. */
typedef struct {
	const char *name;
	gsize len; /* at most 255 */
	KvBytes raw;
} NodeName;

/* A new file or directory node with one reference; takes one on PARENT, which
 * is NULL for the root alone.  nodeid, offset and mtime are the caller's to set
 * before anybody else sees the node. */
Node *node_new_file(Node *parent, const NodeName *name, const NodeRevisions *revisions,
		    KvBytes value);
Node *node_new_dir(Node *parent, const NodeName *name);

Node *node_ref(Node *node);
void node_unref(Node *node); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Node, node_unref)

static inline const char *node_name(const Node *node)
{
	return node->bytes;
}

/* Borrowed, valid as long as a reference is held; so the next. */
KvBytes node_raw(const Node *node);
KvBytes node_value(const Node *node);

/* Of a file. */
NodeRevisions node_revisions(const Node *node);

/* A random number, the same throughout the process: with it in every hash, nobody
 * can choose names that collide. */
guint64 node_seed(void);

/* A hash of an entry that those near it in the order of keys mostly share. */
guint node_region_hash(const Node *node);

/* Whether the two are (or were) the same entry: parent and name; a GHashTable
 * pair. */
guint node_entry_hash(gconstpointer node);
gboolean node_entry_equal(gconstpointer a, gconstpointer b);

/* Whether it holds the value of a key that is also a directory (NAMES_VALUE). */
gboolean node_is_dir_value(const Node *node);

/* Whether both are files and one is a later revision of the other: no deletion
 * lies between them.  Both are nodes of the same entry. */
gboolean node_same_key(const Node *a, const Node *b);

/* Appends the key of a file less the mount's prefix, or for a directory what
 * all keys in it begin with (less the prefix too), to OUT.  Needs no lock. */
void node_append_rest(const Node *node, GByteArray *out);

/* The kernel is given entries of the directory, as they are now: with the tree lock.
 * node_was_listed: whether it ever was; node_take_listed: since the last call. */
void node_set_listed_locked(Node *dir);
gboolean node_was_listed(Node *dir);
gboolean node_take_listed(Node *dir);

/* The directory has changed since it was listed: its listings are of another epoch from now
 * on (copies.c).  There are 256 of them, in turn. */
void node_next_epoch(Node *dir);
guint8 node_epoch(Node *dir);

#endif
