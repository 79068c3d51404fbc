/* SPDX-License-Identifier: Apache-2.0 */
/* mountopt.c - -o name=value,name2 becomes --name=value --name2. */
#include "mountopt.h"

#include <string.h>

#include "secret.h"
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
    {"helper=*", TOLERATED, NULL},
    {"uhelper=*", TOLERATED, NULL},
    {"sloppy", TOLERATED, NULL}, /* see item_add */
    {"silent", TOLERATED, NULL},
    {"loud", TOLERATED, NULL},
    {"fg", TOLERATED, NULL}, /* the opposite of bg, as NFS has it */
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
	GPtrArray *argv;	 /* of gchar, owned, for secret_free */
	GPtrArray *passed;	 /* of gchar, owned */
	gboolean after_password; /* of the item before, within -o */
	gboolean sloppy;	 /* what nobody knows is left out */
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

static gboolean entry_needs_value(const GOptionEntry *entry)
{
	return entry_has_value(entry) && entry->arg_description;
}

/* VALUE begins with the =; empty without one. */
static gchar *entry_flag(const GOptionEntry *entry, const gchar *value)
{
	gboolean is_switch = entry_has_value(entry) && !entry_needs_value(entry);

	return g_strconcat("--", entry->long_name, *value || !is_switch ? value : "=true", NULL);
}

/* PREFIX, "--" or "-o ", says how it was given. */
static void fail_unknown(const GOptionEntry *entries, const gchar *prefix, const gchar *item,
			 GError **error)
{
	g_autofree gchar *name = g_strndup(item, strcspn(item, "="));
	g_autofree gchar *dashed = g_strdelimit(g_strdup(name), "_", '-');
	g_autofree gchar *nearest = g_strdup(suggest_option(entries, dashed));

	if (!nearest) {
		g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_UNKNOWN_OPTION,
			    "unknown option %s%s; see etcdfs --help", prefix, name);
		return;
	}
	if (prefix[1] == 'o') /* either is understood; this is how FUSE's are written */
		g_strdelimit(nearest, "-", '_');
	g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_UNKNOWN_OPTION,
		    "unknown option %s%s; did you mean %s%s?", prefix, name, prefix, nearest);
}

/* An option of our own, given as NAME or NAME=VALUE, as a flag. */
static gboolean flag_add(Expansion *expansion, const GOptionEntry *entry, const gchar *item,
			 GError **error)
{
	const gchar *value = item + strcspn(item, "=");

	if (*value ? !entry_has_value(entry) : entry_needs_value(entry)) {
		g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "-o %s: %s",
			    entry->long_name,
			    *value ? "this option takes no value" : "a value is missing");
		return FALSE;
	}
	g_ptr_array_add(expansion->argv, entry_flag(entry, value));
	return TRUE;
}

static gboolean item_has_password(const gchar *item)
{
	return g_str_has_prefix(item, "password=") ||
	       (g_str_has_prefix(item, "user=") && strchr(item, ':'));
}

static void fail_item(const Expansion *expansion, const gchar *item, GError **error)
{
	if (expansion->after_password)
		g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_UNKNOWN_OPTION,
			    "-o: what follows the password is no option; write a comma in it as "
			    "\\,");
	else
		fail_unknown(expansion->entries, "-o ", item, error);
}

static gboolean item_add(Expansion *expansion, const gchar *item, GError **error)
{
	const GOptionEntry *entry = entry_find(expansion->entries, item, strcspn(item, "="));
	const Known *other = known_find(item);

	/* "user" is mount(8)'s, "user=NAME" is ours. */
	if (entry && !(other && entry_needs_value(entry) && !strchr(item, '=')))
		return flag_add(expansion, entry, item, error);
	if (strcmp(item, "sloppy") == 0)
		expansion->sloppy = TRUE;
	/* The rest of a password is not to be overlooked. */
	if (!other && expansion->sloppy && !expansion->after_password)
		return TRUE;
	if (!other) {
		fail_item(expansion, item, error);
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
	/* Never moved, so that no part of it stays behind. */
	GString *item = g_string_sized_new(strlen(*at));
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
	expansion->after_password = FALSE;
	while (*list) {
		gchar *item = item_read(&list);
		gboolean ok = !*item || item_add(expansion, item, error);

		expansion->after_password = item_has_password(item);
		secret_free(item);
		if (!ok)
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
			    "--%s: this option takes no value", entry->long_name);
		return 0;
	}
	two = !flag[len] && entry_needs_value(entry) && argv[1];
	g_ptr_array_add(expansion->argv, entry_flag(entry, flag + len));
	if (two)
		g_ptr_array_add(expansion->argv, g_strdup(argv[1]));
	return two ? 2 : 1;
}

static gboolean letter_is_known(const GOptionEntry *entries, gchar letter)
{
	while (entries->long_name && entries->short_name != letter)
		entries++;
	return entries->long_name != NULL;
}

/* Flags of one letter, behind one dash; none of them has a value. */
static guint letters_add(Expansion *expansion, const gchar *argument, GError **error)
{
	for (const gchar *letter = argument + 1; *letter; letter++) {
		if (letter_is_known(expansion->entries, *letter))
			continue;
		g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_UNKNOWN_OPTION,
			    "unknown option -%c%s; see etcdfs --help", *letter,
			    *letter == 'o' ? " behind another letter" : "");
		return 0;
	}
	g_ptr_array_add(expansion->argv, g_strdup(argument));
	return 1;
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
	if (argv[0][0] == '-' && argv[0][1] && argv[0][1] != '-')
		return letters_add(expansion, argv[0], error);
	g_ptr_array_add(expansion->argv, g_strdup(argv[0]));
	return 1;
}

GPtrArray *mountopt_expand(gchar **argv, const GOptionEntry *entries, GPtrArray *passed,
			   GError **error)
{
	g_autoptr(GPtrArray) expanded = g_ptr_array_new_with_free_func(secret_free);
	Expansion expansion = {entries, expanded, passed, FALSE, FALSE};
	gboolean flags = TRUE;

	if (*argv) /* the program's name */
		g_ptr_array_add(expanded, g_strdup(*argv++));
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
	return g_steal_pointer(&expanded);
}
