/* SPDX-License-Identifier: Apache-2.0 */
#include "keys.h"

static const guint8 names[KEYS_N] = "abcd";
static const guint8 values[10] = "0123456789";

KvBytes keys_name(guint index)
{
	return (KvBytes){&names[index % KEYS_N], 1};
}

KvBytes keys_value(guint64 chance)
{
	return (KvBytes){&values[chance % G_N_ELEMENTS(values)], 1};
}

static guint keys_index(KvBytes name)
{
	return name.data[0] - names[0];
}

const KeyValue *keys_find(const Keys *keys, KvBytes name)
{
	const KeyValue *kv = &keys->kv[keys_index(name)];

	return kv->mod_revision != 0 ? kv : NULL;
}

KeyValue keys_newest(const Keys *keys)
{
	guint newest = 0;

	for (guint i = 1; i < KEYS_N; i++)
		if (keys->kv[i].mod_revision > keys->kv[newest].mod_revision)
			newest = i;
	return keys->kv[newest];
}

guint keys_count(const Keys *keys)
{
	guint n = 0;

	for (guint i = 0; i < KEYS_N; i++)
		n += keys->kv[i].mod_revision != 0;
	return n;
}

KeyValue keys_copy(const KeyValue *kv)
{
	KeyValue copy = *kv;

	copy.key = keys_name(keys_index(kv->key));
	copy.value = keys_value(kv->value.data[0] - values[0]);
	return copy;
}

void keys_apply(Keys *keys, const KvEvent *event)
{
	KeyValue *kv = &keys->kv[keys_index(event->kv.key)];

	*kv = event->type == KV_PUT ? keys_copy(&event->kv) : (KeyValue){0};
}

gboolean keys_follow(const Keys *keys, const KvEvent *event)
{
	const KeyValue *kv = &event->kv, *old = keys_find(keys, kv->key);

	if (event->type == KV_DELETE)
		return old != NULL;
	if (!old)
		return kv->version == 1 && kv->create_revision == kv->mod_revision;
	return kv->version == old->version + 1 && kv->create_revision == old->create_revision;
}

gboolean keys_hold(const Keys *keys, const KvEvent *event)
{
	const KeyValue *held = keys_find(keys, event->kv.key);

	if (event->type == KV_DELETE)
		return !held || held->create_revision > event->kv.mod_revision;
	return held && held->mod_revision >= event->kv.mod_revision;
}

gboolean keys_kv_equal(const KeyValue *a, const KeyValue *b)
{
	return a->mod_revision == b->mod_revision && a->create_revision == b->create_revision &&
	       a->version == b->version && a->value.data == b->value.data;
}

gboolean keys_equal(const Keys *a, const Keys *b)
{
	for (guint i = 0; i < KEYS_N; i++)
		if (!keys_kv_equal(&a->kv[i], &b->kv[i]))
			return FALSE;
	return TRUE;
}
