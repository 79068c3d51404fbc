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
#include "start.h"

/* etcd takes more than one ping in 5 s for abuse, and closes the connection. */
#define KEEPALIVE_MIN_MS 6000

/* What the thread finds when it is woken. */
typedef enum {
	ORDER_STOP = 1 << 0,
	ORDER_RELOAD = 1 << 1,
	ORDER_ANSWER = 1 << 2,
	ORDER_WANT = 1 << 3,
} Order;

struct Watch {
	/* the thread's, from its start to its end */
	Rpc *rpc; /* but rpc_wake is anybody's */
	Driver driver;
	Report report;

	Start start;
	GThread *thread; /* NULL: there is none */

	guint orders;			 /* atomic: of Order */
	gint answering;			 /* atomic: it was asked to answer, and has not yet */
	void (*reloaded)(gpointer data); /* set before ORDER_RELOAD is given; so the next */
	gpointer reloaded_data;
	GMutex wanted_lock;
	gint64 wanted; /* under wanted_lock */
};

static gint64 watch_take_wanted(Watch *watch)
{
	g_mutex_lock(&watch->wanted_lock);
	gint64 wanted = watch->wanted;
	watch->wanted = 0;
	g_mutex_unlock(&watch->wanted_lock);
	return wanted;
}

static void watch_order(Watch *watch, Order order)
{
	g_atomic_int_or(&watch->orders, order);
	rpc_wake(watch->rpc);
}

/* FALSE: told to stop. */
static gboolean watch_obey(Watch *watch)
{
	guint orders = g_atomic_int_and(&watch->orders, 0);

	if (orders & ORDER_ANSWER)
		g_atomic_int_set(&watch->answering, FALSE);
	if (orders & ORDER_STOP)
		return FALSE;
	if (orders & ORDER_WANT)
		driver_want(&watch->driver, watch_take_wanted(watch));
	if (orders & ORDER_RELOAD) {
		driver_reload(&watch->driver);
		watch->reloaded(watch->reloaded_data);
	}
	return TRUE;
}

/* FALSE: told to stop. */
static gboolean watch_turn(Watch *watch)
{
	Driver *driver = &watch->driver;
	gint64 deadline_us = MIN(driver_deadline(driver), start_deadline(&watch->start, driver));

	if (rpc_wait(watch->rpc, deadline_us) == RPC_WOKEN && !watch_obey(watch))
		return FALSE;
	driver_check_timer(driver);
	report_update(&watch->report, &driver->resume, endpoint_list_current(driver->endpoints));
	return TRUE;
}

/* TRUE: go on. */
static gboolean watch_run_start(Watch *watch)
{
	driver_start(&watch->driver);
	do
		if (!watch_turn(watch))
			return FALSE;
	while (!start_check(&watch->start, &watch->driver));
	return watch->driver.seeded;
}

static gpointer watch_run(gpointer data)
{
	Watch *watch = data;

	if (watch_run_start(watch))
		while (watch_turn(watch))
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

	g_mutex_init(&watch->wanted_lock);
	watch->rpc = rpc_new(&settings);
	start_init(&watch->start, config);
	driver_init(&watch->driver, config, watch->rpc, keyspace);
	report_init(&watch->report, keyspace);
	return watch;
}

/* The thread has ended. */
static void watch_free(Watch *watch)
{
	rpc_free(watch->rpc);
	driver_clear(&watch->driver);
	report_clear(&watch->report);
	start_clear(&watch->start);
	g_mutex_clear(&watch->wanted_lock);
	g_free(watch);
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

Watch *watch_begin(const WatchConfig *config, Keyspace *keyspace, GError **error)
{
	Watch *watch = watch_launch(config, keyspace, error);

	if (watch->thread)
		return watch;
	watch_free(watch);
	return NULL;
}

int watch_start_fd(const Watch *watch)
{
	return watch->start.fd;
}

WatchStart watch_check_start(Watch *watch, GError **error)
{
	return start_hear(&watch->start, error);
}

Watch *watch_start(const WatchConfig *config, Keyspace *keyspace, GError **error)
{
	Watch *watch = watch_begin(config, keyspace, error);

	while (watch) {
		GPollFD fd = {.fd = watch_start_fd(watch), .events = G_IO_IN};
		g_autoptr(GError) reason = NULL;

		g_poll(&fd, 1, -1);
		WatchStart stage = watch_check_start(watch, &reason);
		if (stage == WATCH_STARTED)
			break;
		if (stage == WATCH_FAILED) {
			g_propagate_error(error, g_steal_pointer(&reason));
			watch_stop(g_steal_pointer(&watch));
		}
	}
	return watch;
}

void watch_reload(Watch *watch, void (*reloaded)(gpointer data), gpointer data)
{
	watch->reloaded = reloaded;
	watch->reloaded_data = data;
	watch_order(watch, ORDER_RELOAD);
}

void watch_want_revision(Watch *watch, gint64 revision)
{
	g_mutex_lock(&watch->wanted_lock);
	watch->wanted = MAX(watch->wanted, revision);
	g_mutex_unlock(&watch->wanted_lock);
	watch_order(watch, ORDER_WANT);
}

gboolean watch_answered(Watch *watch)
{
	if (g_atomic_int_get(&watch->answering))
		return FALSE;
	g_atomic_int_set(&watch->answering, TRUE);
	watch_order(watch, ORDER_ANSWER);
	return TRUE;
}

void watch_stop(Watch *watch)
{
	if (!watch)
		return;
	watch_order(watch, ORDER_STOP);
	g_thread_join(watch->thread);
	watch_free(watch);
}
