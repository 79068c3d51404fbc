/* SPDX-License-Identifier: Apache-2.0 */
/* given.h - what was said on the command line, as text.
 */
#ifndef GIVEN_H
#define GIVEN_H

#include <glib.h>

/* The default, which the help tells. */
#define GIVEN_DEFAULT_ENDPOINTS "127.0.0.1:2379"

/* All owned by the struct.  NULL or FALSE: not said. */
typedef struct {
	gchar *endpoints;
	gchar *prefix;
	gchar *dial_timeout;
	gchar *command_timeout;
	gchar *keepalive_time;
	gchar *keepalive_timeout;
	gchar *cacert;
	gchar *cert;
	gchar *key;
	gchar *insecure_skip_tls_verify; /* these two: true if nothing was said but the flag */
	gchar *insecure_transport;
	gchar *user; /* perhaps with the password */
	gchar *password;
	gchar *password_file;
	gchar *uid;
	gchar *gid;
	gchar *umask;
	gchar *fmask;
	gchar *dmask;
	gboolean executable;
	gboolean allow_other;
	gboolean foreground;
	gboolean debug;
	gboolean single_thread;
	gboolean help;
	gboolean version;
	GStrv positional;
} Given;

/* Reads ARGV, program name first, -o included.  Mount options for libfuse are
 * appended to PASSED.  On FALSE, ERROR is one line of G_OPTION_ERROR; clear GIVEN
 * in either case. */
gboolean given_parse(Given *given, gchar **argv, GPtrArray *passed, GError **error);

void given_clear(Given *given);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Given, given_clear)

/* The help text, owned by the caller. */
gchar *given_help(void);

#endif
