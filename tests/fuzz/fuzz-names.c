/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz-names.c - names.c on any bytes: limits, a way back, no other way there.
 *
 * The first byte of the input says how: its lowest bit, whether a leading slash
 * is kept.  The rest is tried as a key, then as a name.
 */
#include <stdint.h>
#include <string.h>

#include "names.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void component_check(const NamesComponent *component)
{
	g_assert_cmpuint(component->len, >, 0);
	g_assert_cmpuint(strlen(component->name), ==, component->len);
	g_assert_null(strchr(component->name, '/'));
	g_assert_cmpstr(component->name, !=, ".");
	g_assert_cmpstr(component->name, !=, "..");
	g_assert_cmpstr(component->name, !=, NAMES_VALUE);
	g_assert_cmpint(names_is_lossy(component->name, component->len), ==,
			component->raw != NULL);
}

/* Appends what the component stands for. */
static void component_decode(const NamesComponent *component, gboolean first, GByteArray *key)
{
	if (component->raw)
		g_byte_array_append(key, component->raw, (guint)component->raw_len);
	else
		g_assert_true(names_decode(component->name, component->len, first, key));
}

static void key_check(const guint8 *rest, gsize len, NamesSlash slash)
{
	g_autoptr(GByteArray) key = g_byte_array_new();
	g_auto(NamesPath) path;
	gsize path_len = 0;

	names_path_init(&path);
	names_path_set(&path, rest, len, slash);
	if (path.slash)
		g_byte_array_append(key, (const guint8 *)"/", 1);
	for (gsize i = 0; i < path.n_components; i++) {
		const NamesComponent *component = &path.components[i];

		component_check(component);
		if (i > 0)
			g_byte_array_append(key, (const guint8 *)"/", 1);
		component_decode(component, i == 0, key);
		path_len += component->len + (i > 0 ? 1 : 0);
	}
	g_assert_cmpuint(path_len, <=, NAMES_PATH_MAX);
	g_assert_cmpmem(key->data, key->len, rest, len);
}

/* A name that decodes is the name of what it decodes to. */
static void name_check(const gchar *name, gsize len)
{
	g_autoptr(GByteArray) raw = g_byte_array_new();
	g_auto(NamesPath) path;

	names_path_init(&path);
	if (!names_decode(name, len, TRUE, raw)) {
		g_assert_cmpuint(raw->len, ==, 0);
		return;
	}
	if (raw->len == 0) /* "%", which only ever follows or precedes a slash */
		return;
	names_path_set(&path, raw->data, raw->len, NAMES_KEEP_SLASH);
	g_assert_cmpuint(path.n_components, ==, 1);
	g_assert_cmpmem(path.components[0].name, path.components[0].len, name, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	key_check(data + 1, size - 1, data[0] & 1 ? NAMES_KEEP_SLASH : NAMES_DROP_SLASH);
	name_check((const gchar *)data + 1, size - 1);
	return 0;
}
