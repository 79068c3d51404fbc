/* SPDX-License-Identifier: Apache-2.0 */
#include "reason.h"

#include <string.h>

typedef struct {
	const char *part;
	const char *reason;
	KeyspaceError kind; /* of the reason; UNREACHABLE where none is given */
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
    {"tcp handshaker shutdown", "connecting timed out", KEYSPACE_ERROR_TIMEOUT},
    {"before receiving SETTINGS frame", "timed out", KEYSPACE_ERROR_TIMEOUT},
    {"Deadline Exceeded", "timed out", KEYSPACE_ERROR_TIMEOUT},
    {"keepalive watchdog timeout", "no answer to a ping", KEYSPACE_ERROR_TIMEOUT},
    {"ping timeout", "no answer to a ping", KEYSPACE_ERROR_TIMEOUT},
    {"Failed parsing HTTP/2", "not etcd, or not without TLS", KEYSPACE_ERROR_TLS},
    {"Received http2 header with status", "not etcd", KEYSPACE_ERROR_PROTOCOL},
    {"Socket closed", "connection closed"},
    {"http1.x server", "not etcd: it speaks HTTP/1", KEYSPACE_ERROR_PROTOCOL},
    /* libssl's text leaves open which, and the date is judged by our clock */
    {"certificate verify failed",
     "the server's certificate is not trusted: not from --cacert's CA, or not valid today",
     KEYSPACE_ERROR_TLS},
    {"is not in peer certificate", "the server's certificate does not name this host",
     KEYSPACE_ERROR_TLS},
    {"missing selected ALPN", "not etcd: it has no HTTP/2 over TLS", KEYSPACE_ERROR_PROTOCOL},
    {"no application protocol", "not etcd: it has no HTTP/2 over TLS", KEYSPACE_ERROR_PROTOCOL},
    {"wrong version number", "the server does not speak TLS", KEYSPACE_ERROR_TLS},
    {"alert certificate expired", "the server refuses --cert: expired", KEYSPACE_ERROR_TLS},
    {"alert unknown ca", "the server refuses --cert: not from a CA that it trusts",
     KEYSPACE_ERROR_TLS},
    {"alert bad certificate", "the server refuses --cert, or misses it", KEYSPACE_ERROR_TLS},
    {"Handshake read failed", "the TLS handshake timed out", KEYSPACE_ERROR_TLS},
    /* gRPC could not even begin, although the files fit together */
    {"empty address list", "libssl refuses --cert: is its key too short?", KEYSPACE_ERROR_TLS},
};

/* These mean more before a byte of etcd's has come.  Under TLS 1.3 a client hears
 * only after its own part of the handshake what the server thinks of its
 * certificate, and gRPC keeps the alert to itself. */
static const Known known_connecting[] = {
    /* before the connection stood */
    {"remote host: Connection reset", "connecting timed out", KEYSPACE_ERROR_TIMEOUT},
    {"Endpoint read failed",
     "the server refuses --cert, or misses it: none given, expired, or not from a CA it trusts",
     KEYSPACE_ERROR_TLS},
    {"Connection reset", "connection reset at once: TLS at one end only, or --cert refused?",
     KEYSPACE_ERROR_TLS},
    {"Socket closed", "connection closed at once: TLS at one end only?", KEYSPACE_ERROR_TLS},
};
static const char connecting[] = "failed to connect to all addresses";

/* Before the last cause of several, when none of those fits. */
static const char last_error[] = "last error: ";
static const char tls_error[] = "SSL routines::";

/* As etcd says it in the reason of a canceled watch. */
static const char go_error[] = "rpc error: code = ";
static const char go_text[] = " desc = ";

/* Ours, and how etcd's begin. */
static const Known known_words[] = {
    {"TLS handshake failed", NULL, KEYSPACE_ERROR_TLS},
    {"etcd ended the watch", NULL, KEYSPACE_ERROR_ETCD},
    {"etcd's answer makes no sense", NULL, KEYSPACE_ERROR_PROTOCOL},
    {"the answer is not etcd's", NULL, KEYSPACE_ERROR_PROTOCOL},
    {"etcdserver: ", NULL, KEYSPACE_ERROR_ETCD},
    {"auth: ", NULL, KEYSPACE_ERROR_ETCD},
    {"raft: ", NULL, KEYSPACE_ERROR_ETCD},
};

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

static const Known *find_kind(const char *reason, const Known *table, gsize n)
{
	for (gsize i = 0; i < n; i++)
		if (strcmp(reason, table[i].reason) == 0)
			return &table[i];
	return NULL;
}

KeyspaceError reason_kind(const char *reason)
{
	const Known *found = find_kind(reason, known, G_N_ELEMENTS(known));

	if (!found)
		found = find_kind(reason, known_connecting, G_N_ELEMENTS(known_connecting));
	for (gsize i = 0; i < G_N_ELEMENTS(known_words) && !found; i++)
		if (g_str_has_prefix(reason, known_words[i].part))
			found = &known_words[i];
	return found ? found->kind : KEYSPACE_ERROR_UNREACHABLE;
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
