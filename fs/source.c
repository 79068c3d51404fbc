/* SPDX-License-Identifier: Apache-2.0 */
/* source.c - etcd://HOST:PORT,HOST:PORT/PREFIX and lists of endpoints.
 *
 * A list of hosts in one authority is not in RFC 3986, so the URL is taken apart
 * here; the path's escapes and the addresses are GLib's work.
 */
#include "source.h"

#include <string.h>

G_GNUC_PRINTF(2, 3)
static void fail(GError **error, const gchar *format, ...)
{
	g_autofree gchar *message = NULL;
	va_list args;

	va_start(args, format);
	message = g_strdup_vprintf(format, args);
	va_end(args);
	g_set_error_literal(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, message);
}

/* A name or an IPv4 address. */
static gboolean host_is_name(const gchar *host)
{
	static const gchar allowed[] = G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "-._";

	return *host && host[strspn(host, allowed)] == '\0';
}

static gboolean host_is_valid(const gchar *host)
{
	gsize len = strlen(host);
	g_autofree gchar *address = NULL;

	if (host[0] != '[')
		return host_is_name(host);
	if (host[len - 1] != ']')
		return FALSE;
	address = g_strndup(host + 1, len - 2);
	return strchr(address, ':') && g_hostname_is_ip_address(address);
}

static gboolean port_is_valid(const gchar *port)
{
	guint64 number;

	return g_ascii_string_to_unsigned(port, 10, 1, 65535, &number, NULL);
}

/* Where the port begins: behind the last colon that no bracket encloses. */
static const gchar *port_find(const gchar *text)
{
	const gchar *host_end = text[0] == '[' ? strchr(text, ']') : text;

	return host_end ? strrchr(host_end, ':') : NULL;
}

/* HOST[:PORT] as HOST:PORT. */
static gchar *address_parse(const gchar *text, const gchar *where, GError **error)
{
	const gchar *colon = port_find(text);
	g_autofree gchar *host = colon ? g_strndup(text, (gsize)(colon - text)) : g_strdup(text);

	if (!*text)
		fail(error, "%s: an endpoint is missing; write HOST:PORT", where);
	else if (strchr(host, ':') && host[0] != '[')
		fail(error, "%s: %s: an IPv6 address needs brackets, as in [::1]:%d", where, text,
		     SOURCE_DEFAULT_PORT);
	else if (!host_is_valid(host))
		fail(error, "%s: \"%s\" is not a host; write HOST:PORT", where, host);
	else if (colon && !port_is_valid(colon + 1))
		fail(error, "%s: \"%s\" is not a port (1 to 65535)", where, colon + 1);
	else
		return colon ? g_strdup(text) : g_strdup_printf("%s:%d", host, SOURCE_DEFAULT_PORT);
	return NULL;
}

/* The socket PATH as unix:PATH. */
static gchar *socket_parse(const gchar *path, const gchar *where, GError **error)
{
	if (g_path_is_absolute(path))
		return g_strconcat("unix:", path, NULL);
	fail(error, "%s: \"%s\" is not the whole path of a socket; write unix:/PATH", where, path);
	return NULL;
}

typedef struct {
	const gchar *name;
	SourceTls tls;
	gboolean is_socket;
} Scheme;

static const Scheme schemes[] = {
    {"http://", SOURCE_TLS_OFF, FALSE}, {"https://", SOURCE_TLS_ON, FALSE},
    {"unix:", SOURCE_TLS_OFF, TRUE},	{"unixs:", SOURCE_TLS_ON, TRUE},
    {"", SOURCE_TLS_UNSAID, FALSE},
};

static gboolean has_scheme(const gchar *text, const gchar *scheme)
{
	return g_ascii_strncasecmp(text, scheme, strlen(scheme)) == 0;
}

static const Scheme *scheme_find(const gchar *text)
{
	const Scheme *scheme = schemes;

	while (!has_scheme(text, scheme->name))
		scheme++;
	return scheme;
}

/* What a URL of no path may end with. */
static void slash_strip(gchar *text)
{
	gsize len = strlen(text);

	if (len > 0 && text[len - 1] == '/')
		text[len - 1] = '\0';
}

/* One of a list of endpoints.  TEXT is spoilt. */
static gchar *endpoint_parse(gchar *text, const gchar *where, SourceTls *ret_tls, GError **error)
{
	const Scheme *scheme = scheme_find(text);
	gchar *rest = text + strlen(scheme->name);

	*ret_tls = scheme->tls;
	if (scheme->is_socket)
		return socket_parse(has_scheme(rest, "//") ? rest + 2 : rest, where, error);
	if (scheme->tls != SOURCE_TLS_UNSAID)
		slash_strip(rest);
	else if (strstr(rest, "://")) {
		fail(error, "%s: %s: write HOST:PORT, https://HOST:PORT or unix:/PATH", where,
		     text);
		return NULL;
	}
	return address_parse(rest, where, error);
}

/* Adds what one endpoint says to what the others do. */
static gboolean tls_merge(SourceTls *tls, SourceTls another, const gchar *where, GError **error)
{
	if (another == SOURCE_TLS_UNSAID || another == *tls)
		return TRUE;
	if (*tls != SOURCE_TLS_UNSAID) {
		fail(error, "%s: some endpoints are with TLS and some without; choose one", where);
		return FALSE;
	}
	*tls = another;
	return TRUE;
}

static GStrv endpoints_parse(const gchar *list, const gchar *where, SourceTls *ret_tls,
			     GError **error)
{
	g_auto(GStrv) items = g_strsplit(list, ",", -1);
	g_autoptr(GStrvBuilder) builder = g_strv_builder_new();

	if (!items[0]) {
		fail(error, "%s: no endpoint is given; write HOST:PORT", where);
		return NULL;
	}
	*ret_tls = SOURCE_TLS_UNSAID;
	for (gchar **item = items; *item; item++) {
		SourceTls tls;
		g_autofree gchar *endpoint = endpoint_parse(g_strstrip(*item), where, &tls, error);

		if (!endpoint || !tls_merge(ret_tls, tls, where, error))
			return NULL;
		g_strv_builder_add(builder, endpoint);
	}
	return g_strv_builder_end(builder);
}

/* Passes MISTAKE on, which is about TEXT; but not the password that may stand in
 * front of an @. */
static void fail_discreetly(GError **error, GError *mistake, const gchar *text, const gchar *where)
{
	if (!strchr(text, '@')) {
		g_propagate_error(error, mistake);
		return;
	}
	g_error_free(mistake);
	fail(error, "%s: there is an @; user and password do not belong there, use --user", where);
}

GStrv source_endpoints(const gchar *list, const gchar *where, SourceTls *ret_tls, GError **error)
{
	GError *mistake = NULL;
	SourceTls tls;
	GStrv endpoints = endpoints_parse(list, where, &tls, &mistake);

	if (endpoints)
		*ret_tls = tls;
	else
		fail_discreetly(error, mistake, list, where);
	return endpoints;
}

/* The part of TEXT behind etcd://. */
static const gchar *source_strip(const gchar *text, SourceTls *ret_tls, GError **error)
{
	*ret_tls = has_scheme(text, "etcds://") ? SOURCE_TLS_ON : SOURCE_TLS_OFF;
	if (has_scheme(text, "etcd://") || has_scheme(text, "etcds://"))
		return strstr(text, "://") + 3;
	fail(error,
	     "%s: not a source; write etcd://HOST:PORT[,HOST:PORT...][/PREFIX], or etcds:// for "
	     "TLS",
	     text);
	return NULL;
}

/* One of the hosts in a source. */
static gchar *host_parse(const gchar *text, const gchar *where, GError **error)
{
	g_autofree gchar *path = NULL;

	if (!has_scheme(text, "%2F"))
		return address_parse(text, where, error);
	path = g_uri_unescape_string(text, NULL);
	if (path)
		return socket_parse(path, where, error);
	fail(error, "%s: \"%s\" is not the path of a socket, escaped as in a URL", where, text);
	return NULL;
}

/* The hosts of the source TEXT, and where its prefix begins. */
static GStrv hosts_parse(const gchar *text, const gchar **ret_path, SourceTls *ret_tls,
			 GError **error)
{
	const gchar *hosts = source_strip(text, ret_tls, error);
	g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
	g_autofree gchar *list = NULL;
	g_auto(GStrv) items = NULL;

	if (!hosts)
		return NULL;
	*ret_path = hosts + strcspn(hosts, "/");
	list = g_strndup(hosts, (gsize)(*ret_path - hosts));
	items = g_strsplit(list, ",", -1);
	if (!items[0])
		fail(error, "%s: no endpoint is given; write HOST:PORT", text);
	for (gchar **item = items; *item; item++) {
		g_autofree gchar *endpoint = host_parse(g_strstrip(*item), text, error);

		if (!endpoint)
			return NULL;
		g_strv_builder_add(builder, endpoint);
	}
	return items[0] ? g_strv_builder_end(builder) : NULL;
}

static GBytes *prefix_parse(const gchar *text, const gchar *path, GError **error)
{
	GBytes *prefix;

	if (strpbrk(path, "?#")) {
		fail(error, "%s: in a prefix write ? as %%3F and # as %%23", text);
		return NULL;
	}
	prefix = g_uri_unescape_bytes(path, -1, NULL, NULL);
	if (!prefix)
		fail(error,
		     "%s: a %% that is not followed by two hexadecimal digits; write %% "
		     "itself as %%25",
		     text);
	return prefix;
}

gboolean source_parse(const gchar *text, GStrv *ret_endpoints, GBytes **ret_prefix,
		      SourceTls *ret_tls, GError **error)
{
	GError *mistake = NULL;
	const gchar *path;
	SourceTls tls;
	g_auto(GStrv) endpoints = hosts_parse(text, &path, &tls, &mistake);

	if (!endpoints) {
		fail_discreetly(error, mistake, text, "the source");
		return FALSE;
	}
	*ret_prefix = prefix_parse(text, path, error);
	if (!*ret_prefix)
		return FALSE;
	*ret_endpoints = g_steal_pointer(&endpoints);
	*ret_tls = tls;
	return TRUE;
}

/* The opposite of host_parse. */
static gchar *host_string(const gchar *endpoint)
{
	return has_scheme(endpoint, "unix:") ? g_uri_escape_string(endpoint + 5, NULL, FALSE)
					     : g_strdup(endpoint);
}

gchar *source_string(const gchar *const *endpoints, GBytes *prefix, gboolean tls)
{
	g_autoptr(GString) source = g_string_new(tls ? "etcds://" : "etcd://");
	g_autofree gchar *path = NULL;
	gsize len;
	const guint8 *data = g_bytes_get_data(prefix, &len);

	for (gsize i = 0; endpoints[i]; i++) {
		g_autofree gchar *host = host_string(endpoints[i]);

		g_string_append_printf(source, "%s%s", i > 0 ? "," : "", host);
	}
	if (len > 0 && data[0] == '/') {
		path = g_uri_escape_bytes(data, len, "/");
		g_string_append(source, path);
	}
	return g_string_free(g_steal_pointer(&source), FALSE);
}
