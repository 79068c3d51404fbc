/* SPDX-License-Identifier: Apache-2.0 */
/* etcdfs - mounts etcd as a directory.
 *
 * Reads the options, looks at the mount point, and goes to the background; the rest is
 * program.c's.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "daemon.h"
#include "helper.h"
#include "log.h"
#include "mount.h"
#include "notify.h"
#include "options.h"
#include "password.h"
#include "place.h"
#include "program.h"

/* Of a command line that cannot be meant; all else is EXIT_FAILURE. */
#define EXIT_USAGE 2

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

static MountConfig mount_config(const Options *options, const Place *place)
{
	gboolean on_terminal = isatty(STDIN_FILENO) || isatty(STDERR_FILENO);

	return (MountConfig){
	    .mountpoint = place->mountpoint,
	    .source = options->source,
	    .options = (const char *const *)options->mount_options,
	    .allow_other = options->allow_other,
	    .stale_fail = options->stale_fail,
	    .single_thread = options->single_thread,
	    .max_threads = options->max_threads,
	    .max_idle_threads = options->max_idle_threads,
	    .privileged = place->privileged,
	    .hangup_leaves = options->foreground && on_terminal,
	    .heartbeat = notify_watchdog_us() > 0,
	};
}

static gboolean check_owner(const Options *options, const MountConfig *config, GError **error)
{
	if (!mount_checks_announcer(config) || options->uid == geteuid())
		return TRUE;
	g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
		    "--uid=%u together with %s needs root", options->uid,
		    options->allow_other ? "--allow-other" : "--stale-policy=fail");
	return FALSE;
}

/* RET_FD: for program_run. */
static gboolean leave_foreground(const Options *options, int *ret_fd, GError **error)
{
	*ret_fd = -1;
	if (options->foreground)
		return TRUE;
	*ret_fd = daemon_fork();
	if (*ret_fd < 0) {
		g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno),
			    "cannot go to the background: %s", g_strerror(errno));
		return FALSE;
	}
	/* On standard error who mounts in the background wants errors only. */
	log_background();
	return TRUE;
}

static gboolean run(Options *options, GError **error)
{
	g_auto(Place) place = {NULL};
	int ready_fd;

	if (!place_init(&place, options, error))
		return FALSE;
	log_identify(options->source, place.mountpoint);
	MountConfig config = mount_config(options, &place);
	if (!check_owner(options, &config, error) || !complete_login(options, error) ||
	    !leave_foreground(options, &ready_fd, error))
		return FALSE;
	/* Until somebody reloads for it. */
	if (!config.hangup_leaves)
		signal(SIGHUP, SIG_IGN);
	return program_run(options, &config, ready_fd, error);
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
