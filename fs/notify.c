/* SPDX-License-Identifier: Apache-2.0 */
#include "notify.h"

#include <inttypes.h>

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#else
#define sd_notify(unset, text) ((void)(text))
#define sd_notifyf(unset, format, value) ((void)(value))
#define sd_watchdog_enabled(unset, us) ((void)(us), 0)
#endif

gboolean notify_is_wanted(void)
{
	return g_getenv("NOTIFY_SOCKET") != NULL;
}

void notify_status(const char *text)
{
	sd_notifyf(FALSE, "STATUS=%s", text);
}

void notify_ready(void)
{
	sd_notify(FALSE, "READY=1");
}

void notify_reloading(void)
{
	/* The time tells this reload from one before. */
	sd_notifyf(FALSE, "RELOADING=1\nMONOTONIC_USEC=%" PRIi64, g_get_monotonic_time());
}

void notify_stopping(void)
{
	sd_notify(FALSE, "STOPPING=1\nSTATUS=unmounting");
}

void notify_extend(guint seconds)
{
	sd_notifyf(FALSE, "EXTEND_TIMEOUT_USEC=%" PRIu64, (guint64)seconds * G_USEC_PER_SEC);
}

guint64 notify_watchdog_us(void)
{
	uint64_t us = 0;

	return sd_watchdog_enabled(FALSE, &us) > 0 ? us : 0;
}

void notify_alive(void)
{
	sd_notify(FALSE, "WATCHDOG=1");
}
