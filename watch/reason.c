/* SPDX-License-Identifier: Apache-2.0 */
#include "reason.h"

#include <string.h>

typedef struct {
	const char *part;
	const char *reason;
} Known;

/* gRPC core 1.51 wraps what happened in layers of its own prose; the part on
 * the left betrays it.  The first that fits counts. */
static const Known known[] = {
    {"Connection refused", "connection refused"},
    {"Connection reset", "connection reset"},
    {"No route to host", "no route to host"},
    {"Network is unreachable", "network unreachable"},
    {"Domain name not found", "unknown host"},
    {"Name or service not known", "unknown host"},
    {"DNS resolution failed", "the host's name was not resolved"},
    {"tcp handshaker shutdown", "connecting timed out"},
    {"before receiving SETTINGS frame", "timed out"},
    {"Deadline Exceeded", "timed out"},
    {"keepalive watchdog timeout", "no answer to a ping"},
    {"ping timeout", "no answer to a ping"},
    {"Failed parsing HTTP/2", "not etcd, or not without TLS"},
    {"Received http2 header with status", "not etcd"},
    {"Socket closed", "connection closed"},
    {"http1.x server", "not etcd: it speaks HTTP/1"},
    /* libssl's text leaves open which, and the date is judged by our clock */
    {"certificate verify failed",
     "the server's certificate is not trusted: not from --cacert's CA, or not valid today"},
    {"is not in peer certificate", "the server's certificate does not name this host"},
    {"missing selected ALPN", "not etcd: it has no HTTP/2 over TLS"},
    {"no application protocol", "not etcd: it has no HTTP/2 over TLS"},
    {"wrong version number", "the server does not speak TLS"},
    {"alert certificate expired", "the server refuses --cert: expired"},
    {"alert unknown ca", "the server refuses --cert: not from a CA that it trusts"},
    {"alert bad certificate", "the server refuses --cert, or misses it"},
    {"Handshake read failed", "the TLS handshake timed out"},
    /* gRPC could not even begin, although the files fit together */
    {"empty address list", "libssl refuses --cert: is its key too short?"},
};

/* These mean more before a byte of etcd's has come.  Under TLS 1.3 a client hears
 * only after its own part of the handshake what the server thinks of its
 * certificate, and gRPC keeps the alert to itself. */
static const Known known_connecting[] = {
    /* before the connection stood */
    {"remote host: Connection reset", "connecting timed out"},
    {"Endpoint read failed",
     "the server refuses --cert, or misses it: none given, expired, or not from a CA it trusts"},
    {"Connection reset", "connection reset at once: TLS at one end only, or --cert refused?"},
    {"Socket closed", "connection closed at once: TLS at one end only?"},
};
static const char connecting[] = "failed to connect to all addresses";

/* Before the last cause of several, when none of those fits. */
static const char last_error[] = "last error: ";
static const char tls_error[] = "SSL routines::";

/* As etcd says it in the reason of a canceled watch. */
static const char go_error[] = "rpc error: code = ";
static const char go_text[] = " desc = ";

static const char *const refusals[] = {
    "permission denied",
    "invalid auth token",
    "revision of auth store is old",
    "user name is empty",
};

/* What another attempt cannot mend: the beginnings of reasons above.  Not among them is
 * what an etcd that is just starting, or stopping, may look like. */
static const char *const mistakes[] = {
    "the server's certificate is not trusted",
    "the server's certificate does not name",
    "the server refuses --cert: ",
    "libssl refuses --cert",
};

static char *one_line(const char *text, gsize len)
{
	char *line = g_utf8_make_valid(text, len);

	for (char *c = line; *c; c++)
		if (g_ascii_iscntrl(*c))
			*c = ' ';
	return g_strstrip(line);
}

static const char *find_known(const char *line, const Known *table, gsize n)
{
	for (gsize i = 0; i < n; i++)
		if (strstr(line, table[i].part))
			return table[i].reason;
	return NULL;
}

static const char *find_reason(const char *line)
{
	const char *reason = NULL;

	if (strstr(line, connecting))
		reason = find_known(line, known_connecting, G_N_ELEMENTS(known_connecting));
	return reason ? reason : find_known(line, known, G_N_ELEMENTS(known));
}

char *reason_from_text(const char *text, gsize len)
{
	g_autofree char *line = one_line(text, len);
	const char *reason = find_reason(line), *part;

	if (reason)
		return g_strdup(reason);
	if ((part = strstr(line, tls_error)))
		return g_strconcat("TLS handshake failed: ", part + strlen(tls_error), NULL);
	if (g_str_has_prefix(line, go_error) && (part = strstr(line, go_text)))
		return g_strdup(part + strlen(go_text));
	part = strstr(line, last_error);
	return g_strdup(part ? part + strlen(last_error) : line);
}

gboolean reason_is_refusal(const char *text)
{
	for (gsize i = 0; i < G_N_ELEMENTS(refusals); i++)
		if (strstr(text, refusals[i]))
			return TRUE;
	return FALSE;
}

gboolean reason_is_mistake(const char *reason)
{
	for (gsize i = 0; i < G_N_ELEMENTS(mistakes); i++)
		if (g_str_has_prefix(reason, mistakes[i]))
			return TRUE;
	return FALSE;
}
