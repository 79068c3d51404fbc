/* SPDX-License-Identifier: Apache-2.0 */
/* helper.h - called by mount(8), as mount.etcdfs or mount.fuse.etcdfs.
 *
 *   mount.TYPE SOURCE DIRECTORY [-sfnv] [-N NAMESPACE] [-o OPTIONS] [-t TYPE]
 *
 * Its letters are others than ours: there -f means to do nothing, -s to overlook
 * options that nobody knows.
 */
#ifndef HELPER_H
#define HELPER_H

#include <glib.h>

/* Whether PROGRAM, as it was called, is such a name. */
gboolean helper_is_name(const gchar *program);

/* What ARGV, program name first, means in our own letters.  The array is the caller's
 * to g_free; its strings are ARGV's or static.  RET_FAKE: check the options, and do nothing.
 * NULL and ERROR, one line of G_OPTION_ERROR. */
gchar **helper_translate(gchar **argv, gboolean *ret_fake, GError **error);

#endif
