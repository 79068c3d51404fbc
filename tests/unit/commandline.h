/* SPDX-License-Identifier: Apache-2.0 */
/* commandline.h - command lines as one string each, for the tests of the options.
 */
#ifndef COMMANDLINE_H
#define COMMANDLINE_H

#include "options.h"

/* Arguments and variables are separated by blanks; VARIABLES may be NULL. */
gboolean commandline_parse(Options *options, const gchar *arguments, const gchar *variables,
			   GError **error);

/* It has to be understood. */
void commandline_parse_ok(Options *options, const gchar *arguments, const gchar *variables);

/* It must not; returns the line that a person gets, in which no SECRET may be. */
gchar *commandline_parse_fails(const gchar *arguments, const gchar *variables);

typedef struct {
	const gchar *arguments;
	const gchar *variables;
	const gchar *parts[3]; /* that the line must have */
} Mistake;

void commandline_check_mistakes(const Mistake *mistakes, gsize n);

#endif
