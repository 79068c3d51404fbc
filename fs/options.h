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

	gchar *source;	   /* as given, or composed of the next two: mount's first column */
	GStrv endpoints;   /* HOST:PORT or unix:PATH, at least one */
	GBytes *prefix;	   /* of the keys shown; empty: all */
	gchar *mountpoint; /* as given */

	guint dial_timeout_ms;
	guint command_timeout_ms;
	guint keepalive_time_ms;
	guint keepalive_timeout_ms;

	gboolean tls;  /* else the next four are empty */
	gchar *cacert; /* files by their whole path, or NULL */
	gchar *cert;   /* both or neither */
	gchar *key;
	gboolean insecure_skip_verify;

	gchar *user;	      /* NULL: none */
	gchar *password;      /* at most one of these two; neither: it is still to be asked for */
	gchar *password_file; /* whole path */

	uid_t uid; /* who owns the files; default: who runs this */
	gid_t gid;
	mode_t fmask;	     /* permission bits that files do not have */
	mode_t dmask;	     /* and directories */
	gboolean executable; /* files, where fmask allows it */
	gboolean allow_other;

	gboolean foreground;
	gboolean debug; /* implies foreground */
	gboolean single_thread;

	GStrv mount_options; /* more for libfuse's -o, not escaped; may be empty */
} Options;

/* Reads ARGV (program name first) and what it does not say from the ETCDCTL_*
 * variables of ENVIRONMENT, both NULL-terminated and borrowed.  Passwords in them are
 * overwritten, whatever comes out.  FALSE and ERROR, one line for a person, of
 * G_OPTION_ERROR; OPTIONS is then cleared. */
gboolean options_parse(Options *options, gchar **argv, gchar **environment, GError **error);

/* Once who needs the password has it. */
void options_forget_password(Options *options);

void options_clear(Options *options);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

/* What -h and -V print, newline included.  Owned by the caller. */
gchar *options_help(void);
gchar *options_version(void);

#endif
