/* SPDX-License-Identifier: Apache-2.0 */
/* process.h - what the kernel says of this process.
 */
#ifndef PROCESS_H
#define PROCESS_H

#include <glib.h>

typedef struct {
	gint64 cpu_us; /* user and system */
	guint64 resident_bytes;
	guint64 virtual_bytes;
	guint64 threads;
	guint64 fds; /* open, of the threads that share them */
	guint64 fds_max;
} Process;

/* What cannot be read is 0.  Calls the kernel: no lock held. */
void process_look(Process *ret_process);

#endif
