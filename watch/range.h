/* SPDX-License-Identifier: Apache-2.0 */
/* range.h - from where to where: the two ends that etcd wants for a prefix.
 */
#ifndef RANGE_H
#define RANGE_H

#include "kv.h"

/* Owned bytes; [key, end). */
typedef struct {
	GByteArray *key;
	GByteArray *end;
} KeyRange;

/* Every key that begins with PREFIX.  One NUL stands for "the first key there
 * can be" as key and for "no end" as end: etcd takes no empty key, and an empty
 * end would mean the key alone. */
void key_range_init(KeyRange *range, KvBytes prefix);
void key_range_clear(KeyRange *range);

static inline KvBytes key_range_bytes(const GByteArray *array)
{
	return (KvBytes){array->data, array->len};
}

#endif
