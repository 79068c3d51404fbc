/* SPDX-License-Identifier: Apache-2.0 */
#include "privileges.h"

#include <errno.h>
#include <sys/capability.h>
#include <sys/prctl.h>

typedef struct {
	const cap_value_t *values;
	int n;
} Kept;

/* The announcer creates and removes files in directories that are read-only even for their
 * owner, and sets the time of files that are not root's (--uid).  The first also reads
 * certificates that are another's, at a reload. */
static const cap_value_t serve[] = {CAP_DAC_OVERRIDE, CAP_FOWNER};
/* And the way to the mount point may lead through another's directories. */
static const cap_value_t unmount[] = {CAP_SYS_ADMIN, CAP_DAC_READ_SEARCH};

static const Kept all_kept[] = {
    [PRIVILEGES_SERVE] = {serve, G_N_ELEMENTS(serve)},
    [PRIVILEGES_UNMOUNT] = {unmount, G_N_ELEMENTS(unmount)},
};

/* Of what it has, and nothing that it lacks: that would be refused as a whole. */
static void keep(cap_t next, cap_t had, const Kept *kept)
{
	for (int i = 0; i < kept->n; i++) {
		cap_flag_value_t has = CAP_CLEAR;

		cap_get_flag(had, kept->values[i], CAP_PERMITTED, &has);
		cap_set_flag(next, CAP_PERMITTED, 1, &kept->values[i], has);
		cap_set_flag(next, CAP_EFFECTIVE, 1, &kept->values[i], has);
	}
}

void privileges_keep(Privileges privileges)
{
	cap_t had = cap_get_proc();
	cap_t next = cap_init();

	keep(next, had, &all_kept[privileges]);
	if (cap_set_proc(next) < 0)
		g_warning("cannot give up privileges: %s", g_strerror(errno));
	/* Else a program that root starts would have them all again. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		g_warning("cannot give up new privileges: %s", g_strerror(errno));
	cap_free(next);
	cap_free(had);
}
