/* SPDX-License-Identifier: Apache-2.0 */
/* attr.h - what stat shows of a node.
 */
#ifndef ATTR_H
#define ATTR_H

#include <sys/stat.h>

#include "inode.h"

typedef struct {
	uid_t uid;
	gid_t gid;
	mode_t file_mode; /* permission bits, the masks applied */
	mode_t dir_mode;
} AttrConfig;

/* Permission bits: 0444 (EXECUTABLE: 0555) and 0555, with OWNER_WRITES 0644 (0755)
 * and 0755 (where the kernel checks permissions and the announcer is an ordinary
 * user), less the masks. */
AttrConfig attr_config(uid_t uid, gid_t gid, mode_t fmask, mode_t dmask, gboolean executable,
		       gboolean owner_writes);

/* Fills ret_st; needs the tree lock, and takes the inode table's. */
void attr_fill_locked(const AttrConfig *config, InodeTable *inodes, const Node *node,
		      struct stat *ret_st);

#endif
