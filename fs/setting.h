/* SPDX-License-Identifier: Apache-2.0 */
/* setting.h - a flag, or the variable of etcdctl where it was not given.
 */
#ifndef SETTING_H
#define SETTING_H

#include <glib.h>

/* Borrowed from what it was made of. */
typedef struct {
	const gchar *text;  /* NULL: neither was given */
	const gchar *where; /* the flag or the variable, for errors */
	gboolean by_flag;
} Setting;

/* GIVEN is the value of FLAG, NULL without.  An empty VARIABLE is none, as to
 * etcdctl. */
Setting setting_get(const gchar *given, const gchar *flag, const gchar *variable,
		    gchar **environment);

/* Whether TEXT is true or false, in one of the ways that etcdctl takes.  FALSE and
 * ERROR for others. */
gboolean setting_switch(const Setting *setting, gboolean *ret_value, GError **error);

/* TEXT as the name of a file that stays right when the current directory changes.
 * NULL and ERROR when it is empty. */
gchar *setting_file(const Setting *setting, GError **error);

#endif
