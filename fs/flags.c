/* SPDX-License-Identifier: Apache-2.0 */
#include "flags.h"

#include "secret.h"

typedef enum {
	ETCD,
	LOGIN,
	AWAY,
	FILES,
	PROGRAM,
	N_GROUPS,
} Group;

static const struct {
	const gchar *name;
	const gchar *title;
} groups[N_GROUPS] = {
    [ETCD] = {"etcd", "etcd:"},
    [LOGIN] = {"login", "TLS and authentication:"},
    [AWAY] = {"away", "When etcd is away:"},
    [FILES] = {"files", "Files:"},
    [PROGRAM] = {"program", "Program:"},
};

typedef struct {
	Group group;
	gsize offset; /* of its field in Given */
	GOptionEntry entry;
} Flag;

#define AT(field) offsetof(Given, field)
/* FILENAME: the bytes as they are, in any locale. */
#define TEXT 0, G_OPTION_ARG_FILENAME, NULL
#define FLAG 0, G_OPTION_ARG_NONE, NULL
/* For etcdctl's sake: taken, and nothing to tell. */
#define HIDDEN G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_FILENAME, NULL, NULL

static const Flag flags[] = {
    {ETCD,
     AT(endpoints),
     {"endpoints", 0, TEXT, "Where etcd listens [" FLAGS_DEFAULT_ENDPOINTS "]", "HOST:PORT,..."}},
    {ETCD, AT(prefix), {"prefix", 0, TEXT, "Show the keys that begin with it", "PREFIX"}},
    {ETCD, AT(rev), {"rev", 0, TEXT, "Show this revision, for ever [follow]", "REVISION"}},
    {ETCD,
     AT(discovery_srv),
     {"discovery-srv", 0, TEXT, "Find the endpoints by DNS SRV records", "DOMAIN"}},
    {ETCD,
     AT(discovery_srv_name),
     {"discovery-srv-name", 0, TEXT, "Which of its services", "NAME"}},
    {ETCD,
     AT(insecure_discovery),
     {"insecure-discovery", 0, TEXT, "Endpoints without TLS, too [true]", NULL}},
    {ETCD, AT(dial_timeout), {"dial-timeout", 0, TEXT, "For the first contact [2s]", "DURATION"}},
    {ETCD, AT(command_timeout), {"command-timeout", 0, TEXT, "For each request [5s]", "DURATION"}},
    {ETCD,
     AT(keepalive_time),
     {"keepalive-time", 0, TEXT, "Ping a silent etcd, and probe it [10s]", "DURATION"}},
    {ETCD,
     AT(keepalive_timeout),
     {"keepalive-timeout", 0, TEXT, "Give up a ping after it [10s]", "DURATION"}},
    /* What we ask is small, and what etcd holds has to come. */
    {ETCD, AT(max_request_bytes), {"max-request-bytes", 0, HIDDEN, "BYTES"}},
    {ETCD, AT(max_recv_bytes), {"max-recv-bytes", 0, HIDDEN, "BYTES"}},

    {LOGIN, AT(cacert), {"cacert", 0, TEXT, "Certificates to trust [the system's]", "FILE"}},
    {LOGIN, AT(cert), {"cert", 0, TEXT, "Our certificate", "FILE"}},
    {LOGIN, AT(key), {"key", 0, TEXT, "And its private key, not encrypted", "FILE"}},
    {LOGIN,
     AT(insecure_skip_tls_verify),
     {"insecure-skip-tls-verify", 0, TEXT, "Trust any server: for tests", NULL}},
    /* Its default does nothing; =false asks for TLS. */
    {LOGIN, AT(insecure_transport), {"insecure-transport", 0, HIDDEN, NULL}},
    {LOGIN, AT(user), {"user", 0, TEXT, "Whom to log in as [no login]", "NAME[:PASSWORD]"}},
    {LOGIN, AT(password), {"password", 0, TEXT, "Of that user [asked for]", "PASSWORD"}},
    {LOGIN,
     AT(password_file),
     {"password-file", 0, TEXT, "A file that has it, and nothing else", "FILE"}},
    {LOGIN,
     AT(auth_jwt_token),
     {"auth-jwt-token", 0, TEXT, "Show this token instead of a login", "TOKEN"}},
    {LOGIN,
     AT(auth_jwt_token_file),
     {"auth-jwt-token-file", 0, TEXT, "A file that has it, and nothing else", "FILE"}},

    {AWAY,
     AT(retry),
     {"retry", 0, TEXT, "At start: try for so long [one dial timeout]", "DURATION"}},
    {AWAY, AT(bg), {"bg", 0, FLAG, "At start: go on trying in the background", NULL}},
    {AWAY,
     AT(max_stale),
     {"max-stale", 0, TEXT, "Without contact for so long: stale [never]", "DURATION"}},
    {AWAY,
     AT(stale_policy),
     {"stale-policy", 0, TEXT, "Then: serve the last tree, or fail [serve]", "serve|fail"}},

    {FILES, AT(uid), {"uid", 0, TEXT, "Who owns the files [you]", "UID"}},
    {FILES, AT(gid), {"gid", 0, TEXT, "And which group [yours]", "GID"}},
    {FILES, AT(umask), {"umask", 0, TEXT, "Permissions to take away [022]", "OCTAL"}},
    {FILES, AT(fmask), {"fmask", 0, TEXT, "The same, of files only", "OCTAL"}},
    {FILES, AT(dmask), {"dmask", 0, TEXT, "The same, of directories only", "OCTAL"}},
    {FILES, AT(executable), {"executable", 0, FLAG, "Files can be executed", NULL}},
    {FILES, AT(allow_other), {"allow-other", 0, FLAG, "Others may look, too", NULL}},

    {PROGRAM, AT(config_file), {"config-file", 0, TEXT, "Options that are not given here", "FILE"}},
    {PROGRAM,
     AT(log_level),
     {"log-level", 0, TEXT, "debug, info, warning or error [info]", "LEVEL"}},
    {PROGRAM,
     AT(mount_namespace),
     {"mount-namespace", 0, TEXT, "Mount there, as in /proc/1/ns/mnt", "FILE"}},
    {PROGRAM,
     AT(max_threads),
     {"max-threads", 0, TEXT, "To serve with, at most [processors]", "N"}},
    {PROGRAM, AT(max_idle_threads), {"max-idle-threads", 0, TEXT, "To keep when idle [all]", "N"}},
    {PROGRAM, AT(foreground), {"foreground", 'f', FLAG, "Stay in the foreground", NULL}},
    {PROGRAM, AT(debug), {"debug", 'd', FLAG, "Log everything, in the foreground", NULL}},
    {PROGRAM, AT(single_thread), {"single-thread", 's', FLAG, "Serve with one thread", NULL}},
    {PROGRAM, AT(help), {"help", 'h', FLAG, "Print this", NULL}},
    {PROGRAM, AT(version), {"version", 'V', FLAG, "Print the version", NULL}},
};

static GOptionEntry entry_of(const Flag *flag, Given *given)
{
	GOptionEntry entry = flag->entry;

	entry.arg_data = (gchar *)given + flag->offset;
	return entry;
}

GOptionEntry *flags_entries(Given *given)
{
	GOptionEntry *entries = g_new0(GOptionEntry, G_N_ELEMENTS(flags) + 1);

	for (gsize i = 0; i < G_N_ELEMENTS(flags); i++)
		entries[i] = entry_of(&flags[i], given);
	return entries;
}

static void add_groups(GOptionContext *context, Given *given)
{
	GOptionGroup *added[N_GROUPS];

	for (guint i = 0; i < N_GROUPS; i++) {
		added[i] = g_option_group_new(groups[i].name, groups[i].title, groups[i].title,
					      NULL, NULL);
		g_option_context_add_group(context, added[i]);
	}
	for (gsize i = 0; i < G_N_ELEMENTS(flags); i++) {
		GOptionEntry entries[] = {entry_of(&flags[i], given), {NULL}};
		g_option_group_add_entries(added[flags[i].group], entries);
	}
}

GOptionContext *flags_context(Given *given)
{
	GOptionContext *context = g_option_context_new("[SOURCE] MOUNTPOINT");
	GOptionEntry positional[] = {
	    {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &given->positional, NULL, NULL},
	    {NULL},
	};

	g_option_context_set_help_enabled(context, FALSE);
	g_option_context_add_main_entries(context, positional, NULL);
	add_groups(context, given);
	return context;
}

void flags_yield(Given *given, const Given *to)
{
	for (gsize i = 0; i < G_N_ELEMENTS(flags); i++) {
		gchar **text = (gchar **)((gchar *)given + flags[i].offset);

		if (flags[i].entry.arg == G_OPTION_ARG_FILENAME &&
		    *(gchar *const *)((const gchar *)to + flags[i].offset))
			g_clear_pointer(text, secret_free);
	}
}

void flags_clear(Given *given)
{
	for (gsize i = 0; i < G_N_ELEMENTS(flags); i++) {
		if (flags[i].entry.arg == G_OPTION_ARG_FILENAME)
			g_clear_pointer((gchar **)((gchar *)given + flags[i].offset), secret_free);
	}
	g_clear_pointer(&given->positional, g_strfreev);
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
    "A --config-file has an [etcdfs] and then lines like dial-timeout=5s or\n"
    "allow-other=true, also source=, mountpoint=, and options= for those of -o.\n"
    "\n"
    "A password is best in a file, or typed.  On the command line and in the\n"
    "environment it is overwritten once it is read, but was seen until then.\n";

gchar *flags_help(void)
{
	Given given = {NULL};
	g_autoptr(GOptionContext) context = NULL;

	g_set_prgname("etcdfs"); /* "Usage:" would have the whole path */
	context = flags_context(&given);
	g_option_context_set_summary(context, help_summary);
	g_option_context_set_description(context, help_description);
	return g_option_context_get_help(context, FALSE, NULL);
}
