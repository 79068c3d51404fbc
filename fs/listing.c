/* SPDX-License-Identifier: Apache-2.0 */
#include "listing.h"

#include <string.h>
#include <unistd.h>

#include "siblings.h"

#define OFFSET_DOT 1
#define OFFSET_DOT_DOT 2
/* Of an offset as the kernel is given it: below is the epoch. */
#define EPOCH_BITS 8

typedef struct {
	Listing *listing;
	const Fs *fs;
	fuse_req_t req;
	gsize size;
	gboolean plus;
	Node *announced; /* borrowed: of view_announced */
	guint64 at;	 /* the offset of the last entry, or where the listing goes on */

	/* See copies.c. */
	guint8 epoch;
	gboolean has_copy; /* of this epoch: */
	CopyExtent before; /* how far it goes, */
	CopyExtent after;  /* and with what is added */
} Filler;

static gsize page_size(void)
{
	return (gsize)sysconf(_SC_PAGESIZE);
}

/* The bytes of the kernel's copy of a listing, after an entry is added to it. */
static guint64 copied(const Filler *f, guint64 bytes, const char *name)
{
	gsize page = page_size();
	gsize need = fuse_add_direntry(f->req, NULL, 0, name, NULL, 0);
	gsize left = page - bytes % page;
	return bytes + (need > left ? left : 0) + need;
}

/* An entry goes into the copy if it comes after the copy's end. */
static void count_copied(Filler *f, const char *name, guint64 offset)
{
	if (f->has_copy && f->at == f->after.end)
		f->after = (CopyExtent){offset, copied(f, f->after.bytes, name)};
	f->at = offset;
}

/* FALSE: it does not fit.  ENTRY with ino 0 is a name alone. */
static gboolean add(Filler *f, const char *name, const struct fuse_entry_param *entry,
		    guint64 offset)
{
	Listing *listing = f->listing;
	char *at = listing->buf + listing->len;
	gsize left = f->size - listing->len;
	off_t off = (off_t)(offset << EPOCH_BITS | f->epoch);
	gsize need = f->plus ? fuse_add_direntry_plus(f->req, at, left, name, entry, off)
			     : fuse_add_direntry(f->req, at, left, name, &entry->attr, off);
	if (need > left)
		return FALSE;
	listing->len += need;
	count_copied(f, name, offset);
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

/* Who is at an offset that the kernel's copy of the listing does not have, since the
 * entry is gone or he is of another epoch, is sent on to us.  But where the copy ends with
 * a page, the kernel says that there is nothing more.  An end that is too short for an entry
 * ends the listing as well, but does not complete the copy, so it is not used. */
static void add_end(Filler *f, const Node *dir)
{
	static const char end[8] = {0};

	if (f->has_copy && f->at == f->before.end && f->before.bytes % page_size() != 0) {
		copies_forget(f->fs->copies, dir->nodeid);
	} else if (f->size >= sizeof(end)) {
		memcpy(f->listing->buf, end, sizeof(end));
		f->listing->len = sizeof(end);
	}
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
	if (shown && f->listing->len == 0)
		add_end(f, dir);
	return shown;
}

static gboolean list(Filler *f, Node *dir, guint64 off)
{
	Copies *copies = f->fs->copies;
	gint64 now_us = g_get_monotonic_time();

	f->epoch = off == 0 ? copies_begin(copies, dir->nodeid, node_epoch(dir), now_us)
			    : (guint8)off;
	f->has_copy = copies_find(copies, dir->nodeid, f->epoch, now_us, &f->before);
	f->after = f->before;
	gboolean shown = !add_dots(f, dir, f->at) || add_children(f, dir, f->at);
	if (shown && f->after.end != f->before.end)
		copies_extend(copies, dir->nodeid, f->epoch, f->before, f->after, now_us);
	return shown;
}

gboolean listing_init(Listing *listing, const Fs *fs, fuse_req_t req, Node *dir, gsize size,
		      guint64 off, gboolean plus)
{
	g_autoptr(Node) announced = view_announced(fs->view, dir);
	Filler filler = {listing, fs, req, size, plus, announced, .at = off >> EPOCH_BITS};

	*listing = (Listing){g_malloc(size), 0, g_array_new(FALSE, FALSE, sizeof(guint64))};
	if (!control_is_dir(fs->control, dir))
		return list(&filler, dir, off);
	if (add_dots(&filler, dir, filler.at))
		add_control_files(&filler, dir, filler.at);
	return TRUE;
}

void listing_undo(Listing *listing, const Fs *fs)
{
	for (guint i = 0; i < listing->looked_up->len; i++)
		fs_forget(fs, g_array_index(listing->looked_up, guint64, i), 1);
}

void listing_clear(Listing *listing)
{
	g_clear_pointer(&listing->buf, g_free);
	g_clear_pointer(&listing->looked_up, g_array_unref);
}
