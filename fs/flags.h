/* SPDX-License-Identifier: Apache-2.0 */
/* flags.h - the one table of our options: what GOption reads and --help prints.
 */
#ifndef FLAGS_H
#define FLAGS_H

#include "given.h"

/* The default, which the help tells. */
#define FLAGS_DEFAULT_ENDPOINTS "127.0.0.1:2379"

/* All flags, to be filled into GIVEN; the end has no long_name.  Free with g_free; what
 * it points to is static or GIVEN's. */
GOptionEntry *flags_entries(Given *given);

/* What reads a command line into GIVEN: flags, and what stands free. */
GOptionContext *flags_context(Given *given);

/* Frees the text of GIVEN that TO has, too, and is about to be read again: GOption would
 * forget it. */
void flags_yield(Given *given, const Given *to);

/* Frees all text of GIVEN, and leaves no secret in memory. */
void flags_clear(Given *given);

/* The help text, owned by the caller. */
gchar *flags_help(void);

#endif
