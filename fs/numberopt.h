/* SPDX-License-Identifier: Apache-2.0 */
/* numberopt.h - the options that are numbers.
 */
#ifndef NUMBEROPT_H
#define NUMBEROPT_H

#include "given.h"
#include "options.h"

/* Sets uid, gid, masks, rev, and how many threads.  Errors as of options_parse. */
gboolean numberopt_take(Options *options, const Given *given, gchar **environment, GError **error);

#endif
