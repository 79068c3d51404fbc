/* SPDX-License-Identifier: Apache-2.0 */
/* The resolver has no timeout of ours, and one that hangs, hangs: so it is asked in a
 * main context of its own, which a timer leaves.  What is still under way then ends in
 * a thread that nobody waits for.
 */
#include "discovery.h"

#include <gio/gio.h>
#include <string.h>

typedef struct {
	GMainContext *context;
	GCancellable *cancellable;
	GAsyncResult *result; /* NULL: not there yet */
} Lookup;

static void keep_result(GObject *resolver, GAsyncResult *result, gpointer data)
{
	((Lookup *)data)->result = g_object_ref(result);
}

static gboolean give_up(gpointer data)
{
	g_cancellable_cancel(((Lookup *)data)->cancellable);
	return G_SOURCE_REMOVE;
}

static GSource *add_timer(Lookup *lookup, gint64 deadline_us)
{
	gint64 left_us = MAX(deadline_us - g_get_monotonic_time(), 0);
	GSource *timer = g_timeout_source_new((guint)(left_us / G_TIME_SPAN_MILLISECOND));

	g_source_set_callback(timer, give_up, lookup, NULL);
	g_source_attach(timer, lookup->context);
	return timer;
}

/* Of GSrvTarget; G_IO_ERROR_CANCELLED at the deadline. */
static GList *look_up(const char *service, const char *domain, gint64 deadline_us, GError **error)
{
	g_autoptr(GMainContext) context = g_main_context_new();
	g_autoptr(GCancellable) cancellable = g_cancellable_new();
	g_autoptr(GResolver) resolver = g_resolver_get_default();
	Lookup lookup = {context, cancellable, NULL};
	g_autoptr(GSource) timer = add_timer(&lookup, deadline_us);
	GList *targets;

	g_main_context_push_thread_default(context);
	g_resolver_lookup_service_async(resolver, service, "tcp", domain, cancellable, keep_result,
					&lookup);
	while (!lookup.result)
		g_main_context_iteration(context, TRUE);
	g_main_context_pop_thread_default(context);
	g_source_destroy(timer);
	targets = g_resolver_lookup_service_finish(resolver, lookup.result, error);
	g_object_unref(lookup.result);
	return targets;
}

/* A single target "." says that there is no such service. */
static GStrv endpoints_of(GList *targets)
{
	GPtrArray *endpoints = g_ptr_array_new();

	for (GList *item = targets; item; item = item->next) {
		g_autofree char *host = g_strdup(g_srv_target_get_hostname(item->data));
		guint port = g_srv_target_get_port(item->data);

		if (g_str_has_suffix(host, "."))
			host[strlen(host) - 1] = '\0';
		if (*host && port > 0)
			g_ptr_array_add(endpoints, g_strdup_printf("%s:%u", host, port));
	}
	g_ptr_array_add(endpoints, NULL);
	return (GStrv)g_ptr_array_free(endpoints, FALSE);
}

static char *service_of(const DiscoveryQuery *query, DiscoveryKinds kind)
{
	return g_strconcat("etcd-client", kind == DISCOVERY_TLS ? "-ssl" : "",
			   query->name ? "-" : "", query->name, NULL);
}

/* NULL without ERROR: there are none. */
static GStrv find_kind(const DiscoveryQuery *query, DiscoveryKinds kind, gint64 deadline_us,
		       GError **error)
{
	g_autofree char *service = service_of(query, kind);
	g_autoptr(GError) fault = NULL;
	GList *targets = look_up(service, query->domain, deadline_us, &fault);
	g_auto(GStrv) endpoints = endpoints_of(targets);

	g_resolver_free_targets(targets);
	if (*endpoints)
		return g_steal_pointer(&endpoints);
	if (g_error_matches(fault, G_IO_ERROR, G_IO_ERROR_CANCELLED))
		g_set_error(error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT,
			    "SRV records _%s._tcp.%s: no answer within %g s", service,
			    query->domain, query->timeout_ms / 1000.0);
	else if (fault && !g_error_matches(fault, G_RESOLVER_ERROR, G_RESOLVER_ERROR_NOT_FOUND))
		g_set_error(error, G_RESOLVER_ERROR, G_RESOLVER_ERROR_TEMPORARY_FAILURE,
			    "SRV records _%s._tcp.%s: %s", service, query->domain, fault->message);
	return NULL;
}

static void set_none(const DiscoveryQuery *query, GError **error)
{
	g_autofree char *tls = service_of(query, DISCOVERY_TLS);
	g_autofree char *plain = service_of(query, DISCOVERY_PLAIN);

	if (query->kinds == (DISCOVERY_TLS | DISCOVERY_PLAIN))
		g_set_error(error, G_RESOLVER_ERROR, G_RESOLVER_ERROR_NOT_FOUND,
			    "no SRV records _%s._tcp.%s, and no _%s._tcp.%s", tls, query->domain,
			    plain, query->domain);
	else
		g_set_error(error, G_RESOLVER_ERROR, G_RESOLVER_ERROR_NOT_FOUND,
			    "no SRV records _%s._tcp.%s",
			    query->kinds == DISCOVERY_TLS ? tls : plain, query->domain);
}

GStrv discovery_find(const DiscoveryQuery *query, DiscoveryKinds *ret_kind, GError **error)
{
	static const DiscoveryKinds kinds[] = {DISCOVERY_TLS, DISCOVERY_PLAIN};
	gint64 deadline_us = g_get_monotonic_time() + query->timeout_ms * G_TIME_SPAN_MILLISECOND;

	for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) {
		g_autoptr(GError) fault = NULL;
		GStrv endpoints = NULL;

		if (query->kinds & kinds[i])
			endpoints = find_kind(query, kinds[i], deadline_us, &fault);
		if (endpoints) {
			*ret_kind = kinds[i];
			return endpoints;
		}
		if (fault) {
			g_propagate_error(error, g_steal_pointer(&fault));
			return NULL;
		}
	}
	set_none(query, error);
	return NULL;
}
