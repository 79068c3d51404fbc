/* SPDX-License-Identifier: Apache-2.0 */
/* given.c - the configuration file's flags first, so that those of the command line
 * count where both say it. */
#include "given.h"

#include <string.h>

#include "configfile.h"
#include "flags.h"
#include "mountopt.h"

void given_clear(Given *given)
{
	flags_clear(given);
	g_clear_pointer(&given->source, g_free);
	g_clear_pointer(&given->mountpoint, g_free);
	g_clear_pointer(&given->from_file, g_strfreev);
}

static gboolean parse(Given *given, const GPtrArray *argv, GError **error)
{
	g_autoptr(GOptionContext) context = flags_context(given);
	/* borrowed; GOption takes out what it has read */
	g_autofree gchar **rest = g_memdup2(argv->pdata, argv->len * sizeof *rest);
	gint n = (gint)argv->len - 1;

	return g_option_context_parse(context, &n, &rest, error);
}

static gboolean parse_expanded(Given *given, gchar **argv, GPtrArray *passed, GError **error)
{
	g_autofree GOptionEntry *entries = flags_entries(given);
	g_autoptr(GPtrArray) flags = mountopt_expand(argv, entries, passed, error);

	return flags && parse(given, flags, error);
}

/* What is wrong in the file shall be looked for there. */
static gboolean parse_file(Given *given, gchar **flags, const gchar *file, GPtrArray *passed,
			   GError **error)
{
	g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
	g_auto(GStrv) argv = NULL;

	g_strv_builder_add(builder, "etcdfs");
	g_strv_builder_addv(builder, (const char **)flags);
	argv = g_strv_builder_end(builder);
	if (parse_expanded(given, argv, passed, error))
		return TRUE;
	g_prefix_error(error, "%s: ", file);
	return FALSE;
}

gboolean given_parse(Given *given, gchar **argv, GPtrArray *passed, GError **error)
{
	g_autofree GOptionEntry *entries = flags_entries(given);
	g_autofree gchar *file = NULL;
	g_auto(GStrv) flags = NULL;
	g_auto(Given) said = {NULL};
	GStrv positional;

	*given = (Given){NULL};
	if (!parse_expanded(given, argv, passed, error))
		return FALSE;
	file = g_strdup(given->config_file);
	if (!file || given->help || given->version)
		return TRUE;

	said = *given;
	*given = (Given){NULL};
	g_ptr_array_set_size(passed, 0);
	flags = configfile_flags(file, entries, &given->source, &given->mountpoint, error);
	if (!flags || !parse_file(given, flags, file, passed, error))
		return FALSE;
	positional = g_steal_pointer(&given->positional);
	g_strfreev(positional);
	flags_yield(given, &said);
	given->from_file = g_steal_pointer(&flags);
	return parse_expanded(given, argv, passed, error);
}
