/* SPDX-License-Identifier: Apache-2.0 */
#include "domain.h"

/* Between two questions, when nothing came of the one before. */
#define PAUSE_US G_TIME_SPAN_SECOND
/* Nothing else happens in the watch's thread while it asks again. */
#define AGAIN_MS 5000

static void domain_init(Domain *domain, const Options *options)
{
	gboolean secure = options->tls || !options->insecure_discovery;

	domain->query = (DiscoveryQuery){
	    .domain = options->discovery_srv,
	    .name = options->discovery_srv_name,
	    .kinds = secure ? DISCOVERY_TLS : DISCOVERY_TLS | DISCOVERY_PLAIN,
	    .timeout_ms = options->dial_timeout_ms,
	};
}

static void take_endpoints(Domain *domain, Options *options, GStrv endpoints, DiscoveryKinds kind)
{
	g_autofree char *list = g_strjoinv(", ", endpoints);

	g_info("%s has %s", domain->query.domain, list);
	g_strfreev(options->endpoints);
	options->endpoints = endpoints;
	options->tls = kind == DISCOVERY_TLS;
	/* what is found later is reached in the same way */
	domain->query.kinds = kind;
	domain->query.timeout_ms = MIN(domain->query.timeout_ms, AGAIN_MS);
}

static gint64 patience_us(const Options *options)
{
	if (options->bg && options->retry_ms == 0)
		return G_MAXINT64;
	return g_get_monotonic_time() + options->retry_ms * G_TIME_SPAN_MILLISECOND;
}

gboolean domain_ask(Domain *domain, Options *options,
		    void (*trying)(gpointer data, const GError *reason), gpointer data,
		    GError **error)
{
	gint64 until_us = patience_us(options);
	gboolean said = FALSE;

	domain_init(domain, options);
	for (;;) {
		g_autoptr(GError) fault = NULL;
		DiscoveryKinds kind;
		GStrv endpoints = discovery_find(&domain->query, &kind, &fault);

		if (endpoints) {
			take_endpoints(domain, options, endpoints, kind);
			return TRUE;
		}
		if (g_get_monotonic_time() >= until_us) {
			g_propagate_error(error, g_steal_pointer(&fault));
			return FALSE;
		}
		if (!said)
			trying(data, fault);
		said = TRUE;
		g_usleep(PAUSE_US);
	}
}

char **domain_ask_again(gpointer data)
{
	Domain *domain = data;
	g_autoptr(GError) error = NULL;
	DiscoveryKinds kind;
	char **endpoints = discovery_find(&domain->query, &kind, &error);

	if (!endpoints)
		g_info("%s", error->message);
	return endpoints;
}
