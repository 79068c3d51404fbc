/* SPDX-License-Identifier: Apache-2.0 */
/* audit.h - does the listener hold what etcd has?
 *
 * An event that etcd forgot to send leaves no other trace.
 */
#ifndef AUDIT_H
#define AUDIT_H

#include "range.h"
#include "response.h"
#include "wire.h"

typedef struct {
	guint64 held;	   /* how many keys the listener had */
	gboolean counting; /* that alone is asked for */
} Audit;

/* The request for what RANGE had at REVISION, where the listener holds HELD keys of it.
 * SINCE: has no key changed from there on?  0: count all. */
GBytes *audit_request(Audit *audit, const KeyRange *range, gint64 revision, gint64 since,
		      guint64 held);

/* What ANSWER says against what is held, one line owned by the caller; NULL: nothing. */
char *audit_difference(const Audit *audit, const EtcdRange *answer);

/* The request for what is newer in RANGE, SINCE being the revision after the one that is
 * held, at whichever revision etcd answers; and whether it is nothing. */
GBytes *audit_confirm_request(Audit *audit, const KeyRange *range, gint64 since, guint64 held);
gboolean audit_confirms(const Audit *audit, const EtcdRange *answer);

#endif
