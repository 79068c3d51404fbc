/* SPDX-License-Identifier: Apache-2.0 */
/* doubt.h - when to believe that etcd's history is not ours any more.
 *
 * One answer proves nothing: a member that was paused can serve an old revision
 * as its newest (etcd up to 3.4.41, 3.5.27, 3.6.8), and one endpoint of several
 * may lead to another cluster.  Reading the tree again for that would show
 * readers a past that has been.  So each endpoint is asked once, and no verdict
 * rests on less than two answers; those that do not answer have no say.
 */
#ifndef DOUBT_H
#define DOUBT_H

#include <glib.h>

typedef struct {
	guint n_endpoints;
	guint asked;  /* attempts since the first doubt, that one included */
	guint voices; /* answers that raised it; 0: no doubt */
} Doubt;

/* An endpoint's answer is not of our history.  TRUE: now it is to be believed,
 * and the doubt is over. */
gboolean doubt_raise(Doubt *doubt);

/* An endpoint did not answer. */
void doubt_miss(Doubt *doubt);

/* An endpoint's answer is of our history. */
void doubt_settle(Doubt *doubt);

#endif
