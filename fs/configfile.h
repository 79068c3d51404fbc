/* SPDX-License-Identifier: Apache-2.0 */
/* configfile.h - options that stand in a file, so that a service needs but its name.
 *
 *   [etcdfs]
 *   source=etcds://etcd1:2379,etcd2:2379/app/
 *   mountpoint=/etc/app
 *   cacert=/etc/ssl/etcd-ca.pem
 *   allow-other=true
 *   options=noexec,uid=33
 *
 * Every long option is a name here, with - or _.  A password has no place in a file that
 * people copy about: that is refused.
 */
#ifndef CONFIGFILE_H
#define CONFIGFILE_H

#include <glib.h>

/* What a command line of the same meaning would be: the file's options as flags, program
 * name not included, values as they stand there.  SOURCE and MOUNTPOINT, if in it, are set
 * (owned by the caller).  ENTRIES: see mountopt_expand.  NULL and a one-line ERROR that
 * names the file, of G_OPTION_ERROR, or of G_FILE_ERROR if it cannot be read. */
GStrv configfile_flags(const gchar *file, const GOptionEntry *entries, gchar **ret_source,
		       gchar **ret_mountpoint, GError **error);

/* The value of one option, owned by the caller; *RET_VALUE is NULL if it is not in the
 * file.  FALSE and ERROR as above. */
gboolean configfile_value(const gchar *file, const gchar *name, gchar **ret_value, GError **error);

#endif
