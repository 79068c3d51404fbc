/* SPDX-License-Identifier: Apache-2.0 */
/* waitattr.h - the attributes user.etcd.wait.* of the root, which etcdfs-wait(1) reads.
 *
 *   revision.N   the revision shown, once that is at least N
 *   live         "live", once the state is that
 *   change.TICK  another tick, once the revision shown or the state changed since TICK;
 *                at once for 0, which is none
 *   standing     where the mount stands, for a person; at once
 *
 * Not listed, so that programs that copy every attribute do not meet them.
 */
#ifndef WAITATTR_H
#define WAITATTR_H

#include "fs.h"

#include <fuse_lowlevel.h>

/* FALSE: NAME of the inode is none of these, and the request still the caller's.
 * Request threads, no lock held; returns at once. */
gboolean waitattr_get(const Fs *fs, fuse_req_t req, guint64 nodeid, const char *name, size_t size);

#endif
