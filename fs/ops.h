/* SPDX-License-Identifier: Apache-2.0 */
/* ops.h - one short handler for each FUSE request.
 */
#ifndef OPS_H
#define OPS_H

#include <fuse_lowlevel.h>

#include "fs.h"

/* The session's user data is a Fs. */
extern const struct fuse_lowlevel_ops ops_table;

#endif
