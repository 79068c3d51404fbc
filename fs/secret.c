/* SPDX-License-Identifier: Apache-2.0 */
#include "secret.h"

#include <string.h>

void secret_free(gpointer text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	g_free(text);
}

static void hide(gchar *text, gsize len)
{
	memset(text, '*', len);
}

/* The password of NAME[:PASSWORD], LEN bytes of it.  Within -o, a backslash may
 * write the colon as a number. */
static void hide_user(gchar *text, gsize len)
{
	gsize name = MIN(strcspn(text, ":\\"), len);

	if (name < len && text[name] == ':')
		name++;
	hide(text + name, len - name);
}

/* Whether the option or variable NAME is the flag CALLED. */
static gboolean is_called(const gchar *name, gsize name_len, const gchar *called)
{
	g_autofree gchar *flag = g_strdelimit(g_strndup(name, name_len), "_", '-');

	return g_ascii_strcasecmp(flag, called) == 0;
}

/* What the option or variable NAME, NAME_LEN bytes of it, has as its value. */
static void hide_value(const gchar *name, gsize name_len, gchar *value, gsize len)
{
	if (is_called(name, name_len, "password") || is_called(name, name_len, "auth-jwt-token"))
		hide(value, len);
	else if (is_called(name, name_len, "user"))
		hide_user(value, len);
}

/* TEXT is NAME or NAME=VALUE, LEN bytes of it. */
static void hide_setting(gchar *text, gsize len)
{
	gsize name_len = strcspn(text, "=");

	if (name_len < len)
		hide_value(text, name_len, text + name_len + 1, len - name_len - 1);
}

/* The LIST of -o LIST. */
static void hide_list(gchar *list)
{
	while (*list) {
		gchar *end = list;

		while (*end && *end != ',')
			end += end[0] == '\\' && end[1] ? 2 : 1;
		hide_setting(list, (gsize)(end - list));
		list = *end ? end + 1 : end;
	}
}

/* What stands before an @ in the authority of each URL in TEXT. */
static void hide_userinfo(gchar *text)
{
	while ((text = strstr(text, "://"))) {
		gchar *at;

		text += 3;
		at = g_strrstr_len(text, (gssize)strcspn(text, "/"), "@");
		if (at)
			hide(text, (gsize)(at - text));
	}
}

void secret_hide_argv(gchar **argv)
{
	for (; *argv; argv++) {
		gchar *argument = *argv, *next = argv[1];

		hide_userinfo(argument);
		if (strcmp(argument, "-o") == 0 && next)
			hide_list(next);
		else if (g_str_has_prefix(argument, "-o"))
			hide_list(argument + 2);
		else if (!g_str_has_prefix(argument, "--"))
			continue;
		else if (strchr(argument, '='))
			hide_setting(argument + 2, strlen(argument + 2));
		else if (next)
			hide_value(argument + 2, strlen(argument + 2), next, strlen(next));
	}
}

void secret_hide_environment(gchar **environment)
{
	static const gchar prefix[] = "ETCDCTL_";

	for (; environment && *environment; environment++) {
		gchar *setting = *environment + strlen(prefix);

		if (!g_str_has_prefix(*environment, prefix))
			continue;
		hide_userinfo(setting);
		hide_setting(setting, strlen(setting));
	}
}
