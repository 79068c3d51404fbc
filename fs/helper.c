/* SPDX-License-Identifier: Apache-2.0 */
#include "helper.h"

#include <getopt.h>
#include <string.h>

gboolean helper_is_name(const gchar *program)
{
	g_autofree gchar *name = g_path_get_basename(program);

	return g_str_has_prefix(name, "mount.");
}

static const struct option words[] = {
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL},
};

static void fail(gint letter, GError **error)
{
	if (letter == ':')
		g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
			    "-%c: a value is missing", optopt);
	else
		g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_UNKNOWN_OPTION,
			    "unknown option -%c; mount(8) says -s, -f, -n, -v, -N, -t and -o, and "
			    "those of etcdfs are given with -o",
			    optopt ? optopt : '-');
}

static void add(GPtrArray *translated, const gchar *flag, gchar *value)
{
	g_ptr_array_add(translated, (gpointer)flag);
	if (value)
		g_ptr_array_add(translated, value);
}

/* FALSE: not one of mount's. */
static gboolean take(GPtrArray *translated, gint letter, gboolean *ret_fake)
{
	switch (letter) {
	case 1: /* no option */
		add(translated, optarg, NULL);
		return TRUE;
	case 'o':
		add(translated, "-o", optarg);
		return TRUE;
	case 's':
		add(translated, "-osloppy", NULL);
		return TRUE;
	case 'N':
		add(translated, "--mount-namespace", optarg);
		return TRUE;
	case 'h':
		add(translated, "-h", NULL);
		return TRUE;
	case 'V':
		add(translated, "-V", NULL);
		return TRUE;
	case 'f':
		*ret_fake = TRUE;
		return TRUE;
	default:
		/* -n: there is no mtab.  -v: nothing to add.  -r, -w: it is read-only.  -i is for
		 * mount itself, and -t we know. */
		return strchr("nvrwit", letter) != NULL;
	}
}

gchar **helper_translate(gchar **argv, gboolean *ret_fake, GError **error)
{
	g_autoptr(GPtrArray) translated = g_ptr_array_new();
	gint n = (gint)g_strv_length(argv), letter;

	*ret_fake = FALSE;
	add(translated, argv[0], NULL);
	optind = opterr = 0;
	/* With the first -, what is no option comes in its turn. */
	while ((letter = getopt_long(n, argv, "-:sfnvrwiN:t:o:hV", words, NULL)) != -1) {
		if (!take(translated, letter, ret_fake)) {
			fail(letter, error);
			return NULL;
		}
	}
	if (optind < n)
		add(translated, "--", NULL);
	for (; optind < n; optind++)
		add(translated, argv[optind], NULL);
	g_ptr_array_add(translated, NULL);
	return (gchar **)g_ptr_array_steal(translated, NULL);
}
