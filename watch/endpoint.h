/* SPDX-License-Identifier: Apache-2.0 */
/* endpoint.h - which endpoint next, and what each one last said.
 */
#ifndef ENDPOINT_H
#define ENDPOINT_H

#include <glib.h>

typedef struct EndpointList EndpointList;

/* HOST:PORT..., NULL-terminated, at least one; copied. */
EndpointList *endpoint_list_new(const char *const *names);
void endpoint_list_free(EndpointList *list);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EndpointList, endpoint_list_free)

guint endpoint_list_size(const EndpointList *list);

/* The one in use; NULL before the first endpoint_list_next. */
const char *endpoint_list_current(const EndpointList *list);

/* Moves on, round and round, in the order given. */
const char *endpoint_list_next(EndpointList *list);

/* Remembers why the one in use failed. */
void endpoint_list_blame(EndpointList *list, const char *reason);

/* "a:1: connection refused; b:1: no answer", each endpoint once. */
char *endpoint_list_reasons(const EndpointList *list);

#endif
