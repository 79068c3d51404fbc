/* SPDX-License-Identifier: Apache-2.0 */
#include "reason.h"

#include <string.h>

/* gRPC core 1.51 wraps what happened in layers of its own prose; the part on
 * the left betrays it.  The first that fits counts. */
static const struct {
	const char *part;
	const char *reason;
} known[] = {
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
};

/* Before the last cause of several, when none of those fits. */
static const char last_error[] = "last error: ";

static const char *const refusals[] = {
    "permission denied",
    "invalid auth token",
    "revision of auth store is old",
    "user name is empty",
};

static char *one_line(const char *text, gsize len)
{
	char *line = g_utf8_make_valid(text, len);

	for (char *c = line; *c; c++)
		if (g_ascii_iscntrl(*c))
			*c = ' ';
	return g_strstrip(line);
}

char *reason_from_text(const char *text, gsize len)
{
	g_autofree char *line = one_line(text, len);
	const char *cause = strstr(line, last_error);

	for (gsize i = 0; i < G_N_ELEMENTS(known); i++)
		if (strstr(line, known[i].part))
			return g_strdup(known[i].reason);
	return g_strdup(cause ? cause + strlen(last_error) : line);
}

gboolean reason_is_refusal(const char *text)
{
	for (gsize i = 0; i < G_N_ELEMENTS(refusals); i++)
		if (strstr(text, refusals[i]))
			return TRUE;
	return FALSE;
}
