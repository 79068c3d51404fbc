/* SPDX-License-Identifier: Apache-2.0 */
/* mounter.h - the thread that mounts and unmounts, in the mount namespace where that is to
 * be seen.
 *
 * A service manager gives a hardened service a mount namespace of its own, out of which no
 * mount shows.  One thread that leaves it is enough: the rest of the process stays inside.
 * It also is the one thread that keeps the privilege to unmount.
 */
#ifndef MOUNTER_H
#define MOUNTER_H

#include <glib.h>

typedef struct Mounter Mounter;

/* NAMESPACE: a file such as /proc/1/ns/mnt; NULL: where we are, and only if KEEPS_APART
 * does it take another thread than the caller's.  NULL and ERROR (of G_FILE_ERROR, one
 * line): it cannot be entered. */
Mounter *mounter_new(const char *namespace, gboolean keeps_apart, GError **error);

/* NULL is fine. */
void mounter_free(Mounter *mounter);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Mounter, mounter_free)

/* Runs JOB(DATA) there, and waits for its end.  One thread may call it. */
void mounter_run(Mounter *mounter, void (*job)(gpointer data), gpointer data);

/* All is mounted: where it is a thread of its own, it gives up what it does not need to unmount. */
void mounter_settle(Mounter *mounter);

#endif
