/* SPDX-License-Identifier: Apache-2.0 */
#include "contact.h"

/* With up to a half more between two, and one that is lost, there is still time. */
#define PROBES 4

void contact_made(Contact *contact, gint64 at_us)
{
	contact->last_us = MAX(contact->last_us, at_us);
}

void contact_check(Contact *contact, gint64 now_us)
{
	if (contact->max_us == 0 || contact->last_us == 0)
		return;
	if (now_us - contact->last_us < contact->max_us) {
		contact->stale = contact->stale && contact->last_us < contact->since_us;
	} else if (!contact->stale) {
		contact->stale = TRUE;
		contact->since_us = now_us;
	}
}

gint64 contact_deadline(const Contact *contact)
{
	if (contact->max_us == 0 || contact->last_us == 0 || contact->stale)
		return G_MAXINT64;
	return contact->last_us + contact->max_us;
}

gint64 contact_period(const Contact *contact)
{
	return contact->max_us == 0 ? G_MAXINT64 : contact->max_us / PROBES;
}
