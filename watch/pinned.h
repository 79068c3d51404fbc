/* SPDX-License-Identifier: Apache-2.0 */
/* pinned.h - the state machine where one revision is all that was asked for.
 *
 * It is read, and that is the end; or etcd does not have it, and is asked which
 * ones it has, for whoever has to choose another.  ACTIONS: as of resume_step.
 */
#ifndef PINNED_H
#define PINNED_H

#include "resume.h"

/* Of a seed whose first page came with HEADER. */
gint64 pinned_revision(const Resume *resume, const EtcdHeader *header);

/* To FROZEN. */
void pinned_freeze(Resume *resume, GArray *actions);

/* A request or the stream failed.  FALSE: it has nothing to do with the revision. */
gboolean pinned_failed(Resume *resume, EtcdFailure failure, GArray *actions);

/* The answers, in ASKING. */
void pinned_probed(Resume *resume, const EtcdHeader *header, GArray *actions);
void pinned_response(Resume *resume, const EtcdWatch *response, GArray *actions);

#endif
