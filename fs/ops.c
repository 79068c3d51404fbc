/* SPDX-License-Identifier: Apache-2.0 */
/* Handlers only translate: a function that returns 0 or a negative errno does the
 * work, the handler replies exactly once.
 *
 * Nobody writes.  Every request that would change something gets EROFS, but for
 * the announcer's, which changes nothing either: the kernel does its part and
 * raises the event, and the tree stays as it is.
 */
#include "ops.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "entries.h"
#include "listing.h"
#include "log.h"
#include "names.h"
#include "waitattr.h"
#include "xattr.h"

static const Fs *fs_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

static gboolean is_announcer(fuse_req_t req)
{
	return view_is_announcer(fs_of(req)->view, fuse_req_ctx(req)->pid);
}

static void count(fuse_req_t req, MetersRequest request)
{
	meter_add(&fs_of(req)->meters->requests[request], 1);
}

/* R is 0 or a negative errno. */
static void reply_err(fuse_req_t req, const char *op, int r)
{
	if (r < 0)
		LOG_REQUEST("fuse: %s: %s", op, g_strerror(-r));
	fuse_reply_err(req, -r);
}

/* Whether the caller may not see NODE.  The root itself they may, not what is in it. */
static gboolean is_withheld(fuse_req_t req, const Node *node)
{
	return withheld_is_on(fs_of(req)->withheld) && node->nodeid != ENTRIES_ROOT_NODEID &&
	       !control_has(node) && !is_announcer(req);
}

/* 0 or a negative errno; the node is a reference for the caller. */
static int get_shown(fuse_req_t req, fuse_ino_t ino, Node **ret_node)
{
	g_autoptr(Node) node = inode_get(fs_of(req)->inodes, ino);

	if (!node)
		return -ESTALE;
	if (is_withheld(req, node))
		return -EIO;
	*ret_node = g_steal_pointer(&node);
	return 0;
}

/* --- Lookups ------------------------------------------------------------------ */

/* Fills the entry for a node that is counted as looked up. */
static void fill_entry_locked(const Fs *fs, const Node *node, double timeout,
			      struct fuse_entry_param *ret_entry)
{
	*ret_entry = (struct fuse_entry_param){
	    .ino = node->nodeid,
	    .generation = fs->generation,
	    .attr_timeout = fs_attr_timeout(fs->withheld),
	    .entry_timeout = timeout,
	};
	attr_fill_locked(&fs->attr, fs->inodes, node, &ret_entry->attr);
}

static void give_locked(const Fs *fs, Node *node, double timeout,
			struct fuse_entry_param *ret_entry)
{
	inode_lookup(fs->inodes, node);
	fill_entry_locked(fs, node, timeout, ret_entry);
}

static void give(const Fs *fs, Node *node, double timeout, struct fuse_entry_param *ret_entry)
{
	tree_read_lock(fs->tree);
	give_locked(fs, node, timeout, ret_entry);
	tree_read_unlock(fs->tree);
}

/* An entry with ino 0 is a negative one, which the kernel keeps as well. */
static void give_nothing(double timeout, struct fuse_entry_param *ret_entry)
{
	*ret_entry = (struct fuse_entry_param){.entry_timeout = timeout};
}

/* What is not in the root must not be kept where a tree can be withheld. */
static double absence_timeout(const Fs *fs, const Node *dir, double timeout)
{
	return fs->withheld->policy && !dir->parent ? FS_NEVER : timeout;
}

static int lookup_key(const Fs *fs, Node *dir, const char *name, gboolean announcer,
		      struct fuse_entry_param *ret_entry)
{
	g_autoptr(Node) announced = view_announced(fs->view, dir);
	double timeout = fs_entry_timeout(announced, name);
	int r = 0;

	tree_read_lock(fs->tree);
	Node *node = tree_lookup_locked(fs->tree, dir, name);
	if (withheld_is_on(fs->withheld) && !announcer)
		r = -EIO;
	else if (node)
		give_locked(fs, node, timeout, ret_entry);
	else
		give_nothing(absence_timeout(fs, dir, timeout), ret_entry);
	tree_read_unlock(fs->tree);
	return r;
}

/* As the announcer sees it; what differs from the others' view is not kept. */
static void lookup_as_announcer(const Fs *fs, Node *dir, const char *name,
				struct fuse_entry_param *ret_entry)
{
	g_autoptr(Node) gone = NULL;

	switch (view_lookup(fs->view, dir, name, &gone)) {
	case VIEW_CURRENT:
		lookup_key(fs, dir, name, TRUE, ret_entry);
		break;
	case VIEW_ABSENT:
		give_nothing(FS_NEVER, ret_entry);
		break;
	case VIEW_GONE:
		give(fs, gone, FS_NEVER, ret_entry);
		break;
	}
}

static void lookup_control(const Fs *fs, Node *dir, const char *name, gboolean announcer,
			   struct fuse_entry_param *ret_entry)
{
	g_autoptr(Node) node = control_lookup(fs->control, dir, name, announcer);

	if (!node) {
		give_nothing(FS_NEVER, ret_entry);
		return;
	}
	tree_read_lock(fs->tree);
	fill_entry_locked(fs, node, FS_NEVER, ret_entry);
	tree_read_unlock(fs->tree);
}

static int do_lookup(const Fs *fs, guint64 parent, const char *name, gboolean announcer,
		     struct fuse_entry_param *ret_entry)
{
	g_autoptr(Node) dir = inode_get(fs->inodes, parent);

	if (!dir)
		return -ESTALE;
	if (strlen(name) > NAMES_COMPONENT_MAX)
		return -ENAMETOOLONG;
	if (control_is_dir(fs->control, dir))
		lookup_control(fs, dir, name, announcer, ret_entry);
	else if (parent == ENTRIES_ROOT_NODEID && strcmp(name, NAMES_CONTROL) == 0)
		give(fs, control_dir(fs->control), FS_FOREVER, ret_entry);
	else if (announcer)
		lookup_as_announcer(fs, dir, name, ret_entry);
	else
		return lookup_key(fs, dir, name, FALSE, ret_entry);
	return 0;
}

/* The kernel may be gone or the caller interrupted: then it never took the entry. */
static void reply_entry(fuse_req_t req, const struct fuse_entry_param *entry)
{
	if (fuse_reply_entry(req, entry) < 0 && entry->ino != 0)
		fs_forget(fs_of(req), entry->ino, 1);
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param entry;

	count(req, METERS_LOOKUP);
	LOG_REQUEST("fuse: lookup parent=%" G_GUINT64_FORMAT " name=\"%s\"", parent, name);
	int r = do_lookup(fs_of(req), parent, name, is_announcer(req), &entry);
	if (r < 0)
		reply_err(req, "lookup", r);
	else
		reply_entry(req, &entry);
}

static void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t nlookup)
{
	count(req, METERS_FORGET);
	fs_forget(fs_of(req), ino, nlookup);
	fuse_reply_none(req);
}

static void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	meter_add(&fs_of(req)->meters->requests[METERS_FORGET], count);
	for (size_t i = 0; i < count; i++)
		fs_forget(fs_of(req), forgets[i].ino, forgets[i].nlookup);
	fuse_reply_none(req);
}

/* --- Attributes ----------------------------------------------------------------- */

static void reply_attr(fuse_req_t req, guint64 nodeid)
{
	const Fs *fs = fs_of(req);
	g_autoptr(Node) node = NULL;
	int r = get_shown(req, nodeid, &node);
	struct stat st;

	if (r < 0) {
		reply_err(req, "getattr", r);
		return;
	}
	tree_read_lock(fs->tree);
	attr_fill_locked(&fs->attr, fs->inodes, node, &st);
	tree_read_unlock(fs->tree);
	fuse_reply_attr(req, &st, fs_attr_timeout(fs->withheld));
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	count(req, METERS_GETATTR);
	LOG_REQUEST("fuse: getattr ino=%" G_GUINT64_FORMAT, ino);
	reply_attr(req, ino);
}

static void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
		       struct fuse_file_info *fi)
{
	count(req, METERS_SETATTR);
	LOG_REQUEST("fuse: setattr ino=%" G_GUINT64_FORMAT, ino);
	if (is_announcer(req))
		reply_attr(req, ino);
	else
		reply_err(req, "setattr", -EROFS);
}

/* Asked only where the kernel does not check permissions itself.  Of those it then
 * heeds one: what nobody may execute does not run. */
static int check_access(const Fs *fs, guint64 nodeid, int mask)
{
	g_autoptr(Node) node = inode_get(fs->inodes, nodeid);

	if (!node)
		return -ESTALE;
	if (mask & W_OK)
		return -EROFS;
	if (mask & X_OK && node->kind != NODE_DIR && !(fs->attr.file_mode & 0111))
		return -EACCES;
	return 0;
}

static void op_access(fuse_req_t req, fuse_ino_t ino, int mask)
{
	count(req, METERS_ACCESS);
	LOG_REQUEST("fuse: access ino=%" G_GUINT64_FORMAT, ino);
	reply_err(req, "access", check_access(fs_of(req), ino, mask));
}

static void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	const Fs *fs = fs_of(req);

	count(req, METERS_STATFS);
	LOG_REQUEST("fuse: statfs");
	tree_read_lock(fs->tree);
	TreeTotals totals = tree_totals_locked(fs->tree);
	tree_read_unlock(fs->tree);
	struct statvfs st = {
	    .f_bsize = 4096,
	    .f_frsize = 512,
	    .f_blocks = (totals.value_bytes + 511) / 512,
	    .f_files = totals.n_keys,
	    .f_namemax = NAMES_COMPONENT_MAX,
	};
	fuse_reply_statfs(req, &st);
}

static void reply_xattr(fuse_req_t req, const char *op, const GByteArray *value, size_t size)
{
	if (!value)
		reply_err(req, op, -ENODATA);
	else if (value->len > XATTR_SIZE_MAX)
		reply_err(req, op, -E2BIG); /* the kernel would cut the size to what it takes */
	else if (size == 0)
		fuse_reply_xattr(req, value->len);
	else if (size < value->len)
		reply_err(req, op, -ERANGE);
	else
		fuse_reply_buf(req, (const char *)value->data, value->len);
}

static void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	const Fs *fs = fs_of(req);

	count(req, METERS_GETXATTR);
	LOG_REQUEST("fuse: getxattr ino=%" G_GUINT64_FORMAT " name=\"%s\"", ino, name);
	if (waitattr_get(fs, req, ino, name, size))
		return;
	g_autoptr(Node) node = NULL;
	int r = get_shown(req, ino, &node);
	g_autoptr(GByteArray) value = node ? xattr_get(fs->tree, fs->control, node, name) : NULL;
	if (r == -EIO)
		reply_err(req, "getxattr", r);
	else
		reply_xattr(req, "getxattr", value, size);
}

static void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	const Fs *fs = fs_of(req);
	g_autoptr(Node) node = NULL;
	int r = get_shown(req, ino, &node);
	g_autoptr(GByteArray) names = node ? xattr_list(fs->tree, fs->control, node) : NULL;

	count(req, METERS_LISTXATTR);
	LOG_REQUEST("fuse: listxattr ino=%" G_GUINT64_FORMAT, ino);
	if (r == -EIO)
		reply_err(req, "listxattr", r);
	else
		reply_xattr(req, "listxattr", names, size);
}

/* --- Reading ----------------------------------------------------------------------- */

/* Asked only where the VFS does not refuse writers by itself (fs.h). */
static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	g_autoptr(Node) node = NULL;
	int r = get_shown(req, ino, &node);

	count(req, METERS_OPEN);
	LOG_REQUEST("fuse: open ino=%" G_GUINT64_FORMAT, ino);
	if (r == -EIO) {
		reply_err(req, "open", r);
	} else if (fs_of(req)->no_open) {
		reply_err(req, "open", -ENOSYS);
	} else if ((fi->flags & (O_ACCMODE | O_TRUNC)) != O_RDONLY && !is_announcer(req)) {
		reply_err(req, "open", -EROFS);
	} else {
		fi->keep_cache = 1;
		fuse_reply_open(req, fi);
	}
}

/* The kernel takes this as: no need to ask again, and keep listings. */
static void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	count(req, METERS_OPENDIR);
	LOG_REQUEST("fuse: opendir ino=%" G_GUINT64_FORMAT, ino);
	reply_err(req, "opendir", -ENOSYS);
}

static void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		    struct fuse_file_info *fi)
{
	g_autoptr(Node) node = NULL;
	int r = get_shown(req, ino, &node);

	count(req, METERS_READ);
	LOG_REQUEST("fuse: read ino=%" G_GUINT64_FORMAT " size=%zu off=%jd", ino, size,
		    (intmax_t)off);
	if (r < 0) {
		reply_err(req, "read", r);
		return;
	}
	if (off == 0)
		ahead_read(fs_of(req)->ahead, node);
	KvBytes value = node_value(node);
	gsize start = MIN((gsize)off, value.len);
	fuse_reply_buf(req, (const char *)value.data + start, MIN(size, value.len - start));
}

static void list(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, gboolean plus)
{
	const Fs *fs = fs_of(req);
	g_autoptr(Node) dir = inode_get(fs->inodes, ino);
	g_auto(Listing) listing = {0};

	if (!dir || dir->kind != NODE_DIR) {
		reply_err(req, "readdir", dir ? -ENOTDIR : -ESTALE);
		return;
	}
	gboolean shown = listing_init(&listing, fs, req, dir, size, (guint64)off, plus);
	/* Nothing more: what was listed is what may be read now. */
	if (shown && off > 0 && listing.looked_up->len == 0)
		ahead_listed(fs->ahead, dir);
	if (!shown)
		reply_err(req, "readdir", -EIO);
	else if (fuse_reply_buf(req, listing.buf, listing.len) < 0)
		listing_undo(&listing, fs);
}

static void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		       struct fuse_file_info *fi)
{
	count(req, METERS_READDIR);
	LOG_REQUEST("fuse: readdir ino=%" G_GUINT64_FORMAT " off=%jd", ino, (intmax_t)off);
	list(req, ino, size, off, FALSE);
}

static void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
			   struct fuse_file_info *fi)
{
	count(req, METERS_READDIRPLUS);
	LOG_REQUEST("fuse: readdirplus ino=%" G_GUINT64_FORMAT " off=%jd", ino, (intmax_t)off);
	list(req, ino, size, off, TRUE);
}

/* --- What only the announcer may do ------------------------------------------------- */

/* The announcer creates what is there already. */
static int do_create(const Fs *fs, guint64 parent, const char *name, NodeKind kind,
		     struct fuse_entry_param *ret_entry)
{
	g_autoptr(Node) dir = inode_get(fs->inodes, parent);
	int r = -ENOENT;

	if (!dir || !view_may_create(fs->view, dir, name))
		return -ESTALE;
	tree_read_lock(fs->tree);
	Node *node = tree_lookup_locked(fs->tree, dir, name);
	if (node && node->kind == kind) {
		give_locked(fs, node, FS_FOREVER, ret_entry);
		r = 0;
	}
	tree_read_unlock(fs->tree);
	return r;
}

static void create(fuse_req_t req, const char *op, fuse_ino_t parent, const char *name,
		   NodeKind kind)
{
	struct fuse_entry_param entry;
	int r = -EROFS;

	count(req, METERS_CREATE);
	LOG_REQUEST("fuse: %s parent=%" G_GUINT64_FORMAT " name=\"%s\"", op, parent, name);
	if (is_announcer(req))
		r = do_create(fs_of(req), parent, name, kind, &entry);
	if (r < 0)
		reply_err(req, op, r);
	else
		reply_entry(req, &entry);
}

static void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
	create(req, "mknod", parent, name, NODE_FILE);
}

static void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	create(req, "mkdir", parent, name, NODE_DIR);
}

static int do_remove(const Fs *fs, guint64 parent, const char *name)
{
	g_autoptr(Node) dir = inode_get(fs->inodes, parent);

	/* There each inode has a name of its own. */
	if (parent == CONTROL_INODE_DIR_NODEID)
		return 0;
	return dir && view_may_remove(fs->view, dir, name) ? 0 : -EBUSY;
}

static void remove_entry(fuse_req_t req, const char *op, fuse_ino_t parent, const char *name)
{
	count(req, METERS_REMOVE);
	LOG_REQUEST("fuse: %s parent=%" G_GUINT64_FORMAT " name=\"%s\"", op, parent, name);
	reply_err(req, op, is_announcer(req) ? do_remove(fs_of(req), parent, name) : -EROFS);
}

static void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	remove_entry(req, "unlink", parent, name);
}

static void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	remove_entry(req, "rmdir", parent, name);
}

/* --- What nobody may do -------------------------------------------------------------- */

static void op_symlink(fuse_req_t req, const char *link, fuse_ino_t parent, const char *name)
{
	reply_err(req, "symlink", -EROFS);
}

static void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
	reply_err(req, "link", -EROFS);
}

static void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
		      const char *new_name, unsigned int flags)
{
	reply_err(req, "rename", -EROFS);
}

static void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
		      struct fuse_file_info *fi)
{
	reply_err(req, "create", -EROFS);
}

static void op_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
		     struct fuse_file_info *fi)
{
	reply_err(req, "write", -EROFS);
}

static void op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t length,
			 struct fuse_file_info *fi)
{
	reply_err(req, "fallocate", -EROFS);
}

static void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value,
			size_t size, int flags)
{
	reply_err(req, "setxattr", -EROFS);
}

static void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	reply_err(req, "removexattr", -EROFS);
}

/* --- The table ------------------------------------------------------------------------ */

static void op_init(void *userdata, struct fuse_conn_info *conn)
{
	unsigned unwanted = 0;

	/* The kernel would send the truncation with the OPEN that is not sent. */
	unwanted |= FUSE_CAP_ATOMIC_O_TRUNC;
	/* What walks a tree lists a directory before it looks at what is in it.  The kernel's
	 * guess then asks for names alone, and afterwards for each of them. */
	unwanted |= FUSE_CAP_READDIRPLUS_AUTO;
	/* No inode's pages ever change. */
	unwanted |= FUSE_CAP_AUTO_INVAL_DATA;
	conn->want &= ~unwanted;
}

const struct fuse_lowlevel_ops ops_table = {
    .init = op_init,
    .lookup = op_lookup,
    .forget = op_forget,
    .forget_multi = op_forget_multi,
    .getattr = op_getattr,
    .setattr = op_setattr,
    .access = op_access,
    .statfs = op_statfs,
    .getxattr = op_getxattr,
    .listxattr = op_listxattr,
    .open = op_open,
    .opendir = op_opendir,
    .read = op_read,
    .readdir = op_readdir,
    .readdirplus = op_readdirplus,
    .mknod = op_mknod,
    .mkdir = op_mkdir,
    .unlink = op_unlink,
    .rmdir = op_rmdir,
    .symlink = op_symlink,
    .link = op_link,
    .rename = op_rename,
    .create = op_create,
    .write = op_write,
    .fallocate = op_fallocate,
    .setxattr = op_setxattr,
    .removexattr = op_removexattr,
};
