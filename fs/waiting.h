/* SPDX-License-Identifier: Apache-2.0 */
/* waiting.h - requests that are answered later: programs that wait for the mount.
 *
 * Its lock nests inside every other; no other is taken in it, and nobody is answered
 * with it held.
 */
#ifndef WAITING_H
#define WAITING_H

#include <fuse_lowlevel.h>

#include "waiters.h"

typedef struct Waiting Waiting;

Waiting *waiting_new(void);
void waiting_free(Waiting *waiting);

/* --- Request threads, no lock held --- */

/* From here on WAIT's end is not missed.  SIZE: of the buffer, as of getxattr.  Negative
 * errno: EAGAIN, there are too many already; ENODEV, it is the end; the request is still
 * the caller's then. */
int waiting_add(Waiting *waiting, fuse_req_t req, const Wait *wait, size_t size);

/* Then, with the revision shown as of after that: answers now, or leaves the request to
 * whoever ends the wait.  It must not be touched afterwards. */
void waiting_settle(Waiting *waiting, fuse_req_t req, gint64 shown);

/* Who can bring a revision that is not applied yet is called for each that is waited
 * for; NULL: nobody.  Returns when no call is under way. */
typedef void (*WaitingAsk)(gpointer data, gint64 revision);
void waiting_set_ask(Waiting *waiting, WaitingAsk ask, gpointer data);

/* --- Whoever changes what is waited for --- */

/* Whether waiting_shown would be news to somebody. */
gboolean waiting_cares(Waiting *waiting, gint64 shown);

/* Whose wait is over is answered by a thread of its own.  Any lock may be held, and any
 * thread may have no descriptors. */
void waiting_shown(Waiting *waiting, gint64 shown);
void waiting_state(Waiting *waiting, gboolean live);

/* The mount is gone, and nobody may keep it alive by waiting for it.  Everybody has been
 * answered when it returns; but whoever is between waiting_add and waiting_settle, there.
 * The main thread only; harmless again. */
void waiting_end(Waiting *waiting);

#endif
