/* SPDX-License-Identifier: Apache-2.0 */
/* endpoint.h - which endpoint next, and what each one last said.
 *
 * In the order given, round and round.  One that failed is set aside for a while,
 * longer each time, so that a dead or silent one does not cost a connect timeout
 * at each turn; when all are set aside, the one whose time ends first is next.
 */
#ifndef ENDPOINT_H
#define ENDPOINT_H

#include <glib.h>

typedef struct EndpointList EndpointList;

/* HOST:PORT..., NULL-terminated, at least one; copied. */
EndpointList *endpoint_list_new(const char *const *names);
void endpoint_list_free(EndpointList *list);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EndpointList, endpoint_list_free)

/* Other names, copied, from the next endpoint_list_next on; what is known of those that
 * were there before stays. */
void endpoint_list_replace(EndpointList *list, const char *const *names);

guint endpoint_list_size(const EndpointList *list);

/* The one in use; NULL before the first endpoint_list_next. */
const char *endpoint_list_current(const EndpointList *list);

/* Moves on.  NOW_US: monotonic, as below. */
const char *endpoint_list_next(EndpointList *list, gint64 now_us);

/* Remembers why the one in use failed, and sets it aside. */
void endpoint_list_blame(EndpointList *list, const char *reason, gint64 now_us);

/* "a:1: connection refused; b:1: no answer", each endpoint once. */
char *endpoint_list_reasons(const EndpointList *list);

/* Whether each endpoint has failed, the last time for a reason that FITS. */
gboolean endpoint_list_all(const EndpointList *list, gboolean (*fits)(const char *reason));

#endif
