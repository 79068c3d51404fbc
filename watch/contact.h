/* SPDX-License-Identifier: Apache-2.0 */
/* contact.h - how long ago what is held was known to be all that etcd has.
 *
 * Known it is when a watch has begun, and when a member answered a probe, which goes
 * through its quorum, and the watch is where that answer was.  A stream that is open,
 * pings that are answered and events prove nothing: a member that was cut off has them
 * too.  The moment is the one at which the probe was sent.  What is stale remains so
 * until a probe sent since is answered: after an older one it would soon be again.
 *
 * Time goes on while the machine sleeps: CLOCK_BOOTTIME, in microseconds.
 */
#ifndef CONTACT_H
#define CONTACT_H

#include <glib.h>

typedef struct {
	gint64 max_us;	/* without contact for so long: stale; 0: never */
	gint64 last_us; /* 0: none yet, and nothing to be stale */
	gboolean stale;
	gint64 since_us; /* when it last became so */
} Contact;

/* It was so at AT_US. */
void contact_made(Contact *contact, gint64 at_us);

/* Judges anew. */
void contact_check(Contact *contact, gint64 now_us);

/* When to judge, if nothing happens; G_MAXINT64: no need. */
gint64 contact_deadline(const Contact *contact);

/* How often to ask, if not more often for another reason; G_MAXINT64: need not. */
gint64 contact_period(const Contact *contact);

#endif
