/* SPDX-License-Identifier: Apache-2.0 */
/* tlsopt.h - whether there is TLS, and what it trusts and shows.
 *
 * A scheme decides.  Where none was given, each of etcdctl's flags and variables
 * for TLS asks for it.  A flag that the scheme leaves no use for is a mistake; a
 * variable may be meant for others.
 */
#ifndef TLSOPT_H
#define TLSOPT_H

#include "given.h"
#include "options.h"
#include "source.h"

/* Sets the fields of OPTIONS.  SAID is what the scheme said, in WHERE, for errors. */
gboolean tlsopt_take(Options *options, const Given *given, gchar **environment, SourceTls said,
		     const gchar *where, GError **error);

#endif
