/* SPDX-License-Identifier: Apache-2.0 */
#include "attr.h"

#define NS_PER_S G_GINT64_CONSTANT(1000000000)
#define BLOCK 512 /* what st_blocks counts in */

AttrConfig attr_config(uid_t uid, gid_t gid, mode_t fmask, mode_t dmask, gboolean executable,
		       gboolean owner_writes)
{
	mode_t file_mode = executable ? 0555 : 0444;
	/* No mask takes it away: the announcer needs it. */
	mode_t write = owner_writes ? 0200 : 0;
	return (AttrConfig){
	    .uid = uid,
	    .gid = gid,
	    .file_mode = (file_mode & ~fmask) | write,
	    .dir_mode = (0555 & ~dmask) | write,
	};
}

static nlink_t link_count(InodeTable *inodes, const Node *node)
{
	/* One as long as the key lives, replaced or not: at zero the kernel ends
	 * the watches on an inode when it drops the entry. */
	if (inode_is_unlinked(inodes, node))
		return 0;
	return node->kind == NODE_DIR ? 2 + node->dir->n_dirs : 1;
}

void attr_fill_locked(const AttrConfig *config, InodeTable *inodes, const Node *node,
		      struct stat *ret_st)
{
	struct timespec time = {node->mtime_ns / NS_PER_S, node->mtime_ns % NS_PER_S};
	gboolean is_dir = node->kind == NODE_DIR;

	*ret_st = (struct stat){
	    .st_ino = node->nodeid,
	    .st_mode = is_dir ? S_IFDIR | config->dir_mode : S_IFREG | config->file_mode,
	    .st_nlink = link_count(inodes, node),
	    .st_uid = config->uid,
	    .st_gid = config->gid,
	    .st_size = is_dir ? 0 : node->value_len,
	    .st_blocks = is_dir ? 0 : (node->value_len + BLOCK - 1) / BLOCK,
	    .st_blksize = 4096,
	    .st_atim = time,
	    .st_mtim = time,
	    .st_ctim = time,
	};
}
