/* SPDX-License-Identifier: Apache-2.0 */
/* The timer is a descriptor, for the thread may have no others but those that it keeps
 * (device.c): what wakes a main context is not one of them. */
#include "stall.h"

#include <glib-unix.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "log.h"

static void arm_locked(Stall *stall, gint64 delay_ms)
{
	struct itimerspec at = {
	    .it_value = {delay_ms / 1000, delay_ms % 1000 * 1000000},
	};

	stall->armed = timerfd_settime(stall->fd, 0, &at, NULL) == 0;
}

/* TRUE: the step that is under way has just become too long. */
static gboolean check_locked(Stall *stall)
{
	gint64 took_ms = (g_get_monotonic_time() - stall->since_us) / G_TIME_SPAN_MILLISECOND;
	gboolean late = took_ms >= stall->limit_ms && !stall->said;

	stall->said |= late;
	arm_locked(stall, stall->said ? stall->limit_ms : MAX(stall->limit_ms - took_ms, 1));
	return late;
}

static gboolean on_timer(gint fd, GIOCondition condition, gpointer data)
{
	Stall *stall = data;
	guint64 count;

	g_mutex_lock(&stall->lock);
	stall->armed = read(fd, &count, sizeof(count)) < 0;
	gboolean late = stall->since_us != 0 && check_locked(stall);
	g_mutex_unlock(&stall->lock);
	if (late)
		g_warning("a program has held up the events for %g s so far: other changes wait "
			  "to be told, but whoever reads sees them",
			  stall->limit_ms / 1000.0);
	return G_SOURCE_CONTINUE;
}

void stall_init(Stall *stall, guint limit_ms)
{
	*stall = (Stall){.limit_ms = limit_ms};
	g_mutex_init(&stall->lock);
	stall->fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	stall->source = g_unix_fd_add(stall->fd, G_IO_IN, on_timer, stall);
}

void stall_clear(Stall *stall)
{
	g_source_remove(stall->source);
	close(stall->fd);
	g_mutex_clear(&stall->lock);
}

void stall_begin(Stall *stall)
{
	g_mutex_lock(&stall->lock);
	stall->since_us = g_get_monotonic_time();
	if (!stall->armed)
		arm_locked(stall, stall->limit_ms);
	g_mutex_unlock(&stall->lock);
}

void stall_end(Stall *stall)
{
	g_mutex_lock(&stall->lock);
	gint64 took_us = g_get_monotonic_time() - stall->since_us;
	gboolean said = stall->said;
	stall->since_us = 0;
	stall->said = FALSE;
	g_mutex_unlock(&stall->lock);
	if (said)
		g_message("events are told again, after %.0f s", (double)took_us / 1e6);
}
