/* SPDX-License-Identifier: Apache-2.0 */
/* revisions.h - cuts what a watch receives into whole revisions.
 *
 * etcd puts many revisions into one response, and cuts a long one into fragments
 * anywhere, also inside a revision.  Only the last revision of a fragment can be
 * unfinished, so that is all that is ever kept: a copy, because the response's
 * memory goes before the rest arrives.
 */
#ifndef REVISIONS_H
#define REVISIONS_H

#include "response.h"

/* Some events of one revision, copied. */
typedef struct {
	GArray *events;	     /* KvEvent, their bytes in `bytes` */
	GStringChunk *bytes; /* NULL while there are no events */
} RevisionsPart;

typedef struct {
	RevisionsPart kept; /* unfinished */
	RevisionsPart out;  /* the last that was kept and is whole now */
} Revisions;

void revisions_init(Revisions *revisions);
void revisions_clear(Revisions *revisions);

/* What revisions_next gave before is not needed any more. */
void revisions_begin(Revisions *revisions);

/* The rest of an unfinished revision will not come. */
void revisions_drop(Revisions *revisions);

/* Whether a part of a revision is there. */
gboolean revisions_unfinished(const Revisions *revisions);

/* The next whole revision of RESPONSE.  AT is 0 before the first; FALSE: no more.
 * RET is borrowed from the response, or until revisions_begin. */
gboolean revisions_next(Revisions *revisions, const EtcdWatch *response, gsize *at, KvBatch *ret);

#endif
