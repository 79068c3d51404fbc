/* SPDX-License-Identifier: Apache-2.0 */
#include "start.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "reason.h"

void start_init(Start *start, const WatchConfig *config)
{
	*start = (Start){
	    .dial_timeout_ms = config->dial_timeout_ms,
	    .started_us = g_get_monotonic_time(),
	    .patience_us = config->retry_forever ? G_MAXINT64
						 : config->retry_ms * G_TIME_SPAN_MILLISECOND,
	    .said = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
	    .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
	};
	g_mutex_init(&start->lock);
}

void start_clear(Start *start)
{
	g_clear_error(&start->error);
	g_mutex_clear(&start->lock);
	g_hash_table_unref(start->said);
	close(start->fd);
}

/* The first seed is complete, and so is the first attempt to watch from there:
 * whoever started us then sees a state that means something. */
static gboolean is_up(const Driver *driver)
{
	return driver->seeded && driver->resume.state != RESUME_OPENING;
}

static gint64 dial_deadline(const Start *start, const Driver *driver)
{
	gint64 since_us = MAX(start->started_us, driver->asker.contact_us);

	/* from then on it is for the command timeout to say when to give up */
	if (driver->seeded || (asker_is_busy(&driver->asker) && rpc_connected(driver->rpc)))
		return G_MAXINT64;
	if (driver->resume.state == RESUME_ASKING)
		return G_MAXINT64;
	return since_us + start->dial_timeout_ms * G_TIME_SPAN_MILLISECOND;
}

static gint64 last_deadline(const Start *start, const Driver *driver)
{
	gint64 dial_us = dial_deadline(start, driver);

	if (start->patience_us == G_MAXINT64)
		return G_MAXINT64;
	return MAX(dial_us, start->started_us + start->patience_us);
}

gint64 start_deadline(const Start *start, const Driver *driver)
{
	if (driver->seeded)
		return G_MAXINT64;
	/* what comes between the two comes from the endpoints */
	return g_hash_table_size(start->said) > 0 ? last_deadline(start, driver)
						  : dial_deadline(start, driver);
}

static GError *refusal(const Driver *driver)
{
	const char *endpoint = endpoint_list_current(driver->endpoints);

	if (driver->refused)
		return g_error_new(WATCH_ERROR, WATCH_ERROR_REFUSED, "etcd at %s refused: %s",
				   endpoint, driver->refused);
	if (driver->resume.missing)
		return g_error_new(WATCH_ERROR, WATCH_ERROR_REVISION, "etcd at %s: %s", endpoint,
				   driver->resume.missing);
	return NULL;
}

static GError *unreachable(const Start *start, gint64 within_us, const char *reasons)
{
	gint64 ms = MAX(within_us / G_TIME_SPAN_MILLISECOND, (gint64)start->dial_timeout_ms);

	return g_error_new(WATCH_ERROR, WATCH_ERROR_UNREACHABLE,
			   "etcd not reachable within %g s: %s", (double)ms / 1000.0, reasons);
}

static void publish(Start *start, WatchStart stage, GError *error)
{
	g_mutex_lock(&start->lock);
	start->stage = stage;
	g_clear_error(&start->error);
	start->error = error;
	g_mutex_unlock(&start->lock);
	eventfd_write(start->fd, 1);
}

/* TRUE: nobody is going to wait for better days. */
static gboolean check_contact(Start *start, const Driver *driver)
{
	gint64 now_us = g_get_monotonic_time();
	g_autofree char *reasons = NULL;

	if (now_us < dial_deadline(start, driver))
		return FALSE;
	reasons = endpoint_list_reasons(driver->endpoints);
	if (endpoint_list_all(driver->endpoints, reason_is_mistake) ||
	    now_us >= last_deadline(start, driver)) {
		gboolean patient = start->patience_us != G_MAXINT64;
		publish(start, WATCH_FAILED,
			unreachable(start, patient ? start->patience_us : 0, reasons));
		return TRUE;
	}
	if (!g_hash_table_contains(start->said, reasons)) {
		publish(start, WATCH_TRYING, unreachable(start, 0, reasons));
		g_hash_table_add(start->said, g_steal_pointer(&reasons));
	}
	return FALSE;
}

gboolean start_check(Start *start, const Driver *driver)
{
	GError *error = refusal(driver);

	if (error)
		publish(start, WATCH_FAILED, error);
	else if (is_up(driver))
		publish(start, WATCH_STARTED, NULL);
	else
		return check_contact(start, driver);
	return TRUE;
}

WatchStart start_hear(Start *start, GError **error)
{
	eventfd_t count;
	WatchStart stage;

	eventfd_read(start->fd, &count);
	g_mutex_lock(&start->lock);
	stage = start->stage;
	if (start->error)
		g_propagate_error(error, g_steal_pointer(&start->error));
	g_mutex_unlock(&start->lock);
	return stage;
}
