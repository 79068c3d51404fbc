/* SPDX-License-Identifier: Apache-2.0 */
/* finder.h - where the endpoints are, when those that we know have all failed.
 */
#ifndef FINDER_H
#define FINDER_H

#include "endpoint.h"
#include "watch.h"

typedef struct {
	WatchFind *find; /* NULL: those that we know are all */
	gpointer data;
	gint64 found_us; /* when they were last looked for */
} Finder;

void finder_init(Finder *finder, WatchFind *find, gpointer data);

/* After FAILURES attempts in a row: looks for them again, if each was tried, and waits for
 * the answer.  TRUE: ENDPOINTS has new ones. */
gboolean finder_look(Finder *finder, EndpointList *endpoints, guint failures);

#endif
