/* SPDX-License-Identifier: Apache-2.0 */
/* The one file that knows both sides, what etcd is asked and what the kernel is told. */
#include "program.h"

#include "daemon.h"
#include "domain.h"
#include "keyspace_tree.h"
#include "log.h"
#include "mounter.h"
#include "patience.h"
#include "place.h"
#include "privileges.h"
#include "service.h"
#include "watch.h"

/* Everything that lives as long as the mount does, in the order of need. */
typedef struct {
	StatusAbout about;
	Meters meters;
	Tree *tree;
	InodeTable *inodes;
	View *view;
	Copies *copies;
	Waiting *waiting;
	Announcer *announcer;
	Control *control;
	Ahead *ahead; /* NULL where a tree may be withheld: pages would stay */
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
	program->copies = copies_new();
	program->withheld = (Withheld){.policy = options->stale_fail};
	program->waiting = waiting_new();
	program->announcer = announcer_new(program->tree, program->inodes, program->view,
					   &program->meters, program->waiting);
	program->control = control_new(program->tree, program->inodes, program->announcer,
				       program->waiting, &program->meters, &program->about);
	if (!options->stale_fail)
		program->ahead = ahead_new(program->tree, program->inodes);
	program->seeding = seeding_new();
	program->keyspace = keyspace_tree_new(program->tree, program->inodes, program->announcer,
					      program->control, program->seeding, &program->meters,
					      &program->withheld);
	program->fs = (Fs){
	    .tree = program->tree,
	    .inodes = program->inodes,
	    .view = program->view,
	    .control = program->control,
	    .copies = program->copies,
	    .meters = &program->meters,
	    .withheld = &program->withheld,
	    .waiting = program->waiting,
	    .ahead = program->ahead,
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
	ahead_free(program->ahead);
	announcer_free(program->announcer);
	control_free(program->control);
	waiting_free(program->waiting);
	copies_free(program->copies);
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

/* Nobody may be there yet to see that something else was mounted meanwhile. */
static Mount *make_mount(Program *program, const MountConfig *config, gboolean bg, GError **error)
{
	if (bg && !place_still(config->mountpoint, config->privileged, config->mounter, error))
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

gboolean program_run(Options *options, MountConfig *config, int ready_fd, GError **error)
{
	g_autoptr(Mounter) mounter = NULL;
	g_autoptr(GError) fault = NULL;
	Program program;

	mounter = mounter_new(options->mount_namespace, config->privileged, error);
	if (!mounter)
		return FALSE;
	config->mounter = mounter;
	/* All threads but the mounter's begin after this. */
	if (config->privileged)
		privileges_keep(PRIVILEGES_SERVE);
	program_init(&program, options, config);
	serve(&program, options, config, ready_fd, &fault);
	program_clear(&program);
	if (!fault)
		return TRUE;
	g_propagate_error(error, g_steal_pointer(&fault));
	return FALSE;
}
