/* SPDX-License-Identifier: Apache-2.0 */
/* authopt.h - as whom to talk to etcd.
 */
#ifndef AUTHOPT_H
#define AUTHOPT_H

#include "given.h"
#include "options.h"

/* Sets the fields of OPTIONS; a password goes from GIVEN into them.  No error tells
 * one. */
gboolean authopt_take(Options *options, Given *given, gchar **environment, GError **error);

#endif
