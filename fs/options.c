/* SPDX-License-Identifier: Apache-2.0 */
/* options.c - what was said, and the variables where nothing was, as values.
 *
 *   argv --mountopt--> flags only --given--> text --options--> values
 */
#include "options.h"

#include <fuse_lowlevel.h>
#include <string.h>
#include <unistd.h>

#include "authopt.h"
#include "duration.h"
#include "given.h"
#include "secret.h"
#include "setting.h"
#include "source.h"
#include "tlsopt.h"

#define DEFAULT_UMASK 022

typedef struct {
	const gchar *flag;
	const gchar *variable;
	guint default_ms;
	guint least_ms;
	const gchar *reason; /* for the least */
} DurationRule;

static const DurationRule dial_timeout = {"--dial-timeout", "ETCDCTL_DIAL_TIMEOUT", 2000, 1, NULL};
static const DurationRule command_timeout = {"--command-timeout", "ETCDCTL_COMMAND_TIMEOUT", 5000,
					     1, NULL};
static const DurationRule keepalive_time = {"--keepalive-time", "ETCDCTL_KEEPALIVE_TIME", 10000,
					    6000, "etcd cuts off clients that ping more often"};
static const DurationRule keepalive_timeout = {"--keepalive-timeout", "ETCDCTL_KEEPALIVE_TIMEOUT",
					       10000, 1, NULL};

static gboolean take_duration(const DurationRule *rule, const gchar *given, gchar **environment,
			      guint *ret_ms, GError **error)
{
	Setting setting = setting_get(given, rule->flag, rule->variable, environment);
	const gchar *text = setting.text, *where = setting.where;

	*ret_ms = rule->default_ms;
	if (!text)
		return TRUE;
	if (!duration_parse(text, ret_ms)) {
		g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
			    "%s=%s: not a duration; write a number and a unit, as in 5s or 500ms",
			    where, text);
		return FALSE;
	}
	if (*ret_ms >= rule->least_ms)
		return TRUE;
	/* The variable is etcdctl's, which raises what is too short without a word. */
	if (rule->reason && !setting.by_flag) {
		*ret_ms = rule->least_ms;
		return TRUE;
	}
	if (rule->reason)
		g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
			    "%s=%s: at least %us, for %s", where, text, rule->least_ms / 1000,
			    rule->reason);
	else
		g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
			    "%s=%s: must be longer than 0", where, text);
	return FALSE;
}

static gboolean take_durations(Options *options, const Given *given, gchar **environment,
			       GError **error)
{
	return take_duration(&dial_timeout, given->dial_timeout, environment,
			     &options->dial_timeout_ms, error) &&
	       take_duration(&command_timeout, given->command_timeout, environment,
			     &options->command_timeout_ms, error) &&
	       take_duration(&keepalive_time, given->keepalive_time, environment,
			     &options->keepalive_time_ms, error) &&
	       take_duration(&keepalive_timeout, given->keepalive_timeout, environment,
			     &options->keepalive_timeout_ms, error);
}

/* TEXT, if any, as a number; the value stays as it is without. */
static gboolean take_number(const gchar *flag, const gchar *text, guint base, guint most,
			    guint *value, GError **error)
{
	guint64 number;

	if (!text)
		return TRUE;
	if (g_ascii_string_to_unsigned(text, base, 0, most, &number, NULL)) {
		*value = (guint)number;
		return TRUE;
	}
	g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "%s=%s: not %s", flag, text,
		    base == 8 ? "an octal number up to 0777" : "a numeric id");
	return FALSE;
}

static gboolean take_ownership(Options *options, const Given *given, GError **error)
{
	/* (uid_t)-1 means "nobody" to every system call. */
	guint most = G_MAXUINT32 - 1, umask = DEFAULT_UMASK;

	options->uid = getuid();
	options->gid = getgid();
	if (!take_number("--uid", given->uid, 10, most, &options->uid, error) ||
	    !take_number("--gid", given->gid, 10, most, &options->gid, error) ||
	    !take_number("--umask", given->umask, 8, 0777, &umask, error))
		return FALSE;
	options->fmask = options->dmask = umask;
	return take_number("--fmask", given->fmask, 8, 0777, &options->fmask, error) &&
	       take_number("--dmask", given->dmask, 8, 0777, &options->dmask, error);
}

/* Sorts what stands free into SOURCE and MOUNTPOINT. */
static gboolean take_positional(Options *options, const Given *given, GError **error)
{
	guint n = given->positional ? g_strv_length(given->positional) : 0;
	const gchar *last = n > 0 ? given->positional[n - 1] : NULL;

	if (n > 2) {
		g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
			    "%s: one argument too many; see etcdfs --help", last);
		return FALSE;
	}
	if (n == 0 || !*last || strstr(last, "://")) {
		g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
			    "the mount point is missing; write etcdfs [SOURCE] MOUNTPOINT");
		return FALSE;
	}
	options->mountpoint = g_strdup(last);
	/* fstab has a first column also where the endpoints are options. */
	if (n == 2 && strcmp(given->positional[0], "none") != 0)
		options->source = g_strdup(given->positional[0]);
	return TRUE;
}

/* Endpoints and prefix when the source says them. */
static gboolean take_source(Options *options, const Given *given, SourceTls *ret_tls,
			    GError **error)
{
	const gchar *flag = given->endpoints ? "--endpoints" : given->prefix ? "--prefix" : NULL;

	/* The source is looked at first: a mistake in it is the greater one. */
	if (!source_parse(options->source, &options->endpoints, &options->prefix, ret_tls, error))
		return FALSE;
	if (given->endpoints || (given->prefix && g_bytes_get_size(options->prefix) > 0)) {
		g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
			    "%s and %s both say it; leave one out", options->source, flag);
		return FALSE;
	}
	return TRUE;
}

/* Where there is no source: composes one. */
static gboolean take_endpoints(Options *options, const Given *given, gchar **environment,
			       GError **error)
{
	Setting setting = setting_get(given->endpoints, "--endpoints", "ETCDCTL_ENDPOINTS",
				      environment);
	const gchar *list = setting.text ? setting.text : GIVEN_DEFAULT_ENDPOINTS;
	g_autofree gchar *where = g_strdup_printf("%s=%s", setting.where, list);
	SourceTls tls;

	options->endpoints = source_endpoints(list, setting.where, &tls, error);
	if (!options->endpoints || !tlsopt_take(options, given, environment, tls, where, error))
		return FALSE;
	options->source = source_string((const gchar *const *)options->endpoints, options->prefix,
					options->tls);
	return TRUE;
}

static gboolean take_etcd(Options *options, const Given *given, gchar **environment, GError **error)
{
	SourceTls tls;

	if (options->source && !take_source(options, given, &tls, error))
		return FALSE;
	if (given->prefix)
		g_clear_pointer(&options->prefix, g_bytes_unref);
	if (!options->prefix)
		options->prefix = g_bytes_new(given->prefix,
					      given->prefix ? strlen(given->prefix) : 0);
	if (options->source)
		return tlsopt_take(options, given, environment, tls, options->source, error);
	return take_endpoints(options, given, environment, error);
}

/* Of both the later counts, as in mount(8).  Only who says "exec" wants values to be
 * programs; libfuse gets it, too, to take back a "noexec" before it. */
static gboolean is_exec(gchar **mount_options)
{
	gboolean exec = FALSE;

	for (; *mount_options; mount_options++) {
		if (strcmp(*mount_options, "exec") == 0)
			exec = TRUE;
		else if (strcmp(*mount_options, "noexec") == 0)
			exec = FALSE;
	}
	return exec;
}

static gboolean take_all(Options *options, Given *given, gchar **environment, GError **error)
{
	options->executable = given->executable || is_exec(options->mount_options);
	options->allow_other = given->allow_other;
	options->foreground = given->foreground || given->debug;
	options->debug = given->debug;
	options->single_thread = given->single_thread;
	return take_positional(options, given, error) &&
	       take_etcd(options, given, environment, error) &&
	       authopt_take(options, given, environment, error) &&
	       take_durations(options, given, environment, error) &&
	       take_ownership(options, given, error);
}

static gboolean parse(Options *options, gchar **argv, gchar **environment, GError **error)
{
	g_autoptr(GPtrArray) passed = g_ptr_array_new_with_free_func(g_free);
	g_auto(Given) given = {NULL};

	if (!given_parse(&given, argv, passed, error))
		return FALSE;
	if (given.help || given.version) {
		options->action = given.help ? OPTIONS_HELP : OPTIONS_VERSION;
		return TRUE;
	}
	g_ptr_array_add(passed, NULL);
	options->mount_options = (GStrv)g_ptr_array_steal(passed, NULL);
	return take_all(options, &given, environment, error);
}

gboolean options_parse(Options *options, gchar **argv, gchar **environment, GError **error)
{
	gboolean ok;

	*options = (Options){.action = OPTIONS_MOUNT};
	ok = parse(options, argv, environment, error);
	secret_hide_argv(argv);
	secret_hide_environment(environment);
	if (!ok)
		options_clear(options);
	return ok;
}

void options_forget_password(Options *options)
{
	g_clear_pointer(&options->password, secret_free);
}

void options_clear(Options *options)
{
	g_free(options->source);
	g_strfreev(options->endpoints);
	g_clear_pointer(&options->prefix, g_bytes_unref);
	g_free(options->mountpoint);
	g_free(options->cacert);
	g_free(options->cert);
	g_free(options->key);
	g_free(options->user);
	options_forget_password(options);
	g_free(options->password_file);
	g_strfreev(options->mount_options);
	*options = (Options){.action = OPTIONS_MOUNT};
}

gchar *options_help(void)
{
	return given_help();
}

gchar *options_version(void)
{
	return g_strdup_printf("etcdfs %s\nlibfuse %s\n", ETCDFS_VERSION, fuse_pkgversion());
}
