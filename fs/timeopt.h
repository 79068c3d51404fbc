/* SPDX-License-Identifier: Apache-2.0 */
/* timeopt.h - how long things may take, and what happens when etcd stays away.
 */
#ifndef TIMEOPT_H
#define TIMEOPT_H

#include "given.h"
#include "options.h"

/* Sets all durations, in ms, and the policies that go with them.  Errors as of
 * options_parse. */
gboolean timeopt_take(Options *options, const Given *given, gchar **environment, GError **error);

#endif
