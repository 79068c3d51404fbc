/* SPDX-License-Identifier: Apache-2.0 */
/* mountopt.h - mount(8)'s way to give options: -o name=value,name2.
 *
 * Each name of our own becomes a flag, so that one table serves both ways; the
 * kernel's and libfuse's go to libfuse; what only mount(8) means is left out.
 */
#ifndef MOUNTOPT_H
#define MOUNTOPT_H

#include <glib.h>

/* Copies ARGV, in which each -o is replaced by the flags that it means: those
 * of its names that ENTRIES has (a - and a _ are the same in them).  An entry with a
 * value but without a description of it is a switch: alone, it is NAME=true.  What is for
 * libfuse is appended to PASSED, unescaped (libfuse's fuse_opt_add_opt_escaped
 * undoes that).  NULL and a one-line ERROR, of G_OPTION_ERROR, for a name that
 * nobody knows, in an -o or as a flag, and for one that cannot be had; it does not
 * tell the value, which may be a misplaced password.
 *
 * The copies are NULL-terminated, and leave nothing in memory when freed. */
GPtrArray *mountopt_expand(gchar **argv, const GOptionEntry *entries, GPtrArray *passed,
			   GError **error);

#endif
