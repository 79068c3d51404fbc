/* SPDX-License-Identifier: Apache-2.0 */
/* metering.h - keeps the listener's KeyspaceMeter.
 *
 * Cheap enough for every message: one look at the clock, a few additions.  The
 * watch's thread.
 */
#ifndef METERING_H
#define METERING_H

#include "keyspace.h"
#include "response.h"

typedef struct {
	KeyspaceMeter *meter; /* the listener's, or NULL */
	/* Of the seed under way. */
	gint64 began_us;
	guint64 keys;
	guint64 bytes;
} Metering;

/* METER is borrowed; NULL: nobody reads it, and nothing is kept. */
void metering_init(Metering *metering, KeyspaceMeter *meter);

/* A message of LEN bytes came; the time it is. */
gint64 metering_heard(Metering *metering, gsize len);

void metering_response(Metering *metering, const EtcdWatch *response);
void metering_token(Metering *metering);
void metering_audit(Metering *metering);
void metering_probe(Metering *metering, gint64 revision);

/* A seed: it begins, its pages come, it is complete. */
void metering_seed_begin(Metering *metering);
void metering_page(Metering *metering, gsize n_keys, gsize len);
void metering_seed_end(Metering *metering);

#endif
