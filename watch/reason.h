/* SPDX-License-Identifier: Apache-2.0 */
/* reason.h - what gRPC and etcd say about a failure, in words for a person.
 */
#ifndef REASON_H
#define REASON_H

#include "keyspace.h"

/* The useful part of a gRPC or etcd message, on one line, valid UTF-8. */
char *reason_from_text(const char *text, gsize len);

/* What kind of failure REASON tells of, which is from reason_from_text or of our own
 * words in asker.c and driver.c. */
KeyspaceError reason_kind(const char *reason);

/* Whether etcd's TEXT says that we may not, or are not who we say: a watch that
 * is refused is cancelled with such a text and no code. */
gboolean reason_is_refusal(const char *text);

/* Whether REASON, of reason_from_text, stays until a person does something about it. */
gboolean reason_is_mistake(const char *reason);

#endif
