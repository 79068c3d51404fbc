/* SPDX-License-Identifier: Apache-2.0 */
/* program.h - all that lives as long as the mount does, and its life.
 */
#ifndef PROGRAM_H
#define PROGRAM_H

#include "mount.h"
#include "options.h"

/* Seeds, mounts and serves, until the mount is gone or somebody asks to leave.  CONFIG's
 * mounter is set here.  READY_FD: of daemon_fork, or -1.  The main thread; all others
 * begin and end in here.  FALSE and ERROR, one line: nothing was mounted. */
gboolean program_run(Options *options, MountConfig *config, int ready_fd, GError **error);

#endif
