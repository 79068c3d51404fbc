/* SPDX-License-Identifier: Apache-2.0 */
#include "setting.h"

#include <string.h>

Setting setting_get(const gchar *given, const gchar *flag, const gchar *variable,
		    gchar **environment)
{
	const gchar *value;

	if (given)
		return (Setting){given, flag, TRUE};
	value = g_environ_getenv(environment, variable);
	return (Setting){value && *value ? value : NULL, variable, FALSE};
}

gboolean setting_switch(const Setting *setting, gboolean *ret_value, GError **error)
{
	static const gchar *const truths[] = {"1", "t", "T", "true", "TRUE", "True", NULL};
	static const gchar *const lies[] = {"0", "f", "F", "false", "FALSE", "False", NULL};
	gboolean value = g_strv_contains(truths, setting->text);

	if (!value && !g_strv_contains(lies, setting->text)) {
		g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
			    "%s=%s: neither true nor false", setting->where, setting->text);
		return FALSE;
	}
	*ret_value = value;
	return TRUE;
}

gchar *setting_file(const Setting *setting, GError **error)
{
	g_autofree gchar *directory = NULL;

	if (!*setting->text) {
		g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
			    "%s: the name of the file is missing", setting->where);
		return NULL;
	}
	if (g_path_is_absolute(setting->text))
		return g_strdup(setting->text);
	directory = g_get_current_dir();
	return g_build_filename(directory, setting->text, NULL);
}
