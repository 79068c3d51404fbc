/* SPDX-License-Identifier: Apache-2.0 */
#include "endpoint.h"

#define ASIDE_MIN_US G_TIME_SPAN_SECOND
#define ASIDE_MAX_US G_TIME_SPAN_MINUTE
/* In use for so long it was well, and what happens then is another matter. */
#define WELL_US (10 * G_TIME_SPAN_SECOND)

typedef struct {
	char *name;
	char *reason;	 /* NULL: has not failed yet */
	gint64 aside_us; /* for how long it was set aside last */
	gint64 until_us;
} Endpoint;

struct EndpointList {
	Endpoint *endpoints;
	guint n;
	guint next;
	Endpoint *current;
	gint64 current_since_us;
};

static void fill(EndpointList *list, const char *const *names)
{
	list->n = g_strv_length((char **)names);
	g_assert(list->n > 0);
	list->endpoints = g_new0(Endpoint, list->n);
	for (guint i = 0; i < list->n; i++)
		list->endpoints[i].name = g_strdup(names[i]);
}

static void endpoints_free(Endpoint *endpoints, guint n)
{
	for (guint i = 0; i < n; i++) {
		g_free(endpoints[i].name);
		g_free(endpoints[i].reason);
	}
	g_free(endpoints);
}

EndpointList *endpoint_list_new(const char *const *names)
{
	EndpointList *list = g_new0(EndpointList, 1);

	fill(list, names);
	return list;
}

void endpoint_list_free(EndpointList *list)
{
	if (!list)
		return;
	endpoints_free(list->endpoints, list->n);
	g_free(list);
}

/* What is known of OLD goes to the endpoint of the same name. */
static void inherit(EndpointList *list, Endpoint *old)
{
	for (guint i = 0; i < list->n; i++) {
		Endpoint *endpoint = &list->endpoints[i];

		if (!g_str_equal(endpoint->name, old->name))
			continue;
		g_free(endpoint->reason);
		endpoint->reason = g_steal_pointer(&old->reason);
		endpoint->aside_us = old->aside_us;
		endpoint->until_us = old->until_us;
	}
}

void endpoint_list_replace(EndpointList *list, const char *const *names)
{
	Endpoint *before = list->endpoints;
	guint n_before = list->n;

	fill(list, names);
	for (guint i = 0; i < n_before; i++)
		inherit(list, &before[i]);
	endpoints_free(before, n_before);
	list->current = NULL;
	list->next = 0;
}

guint endpoint_list_size(const EndpointList *list)
{
	return list->n;
}

const char *endpoint_list_current(const EndpointList *list)
{
	return list->current ? list->current->name : NULL;
}

static Endpoint *endpoint_choose(const EndpointList *list, gint64 now_us)
{
	Endpoint *best = &list->endpoints[list->next];

	for (guint i = 0; i < list->n && best->until_us > now_us; i++) {
		Endpoint *endpoint = &list->endpoints[(list->next + i) % list->n];

		if (endpoint->until_us < best->until_us)
			best = endpoint;
	}
	return best;
}

const char *endpoint_list_next(EndpointList *list, gint64 now_us)
{
	list->current = endpoint_choose(list, now_us);
	list->current_since_us = now_us;
	list->next = (list->current - list->endpoints + 1) % list->n;
	return list->current->name;
}

void endpoint_list_blame(EndpointList *list, const char *reason, gint64 now_us)
{
	Endpoint *endpoint = list->current;

	if (now_us - list->current_since_us >= WELL_US)
		endpoint->aside_us = 0;
	endpoint->aside_us = CLAMP(endpoint->aside_us * 2, ASIDE_MIN_US, ASIDE_MAX_US);
	endpoint->until_us = now_us + endpoint->aside_us;
	g_free(endpoint->reason);
	endpoint->reason = g_strdup(reason);
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

gboolean endpoint_list_all(const EndpointList *list, gboolean (*fits)(const char *reason))
{
	for (guint i = 0; i < list->n; i++)
		if (!list->endpoints[i].reason || !fits(list->endpoints[i].reason))
			return FALSE;
	return TRUE;
}
