/* SPDX-License-Identifier: Apache-2.0 */
/* relist.h - makes the kernel ask for a listing again that it has kept.
 *
 * The announcer's thread only; calls out to the kernel, so no lock may be held.
 */
#ifndef RELIST_H
#define RELIST_H

#include "route.h"

/* Whoever begins to list DIR after this call sees it as it is now. */
void relist(Route *route, Node *dir);

#endif
