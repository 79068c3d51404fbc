/* SPDX-License-Identifier: Apache-2.0 */
/* source.h - which etcd, and which of its keys, as a person writes it.
 *
 * Only text is looked at here, never the network.  Errors are of
 * G_OPTION_ERROR: one line that names what was given and what to do.
 */
#ifndef SOURCE_H
#define SOURCE_H

#include <glib.h>

#define SOURCE_DEFAULT_PORT 2379

/* What the scheme says. */
typedef enum {
	SOURCE_TLS_UNSAID, /* there is none */
	SOURCE_TLS_OFF,
	SOURCE_TLS_ON,
} SourceTls;

/* TEXT is etcd://HOST[:PORT][,HOST[:PORT]...][/PREFIX], or etcds:// for TLS.
 * Endpoints come out as HOST:PORT, an IPv6 address in brackets; the prefix is the
 * path with its leading slash, percent-decoded, of any bytes, empty if there is no
 * path.  A HOST that begins with %2F is a socket's name and comes out as
 * unix:PATH. */
gboolean source_parse(const gchar *text, GStrv *ret_endpoints, GBytes **ret_prefix,
		      SourceTls *ret_tls, GError **error);

/* LIST is [SCHEME]HOST[:PORT][,...], as etcdctl takes it: http://, https://, or a
 * socket as unix:PATH, unix://PATH, unixs:...; what has no scheme goes with those
 * that have.  WHERE, for the error, is the flag or the variable it was in. */
GStrv source_endpoints(const gchar *list, const gchar *where, SourceTls *ret_tls, GError **error);

/* The opposite of source_parse.  A prefix that has no leading slash cannot be
 * written so and is left out. */
gchar *source_string(const gchar *const *endpoints, GBytes *prefix, gboolean tls);

#endif
