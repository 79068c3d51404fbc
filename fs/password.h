/* SPDX-License-Identifier: Apache-2.0 */
/* password.h - a password that is not in the options.
 *
 * Errors are one line for a person, without the password.
 */
#ifndef PASSWORD_H
#define PASSWORD_H

#include <glib.h>

/* Whether FILE can be read, again and again, and has a password in it. */
gboolean password_check_file(const gchar *file, GError **error);

/* Asks on the terminal, without echo.  NULL and ERROR when there is none, or nothing
 * was typed.  For secret_free. */
gchar *password_ask(const gchar *user, GError **error);

#endif
