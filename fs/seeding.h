/* SPDX-License-Identifier: Apache-2.0 */
/* seeding.h - shows whoever waits how far a seed is.
 *
 * Who started the program from a terminal sees a bar there until the first seed is
 * complete.  Everything else is a line in the log now and then.  A seed that takes a
 * moment only shows nothing.
 *
 * begin, page and end are the watch's thread's, as in keyspace.h.
 */
#ifndef SEEDING_H
#define SEEDING_H

#include "keyspace.h"

typedef struct Seeding Seeding;

Seeding *seeding_new(void);

/* Takes the bar away. */
void seeding_free(Seeding *seeding);

void seeding_begin(Seeding *seeding, guint64 n_keys);
void seeding_page(Seeding *seeding, const KeyValue *kvs, gsize n_kvs);
void seeding_end(Seeding *seeding);

/* Whether a seed is under way, and then how many keys it has and will have (0:
 * unknown).  Any thread. */
gboolean seeding_counts(Seeding *seeding, guint64 *ret_keys, guint64 *ret_total);

#endif
