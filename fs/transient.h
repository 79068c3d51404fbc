/* SPDX-License-Identifier: Apache-2.0 */
/* transient.h - a line at the bottom of the terminal that is only for the moment.
 *
 * It is on standard error, under the lock that stdio has for it: who writes there
 * takes it away first, and holds the lock until the end of its own line.
 */
#ifndef TRANSIENT_H
#define TRANSIENT_H

#include <glib.h>

/* TEXT is ASCII and narrower than the terminal; NULL: nothing.  It stands where the one
 * before did.  Any thread. */
void transient_show(const char *text);

/* Before a line that stays; takes nothing away if there is nothing.  Call flockfile
 * (stderr) first, and funlockfile after the line. */
void transient_hide_locked(void);

#endif
