/* SPDX-License-Identifier: Apache-2.0 */
/* How a program waits for the mount: it asks for an extended attribute of the root
 * (waitattr.c), and the answer comes when what it waits for is so.
 *
 * Why so.  A getxattr reaches the daemon every time, holds no lock of the kernel's while
 * it is on its way, and a signal to whoever asked comes here as an interrupt; everybody
 * who may read the root may ask.  An inotify event on .etcdfs/revision would have to be
 * raised at each revision from the first time that anybody looked; a poll needs a
 * descriptor, and here files are never opened.  It keeps the mount busy, as any program
 * does that is in it.
 *
 * No thread waits.  A request is added, then the facts are looked at, then it is
 * settled: so what changes in between is either seen or finds the request there.
 * libfuse tells of an interrupt at any moment, with a lock of the request's held that
 * settling needs as well.  So whoever finds a request that is not settled yet only
 * leaves a note for who settles it.
 *
 * The announcer cannot answer: it has no descriptor of the session's (device.c).  So a
 * thread of our own does, from the first wait on.
 */
#include "waiting.h"

#include <errno.h>
#include <string.h>

/* Each is some 500 bytes, of ours and libfuse's. */
#define WAITING_MAX 20000

typedef struct {
	fuse_req_t req;
	Wait wait;
	size_t size;
	gboolean settled;
	gboolean over;	 /* the notes: the wait is, or */
	int error;	 /* it will not be; 0: neither */
	WaitFacts facts; /* to answer with */
} Parked;

struct Waiting {
	GMutex lock; /* guards all down to thread */
	GCond due;   /* ends or ended changed */
	Waiters waiters;
	GHashTable *parked; /* fuse_req_t -> Parked, owned */
	WaitFacts facts;    /* shown is what was last told */
	GQueue ends;	    /* of Parked, owned, in neither of the two: to be answered */
	gboolean ended;
	GThread *thread; /* that answers; NULL: nobody has waited yet */

	GMutex ask_lock; /* held while asking: waiting_set_ask waits for it */
	WaitingAsk ask;
	gpointer ask_data;
};

Waiting *waiting_new(void)
{
	Waiting *waiting = g_new0(Waiting, 1);

	g_mutex_init(&waiting->lock);
	g_cond_init(&waiting->due);
	g_queue_init(&waiting->ends);
	g_mutex_init(&waiting->ask_lock);
	waiters_init(&waiting->waiters);
	waiting->parked = g_hash_table_new_full(NULL, NULL, NULL, g_free);
	waiting->facts.tick = 1;
	return waiting;
}

void waiting_free(Waiting *waiting)
{
	if (!waiting)
		return;
	waiting_end(waiting);
	g_hash_table_unref(waiting->parked);
	waiters_clear(&waiting->waiters);
	g_mutex_clear(&waiting->ask_lock);
	g_cond_clear(&waiting->due);
	g_mutex_clear(&waiting->lock);
	g_free(waiting);
}

/* --- Answers ------------------------------------------------------------------ */

static void answer(const Parked *parked)
{
	const WaitFacts *facts = &parked->facts;
	char text[24] = "live";

	if (parked->wait.kind == WAIT_REVISION)
		g_snprintf(text, sizeof(text), "%" G_GINT64_FORMAT, facts->shown);
	else if (parked->wait.kind == WAIT_CHANGE)
		g_snprintf(text, sizeof(text), "%" G_GUINT64_FORMAT, facts->tick);

	if (parked->error)
		fuse_reply_err(parked->req, parked->error);
	else if (parked->size == 0)
		fuse_reply_xattr(parked->req, strlen(text));
	else if (parked->size < strlen(text))
		fuse_reply_err(parked->req, ERANGE);
	else
		fuse_reply_buf(parked->req, text, strlen(text));
}

/* Nobody's any more; the caller's. */
static Parked *take_locked(Waiting *waiting, Parked *parked)
{
	waiters_remove(&waiting->waiters, parked);
	g_hash_table_steal(waiting->parked, parked->req);
	parked->facts = waiting->facts;
	return parked;
}

/* A waiter that has just been removed as one: to be answered by our thread, or by who
 * settles it. */
static void end_locked(Waiting *waiting, Parked *parked, int error)
{
	parked->over = TRUE;
	parked->error = error;
	if (!parked->settled)
		return;
	g_queue_push_tail(&waiting->ends, take_locked(waiting, parked));
	g_cond_signal(&waiting->due);
}

static void end_due_locked(Waiting *waiting)
{
	Parked *due;

	while ((due = waiters_take_due(&waiting->waiters, &waiting->facts)))
		end_locked(waiting, due, 0);
}

/* NULL: the end. */
static Parked *next_end(Waiting *waiting)
{
	g_mutex_lock(&waiting->lock);
	while (g_queue_is_empty(&waiting->ends) && !waiting->ended)
		g_cond_wait(&waiting->due, &waiting->lock);
	Parked *end = g_queue_pop_head(&waiting->ends);
	g_mutex_unlock(&waiting->lock);
	return end;
}

static gpointer answer_main(gpointer data)
{
	Parked *end;

	while ((end = next_end(data))) {
		answer(end);
		g_free(end);
	}
	return NULL;
}

/* --- What changes ----------------------------------------------------------------- */

static void see_locked(Waiting *waiting, gint64 shown)
{
	if (waiting->facts.shown != shown)
		waiting->facts.tick++;
	waiting->facts.shown = shown;
}

gboolean waiting_cares(Waiting *waiting, gint64 shown)
{
	const Waiters *waiters = &waiting->waiters;

	g_mutex_lock(&waiting->lock);
	gboolean cares = shown >= waiters_least(waiters) ||
			 (shown != waiting->facts.shown && waiters_has_changes(waiters));
	g_mutex_unlock(&waiting->lock);
	return cares;
}

void waiting_shown(Waiting *waiting, gint64 shown)
{
	g_mutex_lock(&waiting->lock);
	see_locked(waiting, shown);
	end_due_locked(waiting);
	g_mutex_unlock(&waiting->lock);
}

void waiting_state(Waiting *waiting, gboolean live)
{
	g_mutex_lock(&waiting->lock);
	waiting->facts.live = live;
	waiting->facts.tick++;
	end_due_locked(waiting);
	g_mutex_unlock(&waiting->lock);
}

void waiting_end(Waiting *waiting)
{
	Parked *parked;

	g_mutex_lock(&waiting->lock);
	waiting->ended = TRUE;
	while ((parked = waiters_take(&waiting->waiters)))
		end_locked(waiting, parked, ENODEV);
	GThread *thread = g_steal_pointer(&waiting->thread);
	g_cond_signal(&waiting->due);
	g_mutex_unlock(&waiting->lock);
	if (thread)
		g_thread_join(thread);
}

/* --- Requests ------------------------------------------------------------------- */

static void on_interrupt(fuse_req_t req, void *data)
{
	Waiting *waiting = data;

	g_mutex_lock(&waiting->lock);
	Parked *parked = g_hash_table_lookup(waiting->parked, req);
	if (parked && waiters_remove(&waiting->waiters, parked))
		end_locked(waiting, parked, EINTR);
	g_mutex_unlock(&waiting->lock);
}

int waiting_add(Waiting *waiting, fuse_req_t req, const Wait *wait, size_t size)
{
	int r = 0;

	g_mutex_lock(&waiting->lock);
	if (waiting->ended)
		r = -ENODEV;
	else if (waiters_count(&waiting->waiters) >= WAITING_MAX)
		r = -EAGAIN;
	if (r == 0) {
		Parked *parked = g_new0(Parked, 1);
		*parked = (Parked){.req = req, .wait = *wait, .size = size};
		g_hash_table_insert(waiting->parked, req, parked);
		waiters_add(&waiting->waiters, parked, wait);
		if (!waiting->thread)
			waiting->thread = g_thread_new("answerer", answer_main, waiting);
	}
	g_mutex_unlock(&waiting->lock);
	return r;
}

static void ask_for(Waiting *waiting, gint64 revision)
{
	g_mutex_lock(&waiting->ask_lock);
	if (waiting->ask)
		waiting->ask(waiting->ask_data, revision);
	g_mutex_unlock(&waiting->ask_lock);
}

void waiting_settle(Waiting *waiting, fuse_req_t req, gint64 shown)
{
	fuse_req_interrupt_func(req, on_interrupt, waiting);
	g_mutex_lock(&waiting->lock);
	Parked *parked = g_hash_table_lookup(waiting->parked, req);
	Wait wait = parked->wait;
	/* A later one may have been told meanwhile. */
	if (!parked->over)
		see_locked(waiting, shown);
	parked->settled = TRUE;
	if (waiters_is_due(&wait, &waiting->facts))
		parked->error = 0;
	else if (!parked->over)
		parked = NULL;
	g_autofree Parked *end = parked ? take_locked(waiting, parked) : NULL;
	/* Others may wait for a change that came to light only here. */
	end_due_locked(waiting);
	g_mutex_unlock(&waiting->lock);

	if (end)
		answer(end);
	else if (wait.kind == WAIT_REVISION)
		ask_for(waiting, (gint64)wait.number);
}

void waiting_set_ask(Waiting *waiting, WaitingAsk ask, gpointer data)
{
	g_mutex_lock(&waiting->ask_lock);
	waiting->ask = ask;
	waiting->ask_data = data;
	g_mutex_unlock(&waiting->ask_lock);
}
