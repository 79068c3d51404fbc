/* SPDX-License-Identifier: Apache-2.0 */
#include "endpoint.h"

typedef struct {
	char *name;
	char *reason; /* NULL: has not failed yet */
} Endpoint;

struct EndpointList {
	Endpoint *endpoints;
	guint n;
	guint next;
	Endpoint *current;
};

EndpointList *endpoint_list_new(const char *const *names)
{
	EndpointList *list = g_new0(EndpointList, 1);

	list->n = g_strv_length((char **)names);
	g_assert(list->n > 0);
	list->endpoints = g_new0(Endpoint, list->n);
	for (guint i = 0; i < list->n; i++)
		list->endpoints[i].name = g_strdup(names[i]);
	return list;
}

void endpoint_list_free(EndpointList *list)
{
	if (!list)
		return;
	for (guint i = 0; i < list->n; i++) {
		g_free(list->endpoints[i].name);
		g_free(list->endpoints[i].reason);
	}
	g_free(list->endpoints);
	g_free(list);
}

guint endpoint_list_size(const EndpointList *list)
{
	return list->n;
}

const char *endpoint_list_current(const EndpointList *list)
{
	return list->current ? list->current->name : NULL;
}

const char *endpoint_list_next(EndpointList *list)
{
	list->current = &list->endpoints[list->next];
	list->next = (list->next + 1) % list->n;
	return list->current->name;
}

void endpoint_list_blame(EndpointList *list, const char *reason)
{
	g_free(list->current->reason);
	list->current->reason = g_strdup(reason);
}

char *endpoint_list_reasons(const EndpointList *list)
{
	GString *text = g_string_new(NULL);

	for (guint i = 0; i < list->n; i++) {
		const Endpoint *endpoint = &list->endpoints[i];

		g_string_append_printf(text, "%s%s: %s", i > 0 ? "; " : "", endpoint->name,
				       endpoint->reason ? endpoint->reason : "no answer");
	}
	return g_string_free(text, FALSE);
}
