/* SPDX-License-Identifier: Apache-2.0 */
/* suggest.c - the nearest name by edit distance. */
#include "suggest.h"

#include <string.h>

/* How many letters to insert, drop or replace to make B of A. */
static guint distance(const gchar *a, const gchar *b)
{
	gsize len = strlen(b);
	g_autofree guint *row = g_new(guint, len + 1);

	for (gsize j = 0; j <= len; j++)
		row[j] = (guint)j;
	for (; *a; a++) {
		guint diagonal = row[0]++;

		for (gsize j = 1; j <= len; j++) {
			guint replaced = diagonal + (*a != b[j - 1]);

			diagonal = row[j];
			row[j] = MIN(replaced, MIN(row[j], row[j - 1]) + 1);
		}
	}
	return row[len];
}

const gchar *suggest_option(const GOptionEntry *entries, const gchar *name)
{
	const gchar *nearest = NULL;
	guint least = (guint)MIN(3, strlen(name) / 2) + 1;

	for (; entries->long_name; entries++) {
		guint d = distance(name, entries->long_name);

		if (d >= least)
			continue;
		least = d;
		nearest = entries->long_name;
	}
	return nearest;
}
