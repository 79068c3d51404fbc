/* SPDX-License-Identifier: Apache-2.0 */
/* given.h - what was said on the command line and in the configuration file, as text.
 */
#ifndef GIVEN_H
#define GIVEN_H

#include <glib.h>

/* All owned by the struct.  NULL or FALSE: not said. */
typedef struct {
	gchar *endpoints;
	gchar *prefix;
	gchar *rev;
	gchar *discovery_srv;
	gchar *discovery_srv_name;
	gchar *insecure_discovery; /* true if nothing was said but the flag */
	gchar *dial_timeout;
	gchar *command_timeout;
	gchar *keepalive_time;
	gchar *keepalive_timeout;
	gchar *max_request_bytes;
	gchar *max_recv_bytes;
	gchar *cacert;
	gchar *cert;
	gchar *key;
	gchar *insecure_skip_tls_verify; /* these two: true if nothing was said but the flag */
	gchar *insecure_transport;
	gchar *user; /* perhaps with the password */
	gchar *password;
	gchar *password_file;
	gchar *auth_jwt_token;
	gchar *auth_jwt_token_file;
	gchar *retry;
	gboolean bg;
	gchar *max_stale;
	gchar *stale_policy;
	gchar *uid;
	gchar *gid;
	gchar *umask;
	gchar *fmask;
	gchar *dmask;
	gboolean executable;
	gboolean allow_other;
	gchar *config_file;
	gchar *log_level;
	gchar *mount_namespace;
	gchar *max_threads;
	gchar *max_idle_threads;
	gboolean foreground;
	gboolean debug;
	gboolean single_thread;
	gboolean help;
	gboolean version;
	GStrv positional; /* what stands free: the command line's alone */
	gchar *source;	  /* the next three: the configuration file's */
	gchar *mountpoint;
	GStrv from_file; /* what it says, as flags */
} Given;

/* Reads ARGV, program name first, -o included, and the --config-file that it names; of both
 * the command line counts.  Mount options for libfuse are appended to PASSED.  On FALSE,
 * ERROR is one line, of G_OPTION_ERROR, or of G_FILE_ERROR for a file that cannot be read;
 * clear GIVEN in either case. */
gboolean given_parse(Given *given, gchar **argv, GPtrArray *passed, GError **error);

void given_clear(Given *given);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Given, given_clear)

#endif
