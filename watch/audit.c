/* SPDX-License-Identifier: Apache-2.0 */
#include "audit.h"

/* etcd up to 3.6 reads every value of the range to say which are newer: of a large
 * one the keys are only counted. */
#define SINCE_KEYS 100000

GBytes *audit_request(Audit *audit, const KeyRange *range, gint64 revision, gint64 since,
		      guint64 held)
{
	WireRange request = {
	    .key = key_range_bytes(range->key),
	    .range_end = key_range_bytes(range->end),
	    .revision = revision,
	};

	*audit = (Audit){held, since == 0 || held > SINCE_KEYS};
	if (audit->counting) {
		request.count_only = TRUE;
	} else {
		request.min_mod_revision = since;
		request.keys_only = TRUE;
		request.limit = 1;
	}
	return wire_range_encode(&request);
}

char *audit_difference(const Audit *audit, const EtcdRange *answer)
{
	guint64 count = (guint64)answer->count;

	/* whatever the filter, all are counted */
	if (count != audit->held)
		return g_strdup_printf("etcd counts %" G_GUINT64_FORMAT
				       " keys where %" G_GUINT64_FORMAT " are held",
				       count, audit->held);
	if (answer->n_kvs > 0 && !audit->counting)
		return g_strdup("etcd has changes that it did not tell");
	return NULL;
}

GBytes *audit_confirm_request(Audit *audit, const KeyRange *range, gint64 since, guint64 held)
{
	WireRange request = {
	    .key = key_range_bytes(range->key),
	    .range_end = key_range_bytes(range->end),
	    .min_mod_revision = since,
	    .keys_only = TRUE,
	    .limit = 1,
	};

	audit->held = held;
	return wire_range_encode(&request);
}

gboolean audit_confirms(const Audit *audit, const EtcdRange *answer)
{
	return answer->n_kvs == 0 && (guint64)answer->count == audit->held;
}
