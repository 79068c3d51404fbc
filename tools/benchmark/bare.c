/* SPDX-License-Identifier: Apache-2.0 */
/* bare.c - a filesystem that has one file and lets the kernel keep all it was told.
 *
 *	bare DIRECTORY
 *
 * Shows 00000/00000, 1 KiB, until it gets a signal.  What it costs once the kernel knows the
 * file, the kernel's FUSE costs: no filesystem on it is faster.
 */
#define FUSE_USE_VERSION 314
#include <errno.h>
#include <fuse_lowlevel.h>
#include <string.h>
#include <sys/stat.h>

#define NAME "00000"
#define SIZE 1024
#define FOREVER 1e9

/* The root, the directory in it, the file in that. */
enum { DIR_INO = FUSE_ROOT_ID + 1, FILE_INO };

static struct stat stat_of(fuse_ino_t ino)
{
	if (ino == FILE_INO)
		return (struct stat){
		    .st_ino = ino, .st_mode = S_IFREG | 0444, .st_nlink = 1, .st_size = SIZE};
	return (struct stat){.st_ino = ino, .st_mode = S_IFDIR | 0555, .st_nlink = 2};
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param entry = {.attr_timeout = FOREVER, .entry_timeout = FOREVER};

	if (parent < FILE_INO && strcmp(name, NAME) == 0) {
		entry.ino = parent + 1;
		entry.attr = stat_of(entry.ino);
	}
	fuse_reply_entry(req, &entry);
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat st = stat_of(ino);

	fuse_reply_attr(req, &st, FOREVER);
}

static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	/* Then the kernel asks no more. */
	fuse_reply_err(req, ENOSYS);
}

static void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		    struct fuse_file_info *fi)
{
	static const char value[SIZE];
	size_t at = offset < SIZE ? (size_t)offset : SIZE;

	fuse_reply_buf(req, value + at, size < SIZE - at ? size : SIZE - at);
}

static const struct fuse_lowlevel_ops ops = {
    .lookup = op_lookup,
    .getattr = op_getattr,
    .open = op_open,
    .read = op_read,
};

int main(int argc, char **argv)
{
	char *options[] = {argv[0], (char *)"-odefault_permissions,ro,fsname=bare"};
	struct fuse_args args = FUSE_ARGS_INIT(2, options);

	if (argc != 2)
		return 2;
	struct fuse_session *session = fuse_session_new(&args, &ops, sizeof(ops), NULL);
	if (!session || fuse_set_signal_handlers(session) != 0 ||
	    fuse_session_mount(session, argv[1]) != 0)
		return 1;
	int r = fuse_session_loop(session);
	fuse_session_unmount(session);
	fuse_remove_signal_handlers(session);
	fuse_session_destroy(session);
	return r < 0;
}
