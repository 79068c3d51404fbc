/* SPDX-License-Identifier: Apache-2.0 */
#include "finder.h"

/* A resolver is not to be asked at each attempt of ours. */
#define LOOK_EACH_US (2 * G_TIME_SPAN_SECOND)

void finder_init(Finder *finder, WatchFind *find, gpointer data)
{
	*finder = (Finder){find, data, g_get_monotonic_time()};
}

/* Members may have been replaced, all of them in the end. */
gboolean finder_look(Finder *finder, EndpointList *endpoints, guint failures)
{
	gboolean round_over = failures > 0 && failures % endpoint_list_size(endpoints) == 0;
	g_auto(GStrv) names = NULL;

	if (!finder->find || !round_over ||
	    g_get_monotonic_time() - finder->found_us < LOOK_EACH_US)
		return FALSE;
	names = finder->find(finder->data);
	finder->found_us = g_get_monotonic_time();
	if (!names)
		return FALSE;
	endpoint_list_replace(endpoints, (const char *const *)names);
	return TRUE;
}
