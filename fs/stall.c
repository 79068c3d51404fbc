/* SPDX-License-Identifier: Apache-2.0 */
#include "stall.h"

#include "log.h"

static gboolean on_timer(gpointer data);

static void arm_locked(Stall *stall, gint64 delay_ms)
{
	stall->timer = g_timeout_add((guint)MAX(delay_ms, 1), on_timer, stall);
}

/* TRUE: the step that is under way has just become too long. */
static gboolean check_locked(Stall *stall)
{
	gint64 took_ms = (g_get_monotonic_time() - stall->since_us) / G_TIME_SPAN_MILLISECOND;
	gboolean late = took_ms >= stall->limit_ms && !stall->said;

	stall->said |= late;
	arm_locked(stall, stall->said ? stall->limit_ms : stall->limit_ms - took_ms);
	return late;
}

static gboolean on_timer(gpointer data)
{
	Stall *stall = data;

	g_mutex_lock(&stall->lock);
	stall->timer = 0;
	gboolean late = stall->since_us != 0 && check_locked(stall);
	g_mutex_unlock(&stall->lock);
	if (late)
		g_warning("a program has held up the events for %g s so far: other changes wait "
			  "to be told, but whoever reads sees them",
			  stall->limit_ms / 1000.0);
	return G_SOURCE_REMOVE;
}

void stall_init(Stall *stall, guint limit_ms)
{
	*stall = (Stall){.limit_ms = limit_ms};
	g_mutex_init(&stall->lock);
}

void stall_clear(Stall *stall)
{
	if (stall->timer)
		g_source_remove(stall->timer);
	g_mutex_clear(&stall->lock);
}

void stall_begin(Stall *stall)
{
	g_mutex_lock(&stall->lock);
	stall->since_us = g_get_monotonic_time();
	if (!stall->timer)
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
