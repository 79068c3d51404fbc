/* SPDX-License-Identifier: Apache-2.0 */
/* notify.h - tells the service manager how we are.
 *
 * Nothing happens where none asks for it (NOTIFY_SOCKET), or where the build has no
 * libsystemd.  The main thread.
 */
#ifndef NOTIFY_H
#define NOTIFY_H

#include <glib.h>

/* Whether anybody listens. */
gboolean notify_is_wanted(void);

/* One line for a person: what systemctl status shows. */
void notify_status(const char *text);

void notify_ready(void);
void notify_reloading(void); /* until notify_ready */
void notify_stopping(void);

/* The start goes on, and is not to be given up for so long. */
void notify_extend(guint seconds);

/* How often notify_alive is expected at least, in microseconds; 0: never. */
guint64 notify_watchdog_us(void);
void notify_alive(void);

#endif
