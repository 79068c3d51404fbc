/* SPDX-License-Identifier: Apache-2.0 */
/* options.h - the command line and the environment as plain data.
 *
 * Text only: neither the mount point nor the network is touched.
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <glib.h>
#include <sys/types.h>

typedef enum {
	OPTIONS_MOUNT,
	OPTIONS_HELP,	 /* print options_help; only ACTION is set */
	OPTIONS_VERSION, /* print options_version; only ACTION is set */
} OptionsAction;

/* All memory is owned by the struct. */
typedef struct {
	OptionsAction action;

	gchar *source;	 /* as given, or composed of the next two: mount's first column */
	GStrv endpoints; /* HOST:PORT or unix:PATH, at least one, or see below */
	GBytes *prefix;	 /* of the keys shown; empty: all */
	gint64 rev;	 /* the revision to show, for ever; 0: follow the newest */

	gchar *discovery_srv;	     /* the domain whose records tell the endpoints, of which
				      * there are none then; or NULL */
	gchar *discovery_srv_name;   /* may be NULL */
	gboolean insecure_discovery; /* endpoints without TLS count, too */
	gchar *mountpoint;	     /* as given */

	guint dial_timeout_ms;
	guint command_timeout_ms;
	guint keepalive_time_ms;
	guint keepalive_timeout_ms;

	gboolean tls;  /* else the next four are empty */
	gchar *cacert; /* files by their whole path, or NULL */
	gchar *cert;   /* both or neither */
	gchar *key;
	gboolean insecure_skip_verify;

	gchar *user;	       /* NULL: none */
	gchar *password;       /* at most one of these two; neither: it is still to be asked for */
	gchar *password_file;  /* whole path */
	gchar *auth_jwt_token; /* at most one of these two, and then there is no user */
	gchar *auth_jwt_token_file; /* whole path */

	gboolean bg;	     /* without contact at start: go on trying in the background */
	guint retry_ms;	     /* try for so long; 0: not said */
	guint max_stale_ms;  /* without contact for so long the tree is stale; 0: never */
	gboolean stale_fail; /* then nothing of it is shown any more */

	uid_t uid; /* who owns the files; default: who runs this */
	gid_t gid;
	mode_t fmask;	     /* permission bits that files do not have */
	mode_t dmask;	     /* and directories */
	gboolean executable; /* files, where fmask allows it */
	gboolean allow_other;

	gboolean foreground;
	gboolean debug; /* implies foreground */
	gboolean single_thread;
	guint max_threads; /* 0: the default, so the next */
	guint max_idle_threads;
	GLogLevelFlags log_level; /* the least severe that is shown */
	gchar *config_file;	  /* whole path; NULL: none */
	gchar *mount_namespace;	  /* whole path of where to mount; NULL: our own */

	GStrv mount_options; /* more for libfuse's -o, not escaped; may be empty */
} Options;

/* Reads ARGV (program name first) and what it does not say from the ETCDCTL_*
 * variables of ENVIRONMENT, both NULL-terminated and borrowed.  Passwords in them are
 * overwritten, whatever comes out.  FALSE and ERROR, one line for a person, of
 * G_OPTION_ERROR, or of G_FILE_ERROR where the configuration file cannot be read;
 * OPTIONS is then cleared. */
gboolean options_parse(Options *options, gchar **argv, gchar **environment, GError **error);

/* Reads a configuration file again.  The level stays as it is if the file tells none.
 * Errors as of options_parse. */
gboolean options_read_log_level(const gchar *config_file, GLogLevelFlags *ret_level,
				GError **error);

/* Once who needs the password or the token has it. */
void options_forget_secrets(Options *options);

void options_clear(Options *options);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

/* What -h and -V print, newline included.  Owned by the caller. */
gchar *options_help(void);
gchar *options_version(void);

#endif
