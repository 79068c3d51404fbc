/* SPDX-License-Identifier: Apache-2.0 */
#include "sentence.h"

static const char * or (const char *text, const char *otherwise)
{
	return text ? text : otherwise;
}

static char *away(const KeyspaceStatus *status, gint64 revision, const char *what)
{
	return g_strdup_printf("%s, serving the tree of revision %" G_GINT64_FORMAT ": %s", what,
			       revision, or (status->last_error, "no answer"));
}

char *sentence_of(const KeyspaceStatus *status, gint64 revision, const char *since)
{
	const char *endpoint = or (status->endpoint, "etcd");
	g_autofree char *what = NULL;

	switch (status->state) {
	case KEYSPACE_SEEDING:
		return g_strdup_printf("reading from %s", endpoint);
	case KEYSPACE_LIVE:
		return g_strdup_printf("live at %s, revision %" G_GINT64_FORMAT, endpoint,
				       revision);
	case KEYSPACE_FROZEN:
		return g_strdup_printf("revision %" G_GINT64_FORMAT " of %s, for ever", revision,
				       endpoint);
	case KEYSPACE_RESEEDING:
		what = g_strdup_printf("reading everything again from %s since %s", endpoint,
				       since);
		break;
	case KEYSPACE_DENIED:
		what = g_strdup_printf("%s denies access since %s", endpoint, since);
		break;
	case KEYSPACE_STALE:
		what = g_strdup_printf("stale since %s, since etcd is away for too long", since);
		break;
	default: /* RECONNECTING */
		what = g_strdup_printf("etcd is away since %s", since);
	}
	return away(status, revision, what);
}
