/* SPDX-License-Identifier: Apache-2.0 */
/* keys.h - the four keys of the fuzzed watch: a, b, c and d.
 *
 * Plain values: what they point to is static.
 */
#ifndef KEYS_H
#define KEYS_H

#include "kv.h"

#define KEYS_N 4

/* In key order; mod_revision 0: not there. */
typedef struct {
	KeyValue kv[KEYS_N];
} Keys;

/* One byte each. */
KvBytes keys_name(guint index);
KvBytes keys_value(guint64 chance);

/* KV with bytes of ours in place of those it borrows. */
KeyValue keys_copy(const KeyValue *kv);

const KeyValue *keys_find(const Keys *keys, KvBytes name);

/* The last that was put; its mod_revision is 0 if there are none. */
KeyValue keys_newest(const Keys *keys);

guint keys_count(const Keys *keys);

void keys_apply(Keys *keys, const KvEvent *event);

/* Whether EVENT can be the next of its key, as a listener judges it. */
gboolean keys_follow(const Keys *keys, const KvEvent *event);

/* Whether EVENT, an old one, has left its trace. */
gboolean keys_hold(const Keys *keys, const KvEvent *event);

gboolean keys_kv_equal(const KeyValue *a, const KeyValue *b);
gboolean keys_equal(const Keys *a, const Keys *b);

#endif
