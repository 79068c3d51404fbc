/* SPDX-License-Identifier: Apache-2.0 */
/* duration.c - Go's syntax: numbers, each with a unit behind it, and a bare 0. */
#include "duration.h"

#include <string.h>

/* Less than any unit, more than what doubles are wrong by. */
#define EPSILON_MS 1e-7

typedef struct {
	const gchar *name;
	gdouble ms;
} Unit;

/* ms before m: the first that matches is it. */
static const Unit units[] = {
    {"ns", 1e-6}, {"us", 1e-3}, {"\xc2\xb5s", 1e-3}, {"\xce\xbcs", 1e-3},
    {"ms", 1},	  {"s", 1e3},	{"m", 60e3},	     {"h", 3600e3},
};

/* A number without sign and exponent. */
static gboolean number_read(const gchar **at, gdouble *ret_number)
{
	gsize len = strspn(*at, "0123456789.");
	g_autofree gchar *number = g_strndup(*at, len);
	gchar *end;

	if (len == 0 || strcmp(number, ".") == 0)
		return FALSE;
	*ret_number = g_ascii_strtod(number, &end);
	if (*end)
		return FALSE;
	*at += len;
	return TRUE;
}

static gboolean unit_read(const gchar **at, gdouble *ret_ms)
{
	for (gsize i = 0; i < G_N_ELEMENTS(units); i++) {
		if (!g_str_has_prefix(*at, units[i].name))
			continue;
		*ret_ms = units[i].ms;
		*at += strlen(units[i].name);
		return TRUE;
	}
	return FALSE;
}

gboolean duration_parse(const gchar *text, guint *ret_ms)
{
	gdouble sum = 0;
	guint ms;

	if (strcmp(text, "0") == 0) {
		*ret_ms = 0;
		return TRUE;
	}
	do {
		gdouble number, unit;

		if (!number_read(&text, &number) || !unit_read(&text, &unit))
			return FALSE;
		sum += number * unit;
	} while (*text);
	if (sum >= G_MAXINT)
		return FALSE;
	ms = (guint)sum;
	*ret_ms = sum - ms > EPSILON_MS ? ms + 1 : ms;
	return TRUE;
}
