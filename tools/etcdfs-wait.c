/* SPDX-License-Identifier: Apache-2.0 */
/* etcdfs-wait - returns when a mount of etcdfs has come so far.
 *
 * It asks for extended attributes of the mount's root, and the daemon answers when there
 * is something to say (fs/waitattr.h).  A timer's signal ends that, and so does any
 * signal that ends the program.
 */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "duration.h"

#define EXIT_USAGE 2
#define EXIT_TIMEOUT 124

/* Whoever comes too late for the first signal gets the next. */
#define AGAIN_US 10000

typedef struct {
	const char *mountpoint;
	char *revision;
	char **exists;
	gboolean live;
	char *timeout;
	gboolean version;
	guint64 least;	  /* of `revision` */
	guint timeout_ms; /* of `timeout` */

	int root_fd;
	char root[32];	/* a name of it, whatever else is mounted there */
	gboolean slept; /* since this was set to FALSE */
} Client;

static volatile sig_atomic_t expired;

static void on_alarm(int signum)
{
	expired = 1;
}

static void set_timer(guint first_ms, guint again_us)
{
	struct itimerval timer = {
	    .it_value = {first_ms / 1000, first_ms % 1000 * 1000},
	    .it_interval = {0, again_us},
	};
	setitimer(ITIMER_REAL, &timer, NULL);
}

/* --- The daemon -------------------------------------------------------------------- */

/* Negative errno, ETIMEDOUT among them. */
static int ask(Client *client, const char *what, char *ret_text, gsize size)
{
	g_autofree char *name = g_strconcat("user.etcd.wait.", what, NULL);
	gssize n;

	do
		n = getxattr(client->root, name, ret_text, size - 1);
	while (n < 0 && errno == EINTR && !expired);
	if (n < 0)
		return errno == EINTR ? -ETIMEDOUT : -errno;
	ret_text[n] = '\0';
	return 0;
}

static int ask_number(Client *client, const char *what, guint64 number, guint64 *ret_answer)
{
	g_autofree char *name = g_strdup_printf("%s.%" G_GUINT64_FORMAT, what, number);
	char text[32];
	int r = ask(client, name, text, sizeof(text));

	if (r == 0)
		*ret_answer = g_ascii_strtoull(text, NULL, 10);
	return r;
}

static int wait_revision(Client *client)
{
	guint64 shown;
	return ask_number(client, "revision", client->least, &shown);
}

static int wait_live(Client *client)
{
	char text[32];
	return ask(client, "live", text, sizeof(text));
}

/* What a mount says of a name that is not there now, or of everything while it is stale. */
static gboolean is_absent(int error)
{
	return error == ENOENT || error == ENOTDIR || error == ESTALE || error == EIO;
}

static int wait_exists(Client *client, const char *path)
{
	guint64 tick = 0;
	struct stat st;

	while (fstatat(client->root_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (!is_absent(errno))
			return -errno;
		if (expired)
			return -ETIMEDOUT;
		/* With the first tick it is looked for once more. */
		client->slept = TRUE;
		int r = ask_number(client, "change", tick, &tick);
		if (r < 0)
			return r;
	}
	return 0;
}

/* What held before may hold no longer when a path comes. */
static int wait_all(Client *client)
{
	int r = 0;

	do {
		client->slept = FALSE;
		if (client->revision)
			r = wait_revision(client);
		if (client->live && r == 0)
			r = wait_live(client);
		for (char **path = client->exists; path && *path && r == 0; path++)
			r = wait_exists(client, *path);
	} while (r == 0 && client->slept);
	return r;
}

/* --- What is said -------------------------------------------------------------------- */

static int G_GNUC_PRINTF(2, 3) fail(int status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	g_autofree char *text = g_strdup_vprintf(format, args);
	va_end(args);
	fprintf(stderr, "etcdfs-wait: %s\n", text);
	return status;
}

static char *wish(const Client *client)
{
	g_autoptr(GPtrArray) parts = g_ptr_array_new_with_free_func(g_free);

	if (client->revision)
		g_ptr_array_add(parts,
				g_strdup_printf("revision %" G_GUINT64_FORMAT, client->least));
	for (char **path = client->exists; path && *path; path++)
		g_ptr_array_add(parts, g_strdup(*path));
	if (client->live)
		g_ptr_array_add(parts, g_strdup("live"));
	g_ptr_array_add(parts, NULL);
	return g_strjoinv(", ", (char **)parts->pdata);
}

static int fail_late(Client *client)
{
	g_autofree char *wished = wish(client);
	char standing[4096];

	set_timer(0, 0);
	expired = 0;
	if (ask(client, "standing", standing, sizeof(standing)) < 0)
		g_strlcpy(standing, "gone", sizeof(standing));
	return fail(EXIT_TIMEOUT, "not within %s: %s; %s is %s", client->timeout, wished,
		    client->mountpoint, standing);
}

static int fail_wait(Client *client, int r)
{
	if (r == -ETIMEDOUT)
		return fail_late(client);
	if (r == -EAGAIN)
		return fail(EXIT_FAILURE, "%s: too many programs wait for it", client->mountpoint);
	if (r == -ENOTCONN || r == -ENODEV || r == -ECONNABORTED)
		return fail(EXIT_FAILURE, "%s: the mount is gone", client->mountpoint);
	return fail(EXIT_FAILURE, "%s: %s", client->mountpoint, g_strerror(-r));
}

/* --- The command line ------------------------------------------------------------------ */

static gboolean parse_options(Client *client, int *argc, char ***argv, GError **error)
{
	const GOptionEntry entries[] = {
	    {"revision", 0, 0, G_OPTION_ARG_STRING, &client->revision,
	     "Wait until the mount shows revision N of etcd", "N"},
	    {"exists", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &client->exists,
	     "Wait until PATH exists, below MOUNTPOINT", "PATH"},
	    {"live", 0, 0, G_OPTION_ARG_NONE, &client->live, "Wait until every change arrives",
	     NULL},
	    {"timeout", 0, 0, G_OPTION_ARG_STRING, &client->timeout,
	     "How long to wait at most: 5s, 1m30s, 500ms (for ever)", "DURATION"},
	    {"version", 'V', 0, G_OPTION_ARG_NONE, &client->version, "Print the version", NULL},
	    {NULL},
	};
	g_autoptr(GOptionContext) context = g_option_context_new("MOUNTPOINT");

	g_option_context_set_summary(
	    context, "Waits until all that is asked for holds of the mount of etcdfs on "
		     "MOUNTPOINT.\nExit status: 0: it does; 124: not in time; 1: no such mount;\n"
		     "2: wrong options.");
	g_option_context_add_main_entries(context, entries, NULL);
	return g_option_context_parse(context, argc, argv, error);
}

/* Where PATH, absolute, is below MOUNTPOINT; NULL: it is not. */
static char *below(const char *mountpoint, const char *path)
{
	g_autofree char *canonical = g_canonicalize_filename(mountpoint, NULL);
	g_autofree char *real = realpath(mountpoint, NULL);
	const char *tops[] = {canonical, real};

	for (gsize i = 0; i < G_N_ELEMENTS(tops); i++) {
		gsize len = tops[i] ? strlen(tops[i]) : 0;
		if (len == 0 || strncmp(path, tops[i], len) != 0)
			continue;
		if (path[len] == '/' || path[len] == '\0' || len == 1)
			return g_strdup(path + len + strspn(path + len, "/"));
	}
	return NULL;
}

/* 0, or the exit status. */
static int make_relative(Client *client)
{
	for (char **path = client->exists; path && *path; path++) {
		if (**path == '\0')
			return fail(EXIT_USAGE, "--exists: the path is empty");
		if (!g_path_is_absolute(*path))
			continue;
		char *relative = below(client->mountpoint, *path);
		if (!relative)
			return fail(EXIT_USAGE, "--exists=%s: not below %s", *path,
				    client->mountpoint);
		g_free(*path);
		*path = *relative ? relative : g_strdup(".");
		if (!*relative)
			g_free(relative);
	}
	return 0;
}

static int check(Client *client, int argc, char **argv)
{
	if (argc != 2)
		return fail(EXIT_USAGE, argc < 2 ? "no MOUNTPOINT; see etcdfs-wait --help"
						 : "one MOUNTPOINT only; see etcdfs-wait --help");
	client->mountpoint = argv[1];
	if (!client->revision && !client->exists && !client->live)
		return fail(EXIT_USAGE, "nothing to wait for: --revision, --exists or --live");
	if (client->revision &&
	    !g_ascii_string_to_unsigned(client->revision, 10, 0, G_MAXINT64, &client->least, NULL))
		return fail(EXIT_USAGE, "--revision=%s: not a revision", client->revision);
	if (client->timeout && !duration_parse(client->timeout, &client->timeout_ms))
		return fail(EXIT_USAGE, "--timeout=%s: not a duration, as 5s, 1m30s or 500ms",
			    client->timeout);
	return make_relative(client);
}

/* --- All together --- */

/* 0, or the exit status. */
static int open_root(Client *client)
{
	char standing[4096];

	client->root_fd = open(client->mountpoint, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (client->root_fd < 0)
		return fail_wait(client, -errno);
	g_snprintf(client->root, sizeof(client->root), "/proc/self/fd/%d", client->root_fd);
	int r = ask(client, "standing", standing, sizeof(standing));
	if (r == -ENODATA || r == -EOPNOTSUPP)
		return fail(EXIT_FAILURE, "%s: not an etcdfs mount", client->mountpoint);
	return r < 0 ? fail_wait(client, r) : 0;
}

static int run(Client *client, int argc, char **argv)
{
	struct sigaction action = {.sa_handler = on_alarm};
	int status = check(client, argc, argv);

	if (status == 0)
		status = open_root(client);
	if (status != 0)
		return status;
	sigaction(SIGALRM, &action, NULL);
	if (client->timeout)
		set_timer(MAX(client->timeout_ms, 1), AGAIN_US);
	int r = wait_all(client);
	return r < 0 ? fail_wait(client, r) : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	g_autoptr(GError) error = NULL;
	Client client = {.root_fd = -1};

	setlocale(LC_ALL, "");
	if (!parse_options(&client, &argc, &argv, &error))
		return fail(EXIT_USAGE, "%s", error->message);
	int status = EXIT_SUCCESS;
	if (client.version)
		printf("etcdfs-wait %s\n", ETCDFS_VERSION);
	else
		status = run(&client, argc, argv);
	if (client.root_fd >= 0)
		close(client.root_fd);
	g_free(client.revision);
	g_strfreev(client.exists);
	g_free(client.timeout);
	return status;
}
