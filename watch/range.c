/* SPDX-License-Identifier: Apache-2.0 */
#include "range.h"

static const guint8 nul[1];

/* The first key after all that begin with the prefix: its last byte plus one,
 * less every 0xff at its end, for which there is no plus one. */
static GByteArray *prefix_end(KvBytes prefix)
{
	GByteArray *end = g_byte_array_new();
	gsize len = prefix.len;

	while (len > 0 && prefix.data[len - 1] == 0xff)
		len--;
	if (len == 0)
		return g_byte_array_append(end, nul, 1);
	g_byte_array_append(end, prefix.data, len);
	end->data[len - 1]++;
	return end;
}

void key_range_init(KeyRange *range, KvBytes prefix)
{
	range->key = g_byte_array_new();
	if (prefix.len > 0)
		g_byte_array_append(range->key, prefix.data, prefix.len);
	else
		g_byte_array_append(range->key, nul, 1);
	range->end = prefix_end(prefix);
}

void key_range_clear(KeyRange *range)
{
	g_clear_pointer(&range->key, g_byte_array_unref);
	g_clear_pointer(&range->end, g_byte_array_unref);
}
