/* SPDX-License-Identifier: Apache-2.0 */
/* duration.h - durations as etcdctl's flags take them: 5s, 1m30s, 500ms, 1.5h. */
#ifndef DURATION_H
#define DURATION_H

#include <glib.h>

/* Milliseconds, what is left over rounded up.  FALSE, and *RET_MS untouched, if
 * TEXT is none, is negative, or is more than G_MAXINT milliseconds. */
gboolean duration_parse(const gchar *text, guint *ret_ms);

#endif
