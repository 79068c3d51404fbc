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
#include "configfile.h"
#include "flags.h"
#include "given.h"
#include "numberopt.h"
#include "secret.h"
#include "setting.h"
#include "source.h"
#include "timeopt.h"
#include "tlsopt.h"

/* Where to mount: what stands free counts, and the configuration file without. */
static gboolean take_mountpoint(Options *options, const Given *given, guint n, GError **error)
{
	const gchar *mountpoint = n > 0 ? given->positional[n - 1] : given->mountpoint;

	if (!mountpoint || !*mountpoint || strstr(mountpoint, "://")) {
		g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
			    "the mount point is missing; write etcdfs [SOURCE] MOUNTPOINT");
		return FALSE;
	}
	options->mountpoint = g_strdup(mountpoint);
	return TRUE;
}

/* Sorts what stands free into SOURCE and MOUNTPOINT. */
static gboolean take_positional(Options *options, const Given *given, GError **error)
{
	guint n = given->positional ? g_strv_length(given->positional) : 0;
	const gchar *source = n == 2 ? given->positional[0] : given->source;

	if (n > 2) {
		g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
			    "%s: one argument too many; see etcdfs --help",
			    given->positional[n - 1]);
		return FALSE;
	}
	/* fstab has a first column also where the endpoints are options. */
	if (source && strcmp(source, "none") != 0)
		options->source = g_strdup(source);
	return take_mountpoint(options, given, n, error);
}

/* Endpoints and prefix when the source says them. */
static gboolean take_source(Options *options, const Given *given, SourceTls *ret_tls,
			    GError **error)
{
	const gchar *flag = given->endpoints	   ? "--endpoints"
			    : given->discovery_srv ? "--discovery-srv"
						   : "--prefix";

	/* The source is looked at first: a mistake in it is the greater one. */
	if (!source_parse(options->source, &options->endpoints, &options->prefix, ret_tls, error))
		return FALSE;
	if (given->endpoints || given->discovery_srv ||
	    (given->prefix && g_bytes_get_size(options->prefix) > 0)) {
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
	const gchar *list = setting.text ? setting.text : FLAGS_DEFAULT_ENDPOINTS;
	g_autofree gchar *where = g_strdup_printf("%s=%s", setting.where, list);
	SourceTls tls;

	options->endpoints = source_endpoints(list, setting.where, &tls, error);
	if (!options->endpoints || !tlsopt_take(options, given, environment, tls, where, error))
		return FALSE;
	options->source = source_string((const gchar *const *)options->endpoints, options->prefix,
					options->tls);
	return TRUE;
}

/* The endpoints are still to be found: by the name of a domain. */
static gboolean take_domain(Options *options, const Given *given, gchar **environment,
			    const Setting *domain, GError **error)
{
	Setting name = setting_get(given->discovery_srv_name, "--discovery-srv-name",
				   "ETCDCTL_DISCOVERY_SRV_NAME", environment);
	const gchar *const hosts[] = {domain->text, NULL};

	if (given->endpoints) {
		g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
			    "--endpoints and --discovery-srv both say it; leave one out");
		return FALSE;
	}
	options->discovery_srv = g_strdup(domain->text);
	options->discovery_srv_name = g_strdup(name.text);
	options->endpoints = g_new0(gchar *, 1);
	if (!tlsopt_take(options, given, environment, SOURCE_TLS_UNSAID, domain->where, error))
		return FALSE;
	options->source = source_string(hosts, options->prefix, options->tls);
	return TRUE;
}

/* A source or a flag that names the endpoints beats a variable that names the domain. */
static gboolean take_discovery(Options *options, const Given *given, gchar **environment,
			       Setting *ret_domain, GError **error)
{
	Setting insecure = setting_get(given->insecure_discovery, "--insecure-discovery",
				       "ETCDCTL_INSECURE_DISCOVERY", environment);

	*ret_domain = setting_get(given->discovery_srv, "--discovery-srv", "ETCDCTL_DISCOVERY_SRV",
				  environment);
	options->insecure_discovery = TRUE;
	if (insecure.text && !setting_switch(&insecure, &options->insecure_discovery, error))
		return FALSE;
	if (given->discovery_srv && !*given->discovery_srv) {
		g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
			    "--discovery-srv: the name of the domain is missing");
		return FALSE;
	}
	if (given->discovery_srv_name && !ret_domain->text) {
		g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
			    "--discovery-srv-name without a domain; give --discovery-srv, too");
		return FALSE;
	}
	if (!ret_domain->by_flag && given->endpoints)
		ret_domain->text = NULL;
	return TRUE;
}

static gboolean take_etcd(Options *options, const Given *given, gchar **environment, GError **error)
{
	Setting domain;
	SourceTls tls = SOURCE_TLS_UNSAID;

	if ((options->source && !take_source(options, given, &tls, error)) ||
	    !take_discovery(options, given, environment, &domain, error))
		return FALSE;
	if (given->prefix)
		g_clear_pointer(&options->prefix, g_bytes_unref);
	if (!options->prefix)
		options->prefix = g_bytes_new(given->prefix,
					      given->prefix ? strlen(given->prefix) : 0);
	if (options->source)
		return tlsopt_take(options, given, environment, tls, options->source, error);
	if (domain.text)
		return take_domain(options, given, environment, &domain, error);
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

static gboolean level_parse(const gchar *where, const gchar *text, GLogLevelFlags *ret_level,
			    GError **error)
{
	static const struct {
		const gchar *name;
		GLogLevelFlags level;
	} levels[] = {
	    {"debug", G_LOG_LEVEL_DEBUG},     {"info", G_LOG_LEVEL_INFO},
	    {"warning", G_LOG_LEVEL_WARNING}, {"warn", G_LOG_LEVEL_WARNING},
	    {"error", G_LOG_LEVEL_CRITICAL},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(levels); i++) {
		if (strcmp(text, levels[i].name) == 0) {
			*ret_level = levels[i].level;
			return TRUE;
		}
	}
	g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
		    "%s=%s: not one of debug, info, warning, error", where, text);
	return FALSE;
}

static gboolean take_log_level(Options *options, const Given *given, GError **error)
{
	options->log_level = given->debug ? G_LOG_LEVEL_DEBUG : G_LOG_LEVEL_INFO;
	return !given->log_level ||
	       level_parse("--log-level", given->log_level, &options->log_level, error);
}

static gboolean take_file(const gchar *flag, const gchar *given, gchar **ret_file, GError **error)
{
	Setting setting = {given, flag, TRUE};

	if (!given)
		return TRUE;
	*ret_file = setting_file(&setting, error);
	return *ret_file != NULL;
}

static gboolean take_files(Options *options, const Given *given, GError **error)
{
	return take_file("--config-file", given->config_file, &options->config_file, error) &&
	       take_file("--mount-namespace", given->mount_namespace, &options->mount_namespace,
			 error);
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
	       timeopt_take(options, given, environment, error) &&
	       numberopt_take(options, given, environment, error) &&
	       take_log_level(options, given, error) && take_files(options, given, error);
}

/* A wrong value shall be looked for where it stands. */
static void blame_file(const Given *given, GError **error)
{
	const gchar *message = error && *error ? (*error)->message : "";

	for (gchar **flag = given->from_file; flag && *flag; flag++) {
		if (g_str_has_prefix(message, *flag) && message[strlen(*flag)] == ':') {
			g_prefix_error(error, "%s: ", given->config_file);
			return;
		}
	}
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
	if (take_all(options, &given, environment, error))
		return TRUE;
	blame_file(&given, error);
	return FALSE;
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

gboolean options_read_log_level(const gchar *config_file, GLogLevelFlags *ret_level, GError **error)
{
	g_autofree gchar *text = NULL, *where = NULL;

	if (!configfile_value(config_file, "log-level", &text, error))
		return FALSE;
	where = g_strdup_printf("%s: log-level", config_file);
	return !text || level_parse(where, text, ret_level, error);
}

void options_forget_secrets(Options *options)
{
	g_clear_pointer(&options->password, secret_free);
	g_clear_pointer(&options->auth_jwt_token, secret_free);
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
	g_free(options->password_file);
	g_free(options->auth_jwt_token_file);
	options_forget_secrets(options);
	g_free(options->discovery_srv);
	g_free(options->discovery_srv_name);
	g_free(options->config_file);
	g_free(options->mount_namespace);
	g_strfreev(options->mount_options);
	*options = (Options){.action = OPTIONS_MOUNT};
}

gchar *options_help(void)
{
	return flags_help();
}

gchar *options_version(void)
{
	return g_strdup_printf("etcdfs %s\nlibfuse %s\n", ETCDFS_VERSION, fuse_pkgversion());
}
