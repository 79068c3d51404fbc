/* SPDX-License-Identifier: Apache-2.0 */
/* secret.h - passwords out of sight.
 *
 * ps shows every user the command line of every process, and its owner the
 * environment; the kernel reads both from the very bytes that argv and environ
 * point to.  So the passwords in them are overwritten in place once they are read.
 *
 * What remains is the time from exec until then, some milliseconds, most of them
 * the dynamic linker's; and whoever passed the command on (a shell's history,
 * mount(8), fstab).  A password file has neither, nor has the prompt.
 */
#ifndef SECRET_H
#define SECRET_H

#include <glib.h>

/* Puts asterisks in the place of each password in ARGV (NULL-terminated): in the
 * values of --user, --password and --auth-jwt-token, the same within -o, and user:password@ in a
 * URL. When in doubt, it is one. */
void secret_hide_argv(gchar **argv);

/* The same in the variables ETCDCTL_*; ENVIRONMENT may be NULL. */
void secret_hide_environment(gchar **environment);

/* Frees a string of which nothing may stay in memory.  NULL is fine. */
void secret_free(gpointer text);

#endif
