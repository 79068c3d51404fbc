/* SPDX-License-Identifier: Apache-2.0 */
#include "commandline.h"

#include <string.h>

gboolean commandline_parse(Options *options, const gchar *arguments, const gchar *variables,
			   GError **error)
{
	g_autofree gchar *line = g_strconcat("etcdfs ", arguments, NULL);
	g_auto(GStrv) argv = g_strsplit(line, " ", -1);
	g_auto(GStrv) environment = g_strsplit(variables ? variables : "", " ", -1);

	return options_parse(options, argv, environment, error);
}

void commandline_parse_ok(Options *options, const gchar *arguments, const gchar *variables)
{
	g_autoptr(GError) error = NULL;

	if (!commandline_parse(options, arguments, variables, &error))
		g_error("\"%s\": %s", arguments, error->message);
}

gchar *commandline_parse_fails(const gchar *arguments, const gchar *variables)
{
	g_autoptr(GError) error = NULL;
	Options options;

	if (commandline_parse(&options, arguments, variables, &error))
		g_error("\"%s\" was understood", arguments);
	g_test_message("%s", error->message);
	g_assert_null(strchr(error->message, '\n'));
	g_assert_null(strstr(error->message, "SECRET"));
	return g_strdup(error->message);
}

void commandline_check_mistakes(const Mistake *mistakes, gsize n)
{
	for (gsize i = 0; i < n; i++) {
		const Mistake *mistake = &mistakes[i];
		g_autofree gchar *message = commandline_parse_fails(mistake->arguments,
								    mistake->variables);

		for (gsize j = 0; j < G_N_ELEMENTS(mistake->parts) && mistake->parts[j]; j++) {
			if (!strstr(message, mistake->parts[j]))
				g_error("\"%s\": no \"%s\" in \"%s\"", mistake->arguments,
					mistake->parts[j], message);
		}
	}
}
