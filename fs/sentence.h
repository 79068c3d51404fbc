/* SPDX-License-Identifier: Apache-2.0 */
/* sentence.h - the state in plain words, on one line.
 */
#ifndef SENTENCE_H
#define SENTENCE_H

#include "keyspace.h"

/* SINCE: the time of day when the state began; REVISION: of the tree that is served.
 * Owned by the caller. */
char *sentence_of(const KeyspaceStatus *status, gint64 revision, const char *since);

#endif
