/* SPDX-License-Identifier: Apache-2.0 */
/* The order in which the world learns of a revision:
 *
 *   a. The writer applies the whole revision to the tree, under its write lock.
 *   b. Every entry that the revision touched is invalidated in the kernel, and
 *      the listing of every directory.  From here on whoever looks sees all of
 *      the revision.
 *   c. The events are raised, one entry after the other, in event order.
 *
 * A revision is `shown` once its step b is done: that is what .etcdfs/revision says, and
 * what programs wait for (waiting.c).  One that changes nothing that the kernel may hold
 * is shown as soon as it is applied, if those before it are.
 *
 * Steps b and c belong to the announcer's thread.  A push adds the revision as a
 * whole, and the thread does every invalidation that is due before the next
 * announcement; so b of a revision comes before c of any part of it, and a reader
 * waits for at most one announcement until a new value shows.
 *
 * Nobody there, nothing to do: a change in a directory that the kernel does not
 * know is not even pushed, unless somebody still holds an older inode of the key.
 * The push comes with the tree's write lock held, and lookups count under that
 * lock; so a directory that is unknown now will be looked up in its new state.
 *
 * That is also why a step that fails because the entry changed again finds the
 * newer change pending already.  The announcer's lock nests inside the tree's and
 * the control directory's, and the inode table's inside it.
 *
 * Falling behind costs no memory: pending.c keeps one record an entry.  Of many older
 * inodes of one key most wait in a backlog, one of which is told after each record;
 * so whoever holds them at most doubles the time that others wait.
 *
 * While the tree is withheld (withheld.c) nobody could look at what is told, so b goes on
 * and c waits, but for what is in .etcdfs.
 */
#include "announce.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>

#include "control.h"
#include "device.h"
#include "invalidate.h"
#include "log.h"
#include "pending.h"
#include "relist.h"
#include "stall.h"
#include "tell.h"
#include "waiting.h"
#include "withheld.h"
#include "young.h"

/* A step takes microseconds, unless another program keeps what it needs. */
#define STALL_MS 10000

struct Announcer {
	GMutex lock; /* guards all down to busy; but stall has its own */
	GCond wake;  /* pending or stopping changed */
	Pending pending;
	Young young;
	gboolean stopping;
	gboolean withheld; /* only what is in .etcdfs is told */
	gboolean drop_due; /* and the kernel has still to forget the rest; then: */
	void (*dropped)(gpointer data);
	gpointer dropped_data;
	AnnouncerTotals totals;
	Meters *meters;	     /* borrowed */
	gint64 applied;	     /* the newest revision pushed */
	gint64 shown;	     /* the newest shown, while some entry is stale */
	gint64 invalidating; /* what was applied when step b began that is under way */
	gboolean in_step_b;
	guint n_later; /* length of the teller's backlog, for whoever asks */
	gboolean busy; /* with what is in none of the queues any more */
	Stall stall;

	GThread *thread;	      /* NULL: not started; of the thread that starts and stops */
	struct fuse_session *session; /* borrowed from announcer_start on */

	/* Its thread's. */
	Teller teller;
	Device device;
	Waiting *waiting; /* borrowed; never changes */
};

Announcer *announcer_new(Tree *tree, InodeTable *inodes, View *view, Meters *meters,
			 Waiting *waiting)
{
	Announcer *announcer = g_new0(Announcer, 1);

	g_mutex_init(&announcer->lock);
	g_cond_init(&announcer->wake);
	pending_init(&announcer->pending);
	young_init(&announcer->young);
	stall_init(&announcer->stall, STALL_MS);
	backlog_init(&announcer->teller.backlog);
	announcer->meters = meters;
	announcer->teller.inodes = inodes;
	announcer->teller.view = view;
	announcer->teller.route.tree = tree;
	announcer->waiting = waiting;
	return announcer;
}

void announcer_free(Announcer *announcer)
{
	if (!announcer)
		return;
	announcer_stop(announcer);
	stall_clear(&announcer->stall);
	backlog_clear(&announcer->teller.backlog);
	young_clear(&announcer->young);
	pending_clear(&announcer->pending);
	g_cond_clear(&announcer->wake);
	g_mutex_clear(&announcer->lock);
	g_free(announcer);
}

/* These two with the inode table's lock, too. */
static gboolean is_of_interest_locked(Announcer *announcer, const Node *node)
{
	InodeTable *inodes = announcer->teller.inodes;

	return pending_has(&announcer->pending, node) ||
	       inode_is_known_locked(inodes, node->parent) || inode_has_older_locked(inodes, node);
}

static void push_locked(Announcer *announcer, const TreeChange *change)
{
	Node *old = change->old, *now = change->now;

	if (old)
		young_told(&announcer->young, old, announcer->pending.now_us);
	if (!is_of_interest_locked(announcer, old ? old : now)) {
		if (now)
			young_born(&announcer->young, now);
		return;
	}
	pending_push(&announcer->pending, old, now,
		     old && inode_is_known_locked(announcer->teller.inodes, old));
	if (now && now->kind == NODE_DIR)
		young_add(&announcer->young, now);
}

/* --- What is shown -------------------------------------------------------------- */

static gint64 shown_locked(const Announcer *announcer)
{
	gboolean all = g_queue_is_empty((GQueue *)&announcer->pending.stale);
	return all && !announcer->in_step_b ? announcer->applied : announcer->shown;
}

/* Before an entry becomes stale. */
static void keep_shown_locked(Announcer *announcer)
{
	announcer->shown = shown_locked(announcer);
}

static void tell_shown_locked(Announcer *announcer)
{
	gint64 shown = shown_locked(announcer);

	if (waiting_cares(announcer->waiting, shown))
		waiting_shown(announcer->waiting, shown);
}

static void end_step_b_locked(Announcer *announcer)
{
	if (!announcer->in_step_b)
		return;
	announcer->shown = announcer->invalidating;
	announcer->in_step_b = FALSE;
	tell_shown_locked(announcer);
}

gint64 announcer_shown(Announcer *announcer)
{
	g_mutex_lock(&announcer->lock);
	gint64 shown = shown_locked(announcer);
	g_mutex_unlock(&announcer->lock);
	return shown;
}

/* Whether the thread is to be woken; without the lock, or it would wait for that. */
static gboolean apply_locked(Announcer *announcer, gint64 revision)
{
	announcer->applied = MAX(announcer->applied, revision);
	tell_shown_locked(announcer);
	return !g_queue_is_empty(&announcer->pending.stale);
}

void announcer_push(Announcer *announcer, const GArray *changes, gint64 revision)
{
	InodeTable *inodes = announcer->teller.inodes;

	g_mutex_lock(&announcer->lock);
	announcer->pending.now_us = g_get_monotonic_time();
	keep_shown_locked(announcer);
	inode_table_lock(inodes);
	for (guint i = 0; i < changes->len; i++)
		push_locked(announcer, &g_array_index(changes, TreeChange, i));
	inode_table_unlock(inodes);
	gboolean wake = apply_locked(announcer, revision);
	g_mutex_unlock(&announcer->lock);
	if (wake)
		g_cond_signal(&announcer->wake);
}

void announcer_progress(Announcer *announcer, gint64 revision)
{
	g_mutex_lock(&announcer->lock);
	gboolean wake = apply_locked(announcer, revision);
	g_mutex_unlock(&announcer->lock);
	if (wake)
		g_cond_signal(&announcer->wake);
}

void announcer_rewind(Announcer *announcer, gint64 revision)
{
	g_mutex_lock(&announcer->lock);
	if (revision < announcer->applied) {
		keep_shown_locked(announcer);
		announcer->applied = revision - 1;
		announcer->shown = MIN(announcer->shown, revision - 1);
		announcer->invalidating = MIN(announcer->invalidating, revision - 1);
	}
	g_mutex_unlock(&announcer->lock);
}

/* --- Its thread -------------------------------------------------------------------- */

typedef struct {
	gboolean withheld;
	/* One of them: */
	gboolean drop;
	GPtrArray *stale;      /* entries to invalidate, owned */
	YoungDir *of_age;      /* owned */
	PendingRecord *record; /* owned; NULL: only what was left for later */
} Step;

static gboolean has_to_tell_locked(const Announcer *announcer)
{
	if (announcer->withheld)
		return pending_has_in(&announcer->pending, CONTROL_NODEID);
	return !g_queue_is_empty((GQueue *)&announcer->pending.order) || announcer->n_later > 0;
}

static gboolean has_to_wait_locked(Announcer *announcer)
{
	return !announcer->stopping && !announcer->drop_due &&
	       g_queue_is_empty(&announcer->pending.stale) && !has_to_tell_locked(announcer) &&
	       young_next(&announcer->young) > g_get_monotonic_time();
}

static void wait_locked(Announcer *announcer)
{
	gint64 until = young_next(&announcer->young);

	if (until == G_MAXINT64)
		g_cond_wait(&announcer->wake, &announcer->lock);
	else
		g_cond_wait_until(&announcer->wake, &announcer->lock, until);
}

static PendingRecord *take_record_locked(Announcer *announcer)
{
	if (announcer->withheld)
		return pending_take_in(&announcer->pending, CONTROL_NODEID);
	return pending_take(&announcer->pending);
}

static void take_step_locked(Announcer *announcer, Step *ret_step)
{
	*ret_step = (Step){.withheld = announcer->withheld, .drop = announcer->drop_due};
	announcer->drop_due = FALSE;
	if (!ret_step->drop)
		ret_step->stale = pending_take_stale(&announcer->pending);
	if (!ret_step->drop && !ret_step->stale)
		ret_step->of_age = young_take(&announcer->young, g_get_monotonic_time());
	if (!ret_step->drop && !ret_step->stale && !ret_step->of_age)
		ret_step->record = take_record_locked(announcer);
	announcer->busy = ret_step->of_age || ret_step->record;
	announcer->in_step_b = ret_step->stale != NULL;
	announcer->invalidating = announcer->applied;
}

/* What to do next; waits until there is something.  FALSE: stop. */
static gboolean next_step(Announcer *announcer, Step *ret_step)
{
	g_mutex_lock(&announcer->lock);
	announcer->n_later = backlog_length(&announcer->teller.backlog);
	announcer->busy = FALSE;
	end_step_b_locked(announcer);
	while (has_to_wait_locked(announcer)) {
		g_mutex_unlock(&announcer->lock);
		route_rest(&announcer->teller.route);
		g_mutex_lock(&announcer->lock);
		if (has_to_wait_locked(announcer))
			wait_locked(announcer);
	}
	gboolean go_on = !announcer->stopping;
	if (go_on)
		take_step_locked(announcer, ret_step);
	g_mutex_unlock(&announcer->lock);
	return go_on;
}

/* What was born in DIR and is still the same is to be told, if somebody has come.
 * What has changed was told to who came before. */
static void grow_up(Announcer *announcer, YoungDir *dir)
{
	Tree *tree = announcer->teller.route.tree;

	if (!node_was_listed(dir->dir))
		return;
	/* So that nothing else is pushed meanwhile. */
	tree_read_lock(tree);
	g_mutex_lock(&announcer->lock);
	announcer->pending.now_us = g_get_monotonic_time();
	keep_shown_locked(announcer);
	for (guint i = 0; i < dir->born->len; i++) {
		Node *node = dir->born->pdata[i];
		if (node->linked && !pending_has(&announcer->pending, node))
			pending_push(&announcer->pending, NULL, node, FALSE);
	}
	g_mutex_unlock(&announcer->lock);
	tree_read_unlock(tree);
}

static void announce(Announcer *announcer, PendingRecord *record)
{
	g_autoptr(Node) entry = node_ref(record->entry);
	int r = tell(&announcer->teller, record);
	gint64 now_us = g_get_monotonic_time();

	if (r == 0)
		histogram_observe(&announcer->meters->announce, now_us - record->since_us);
	g_mutex_lock(&announcer->lock);
	if (record->now)
		young_told(&announcer->young, record->now, now_us);
	gboolean untold = r < 0 && !pending_has(&announcer->pending, entry);
	if (r < 0)
		pending_give_back(&announcer->pending, record);
	else
		pending_record_free(record);
	announcer->totals.announced += r == 0;
	announcer->totals.untold += untold;
	g_mutex_unlock(&announcer->lock);
	/* At an unmount the way in is gone before we know. */
	if (untold && r != -ENOTCONN && r != -ECONNABORTED && r != -ENODEV)
		g_warning("watchers of \"%s\" were not told of a change: %s", node_name(entry),
			  g_strerror(-r));
}

/* A signal would interrupt a step, and it would go untold. */
static void block_signals(void)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
}

/* See device.c. */
static void leave_descriptors(Announcer *announcer)
{
	int keep[] = {announcer->teller.route.clone_fd, log_hand_over(), announcer->stall.fd};
	device_init(&announcer->device, announcer->session, keep, G_N_ELEMENTS(keep));
}

static void invalidate(Announcer *announcer, const GPtrArray *stale)
{
	Teller *teller = &announcer->teller;
	g_autoptr(GPtrArray) dirs = invalidate_entries(&announcer->device, teller->inodes, stale);

	for (guint i = 0; i < dirs->len; i++)
		relist(&teller->route, dirs->pdata[i]);
	route_yield(&teller->route);
}

static void drop(Announcer *announcer)
{
	withheld_drop(&announcer->device, announcer->teller.inodes);

	/* It may have been shown meanwhile, and be withheld again: then that comes next. */
	g_mutex_lock(&announcer->lock);
	gboolean done = announcer->withheld && !announcer->drop_due;
	g_mutex_unlock(&announcer->lock);
	if (done)
		announcer->dropped(announcer->dropped_data);
}

static void carry_out(Announcer *announcer, Step *step)
{
	if (step->drop) {
		drop(announcer);
	} else if (step->stale) {
		invalidate(announcer, step->stale);
		g_ptr_array_unref(step->stale);
	} else if (step->of_age) {
		grow_up(announcer, step->of_age);
		young_dir_free(step->of_age);
	} else {
		if (step->record)
			announce(announcer, step->record);
		if (!step->withheld)
			tell_later(&announcer->teller);
		route_yield(&announcer->teller.route);
	}
}

static gpointer announcer_main(gpointer data)
{
	Announcer *announcer = data;
	Step step;

	block_signals();
	leave_descriptors(announcer);
	view_enter(announcer->teller.view);
	while (next_step(announcer, &step)) {
		stall_begin(&announcer->stall);
		carry_out(announcer, &step);
		stall_end(&announcer->stall);
	}
	route_rest(&announcer->teller.route);
	view_leave(announcer->teller.view);
	device_clear(&announcer->device);
	return NULL;
}

void announcer_start(Announcer *announcer, struct fuse_session *session, int clone_fd,
		     const char *mountpoint, dev_t dev)
{
	Route *route = &announcer->teller.route;

	announcer->session = session;
	announcer->stopping = FALSE;
	route_init(route, route->tree, &announcer->device, clone_fd, mountpoint, dev);
	announcer->thread = g_thread_new("announcer", announcer_main, announcer);
}

void announcer_stop(Announcer *announcer)
{
	g_mutex_lock(&announcer->lock);
	announcer->stopping = TRUE;
	g_cond_signal(&announcer->wake);
	g_mutex_unlock(&announcer->lock);
	g_clear_pointer(&announcer->thread, g_thread_join);
}

void announcer_withhold(Announcer *announcer, void (*done)(gpointer data), gpointer data)
{
	g_mutex_lock(&announcer->lock);
	announcer->withheld = announcer->drop_due = TRUE;
	announcer->dropped = done;
	announcer->dropped_data = data;
	g_cond_signal(&announcer->wake);
	g_mutex_unlock(&announcer->lock);
}

void announcer_release(Announcer *announcer)
{
	g_mutex_lock(&announcer->lock);
	announcer->withheld = announcer->drop_due = FALSE;
	g_cond_signal(&announcer->wake);
	g_mutex_unlock(&announcer->lock);
}

AnnouncerTotals announcer_totals(Announcer *announcer)
{
	g_mutex_lock(&announcer->lock);
	AnnouncerTotals totals = announcer->totals;
	totals.pending = g_queue_get_length(&announcer->pending.order) + announcer->n_later +
			 g_queue_get_length(&announcer->young.told) + (announcer->busy ? 1 : 0);
	totals.stale = g_queue_get_length(&announcer->pending.stale);
	totals.notifications = meter_get(&announcer->device.notifications);
	g_mutex_unlock(&announcer->lock);
	return totals;
}
