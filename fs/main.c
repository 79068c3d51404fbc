/* SPDX-License-Identifier: Apache-2.0 */
/* etcdfs - mounts etcd as a directory.
 *
 * The one file that knows both sides: it reads the options, seeds the tree, mounts
 * it, and only then goes to the background.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "daemon.h"
#include "domain.h"
#include "helper.h"
#include "keyspace_tree.h"
#include "log.h"
#include "mount.h"
#include "mounter.h"
#include "mountpoint.h"
#include "notify.h"
#include "options.h"
#include "password.h"
#include "patience.h"
#include "privileges.h"
#include "service.h"
#include "watch.h"

/* Of a command line that cannot be meant; all else is EXIT_FAILURE. */
#define EXIT_USAGE 2

/* Everything that lives as long as the mount does, in the order of need. */
typedef struct {
	StatusAbout about;
	Meters meters;
	Tree *tree;
	InodeTable *inodes;
	View *view;
	Waiting *waiting;
	Announcer *announcer;
	Control *control;
	Seeding *seeding;
	Withheld withheld;
	KeyspaceTree *keyspace;
	Fs fs;

	const Options *options;
	Watch *watch; /* the next two are NULL before they are there */
	Mount *mount;
	Service *service;
	Domain domain; /* the watch's thread's, once it is there */
} Program;

static KvBytes prefix_of(const Options *options)
{
	gsize len;
	const guint8 *data = g_bytes_get_data(options->prefix, &len);
	return (KvBytes){data, len};
}

static void program_init(Program *program, const Options *options, const MountConfig *config)
{
	*program = (Program){.options = options};
	program->about = (StatusAbout){
	    .source = config->source,
	    .mountpoint = config->mountpoint,
	    .prefix = prefix_of(options),
	    .revision = options->rev,
	    .max_stale_ms = options->max_stale_ms,
	    .stale_fail = options->stale_fail,
	};
	program->tree = tree_new(prefix_of(options));
	program->inodes = inode_table_new(tree_root(program->tree));
	program->view = view_new();
	program->withheld = (Withheld){.policy = options->stale_fail};
	program->waiting = waiting_new();
	program->announcer = announcer_new(program->tree, program->inodes, program->view,
					   &program->meters, program->waiting);
	program->control = control_new(program->tree, program->inodes, program->announcer,
				       program->waiting, &program->meters, &program->about);
	program->seeding = seeding_new();
	program->keyspace = keyspace_tree_new(program->tree, program->inodes, program->announcer,
					      program->control, program->seeding, &program->meters,
					      &program->withheld);
	program->fs = (Fs){
	    .tree = program->tree,
	    .inodes = program->inodes,
	    .view = program->view,
	    .control = program->control,
	    .meters = &program->meters,
	    .withheld = &program->withheld,
	    .waiting = program->waiting,
	    .attr = attr_config(options->uid, options->gid, options->fmask, options->dmask,
				options->executable, mount_checks_announcer(config)),
	    .generation = g_random_int(),
	    .no_open = config->privileged,
	};
}

static void program_clear(Program *program)
{
	keyspace_tree_free(program->keyspace);
	seeding_free(program->seeding);
	announcer_free(program->announcer);
	control_free(program->control);
	waiting_free(program->waiting);
	view_free(program->view);
	inode_table_free(program->inodes);
	tree_free(program->tree);
}

/* --- The service -------------------------------------------------------------- */

static void reload_log_level(const Options *options)
{
	g_autoptr(GError) error = NULL;
	GLogLevelFlags level = options->log_level;

	if (!options->config_file)
		return;
	if (options_read_log_level(options->config_file, &level, &error))
		log_set_level(level);
	else
		g_warning("%s; the log level stays", error->message);
}

static void reload(gpointer data)
{
	Program *program = data;

	reload_log_level(program->options);
	watch_reload(program->watch, service_reloaded, program->service);
}

static void count_keys(gpointer data, guint64 *ret_keys, guint64 *ret_total)
{
	Program *program = data;

	seeding_counts(program->seeding, ret_keys, ret_total);
}

static const char *hanging(gpointer data)
{
	Program *program = data;
	gboolean watch_answers = watch_answered(program->watch);
	gboolean mount_answers = mount_answered(program->mount);

	if (!watch_answers)
		return "the watch of etcd";
	return mount_answers ? NULL : "the mount";
}

/* --- The watch -------------------------------------------------------------------- */

static Watch *seed(Program *program, Options *options, GError **error)
{
	WatchConfig config = {
	    .endpoints = (const char *const *)options->endpoints,
	    .find_endpoints = options->discovery_srv ? domain_ask_again : NULL,
	    .find_data = &program->domain,
	    .prefix = prefix_of(options),
	    .revision = options->rev,
	    .dial_timeout_ms = options->dial_timeout_ms,
	    .retry_ms = options->retry_ms,
	    .retry_forever = options->bg && options->retry_ms == 0,
	    .command_timeout_ms = options->command_timeout_ms,
	    .max_stale_ms = options->max_stale_ms,
	    .keepalive_time_ms = options->keepalive_time_ms,
	    .keepalive_timeout_ms = options->keepalive_timeout_ms,
	    .tls =
		{
		    .enabled = options->tls,
		    .cacert = options->cacert,
		    .cert = options->cert,
		    .key = options->key,
		    .insecure_skip_verify = options->insecure_skip_verify,
		    /* DNS may lie, and then the host has a good certificate */
		    .server_name = options->insecure_discovery ? NULL : options->discovery_srv,
		},
	    .auth =
		{
		    .token = options->auth_jwt_token,
		    .token_file = options->auth_jwt_token_file,
		    .user = options->user,
		    .password = options->password,
		    .password_file = options->password_file,
		},
	};
	Watch *watch = watch_begin(&config, keyspace_tree_keyspace(program->keyspace), error);
	options_forget_secrets(options);
	return watch;
}

/* There is no contact yet, and the user lets us go on without. */
static void keep_trying(Program *program, const GError *reason, int *ready_fd)
{
	gboolean leaves = program->options->bg && *ready_fd >= 0;
	g_autofree char *text = g_strdup_printf("%s; trying again%s", reason->message,
						leaves ? " in the background" : "");

	log_warn_starter(text);
	service_trying(program->service, reason->message);
	if (leaves)
		daemon_ready(*ready_fd);
	if (leaves)
		*ready_fd = -1;
}

typedef struct {
	Program *program;
	int *ready_fd;
} Trial;

static void keep_asking(gpointer data, const GError *reason)
{
	Trial *trial = data;
	keep_trying(trial->program, reason, trial->ready_fd);
}

static gboolean ask_domain(Program *program, Options *options, int *ready_fd, GError **error)
{
	Trial trial = {program, ready_fd};
	return domain_ask(&program->domain, options, keep_asking, &trial, error);
}

/* FALSE without ERROR: somebody asked us to leave. */
static gboolean wait_started(Program *program, Patience *patience, int *ready_fd, GError **error)
{
	while (patience_wait(patience)) {
		g_autoptr(GError) reason = NULL;

		switch (watch_check_start(program->watch, &reason)) {
		case WATCH_STARTED:
			return TRUE;
		case WATCH_FAILED:
			g_propagate_error(error, g_steal_pointer(&reason));
			return FALSE;
		case WATCH_TRYING:
			if (reason)
				keep_trying(program, reason, ready_fd);
			break;
		case WATCH_STARTING:
			break;
		}
	}
	return FALSE;
}

/* --- The mount ------------------------------------------------------------------ */

typedef struct {
	const char *path;
	gboolean privileged;
	char *mountpoint;
	GError **error;
} Check;

static void check_privileged(gpointer data)
{
	((Check *)data)->privileged = mountpoint_is_privileged(((Check *)data)->path);
}

static void check_mountpoint(gpointer data)
{
	Check *check = data;
	check->mountpoint = mountpoint_check(check->path, check->privileged, check->error);
}

/* Nobody may be there yet to see that something else was mounted meanwhile. */
static Mount *make_mount(Program *program, const MountConfig *config, gboolean bg, GError **error)
{
	Check check = {config->mountpoint, config->privileged, NULL, error};
	if (bg)
		mounter_run(config->mounter, check_mountpoint, &check);
	g_autofree char *mountpoint = check.mountpoint;

	if (bg && !mountpoint)
		return NULL;
	return mount_new(config, &program->fs, program->announcer, error);
}

static void want(gpointer data, gint64 revision)
{
	watch_want_revision(data, revision);
}

/* Serves until the mount is gone, or somebody asks us to leave.  READY_FD: of
 * daemon_fork, or -1. */
static void serve(Program *program, Options *options, const MountConfig *config, int ready_fd,
		  GError **error)
{
	const ServiceCalls calls = {reload, count_keys, hanging, program};

	program->service = service_new(program->control, &calls, config->hangup_leaves);
	if (!options->discovery_srv || ask_domain(program, options, &ready_fd, error))
		program->watch = seed(program, options, error);
	if (!program->watch) {
		service_free(program->service);
		return;
	}

	/* It stays until the mount heeds signals itself. */
	g_auto(Patience) patience = {0};
	patience_init(&patience, watch_start_fd(program->watch));
	if (wait_started(program, &patience, &ready_fd, error))
		program->mount = make_mount(program, config, options->bg, error);
	patience_clear(&patience);
	waiting_set_ask(program->waiting, want, program->watch);
	if (program->mount) {
		if (config->privileged)
			mounter_settle(config->mounter);
		g_message("%s is mounted on %s", config->source, config->mountpoint);
		if (ready_fd >= 0)
			daemon_ready(ready_fd);
		service_ready(program->service);
		mount_wait(program->mount);
		service_stopping(program->service);
	}
	/* First what changes the tree, then what tells of it. */
	waiting_set_ask(program->waiting, NULL, NULL);
	watch_stop(program->watch);
	if (program->mount)
		mount_free(program->mount);
	service_free(program->service);
}

/* Asks for the password that nobody gave. */
static gboolean complete_login(Options *options, GError **error)
{
	if (!options->user || options->password)
		return TRUE;
	if (options->password_file)
		return password_check_file(options->password_file, error);
	options->password = password_ask(options->user, error);
	return options->password != NULL;
}

/* Where it is to be mounted, and how; nothing but this is done before the fork. */
static gboolean check_place(const Options *options, Check *check)
{
	g_autoptr(Mounter) mounter = NULL;

	if (options->mount_namespace && !g_path_is_absolute(options->mountpoint)) {
		g_set_error(check->error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
			    "%s: with --mount-namespace it must begin with /", options->mountpoint);
		return FALSE;
	}
	mounter = mounter_new(options->mount_namespace, FALSE, check->error);
	if (!mounter)
		return FALSE;
	mounter_run(mounter, check_privileged, check);
	mounter_run(mounter, check_mountpoint, check);
	return check->mountpoint != NULL;
}

static void run_program(Options *options, MountConfig *config, int ready_fd, GError **error)
{
	g_autoptr(Mounter)
	    mounter = mounter_new(options->mount_namespace, config->privileged, error);
	Program program;

	if (!mounter)
		return;
	config->mounter = mounter;
	/* All threads but the mounter's begin after this. */
	if (config->privileged)
		privileges_keep(PRIVILEGES_SERVE);
	program_init(&program, options, config);
	serve(&program, options, config, ready_fd, error);
	program_clear(&program);
}

static gboolean run(Options *options, GError **error)
{
	g_autoptr(GError) fault = NULL;
	Check check = {.path = options->mountpoint, .error = error};
	if (!check_place(options, &check))
		return FALSE;

	g_autofree char *mountpoint = check.mountpoint;
	gboolean on_terminal = isatty(STDIN_FILENO) || isatty(STDERR_FILENO);
	log_identify(options->source, mountpoint);
	MountConfig config = {
	    .mountpoint = mountpoint,
	    .source = options->source,
	    .options = (const char *const *)options->mount_options,
	    .allow_other = options->allow_other,
	    .stale_fail = options->stale_fail,
	    .single_thread = options->single_thread,
	    .max_threads = options->max_threads,
	    .max_idle_threads = options->max_idle_threads,
	    .privileged = check.privileged,
	    .hangup_leaves = options->foreground && on_terminal,
	    .heartbeat = notify_watchdog_us() > 0,
	};
	if (mount_checks_announcer(&config) && options->uid != geteuid()) {
		g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
			    "--uid=%u together with %s needs root", options->uid,
			    options->allow_other ? "--allow-other" : "--stale-policy=fail");
		return FALSE;
	}
	if (!complete_login(options, error))
		return FALSE;
	int ready_fd = options->foreground ? -1 : daemon_fork();
	if (ready_fd < 0 && !options->foreground) {
		g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno),
			    "cannot go to the background: %s", g_strerror(errno));
		return FALSE;
	}

	/* On standard error who mounts in the background wants errors only. */
	if (!options->foreground)
		log_background();
	/* Until somebody reloads for it. */
	if (!config.hangup_leaves)
		signal(SIGHUP, SIG_IGN);
	run_program(options, &config, ready_fd, &fault);
	if (!fault)
		return TRUE;
	g_propagate_error(error, g_steal_pointer(&fault));
	return FALSE;
}

static int print(char *text)
{
	fputs(text, stdout);
	g_free(text);
	return EXIT_SUCCESS;
}

static int fail(const GError *error)
{
	log_fatal(error->message);
	return error->domain == G_OPTION_ERROR ? EXIT_USAGE : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	g_auto(Options) options = {0};
	g_autoptr(GError) error = NULL;
	gboolean is_helper = helper_is_name(argv[0]), fake = FALSE;
	g_autofree gchar **translated = is_helper ? helper_translate(argv, &fake, &error) : NULL;

	daemon_fill_standard_streams();
	log_init(G_LOG_LEVEL_INFO);
	if (is_helper)
		prctl(PR_SET_NAME, "etcdfs"); /* who looks for the daemon looks for this */
	if (error || !options_parse(&options, is_helper ? translated : argv, environ, &error))
		return fail(error);
	if (options.action == OPTIONS_HELP)
		return print(options_help());
	if (options.action == OPTIONS_VERSION)
		return print(options_version());

	if (fake)
		return EXIT_SUCCESS;
	log_set_level(options.log_level);
	return run(&options, &error) ? EXIT_SUCCESS : fail(error);
}
