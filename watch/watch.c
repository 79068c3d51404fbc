/* SPDX-License-Identifier: Apache-2.0 */
/* watch.c - the thread, and what its starter waits for.
 *
 * gRPC moves no byte unless somebody is in its completion queue: that is where
 * the thread sleeps, with the state machine's timer as deadline.  It applies
 * what arrives itself, and asks for the next message only then, so a listener
 * that is slow slows etcd down and memory stays bounded.
 */
#include "watch.h"

#include <signal.h>

#include "driver.h"
#include "report.h"

/* etcd takes more than one ping in 5 s for abuse, and closes the connection. */
#define KEEPALIVE_MIN_MS 6000

struct Watch {
	/* the thread's, from its start to its end */
	Rpc *rpc; /* but rpc_wake is anybody's */
	Driver driver;
	Report report;
	guint dial_timeout_ms;
	gint64 started_us;

	GThread *thread;
	GMutex lock;
	GCond settled_cond;
	gboolean settled; /* under lock: the first seed is complete, or `error` */
	GError *error;	  /* under lock until settled */
};

static gint64 watch_dial_deadline(const Watch *watch)
{
	const Driver *driver = &watch->driver;
	gint64 since_us = MAX(watch->started_us, driver->contact_us);

	if (driver->seeded)
		return G_MAXINT64;
	/* from then on it is for the command timeout to say when to give up */
	if (driver->request && rpc_connected(watch->rpc))
		return G_MAXINT64;
	if (driver->resume.state == RESUME_ASKING)
		return G_MAXINT64;
	return since_us + watch->dial_timeout_ms * G_TIME_SPAN_MILLISECOND;
}

/* NULL: no reason to give up. */
static GError *watch_start_fault(const Watch *watch)
{
	const Driver *driver = &watch->driver;
	g_autofree char *reasons = NULL;

	if (driver->refused)
		return g_error_new(WATCH_ERROR, WATCH_ERROR_REFUSED, "etcd at %s refused: %s",
				   endpoint_list_current(driver->endpoints), driver->refused);
	if (driver->resume.missing)
		return g_error_new(WATCH_ERROR, WATCH_ERROR_REVISION, "etcd at %s: %s",
				   endpoint_list_current(driver->endpoints),
				   driver->resume.missing);
	if (g_get_monotonic_time() < watch_dial_deadline(watch))
		return NULL;
	reasons = endpoint_list_reasons(driver->endpoints);
	return g_error_new(WATCH_ERROR, WATCH_ERROR_UNREACHABLE,
			   "etcd not reachable within %g s: %s", watch->dial_timeout_ms / 1000.0,
			   reasons);
}

static void watch_settle(Watch *watch, GError *error)
{
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&watch->lock);

	watch->settled = TRUE;
	watch->error = error;
	g_cond_signal(&watch->settled_cond);
}

/* FALSE: told to stop. */
static gboolean watch_turn(Watch *watch)
{
	Driver *driver = &watch->driver;
	gint64 deadline_us = MIN(driver->timer_us, watch_dial_deadline(watch));

	if (rpc_wait(watch->rpc, deadline_us) == RPC_WOKEN)
		return FALSE;
	driver_check_timer(driver);
	report_update(&watch->report, &driver->resume, endpoint_list_current(driver->endpoints));
	return TRUE;
}

/* The first seed is complete, and so is the first attempt to watch from there:
 * whoever started us then sees a state that means something. */
static gboolean watch_is_up(const Watch *watch)
{
	return watch->driver.seeded && watch->driver.resume.state != RESUME_OPENING;
}

static gpointer watch_run(gpointer data)
{
	Watch *watch = data;
	GError *error = NULL;

	driver_start(&watch->driver);
	while (!watch_is_up(watch) && !error) {
		if (!watch_turn(watch))
			return NULL;
		error = watch_start_fault(watch);
	}
	watch_settle(watch, error);
	while (!error && watch_turn(watch))
		;
	return NULL;
}

static Watch *watch_new(const WatchConfig *config, Keyspace *keyspace)
{
	Watch *watch = g_new0(Watch, 1);
	RpcSettings settings = {
	    .keepalive_time_ms = MAX(config->keepalive_time_ms, KEEPALIVE_MIN_MS),
	    .keepalive_timeout_ms = config->keepalive_timeout_ms,
	};

	watch->rpc = rpc_new(&settings);
	watch->dial_timeout_ms = config->dial_timeout_ms;
	watch->started_us = g_get_monotonic_time();
	driver_init(&watch->driver, config, watch->rpc, keyspace);
	report_init(&watch->report, keyspace);
	g_mutex_init(&watch->lock);
	g_cond_init(&watch->settled_cond);
	return watch;
}

/* The thread has ended. */
static void watch_free(Watch *watch)
{
	rpc_free(watch->rpc);
	driver_clear(&watch->driver);
	report_clear(&watch->report);
	g_mutex_clear(&watch->lock);
	g_cond_clear(&watch->settled_cond);
	g_free(watch);
}

static GError *watch_wait_settled(Watch *watch)
{
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&watch->lock);

	while (!watch->settled)
		g_cond_wait(&watch->settled_cond, &watch->lock);
	return g_steal_pointer(&watch->error);
}

/* Signals are for the thread that called: ours and gRPC's, which inherit its
 * mask, take none.  gRPC's may sleep for ever where no handler is waited for. */
static Watch *watch_launch(const WatchConfig *config, Keyspace *keyspace, GError **error)
{
	sigset_t all, before;
	Watch *watch;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	watch = watch_new(config, keyspace);
	if (driver_load_files(&watch->driver, error))
		watch->thread = g_thread_new("watch", watch_run, watch);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return watch;
}

/* NULL: every change arrives from here on. */
static GError *watch_wait_started(Watch *watch)
{
	GError *fault = watch_wait_settled(watch);

	if (fault)
		g_thread_join(watch->thread);
	return fault;
}

Watch *watch_start(const WatchConfig *config, Keyspace *keyspace, GError **error)
{
	GError *fault = NULL;
	Watch *watch = watch_launch(config, keyspace, &fault);

	if (!fault)
		fault = watch_wait_started(watch);
	if (!fault)
		return watch;
	watch_free(watch);
	g_propagate_error(error, fault);
	return NULL;
}

void watch_stop(Watch *watch)
{
	if (!watch)
		return;
	rpc_wake(watch->rpc);
	g_thread_join(watch->thread);
	watch_free(watch);
}
