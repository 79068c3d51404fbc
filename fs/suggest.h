/* SPDX-License-Identifier: Apache-2.0 */
/* suggest.h - what a misspelt option may have been meant to be.
 */
#ifndef SUGGEST_H
#define SUGGEST_H

#include <glib.h>

/* The long name in ENTRIES (ended by one without) that NAME is nearest to; NULL
 * if none is near.  Borrowed from ENTRIES. */
const gchar *suggest_option(const GOptionEntry *entries, const gchar *name);

#endif
