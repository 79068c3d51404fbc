/* SPDX-License-Identifier: Apache-2.0 */
/* Why values are given before they are asked for.
 *
 * A READ costs a walk through a directory of small files more than all else.  And as the
 * filesystem is writable for the announcer's sake (mount.c), each READ makes the kernel forget the
 * access time, so the next stat of that file costs a GETATTR.  A value that is stored in
 * the kernel's pages instead costs neither, and an inode's value never changes.
 *
 * Storing waits for the lock of a page, and a page is locked while a READ for it is under way.
 * So a thread of its own does it, which nobody needs in order to answer that READ; who
 * answers waits for it only for a moment, since what was stored before the answer is
 * not asked for at once.
 *
 * That thread has descriptors of its own, for the announcer's reasons (device.c), and what is
 * left is the same: a READ of exactly the page that is being stored, that no worker has taken
 * yet when the daemon is killed.
 *
 * Linux before 6.1.107 does not clear the rest of a page that was stored.
 */
#include "ahead.h"

#include <fuse_lowlevel.h>
#include <pthread.h>
#include <signal.h>

#include "device.h"
#include "log.h"
#include "sequence.h"

/* Giving takes microseconds, unless somebody waits for one of those files already. */
#define PATIENCE_US 5000

struct Ahead {
	Tree *tree;
	InodeTable *inodes;
	struct fuse_session *session; /* since ahead_start */
	GThread *thread;	      /* NULL: not started; of who starts and stops */

	GMutex lock; /* guards the rest; the tree's nests inside */
	GCond wake;  /* files or stopping changed */
	GCond given; /* files was done */
	Sequence sequence;
	GPtrArray *files; /* owned, to be given; NULL: nothing to do */
	gboolean running;

	Device device; /* the thread's */
};

Ahead *ahead_new(Tree *tree, InodeTable *inodes)
{
	Ahead *ahead = g_new0(Ahead, 1);

	ahead->tree = tree;
	ahead->inodes = inodes;
	g_mutex_init(&ahead->lock);
	g_cond_init(&ahead->wake);
	g_cond_init(&ahead->given);
	return ahead;
}

void ahead_free(Ahead *ahead)
{
	if (!ahead)
		return;
	ahead_stop(ahead);
	g_cond_clear(&ahead->given);
	g_cond_clear(&ahead->wake);
	g_mutex_clear(&ahead->lock);
	g_free(ahead);
}

/* --- Giving ------------------------------------------------------------------ */

static void give(Ahead *ahead, const Node *file)
{
	KvBytes value = node_value(file);
	struct fuse_bufvec buf = FUSE_BUFVEC_INIT(value.len);

	/* The kernel knows none that was not looked up. */
	if (!inode_is_known(ahead->inodes, file))
		return;
	buf.buf[0].mem = (void *)value.data;
	meter_add(&ahead->device.notifications, 1);
	int r = fuse_lowlevel_notify_store(ahead->session, file->nodeid, 0, &buf,
					   FUSE_BUF_NO_SPLICE);
	if (r < 0)
		g_debug("store %" G_GUINT64_FORMAT ": %s", file->nodeid, g_strerror(-r));
}

static void give_all(Ahead *ahead, const GPtrArray *files)
{
	device_acquire(&ahead->device);
	for (guint i = 0; i < files->len; i++)
		give(ahead, files->pdata[i]);
	device_release(&ahead->device);
}

static void init_thread(Ahead *ahead)
{
	int keep[] = {log_hand_over()};
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	device_init(&ahead->device, ahead->session, keep, G_N_ELEMENTS(keep));
}

static gpointer ahead_main(gpointer data)
{
	Ahead *ahead = data;

	init_thread(ahead);
	g_mutex_lock(&ahead->lock);
	while (ahead->running) {
		if (!ahead->files) {
			g_cond_wait(&ahead->wake, &ahead->lock);
			continue;
		}
		g_mutex_unlock(&ahead->lock);
		give_all(ahead, ahead->files);
		g_mutex_lock(&ahead->lock);
		g_clear_pointer(&ahead->files, g_ptr_array_unref);
		g_cond_broadcast(&ahead->given);
	}
	g_clear_pointer(&ahead->files, g_ptr_array_unref);
	g_mutex_unlock(&ahead->lock);
	device_clear(&ahead->device);
	return NULL;
}

void ahead_start(Ahead *ahead, struct fuse_session *session)
{
	if (!ahead)
		return;
	g_mutex_lock(&ahead->lock);
	ahead->session = session;
	ahead->running = TRUE;
	g_mutex_unlock(&ahead->lock);
	ahead->thread = g_thread_new("ahead", ahead_main, ahead);
}

void ahead_stop(Ahead *ahead)
{
	if (!ahead || !ahead->thread)
		return;
	g_mutex_lock(&ahead->lock);
	ahead->running = FALSE;
	g_cond_signal(&ahead->wake);
	g_mutex_unlock(&ahead->lock);
	g_clear_pointer(&ahead->thread, g_thread_join);
}

/* --- Requests ---------------------------------------------------------------- */

/* It takes over FILES. */
static void have_given_locked(Ahead *ahead, GPtrArray *files)
{
	gint64 end = g_get_monotonic_time() + PATIENCE_US;

	ahead->files = files;
	g_cond_signal(&ahead->wake);
	while (ahead->files == files && ahead->running)
		if (!g_cond_wait_until(&ahead->given, &ahead->lock, end))
			return;
}

typedef GPtrArray *Next(Sequence *sequence, const Node *node);

/* Has given what NEXT says. */
static void go_ahead(Ahead *ahead, Next *next, const Node *node)
{
	/* Who would have to wait for others does without. */
	if (!ahead || !g_mutex_trylock(&ahead->lock))
		return;
	if (ahead->running && !ahead->files) {
		tree_read_lock(ahead->tree);
		GPtrArray *files = next(&ahead->sequence, node);
		tree_read_unlock(ahead->tree);
		if (files)
			have_given_locked(ahead, files);
	}
	g_mutex_unlock(&ahead->lock);
}

void ahead_read(Ahead *ahead, const Node *file)
{
	go_ahead(ahead, sequence_read_locked, file);
}

void ahead_listed(Ahead *ahead, const Node *dir)
{
	go_ahead(ahead, sequence_listed_locked, dir);
}
