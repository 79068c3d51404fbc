/* SPDX-License-Identifier: Apache-2.0 */
/* privileges.h - what root's threads may still do once all is set up.
 *
 * Capabilities are a thread's own, and a new thread has those of the thread that makes it.
 */
#ifndef PRIVILEGES_H
#define PRIVILEGES_H

#include <glib.h>

typedef enum {
	PRIVILEGES_SERVE, /* of every thread but the mounter's */
	PRIVILEGES_UNMOUNT,
} Privileges;

/* The calling thread keeps these and gives up all others, for good; so will the threads
 * and programs that it starts.  Harmless for who has none. */
void privileges_keep(Privileges privileges);

#endif
