/* SPDX-License-Identifier: Apache-2.0 */
/* announce.h - tells the kernel, and through it every watcher, what changed.
 *
 * One thread.  Changes are pushed by the writer of the tree, which never waits
 * for it; see announce.c for the order.
 */
#ifndef ANNOUNCE_H
#define ANNOUNCE_H

#include "inode.h"
#include "meters.h"
#include "tree.h"
#include "view.h"
#include "waiting.h"

struct fuse_session;

typedef struct Announcer Announcer;

/* Everything is borrowed and must outlive the announcer. */
Announcer *announcer_new(Tree *tree, InodeTable *inodes, View *view, Meters *meters,
			 Waiting *waiting);
void announcer_free(Announcer *announcer);

/* Starts the thread.  CLONE_FD is a descriptor of the root of a detached clone of
 * the mount, borrowed until announcer_stop; -1: act through MOUNTPOINT (borrowed
 * likewise; NULL: nowhere, so entries are invalidated and nothing is told).  DEV is
 * the mount's device.  May be called again after announcer_stop. */
void announcer_start(Announcer *announcer, struct fuse_session *session, int clone_fd,
		     const char *mountpoint, dev_t dev);

/* Ends what is under way and joins the thread.  Requests must still be served
 * meanwhile, since the thread may wait for one.  Harmless if it never started. */
void announcer_stop(Announcer *announcer);

/* CHANGES (array of TreeChange, one whole revision) were applied to the tree, which is at
 * REVISION now; 0: they are none of etcd's.  Call it with the lock still held under which
 * they were: then whoever sees the new state can rely on it that it is pending.  Never
 * blocks on the kernel. */
void announcer_push(Announcer *announcer, const GArray *changes, gint64 revision);

/* What is held is etcd's state at REVISION, too. */
void announcer_progress(Announcer *announcer, gint64 revision);

/* Before the push of REVISION, which may be below earlier ones: those are of a past that
 * is no more. */
void announcer_rewind(Announcer *announcer, gint64 revision);

/* The revision up to which whoever looks sees every change: the kernel keeps nothing
 * from before.  What was applied comes a moment later here. */
gint64 announcer_shown(Announcer *announcer);

/* With the tree withheld (withheld.h): makes the kernel forget it, and then calls DONE from
 * the announcer's thread, with no lock held.  From now on only what is in .etcdfs is told;
 * the rest keeps until announcer_release.  Any thread. */
void announcer_withhold(Announcer *announcer, void (*done)(gpointer data), gpointer data);
void announcer_release(Announcer *announcer);

typedef struct {
	guint64 pending;       /* entries and older inodes with something left to tell */
	guint64 stale;	       /* entries still to be invalidated */
	guint64 announced;     /* records told since the start */
	guint64 untold;	       /* records that could not be told */
	guint64 notifications; /* of libfuse's, to the kernel */
} AnnouncerTotals;
AnnouncerTotals announcer_totals(Announcer *announcer);

#endif
