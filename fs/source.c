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

static gboolean scheme_is_tls(const gchar *text)
{
	return g_ascii_strncasecmp(text, "etcds://", 8) == 0 ||
	       g_ascii_strncasecmp(text, "https://", 8) == 0;
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

/* The endpoint TEXT as HOST:PORT. */
static gchar *endpoint_parse(const gchar *text, const gchar *where, GError **error)
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

/* Takes http:// and what may stand behind it away from TEXT, in place. */
static gchar *url_strip(gchar *text, const gchar *where, GError **error)
{
	gsize len;

	if (scheme_is_tls(text)) {
		fail(error, "%s: %s: TLS is not supported by this version yet", where, text);
		return NULL;
	}
	if (g_ascii_strncasecmp(text, "http://", 7) == 0) {
		text += 7;
		len = strlen(text);
		if (len > 0 && text[len - 1] == '/')
			text[len - 1] = '\0';
	} else if (strstr(text, "://")) {
		fail(error, "%s: %s: write HOST:PORT or http://HOST:PORT", where, text);
		return NULL;
	}
	return text;
}

GStrv source_endpoints(const gchar *list, const gchar *where, GError **error)
{
	g_auto(GStrv) items = g_strsplit(list, ",", -1);
	g_autoptr(GStrvBuilder) builder = g_strv_builder_new();

	if (!items[0]) {
		fail(error, "%s: no endpoint is given; write HOST:PORT", where);
		return NULL;
	}
	for (gchar **item = items; *item; item++) {
		g_autofree gchar *endpoint = NULL;
		gchar *text = url_strip(g_strstrip(*item), where, error);

		if (!text || !(endpoint = endpoint_parse(text, where, error)))
			return NULL;
		g_strv_builder_add(builder, endpoint);
	}
	return g_strv_builder_end(builder);
}

/* The part of TEXT behind etcd://. */
static const gchar *source_strip(const gchar *text, GError **error)
{
	if (g_ascii_strncasecmp(text, "etcd://", 7) == 0)
		return text + 7;
	if (scheme_is_tls(text))
		fail(error,
		     "%s: TLS is not supported by this version yet; use etcd:// and an "
		     "endpoint without TLS",
		     text);
	else
		fail(error, "%s: not a source; write etcd://HOST:PORT[,HOST:PORT...][/PREFIX]",
		     text);
	return NULL;
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

gboolean source_parse(const gchar *text, GStrv *ret_endpoints, GBytes **ret_prefix, GError **error)
{
	const gchar *hosts = source_strip(text, error);
	g_autofree gchar *list = NULL;
	g_auto(GStrv) endpoints = NULL;
	gsize len;

	if (!hosts)
		return FALSE;
	len = strcspn(hosts, "/");
	list = g_strndup(hosts, len);
	if (strchr(list, '@')) {
		fail(error, "%s: user and password do not belong into the source", text);
		return FALSE;
	}
	endpoints = source_endpoints(list, text, error);
	if (!endpoints)
		return FALSE;
	*ret_prefix = prefix_parse(text, hosts + len, error);
	if (!*ret_prefix)
		return FALSE;
	*ret_endpoints = g_steal_pointer(&endpoints);
	return TRUE;
}

gchar *source_string(const gchar *const *endpoints, GBytes *prefix)
{
	g_autofree gchar *list = g_strjoinv(",", (gchar **)endpoints);
	g_autofree gchar *path = NULL;
	gsize len;
	const guint8 *data = g_bytes_get_data(prefix, &len);

	if (len == 0 || data[0] != '/')
		return g_strconcat("etcd://", list, NULL);
	path = g_uri_escape_bytes(data, len, "/");
	return g_strconcat("etcd://", list, path, NULL);
}
