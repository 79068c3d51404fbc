/* SPDX-License-Identifier: Apache-2.0 */
/* given.c - one GOption table for flags and for -o. */
#include "given.h"

#include <string.h>

#include "mountopt.h"
#include "secret.h"

void given_clear(Given *given)
{
	gchar **const texts[] = {
	    &given->endpoints,
	    &given->prefix,
	    &given->dial_timeout,
	    &given->command_timeout,
	    &given->keepalive_time,
	    &given->keepalive_timeout,
	    &given->cacert,
	    &given->cert,
	    &given->key,
	    &given->insecure_skip_tls_verify,
	    &given->insecure_transport,
	    &given->password_file,
	    &given->uid,
	    &given->gid,
	    &given->umask,
	    &given->fmask,
	    &given->dmask,
	};

	for (gsize i = 0; i < G_N_ELEMENTS(texts); i++)
		g_clear_pointer(texts[i], g_free);
	g_clear_pointer(&given->user, secret_free);
	g_clear_pointer(&given->password, secret_free);
	g_clear_pointer(&given->positional, g_strfreev);
}

/* FILENAME: the bytes as they are, in any locale. */
#define TEXT G_OPTION_ARG_FILENAME
#define FLAG G_OPTION_ARG_NONE

enum { N_ETCD = 6, N_LOGIN = 8, N_FILES = 7, N_PROGRAM = 5 };

/* Where the groups of the table begin; each ends with an empty entry. */
typedef struct {
	GOptionEntry etcd[N_ETCD + 1];
	GOptionEntry login[N_LOGIN + 1];
	GOptionEntry files[N_FILES + 1];
	GOptionEntry program[N_PROGRAM + 1];
	GOptionEntry positional[2];
} Table;

static void table_init(Table *table, Given *given)
{
	*table = (Table){
	    .etcd =
		{
		    {"endpoints", 0, 0, TEXT, &given->endpoints,
		     "Where etcd listens [" GIVEN_DEFAULT_ENDPOINTS "]", "HOST:PORT,..."},
		    {"prefix", 0, 0, TEXT, &given->prefix, "Show the keys that begin with it",
		     "PREFIX"},
		    {"dial-timeout", 0, 0, TEXT, &given->dial_timeout, "For the first contact [2s]",
		     "DURATION"},
		    {"command-timeout", 0, 0, TEXT, &given->command_timeout,
		     "For each request [5s]", "DURATION"},
		    {"keepalive-time", 0, 0, TEXT, &given->keepalive_time,
		     "Ping a silent etcd, and probe it [10s]", "DURATION"},
		    {"keepalive-timeout", 0, 0, TEXT, &given->keepalive_timeout,
		     "Give up a ping after it [10s]", "DURATION"},
		},
	    .login =
		{
		    {"cacert", 0, 0, TEXT, &given->cacert, "Certificates to trust [the system's]",
		     "FILE"},
		    {"cert", 0, 0, TEXT, &given->cert, "Our certificate", "FILE"},
		    {"key", 0, 0, TEXT, &given->key, "And its private key, not encrypted", "FILE"},
		    {"insecure-skip-tls-verify", 0, 0, TEXT, &given->insecure_skip_tls_verify,
		     "Trust any server: for tests", NULL},
		    /* Its default does nothing; =false asks for TLS. */
		    {"insecure-transport", 0, G_OPTION_FLAG_HIDDEN, TEXT,
		     &given->insecure_transport, NULL, NULL},
		    {"user", 0, 0, TEXT, &given->user, "Whom to log in as [no login]",
		     "NAME[:PASSWORD]"},
		    {"password", 0, 0, TEXT, &given->password, "Of that user [asked for]",
		     "PASSWORD"},
		    {"password-file", 0, 0, TEXT, &given->password_file,
		     "A file that has it, and nothing else", "FILE"},
		},
	    .files =
		{
		    {"uid", 0, 0, TEXT, &given->uid, "Who owns the files [you]", "UID"},
		    {"gid", 0, 0, TEXT, &given->gid, "And which group [yours]", "GID"},
		    {"umask", 0, 0, TEXT, &given->umask, "Permissions to take away [022]", "OCTAL"},
		    {"fmask", 0, 0, TEXT, &given->fmask, "The same, of files only", "OCTAL"},
		    {"dmask", 0, 0, TEXT, &given->dmask, "The same, of directories only", "OCTAL"},
		    {"executable", 0, 0, FLAG, &given->executable, "Files can be executed", NULL},
		    {"allow-other", 0, 0, FLAG, &given->allow_other, "Others may look, too", NULL},
		},
	    .program =
		{
		    {"foreground", 'f', 0, FLAG, &given->foreground, "Stay in the foreground",
		     NULL},
		    {"debug", 'd', 0, FLAG, &given->debug, "Log everything, in the foreground",
		     NULL},
		    {"single-thread", 's', 0, FLAG, &given->single_thread, "Serve with one thread",
		     NULL},
		    {"help", 'h', 0, FLAG, &given->help, "Print this", NULL},
		    {"version", 'V', 0, FLAG, &given->version, "Print the version", NULL},
		},
	    .positional = {{G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY,
			    &given->positional, NULL, NULL}},
	};
}

/* All groups of the table in one array, for mountopt_expand. */
static void table_flatten(const Table *table, GOptionEntry *ret_entries)
{
	memcpy(ret_entries, table->etcd, N_ETCD * sizeof(GOptionEntry));
	ret_entries += N_ETCD;
	memcpy(ret_entries, table->login, N_LOGIN * sizeof(GOptionEntry));
	ret_entries += N_LOGIN;
	memcpy(ret_entries, table->files, N_FILES * sizeof(GOptionEntry));
	ret_entries += N_FILES;
	memcpy(ret_entries, table->program, (N_PROGRAM + 1) * sizeof(GOptionEntry));
}

static void group_add(GOptionContext *context, const gchar *name, const gchar *title,
		      const GOptionEntry *entries)
{
	GOptionGroup *group = g_option_group_new(name, title, title, NULL, NULL);

	g_option_group_add_entries(group, entries);
	g_option_context_add_group(context, group);
}

static GOptionContext *context_new(const Table *table)
{
	GOptionContext *context = g_option_context_new("[SOURCE] MOUNTPOINT");

	g_option_context_set_help_enabled(context, FALSE);
	g_option_context_add_main_entries(context, table->positional, NULL);
	group_add(context, "etcd", "etcd:", table->etcd);
	group_add(context, "login", "TLS and authentication:", table->login);
	group_add(context, "files", "Files:", table->files);
	group_add(context, "program", "Program:", table->program);
	return context;
}

gboolean given_parse(Given *given, gchar **argv, GPtrArray *passed, GError **error)
{
	GOptionEntry entries[N_ETCD + N_LOGIN + N_FILES + N_PROGRAM + 1];
	g_autoptr(GOptionContext) context = NULL;
	g_autoptr(GPtrArray) flags = NULL;
	g_autofree gchar **rest = NULL; /* borrowed; GOption takes out what it has read */
	Table table;
	gint n;

	*given = (Given){NULL};
	table_init(&table, given);
	table_flatten(&table, entries);
	context = context_new(&table);
	flags = mountopt_expand(argv, entries, passed, error);
	if (!flags)
		return FALSE;
	rest = g_memdup2(flags->pdata, flags->len * sizeof *rest);
	n = (gint)flags->len - 1;
	return g_option_context_parse(context, &n, &rest, error);
}

static const gchar help_summary[] =
    "Shows etcd's keys as files, and each change at once.  SOURCE is\n"
    "etcd://HOST:PORT[,HOST:PORT...][/PREFIX], with TLS etcds://..., or --endpoints\n"
    "(also https://HOST:PORT and unix:/PATH) and --prefix.";

static const gchar help_description[] =
    "Each of these is also an -o option, as in -o uid=33,allow_other, beside mount's:\n"
    "  auto_unmount, fsname=NAME, subtype=NAME, max_read=N, context=..., noexec,\n"
    "  exec (as executable, if mount passes it on), [a]sync, dirsync, [no]atime\n"
    "\n"
    "A DURATION is written as 5s, 1m30s or 500ms.  Without the flag, the variables\n"
    "of etcdctl count: ETCDCTL_ENDPOINTS, ETCDCTL_DIAL_TIMEOUT, and so on.\n"
    "\n"
    "A password is best in a file, or typed.  On the command line and in the\n"
    "environment it is overwritten once it is read, but was seen until then.\n";

gchar *given_help(void)
{
	g_auto(Given) given = {NULL};
	g_autoptr(GOptionContext) context = NULL;
	Table table;

	g_set_prgname("etcdfs"); /* "Usage:" would have the whole path */
	table_init(&table, &given);
	context = context_new(&table);
	g_option_context_set_summary(context, help_summary);
	g_option_context_set_description(context, help_description);
	return g_option_context_get_help(context, FALSE, NULL);
}
