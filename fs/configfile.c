/* SPDX-License-Identifier: Apache-2.0 */
#include "configfile.h"

#include <errno.h>
#include <string.h>

#define GROUP "etcdfs"

G_GNUC_PRINTF(3, 4)
static gboolean fail(GError **error, const gchar *file, const gchar *format, ...)
{
	va_list args;
	g_autofree gchar *text = NULL;

	va_start(args, format);
	text = g_strdup_vprintf(format, args);
	va_end(args);
	g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "%s: %s", file, text);
	return FALSE;
}

/* The parser tells of the first line that it does not understand, in a sentence that may
 * quote it. */
static gboolean load(GKeyFile *keys, const gchar *file, GError **error)
{
	g_autoptr(GError) fault = NULL;

	if (!*file)
		return fail(error, "--config-file", "the name of the file is missing");
	if (g_key_file_load_from_file(keys, file, G_KEY_FILE_NONE, &fault))
		return TRUE;
	if (fault->domain == G_FILE_ERROR) {
		g_set_error(error, G_FILE_ERROR, fault->code, "--config-file: %s: %s", file,
			    g_strerror(fault->code == G_FILE_ERROR_NOENT ? ENOENT : EACCES));
		return FALSE;
	}
	g_strdelimit(fault->message, "\n", ' ');
	return fail(error, file, "%s", fault->message);
}

static gboolean check_groups(GKeyFile *keys, const gchar *file, GError **error)
{
	g_auto(GStrv) names = g_key_file_get_groups(keys, NULL);

	for (gchar **name = names; *name; name++) {
		if (strcmp(*name, GROUP) != 0)
			return fail(error, file, "there is a [%s]; only [" GROUP "] is understood",
				    *name);
	}
	return *names ? TRUE : fail(error, file, "there is no [" GROUP "] in it");
}

static GKeyFile *open_file(const gchar *file, GError **error)
{
	g_autoptr(GKeyFile) keys = g_key_file_new();

	if (!load(keys, file, error) || !check_groups(keys, file, error))
		return NULL;
	return g_steal_pointer(&keys);
}

static const GOptionEntry *entry_find(const GOptionEntry *entries, const gchar *name)
{
	while (entries->long_name && strcmp(entries->long_name, name) != 0)
		entries++;
	return entries->long_name ? entries : NULL;
}

static gboolean is_secret(const gchar *name, const gchar *value)
{
	return strcmp(name, "password") == 0 || strcmp(name, "auth-jwt-token") == 0 ||
	       (strcmp(name, "user") == 0 && strchr(value, ':'));
}

/* A flag that has no value, as NAME=true or NAME=false. */
static gboolean add_switch(GPtrArray *flags, const gchar *file, const gchar *name,
			   const gchar *value, GError **error)
{
	if (strcmp(value, "true") == 0)
		g_ptr_array_add(flags, g_strconcat("--", name, NULL));
	else if (strcmp(value, "false") != 0)
		return fail(error, file, "%s=%s: neither true nor false", name, value);
	return TRUE;
}

static gboolean add(GPtrArray *flags, const gchar *file, const gchar *name, const gchar *value,
		    const GOptionEntry *entries, GError **error)
{
	const GOptionEntry *entry = entry_find(entries, name);

	if (is_secret(name, value))
		return fail(error, file,
			    "a password or a token does not belong here; name a file "
			    "that has it, as with password-file");
	if (entry && entry->arg == G_OPTION_ARG_NONE)
		return add_switch(flags, file, name, value, error);
	if (strcmp(name, "options") == 0)
		g_ptr_array_add(flags, g_strconcat("-o", value, NULL));
	else if (strcmp(name, "config-file") == 0)
		return fail(error, file, "a file cannot name another one");
	else
		g_ptr_array_add(flags, g_strconcat("--", name, "=", value, NULL));
	return TRUE;
}

static gboolean add_line(GPtrArray *flags, GKeyFile *keys, const gchar *file, const gchar *key,
			 const GOptionEntry *entries, gchar **ret_source, gchar **ret_mountpoint,
			 GError **error)
{
	g_autofree gchar *name = g_strdelimit(g_strdup(key), "_", '-');
	g_autofree gchar *value = g_key_file_get_value(keys, GROUP, key, NULL);
	gchar **place = strcmp(name, "source") == 0	  ? ret_source
			: strcmp(name, "mountpoint") == 0 ? ret_mountpoint
							  : NULL;

	if (!place)
		return add(flags, file, name, value, entries, error);
	g_free(*place);
	*place = g_steal_pointer(&value);
	return TRUE;
}

GStrv configfile_flags(const gchar *file, const GOptionEntry *entries, gchar **ret_source,
		       gchar **ret_mountpoint, GError **error)
{
	g_autoptr(GKeyFile) keys = open_file(file, error);
	g_autoptr(GPtrArray) flags = g_ptr_array_new_with_free_func(g_free);
	g_auto(GStrv) names = NULL;

	if (!keys)
		return NULL;
	names = g_key_file_get_keys(keys, GROUP, NULL, NULL);
	for (gchar **name = names; *name; name++) {
		if (!add_line(flags, keys, file, *name, entries, ret_source, ret_mountpoint, error))
			return NULL;
	}
	g_ptr_array_add(flags, NULL);
	return (GStrv)g_ptr_array_steal(flags, NULL);
}

gboolean configfile_value(const gchar *file, const gchar *name, gchar **ret_value, GError **error)
{
	g_autoptr(GKeyFile) keys = open_file(file, error);

	if (!keys)
		return FALSE;
	*ret_value = g_key_file_get_value(keys, GROUP, name, NULL);
	return TRUE;
}
