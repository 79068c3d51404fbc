/* SPDX-License-Identifier: Apache-2.0 */
/* place.h - where it is to be mounted, and as whom.
 *
 * The main thread only.
 */
#ifndef PLACE_H
#define PLACE_H

#include "mounter.h"
#include "options.h"

typedef struct {
	char *mountpoint;    /* owned; absolute, from mountpoint_check */
	gboolean privileged; /* mountpoint_is_privileged */
} Place;

/* Looks at the mount point of OPTIONS, in the namespace that they name.  NULL-ed PLACE and
 * ERROR, one line, of G_OPTION_ERROR or G_FILE_ERROR: nothing can be mounted there. */
gboolean place_init(Place *place, const Options *options, GError **error);
void place_clear(Place *place);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Place, place_clear)

/* Whether that is still so, in MOUNTER's namespace: it may have taken long to get there. */
gboolean place_still(const char *mountpoint, gboolean privileged, Mounter *mounter, GError **error);

#endif
