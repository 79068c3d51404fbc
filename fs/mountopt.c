/* SPDX-License-Identifier: Apache-2.0 */
/* mountopt.c - -o name=value,name2 becomes --name=value --name2. */
#include "mountopt.h"

#include <string.h>

#include "suggest.h"

typedef enum {
	PASSED,	   /* libfuse and the kernel know what to do */
	TOLERATED, /* nothing to do: it is so anyway, or means something to mount(8) only */
	REFUSED,   /* it would not do what the person expects */
} Fate;

typedef struct {
	const gchar *pattern;
	Fate fate;
	const gchar *reason; /* why REFUSED */
} Known;

#define CACHING "the kernel caches everything and is told of each change"

static const Known known[] = {
    {"auto_unmount", PASSED, NULL},
    {"blkdev", REFUSED, "there is no block device"},
    {"context=*", PASSED, NULL},
    {"defcontext=*", PASSED, NULL},
    {"fscontext=*", PASSED, NULL},
    {"rootcontext=*", PASSED, NULL},
    {"fsname=*", PASSED, NULL},
    {"subtype=*", PASSED, NULL},
    {"max_read=*", PASSED, NULL},
    {"nodev", PASSED, NULL},
    {"nosuid", PASSED, NULL},
    {"exec", PASSED, NULL},
    {"noexec", PASSED, NULL},
    {"sync", PASSED, NULL},
    {"async", PASSED, NULL},
    {"dirsync", PASSED, NULL},
    {"atime", PASSED, NULL},
    {"noatime", PASSED, NULL},

    /* Read-only always.  To libfuse "ro" would be the superblock's, and no event
     * could be raised; mount(8) says "rw" where nobody said anything. */
    {"ro", TOLERATED, NULL},
    {"rw", TOLERATED, NULL},
    {"default_permissions", TOLERATED, NULL}, /* always */
    /* There are no devices and no set-uid files; mount.fuse says these unasked. */
    {"dev", TOLERATED, NULL},
    {"suid", TOLERATED, NULL},
    {"nonempty", TOLERATED, NULL}, /* FUSE 3 never minds */
    /* libfuse 3.14 does not know these; we keep no times of access. */
    {"diratime", TOLERATED, NULL},
    {"nodiratime", TOLERATED, NULL},
    {"relatime", TOLERATED, NULL},
    {"norelatime", TOLERATED, NULL},
    {"strictatime", TOLERATED, NULL},
    {"nostrictatime", TOLERATED, NULL},
    {"lazytime", TOLERATED, NULL},
    {"nolazytime", TOLERATED, NULL},
    /* For mount(8), fstab and systemd. */
    {"defaults", TOLERATED, NULL},
    {"auto", TOLERATED, NULL},
    {"noauto", TOLERATED, NULL},
    {"user", TOLERATED, NULL},
    {"user=*", TOLERATED, NULL},
    {"nouser", TOLERATED, NULL},
    {"users", TOLERATED, NULL},
    {"nousers", TOLERATED, NULL},
    {"owner", TOLERATED, NULL},
    {"noowner", TOLERATED, NULL},
    {"group", TOLERATED, NULL},
    {"nogroup", TOLERATED, NULL},
    {"_netdev", TOLERATED, NULL},
    {"nofail", TOLERATED, NULL},
    {"comment=*", TOLERATED, NULL},
    {"x-*", TOLERATED, NULL},
    {"X-*", TOLERATED, NULL},

    {"allow_root", REFUSED,
     "the kernel answers from its cache and would not ask who reads; use allow_other"},
    {"remount", REFUSED, "unmount and mount again"},
    {"attr_timeout=*", REFUSED, CACHING},
    {"ac_attr_timeout=*", REFUSED, CACHING},
    {"entry_timeout=*", REFUSED, CACHING},
    {"negative_timeout=*", REFUSED, CACHING},
    {"auto_cache", REFUSED, CACHING},
    {"kernel_cache", REFUSED, CACHING},
    {"direct_io", REFUSED, CACHING},
};

typedef struct {
	const GOptionEntry *entries;
	GPtrArray *argv;   /* of gchar, owned */
	GPtrArray *passed; /* of gchar, owned */
} Expansion;

static const Known *known_find(const gchar *item)
{
	for (gsize i = 0; i < G_N_ELEMENTS(known); i++) {
		if (g_pattern_match_simple(known[i].pattern, item))
			return &known[i];
	}
	return NULL;
}

/* The entry called NAME, LEN bytes of it. */
static const GOptionEntry *entry_find(const GOptionEntry *entries, const gchar *name, gsize len)
{
	g_autofree gchar *dashed = g_strdelimit(g_strndup(name, len), "_", '-');

	for (; entries->long_name; entries++) {
		if (strcmp(entries->long_name, dashed) == 0)
			return entries;
	}
	return NULL;
}

static gboolean entry_has_value(const GOptionEntry *entry)
{
	return entry->arg != G_OPTION_ARG_NONE;
}

/* PREFIX, "--" or "-o ", says how it was given. */
static void fail_unknown(const GOptionEntry *entries, const gchar *prefix, const gchar *item,
			 GError **error)
{
	g_autofree gchar *name = g_strdelimit(g_strndup(item, strcspn(item, "=")), "_", '-');
	g_autofree gchar *nearest = g_strdup(suggest_option(entries, name));

	if (!nearest) {
		g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_UNKNOWN_OPTION,
			    "unknown option %s%s; see etcdfs --help", prefix, item);
		return;
	}
	if (prefix[1] == 'o') /* either is understood; this is how FUSE's are written */
		g_strdelimit(nearest, "-", '_');
	g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_UNKNOWN_OPTION,
		    "unknown option %s%s; did you mean %s%s?", prefix, item, prefix, nearest);
}

/* An option of our own, given as NAME or NAME=VALUE, as a flag. */
static gboolean flag_add(Expansion *expansion, const GOptionEntry *entry, const gchar *item,
			 GError **error)
{
	const gchar *value = strchr(item, '=');

	if (entry_has_value(entry) != (value != NULL)) {
		g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "-o %s: %s", item,
			    value ? "this option takes no value" : "a value is missing");
		return FALSE;
	}
	g_ptr_array_add(expansion->argv, g_strconcat("--", entry->long_name, value, NULL));
	return TRUE;
}

static gboolean item_add(Expansion *expansion, const gchar *item, GError **error)
{
	const GOptionEntry *entry = entry_find(expansion->entries, item, strcspn(item, "="));
	const Known *other = known_find(item);

	if (entry)
		return flag_add(expansion, entry, item, error);
	if (!other) {
		fail_unknown(expansion->entries, "-o ", item, error);
		return FALSE;
	}
	if (other->fate == REFUSED) {
		g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
			    "-o %s is not possible: %s", item, other->reason);
		return FALSE;
	}
	if (other->fate == PASSED)
		g_ptr_array_add(expansion->passed, g_strdup(item));
	return TRUE;
}

/* Whether AT is three octal digits that make a byte. */
static gboolean is_octal(const gchar *at)
{
	return at[0] >= '0' && at[0] <= '3' && at[1] >= '0' && at[1] <= '7' && at[2] >= '0' &&
	       at[2] <= '7';
}

/* Reads the next item of a list up to its comma.  As libfuse: a backslash takes
 * the next character for itself, and \054 is the character of that number. */
static gchar *item_read(const gchar **at)
{
	GString *item = g_string_new(NULL);
	const gchar *c = *at;

	while (*c && *c != ',') {
		if (c[0] != '\\' || !c[1]) {
			g_string_append_c(item, *c++);
		} else if (is_octal(c + 1)) {
			g_string_append_c(
			    item, (gchar)((c[1] - '0') * 64 + (c[2] - '0') * 8 + (c[3] - '0')));
			c += 4;
		} else {
			g_string_append_c(item, c[1]);
			c += 2;
		}
	}
	*at = *c ? c + 1 : c;
	return g_string_free(item, FALSE);
}

static gboolean list_add(Expansion *expansion, const gchar *list, GError **error)
{
	while (*list) {
		g_autofree gchar *item = item_read(&list);

		if (*item && !item_add(expansion, item, error))
			return FALSE;
	}
	return TRUE;
}

/* A long flag, and its value if that is an argument of its own.  Returns how many
 * arguments that is, 0 on error. */
static guint long_flag_add(Expansion *expansion, gchar **argv, GError **error)
{
	const gchar *flag = argv[0] + 2;
	gsize len = strcspn(flag, "=");
	const GOptionEntry *entry = entry_find(expansion->entries, flag, len);
	gboolean two;

	if (!entry) {
		fail_unknown(expansion->entries, "--", flag, error);
		return 0;
	}
	if (flag[len] && !entry_has_value(entry)) {
		g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
			    "%s: this option takes no value", argv[0]);
		return 0;
	}
	two = !flag[len] && entry_has_value(entry) && argv[1];
	g_ptr_array_add(expansion->argv, g_strconcat("--", entry->long_name, flag + len, NULL));
	if (two)
		g_ptr_array_add(expansion->argv, g_strdup(argv[1]));
	return two ? 2 : 1;
}

/* Adds what ARGV begins with; returns how many arguments that is, 0 on error. */
static guint argument_add(Expansion *expansion, gchar **argv, GError **error)
{
	if (strcmp(argv[0], "-o") == 0) {
		if (!argv[1]) {
			g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
				    "-o: the options are missing");
			return 0;
		}
		return list_add(expansion, argv[1], error) ? 2 : 0;
	}
	if (g_str_has_prefix(argv[0], "-o"))
		return list_add(expansion, argv[0] + 2, error) ? 1 : 0;
	if (g_str_has_prefix(argv[0], "--") && argv[0][2])
		return long_flag_add(expansion, argv, error);
	g_ptr_array_add(expansion->argv, g_strdup(argv[0]));
	return 1;
}

GStrv mountopt_expand(gchar **argv, const GOptionEntry *entries, GPtrArray *passed, GError **error)
{
	g_autoptr(GPtrArray) expanded = g_ptr_array_new_with_free_func(g_free);
	Expansion expansion = {entries, expanded, passed};
	gboolean flags = TRUE;

	while (*argv) {
		guint n = 1;

		if (flags && strcmp(*argv, "--") == 0)
			flags = FALSE;
		if (flags)
			n = argument_add(&expansion, argv, error);
		else
			g_ptr_array_add(expanded, g_strdup(*argv));
		if (n == 0)
			return NULL;
		argv += n;
	}
	g_ptr_array_add(expanded, NULL);
	return (GStrv)g_ptr_array_steal(expanded, NULL);
}
