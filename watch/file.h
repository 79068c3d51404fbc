/* SPDX-License-Identifier: Apache-2.0 */
/* file.h - the small text files that an option names.
 */
#ifndef FILE_H
#define FILE_H

#include <glib.h>

/* The whole of NAME, NUL-terminated.  NULL and ERROR, which says "OPTION NAME: why",
 * also when it is larger than any certificate or password. */
char *file_read(const char *option, const char *name, GError **error);

#endif
