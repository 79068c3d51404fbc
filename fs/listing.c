/* SPDX-License-Identifier: Apache-2.0 */
#include "listing.h"

#include <string.h>
#include <unistd.h>

#include "siblings.h"

#define OFFSET_DOT 1
#define OFFSET_DOT_DOT 2
/* So many are looked at under one lock: some 100 us. */
#define NAMES_AT_ONCE 4096

typedef struct {
	Listing *listing;
	const Fs *fs;
	fuse_req_t req;
	gsize size;
	gboolean plus;
	Node *announced; /* borrowed: of view_announced */
} Filler;

/* FALSE: it does not fit.  ENTRY with ino 0 is a name alone. */
static gboolean add(Filler *f, const char *name, const struct fuse_entry_param *entry,
		    guint64 offset)
{
	Listing *listing = f->listing;
	char *at = listing->buf + listing->len;
	gsize left = f->size - listing->len;
	gsize need = f->plus
			 ? fuse_add_direntry_plus(f->req, at, left, name, entry, (off_t)offset)
			 : fuse_add_direntry(f->req, at, left, name, &entry->attr, (off_t)offset);
	if (need > left)
		return FALSE;
	listing->len += need;
	return TRUE;
}

static gboolean add_bare(Filler *f, const char *name, guint64 nodeid, mode_t type, guint64 offset)
{
	struct fuse_entry_param entry = {.attr = {.st_ino = nodeid, .st_mode = type}};
	return add(f, name, &entry, offset);
}

static gboolean add_node(Filler *f, Node *node)
{
	struct fuse_entry_param entry = {.attr_timeout = FS_FOREVER};

	if (!f->plus)
		return add_bare(f, node_name(node), node->nodeid,
				node->kind == NODE_DIR ? S_IFDIR : S_IFREG, node->offset);
	entry.entry_timeout = fs_entry_timeout(f->announced, node_name(node));
	entry.ino = node->nodeid;
	entry.generation = f->fs->generation;
	attr_fill_locked(&f->fs->attr, f->fs->inodes, node, &entry.attr);
	if (!add(f, node_name(node), &entry, node->offset))
		return FALSE;
	inode_lookup(f->fs->inodes, node);
	g_array_append_val(f->listing->looked_up, node->nodeid);
	return TRUE;
}

static gboolean add_dots(Filler *f, const Node *dir, guint64 offset)
{
	const Node *parent = dir->parent ? dir->parent : dir;

	if (offset < OFFSET_DOT && !add_bare(f, ".", dir->nodeid, S_IFDIR, OFFSET_DOT))
		return FALSE;
	return offset >= OFFSET_DOT_DOT ||
	       add_bare(f, "..", parent->nodeid, S_IFDIR, OFFSET_DOT_DOT);
}

/* Names alone: what they lead to is made when it is looked up. */
static void add_control_files(Filler *f, const Node *dir, guint64 offset)
{
	if (dir != control_dir(f->fs->control))
		return;
	for (guint i = 0; i < CONTROL_N_FILES; i++) {
		guint64 own = OFFSET_DOT_DOT + 1 + i;
		if (own > offset && !add_bare(f, control_file_name(i),
					      CONTROL_INODE_DIR_NODEID + 1 + i, S_IFREG, own))
			return;
	}
}

/* The bytes of the kernel's copy of a listing, after an entry is added to it. */
static gsize copied(const Filler *f, gsize page, gsize bytes, const char *name)
{
	gsize need = fuse_add_direntry(f->req, NULL, 0, name, NULL, 0);
	gsize left = page - bytes % page;
	return bytes + (need > left ? left : 0) + need;
}

/* A walk through a directory's names that lets the writer in now and then. */
typedef struct {
	guint64 at;	     /* the offset of the last name that was met */
	guint64 last_offset; /* of the directory when it began: */
	guint32 n_children;
} Walk;

/* Each new entry has a greater offset, and each that goes leaves one child less. */
static gboolean walk_begin_locked(Walk *walk, const Node *dir)
{
	if (walk->at == 0)
		*walk = (Walk){0, dir->dir->last_offset, dir->dir->n_children};
	return walk->last_offset == dir->dir->last_offset &&
	       walk->n_children == dir->dir->n_children;
}

/* What BYTES of copy become with some more names; FALSE: there are none. */
static gboolean copied_some_locked(const Filler *f, const Node *dir, Walk *walk, gsize page,
				   gsize *bytes)
{
	SiblingsIter iter;
	Node *node = NULL;
	guint n = 0;

	siblings_seek(&iter, dir->dir->children, walk->at);
	while (n++ < NAMES_AT_ONCE && (node = siblings_next(&iter))) {
		*bytes = copied(f, page, *bytes, node_name(node));
		walk->at = node->offset;
	}
	return node != NULL;
}

/* Whether that copy would end with a page; also if the directory changes while we look:
 * then the copy is soon invalid. */
static gboolean ends_with_page(const Filler *f, const Node *dir)
{
	gsize page = (gsize)sysconf(_SC_PAGESIZE);
	gsize bytes = copied(f, page, copied(f, page, 0, "."), "..");
	gboolean same, more = TRUE;
	Walk walk = {0};

	do {
		tree_read_lock(f->fs->tree);
		same = walk_begin_locked(&walk, dir);
		more = same && copied_some_locked(f, dir, &walk, page, &bytes);
		tree_read_unlock(f->fs->tree);
	} while (more);
	return !same || bytes % page == 0;
}

/* Who is at an offset that the kernel's copy of the listing does not have, since the
 * entry is gone, is sent on to us.  But where the copy ends with a page, the
 * kernel says that there is nothing more.  An end that is too short for an entry ends
 * the listing as well, but does not complete the copy, so it is not used. */
static void add_end(Filler *f, const Node *dir)
{
	static const char end[8] = {0};

	if (f->listing->len > 0 || f->size < sizeof(end) || !ends_with_page(f, dir))
		return;
	memcpy(f->listing->buf, end, sizeof(end));
	f->listing->len = sizeof(end);
}

/* FALSE: they are withheld. */
static gboolean add_children(Filler *f, Node *dir, guint64 offset)
{
	SiblingsIter iter;
	Node *node;

	tree_read_lock(f->fs->tree);
	gboolean shown = !withheld_is_on(f->fs->withheld);
	node_set_listed_locked(dir);
	siblings_seek(&iter, dir->dir->children, offset);
	while (shown && (node = siblings_next(&iter)) && add_node(f, node))
		;
	tree_read_unlock(f->fs->tree);
	add_end(f, dir);
	return shown;
}

gboolean listing_init(Listing *listing, const Fs *fs, fuse_req_t req, Node *dir, gsize size,
		      guint64 offset, gboolean plus)
{
	g_autoptr(Node) announced = view_announced(fs->view, dir);
	Filler filler = {listing, fs, req, size, plus, announced};

	*listing = (Listing){g_malloc(size), 0, g_array_new(FALSE, FALSE, sizeof(guint64))};
	if (control_is_dir(fs->control, dir)) {
		if (add_dots(&filler, dir, offset))
			add_control_files(&filler, dir, offset);
		return TRUE;
	}
	return !add_dots(&filler, dir, offset) || add_children(&filler, dir, offset);
}

void listing_undo(Listing *listing, const Fs *fs)
{
	for (guint i = 0; i < listing->looked_up->len; i++)
		inode_forget(fs->inodes, g_array_index(listing->looked_up, guint64, i), 1);
}

void listing_clear(Listing *listing)
{
	g_clear_pointer(&listing->buf, g_free);
	g_clear_pointer(&listing->looked_up, g_array_unref);
}
