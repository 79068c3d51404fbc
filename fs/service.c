/* SPDX-License-Identifier: Apache-2.0 */
/* Says something when there is something to say: at a change of state, each second while
 * a start goes on, and as often as a watchdog wants to hear from us.
 *
 * The watchdog hears from us only when the threads that matter have answered.  Not one of
 * them is the announcer: what holds it up is another's process, and a new daemon would be
 * held up as well.
 */
#include "service.h"

#include <glib-unix.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "log.h"
#include "notify.h"

/* While a start goes on it is not given up for so long. */
#define EXTEND_S 30
/* A thread that answers after a while has three more chances to do so in time. */
#define CHECKS_IN_WATCHDOG 4

struct Service {
	Control *control;
	const ServiceCalls *calls;
	GArray *sources; /* guint */
	int changed_fd;	 /* readable: the state has changed, or `reloaded` */
	gint reloaded;	 /* atomic */

	gboolean ready;
	gboolean patient;  /* without contact, for as long as it takes */
	guint starting;	   /* the source that says how far the start is; 0: none */
	guint64 keys;	   /* that there were when it last looked */
	char *state_since; /* time of day; owned */
	const char *state; /* static */
	gboolean warned;   /* that somebody hangs */
};

static void add_source(Service *service, guint id)
{
	g_array_append_val(service->sources, id);
}

/* --- The state ------------------------------------------------------------------ */

static char *time_of_day(void)
{
	g_autoptr(GDateTime) now = g_date_time_new_now_local();
	return g_date_time_format(now, "%H:%M:%S");
}

static void tell_state(Service *service)
{
	const char *state = control_state(service->control);

	if (state != service->state) {
		g_free(service->state_since);
		service->state_since = time_of_day();
		service->state = state;
	}
	g_autofree char *text = control_sentence(service->control, service->state_since);
	notify_status(text);
}

/* The watch's thread. */
static void on_status(gpointer data)
{
	eventfd_write(((Service *)data)->changed_fd, 1);
}

static void end_reload(Service *service)
{
	g_message("reloaded");
	if (service->ready)
		notify_ready();
}

static gboolean on_changed(gint fd, GIOCondition condition, gpointer data)
{
	Service *service = data;
	eventfd_t count;

	eventfd_read(fd, &count);
	if (g_atomic_int_compare_and_exchange(&service->reloaded, TRUE, FALSE))
		end_reload(service);
	if (service->ready)
		tell_state(service);
	return G_SOURCE_CONTINUE;
}

/* --- The start ------------------------------------------------------------------ */

static void tell_seed(guint64 keys, guint64 total)
{
	g_autofree char *text = NULL;

	if (total > 0)
		text = g_strdup_printf("reading %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
				       " keys",
				       keys, MAX(keys, total));
	else
		text = g_strdup_printf("reading, %" G_GUINT64_FORMAT " keys so far", keys);
	notify_status(text);
}

static gboolean on_starting(gpointer data)
{
	Service *service = data;
	guint64 keys = 0, total = 0;

	service->calls->count(service->calls->data, &keys, &total);
	gboolean progress = keys != service->keys;
	service->keys = keys;
	if (progress)
		tell_seed(keys, total);
	if (progress || service->patient)
		notify_extend(EXTEND_S);
	return G_SOURCE_CONTINUE;
}

void service_trying(Service *service, const char *reason)
{
	g_autofree char *text = g_strdup_printf("%s; trying again", reason);

	service->patient = TRUE;
	notify_status(text);
	notify_extend(EXTEND_S);
}

/* --- The watchdog --------------------------------------------------------------- */

static gboolean on_watchdog(gpointer data)
{
	Service *service = data;
	const char *hanging = service->calls->hanging(service->calls->data);

	if (!hanging) {
		notify_alive();
		service->warned = FALSE;
	} else if (!service->warned) {
		g_warning("%s does not answer, and the watchdog is not told that we are well",
			  hanging);
		service->warned = TRUE;
	}
	return G_SOURCE_CONTINUE;
}

static void start_watchdog(Service *service)
{
	guint64 us = notify_watchdog_us();
	guint interval_ms = (guint)MIN(us / 1000 / CHECKS_IN_WATCHDOG, G_MAXUINT);

	if (us == 0)
		return;
	add_source(service, g_timeout_add(MAX(interval_ms, 1), on_watchdog, service));
	on_watchdog(service);
}

void service_ready(Service *service)
{
	if (service->starting)
		g_source_remove(service->starting);
	service->starting = 0;
	service->ready = TRUE;
	tell_state(service);
	notify_ready();
	start_watchdog(service);
}

void service_stopping(Service *service)
{
	service->ready = FALSE;
	notify_stopping();
}

/* --- SIGHUP ----------------------------------------------------------------------- */

static gboolean on_hangup(gpointer data)
{
	Service *service = data;

	if (service->ready)
		notify_reloading();
	service->calls->reload(service->calls->data);
	return G_SOURCE_CONTINUE;
}

void service_reloaded(gpointer data)
{
	Service *service = data;

	g_atomic_int_set(&service->reloaded, TRUE);
	eventfd_write(service->changed_fd, 1);
}

/* --- All together ----------------------------------------------------------------- */

Service *service_new(Control *control, const ServiceCalls *calls, gboolean hangup_leaves)
{
	Service *service = g_new0(Service, 1);

	service->control = control;
	service->calls = calls;
	service->sources = g_array_new(FALSE, FALSE, sizeof(guint));
	service->changed_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	add_source(service, g_unix_fd_add(service->changed_fd, G_IO_IN, on_changed, service));
	if (!hangup_leaves)
		add_source(service, g_unix_signal_add(SIGHUP, on_hangup, service));
	if (notify_is_wanted()) {
		control_on_status(control, on_status, service);
		service->starting = g_timeout_add_seconds(1, on_starting, service);
	}
	return service;
}

void service_free(Service *service)
{
	if (!service)
		return;
	if (service->starting)
		g_source_remove(service->starting);
	for (guint i = 0; i < service->sources->len; i++)
		g_source_remove(g_array_index(service->sources, guint, i));
	g_array_unref(service->sources);
	close(service->changed_fd);
	g_free(service->state_since);
	g_free(service);
}
