/* SPDX-License-Identifier: Apache-2.0 */
/* patience.h - waits before anything is mounted, for as long as the user lets it.
 *
 * The main thread only; runs the default main context meanwhile.
 */
#ifndef PATIENCE_H
#define PATIENCE_H

#include <glib.h>

typedef struct {
	GMainLoop *loop;
	guint sources[3];
	gboolean leave; /* SIGTERM or SIGINT came */
} Patience;

/* From here on until patience_clear the two signals kill nobody.  FD is borrowed. */
void patience_init(Patience *patience, int fd);
void patience_clear(Patience *patience);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Patience, patience_clear)

/* TRUE: FD is readable.  FALSE: one of the signals came. */
gboolean patience_wait(Patience *patience);

#endif
