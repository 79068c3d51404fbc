/* SPDX-License-Identifier: Apache-2.0 */
/* Blanks wipe it out, as on every terminal that can return its carriage: no escape
 * sequence, so nobody need know which kind it is. */
#include "transient.h"

#include <stdio.h>
#include <string.h>

static gsize width; /* of what is shown; under stderr's lock */

/* One write, so that nobody sees the line half drawn. */
static void replace_locked(const char *text)
{
	gsize len = strlen(text);
	gsize rest = width > len ? width - len : 0;
	g_autofree char *blanks = g_strnfill(rest, ' ');
	g_autofree char *backspaces = g_strnfill(rest, '\b');

	fprintf(stderr, "\r%s%s%s", text, blanks, len > 0 ? backspaces : "\r");
	width = len;
}

void transient_hide_locked(void)
{
	if (width > 0)
		replace_locked("");
}

void transient_show(const char *text)
{
	flockfile(stderr);
	if (text)
		replace_locked(text);
	else
		transient_hide_locked();
	funlockfile(stderr);
}
