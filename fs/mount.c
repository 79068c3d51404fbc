/* SPDX-License-Identifier: Apache-2.0 */
/* Who ends what.
 *
 * The announcer waits for requests that it makes itself, so it must end while
 * requests are served; and it writes to the session's descriptor, so it must end
 * before that is closed.  Hence always: announcer, session loop, unmount.
 *
 * Privileged, the announcer's detached clone keeps the filesystem alive when the
 * visible mount is gone.  So mountinfo is watched; once the mount is
 * not there, the announcer stops and the clone is closed, and the kernel ends the
 * session as it would have without a clone: at once, or when the last program
 * lets go of what a lazy unmount left to it.
 */
#include "mount.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "heartbeat.h"
#include "log.h"
#include "mountpoint.h"
#include "ops.h"

/* That answer requests, unless somebody says how many. */
#define THREADS_LEAST 2
#define THREADS_MOST 10

struct Mount {
	MountConfig config;
	Announcer *announcer;
	Heartbeat *heartbeat; /* NULL: nobody wants it, or the way in is closed */
	Waiting *waiting;
	Ahead *ahead;
	struct fuse_session *session;
	GMainLoop *main_loop;
	GArray *sources; /* guint: of the default main context */
	int mountinfo_fd;
	int ended_fd;	  /* readable once the loop has ended */
	int clone_fd;	  /* -1: none, or no longer */
	guint64 mount_id; /* of the visible mount */
	gboolean gone;	  /* the visible mount */

	pthread_t loop_thread;
	gboolean loop_started;
};

/* --- libfuse's messages ----------------------------------------------------------- */

/* The last thing that libfuse said: the reason for a failure.  Only used before
 * there are threads. */
static char last_message[256];

static void G_GNUC_PRINTF(2, 0)
    keep_message(enum fuse_log_level level, const char *format, va_list args)
{
	g_autofree char *text = g_strdup_vprintf(format, args);

	g_strchomp(text);
	g_debug("libfuse: %s", text);
	if (level <= FUSE_LOG_ERR)
		g_strlcpy(last_message, text, sizeof(last_message));
}

static void set_fuse_error(GError **error, const char *mountpoint)
{
	const char *reason = last_message;
	if (g_str_has_prefix(reason, "fuse: "))
		reason += strlen("fuse: ");
	g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "cannot mount on %s: %s", mountpoint,
		    *reason ? reason : "see the line above");
}

/* --- Mounting ----------------------------------------------------------------------- */

gboolean mount_checks_announcer(const MountConfig *config)
{
	/* Alone, an ordinary user needs no checks; but see withheld.c. */
	return !config->privileged && (config->allow_other || config->stale_fail);
}

static char *session_options(const MountConfig *config)
{
	g_autofree char *fsname = g_strdup_printf("fsname=%s", config->source);
	char *all = NULL;

	fuse_opt_add_opt_escaped(&all, fsname);
	fuse_opt_add_opt(&all, "subtype=etcdfs");
	if (config->allow_other)
		fuse_opt_add_opt(&all, "allow_other");
	if (config->privileged || mount_checks_announcer(config))
		fuse_opt_add_opt(&all, "default_permissions");
	for (const char *const *option = config->options; option && *option; option++)
		fuse_opt_add_opt_escaped(&all, *option);
	/* From the first moment, and wherever the mount is propagated to. */
	if (config->privileged)
		fuse_opt_add_opt(&all, "ro");
	return all;
}

/* What the mounter's thread is to do. */
typedef struct {
	Mount *mount;
	const Fs *fs;
	dev_t dev;
	gboolean yes; /* done, or so it is */
	GError **error;
} Job;

static void open_session(gpointer data)
{
	Job *job = data;
	Mount *mount = job->mount;
	char *options = session_options(&mount->config);
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);

	fuse_opt_add_arg(&args, "etcdfs");
	fuse_opt_add_arg(&args, "-o");
	fuse_opt_add_arg(&args, options);
	fuse_set_log_func(keep_message);
	mount->session = fuse_session_new(&args, &ops_table, sizeof(ops_table), (void *)job->fs);
	fuse_opt_free_args(&args);
	free(options);

	job->yes = mount->session &&
		   fuse_session_mount(mount->session, mount->config.mountpoint) == 0;
	if (!job->yes)
		set_fuse_error(job->error, mount->config.mountpoint);
}

/* --- The session loop ----------------------------------------------------------------- */

/* Idle threads are woken in turn.  With more of them than processors, who asks one thing
 * after the other, like the announcer, waits for one with cold caches, and elsewhere, each
 * time.  Hardly any request waits for somebody else, so more would not answer more. */
static guint max_threads(const MountConfig *config)
{
	guint processors = CLAMP(g_get_num_processors(), THREADS_LEAST, THREADS_MOST);
	return config->max_threads > 0 ? config->max_threads : processors;
}

static int run_loop(Mount *mount)
{
	if (mount->config.single_thread)
		return fuse_session_loop(mount->session);

	struct fuse_loop_config *config = fuse_loop_cfg_create();
	fuse_loop_cfg_set_clone_fd(config, 1);
	fuse_loop_cfg_set_max_threads(config, max_threads(&mount->config));
	if (mount->config.max_idle_threads > 0)
		fuse_loop_cfg_set_idle_threads(config, mount->config.max_idle_threads);
	int r = fuse_session_loop_mt(mount->session, config);
	fuse_loop_cfg_destroy(config);
	return r;
}

static void *loop_main(void *data)
{
	Mount *mount = data;
	int r = run_loop(mount);

	/* So ends who takes a request in the moment in which the kernel ends the session. */
	if (r < 0 && r != -ECONNABORTED)
		g_warning("the session ended: %s", g_strerror(-r));
	/* Heeded also if nobody runs the main loop yet. */
	eventfd_write(mount->ended_fd, 1);
	return NULL;
}

static void wake_up(int signum)
{
	/* Interrupts the system call in which the loop waits. */
}

/* Its threads heed SIGUSR1 alone: the others are the main thread's. */
static void start_loop(Mount *mount)
{
	struct sigaction action = {.sa_handler = wake_up};
	sigset_t most, before;

	sigaction(SIGUSR1, &action, NULL);
	sigfillset(&most);
	sigdelset(&most, SIGUSR1);
	pthread_sigmask(SIG_SETMASK, &most, &before);
	pthread_create(&mount->loop_thread, NULL, loop_main, mount);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	mount->loop_started = TRUE;
}

/* A signal that comes just before the loop waits is lost, so send it until the
 * loop has ended. */
static void stop_loop(Mount *mount)
{
	GPollFD ended = {.fd = mount->ended_fd, .events = G_IO_IN};

	if (!mount->loop_started)
		return;
	do {
		fuse_session_exit(mount->session);
		pthread_kill(mount->loop_thread, SIGUSR1);
	} while (g_poll(&ended, 1, 10) != 1);
	pthread_join(mount->loop_thread, NULL);
}

/* --- The detached clone ------------------------------------------------------------------ */

/* The filesystem itself was mounted read-only, like every mount of it. */
static int make_filesystem_writable(const char *mountpoint)
{
	int fd = fspick(AT_FDCWD, mountpoint, FSPICK_CLOEXEC);
	int r = fd;

	if (r >= 0)
		r = fsconfig(fd, FSCONFIG_SET_FLAG, "rw", NULL, 0);
	if (r >= 0)
		r = fsconfig(fd, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0);
	if (fd >= 0)
		close(fd);
	return r;
}

/* The announcer's way in: the one mount that is not read-only. */
static gboolean open_clone(Mount *mount, GError **error)
{
	struct mount_attr writable = {.attr_clr = MOUNT_ATTR_RDONLY};
	const char *mountpoint = mount->config.mountpoint;

	mount->clone_fd = open_tree(AT_FDCWD, mountpoint, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (mount->clone_fd >= 0 &&
	    mount_setattr(mount->clone_fd, "", AT_EMPTY_PATH, &writable, sizeof(writable)) == 0 &&
	    make_filesystem_writable(mountpoint) >= 0)
		return TRUE;
	g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno),
		    "cannot make a read-only mount on %s: %s", mountpoint, g_strerror(errno));
	return FALSE;
}

static void close_clone(Mount *mount)
{
	if (mount->clone_fd >= 0)
		close(mount->clone_fd);
	mount->clone_fd = -1;
}

/* What was mounted is the one thing there, and ours to act on. */
static void open_place(gpointer data)
{
	Job *job = data;
	Mount *mount = job->mount;
	const char *mountpoint = mount->config.mountpoint;

	int r = mountpoint_identify(mountpoint, &mount->mount_id, &job->dev);
	if (r < 0) {
		g_set_error(job->error, G_FILE_ERROR, g_file_error_from_errno(-r), "%s: %s",
			    mountpoint, g_strerror(-r));
		return;
	}
	/* Two that had waited for the same etcd find the place empty at the same time. */
	if (mountpoint_is_stacked(mount->mount_id)) {
		g_set_error(job->error, G_FILE_ERROR, G_FILE_ERROR_EXIST,
			    "%s: somebody else has just mounted there", mountpoint);
		return;
	}
	job->yes = !mount->config.privileged || open_clone(mount, job->error);
}

static gboolean start_announcer(Mount *mount, GError **error)
{
	const char *mountpoint = mount->config.mountpoint;
	Job job = {.mount = mount, .error = error};

	mounter_run(mount->config.mounter, open_place, &job);
	if (!job.yes)
		return FALSE;
	announcer_start(mount->announcer, mount->session, mount->clone_fd, mountpoint, job.dev);
	if (mount->config.heartbeat)
		mount->heartbeat = mount->clone_fd >= 0 ? heartbeat_new(mount->clone_fd, "")
							: heartbeat_new(AT_FDCWD, mountpoint);
	return TRUE;
}

/* --- Signals and the unmount --------------------------------------------------------------- */

static gboolean on_signal(gpointer data)
{
	Mount *mount = data;
	g_main_loop_quit(mount->main_loop);
	return G_SOURCE_CONTINUE;
}

static void look_for_mount(gpointer data)
{
	Job *job = data;
	job->yes = mountpoint_mount_exists(job->mount->mount_id);
}

static gboolean mount_exists(Mount *mount)
{
	Job job = {.mount = mount};

	mounter_run(mount->config.mounter, look_for_mount, &job);
	return job.yes;
}

static gboolean on_mounts_changed(gint fd, GIOCondition condition, gpointer data)
{
	Mount *mount = data;

	if (mount->gone || mount_exists(mount))
		return G_SOURCE_CONTINUE;
	g_message("%s is unmounted", mount->config.mountpoint);
	mount->gone = TRUE;
	g_clear_pointer(&mount->heartbeat, heartbeat_free);
	waiting_end(mount->waiting);
	announcer_stop(mount->announcer);
	close_clone(mount);
	/* Where the mount is still seen (a bind mount, another namespace, somebody's open
	 * directory) nobody is told any more, but nobody may be left with old values. */
	announcer_start(mount->announcer, mount->session, -1, NULL, 0);
	return G_SOURCE_CONTINUE;
}

static gboolean on_loop_ended(gint fd, GIOCondition condition, gpointer data)
{
	g_main_loop_quit(((Mount *)data)->main_loop);
	return G_SOURCE_CONTINUE; /* mount_free removes it */
}

static gboolean on_lines_handed_over(gint fd, GIOCondition condition, gpointer data)
{
	log_flush();
	return G_SOURCE_CONTINUE;
}

static void add_source(Mount *mount, guint id)
{
	g_array_append_val(mount->sources, id);
}

static void watch_signals(Mount *mount)
{
	add_source(mount, g_unix_signal_add(SIGTERM, on_signal, mount));
	add_source(mount, g_unix_signal_add(SIGINT, on_signal, mount));
	if (mount->config.hangup_leaves)
		add_source(mount, g_unix_signal_add(SIGHUP, on_signal, mount));
}

/* It tells of the namespace of the thread that opened it. */
static void open_mountinfo(gpointer data)
{
	((Mount *)data)->mountinfo_fd = open(MOUNTPOINT_MOUNTINFO, O_RDONLY | O_CLOEXEC);
}

static void watch_mounts(Mount *mount)
{
	mounter_run(mount->config.mounter, open_mountinfo, mount);
	if (mount->mountinfo_fd < 0)
		return;
	add_source(mount, g_unix_fd_add(mount->mountinfo_fd, G_IO_PRI, on_mounts_changed, mount));
	/* What happened before the first poll is not told. */
	on_mounts_changed(mount->mountinfo_fd, G_IO_PRI, mount);
}

/* --- All together --- */

Mount *mount_new(const MountConfig *config, const Fs *fs, Announcer *announcer, GError **error)
{
	Mount *mount = g_new0(Mount, 1);

	mount->config = *config;
	mount->announcer = announcer;
	mount->waiting = fs->waiting;
	mount->ahead = fs->ahead;
	mount->clone_fd = mount->mountinfo_fd = -1;
	mount->main_loop = g_main_loop_new(NULL, FALSE);
	mount->sources = g_array_new(FALSE, FALSE, sizeof(guint));
	mount->ended_fd = eventfd(0, EFD_CLOEXEC);
	add_source(mount, g_unix_fd_add(mount->ended_fd, G_IO_IN, on_loop_ended, mount));

	add_source(mount,
		   g_unix_fd_add(log_handed_over_fd(), G_IO_IN, on_lines_handed_over, mount));

	/* From here on nobody's signal may leave a mount behind. */
	watch_signals(mount);
	Job job = {.mount = mount, .fs = fs, .error = error};
	mounter_run(config->mounter, open_session, &job);
	if (!job.yes) {
		mount->gone = TRUE;
		mount_free(mount);
		return NULL;
	}
	start_loop(mount);
	if (!start_announcer(mount, error)) {
		mount_free(mount);
		return NULL;
	}
	ahead_start(mount->ahead, mount->session);
	watch_mounts(mount);
	return mount;
}

void mount_wait(Mount *mount)
{
	g_main_loop_run(mount->main_loop);
}

/* Whether the kernel has ended the session. */
static gboolean is_dead(Mount *mount)
{
	GPollFD fd = {.fd = fuse_session_fd(mount->session)};
	return g_poll(&fd, 1, 0) == 1 && (fd.revents & G_IO_ERR);
}

/* Whether who unmounts what is at PATH unmounts our mount. */
static gboolean is_on_top(Mount *mount, const char *path)
{
	guint64 mount_id;
	dev_t dev;

	return mountpoint_identify(path, &mount_id, &dev) == 0 && mount_id == mount->mount_id;
}

/* Somebody may have moved it since, or mounted something else there; but when the
 * session is dead, libfuse knows that there is nothing to unmount. */
static void unmount(gpointer data)
{
	Mount *mount = data;
	g_autofree char *path = mount->gone ? NULL : mountpoint_of_mount(mount->mount_id);

	if (is_dead(mount) || (path && is_on_top(mount, mount->config.mountpoint)))
		fuse_session_unmount(mount->session);
	else if (path && is_on_top(mount, path))
		umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW);
	else if (path)
		g_warning("%s: something else is mounted on it, and our own mount stays below",
			  path);
}

gboolean mount_answered(Mount *mount)
{
	return !mount->heartbeat || heartbeat_answered(mount->heartbeat);
}

void mount_free(Mount *mount)
{
	heartbeat_free(mount->heartbeat);
	waiting_end(mount->waiting);
	announcer_stop(mount->announcer);
	ahead_stop(mount->ahead);
	log_flush();
	stop_loop(mount);
	for (guint i = 0; i < mount->sources->len; i++)
		g_source_remove(g_array_index(mount->sources, guint, i));
	if (mount->session) {
		mounter_run(mount->config.mounter, unmount, mount);
		fuse_session_destroy(mount->session);
	}
	close_clone(mount);
	if (mount->mountinfo_fd >= 0)
		close(mount->mountinfo_fd);
	close(mount->ended_fd);
	g_array_unref(mount->sources);
	g_main_loop_unref(mount->main_loop);
	g_free(mount);
}
