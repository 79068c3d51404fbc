/* SPDX-License-Identifier: Apache-2.0 */
#include "place.h"

#include "mountpoint.h"

/* What the mounter's thread is asked, and what it finds. */
typedef struct {
	const char *path;
	gboolean privileged;
	char *mountpoint;
	GError **error;
} Check;

static void check_privileged(gpointer data)
{
	Check *check = data;
	check->privileged = mountpoint_is_privileged(check->path);
}

static void check_mountpoint(gpointer data)
{
	Check *check = data;
	check->mountpoint = mountpoint_check(check->path, check->privileged, check->error);
}

gboolean place_init(Place *place, const Options *options, GError **error)
{
	Check check = {.path = options->mountpoint, .error = error};
	g_autoptr(Mounter) mounter = NULL;

	*place = (Place){NULL};
	if (options->mount_namespace && !g_path_is_absolute(options->mountpoint)) {
		g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
			    "%s: with --mount-namespace it must begin with /", options->mountpoint);
		return FALSE;
	}
	mounter = mounter_new(options->mount_namespace, FALSE, error);
	if (!mounter)
		return FALSE;
	mounter_run(mounter, check_privileged, &check);
	mounter_run(mounter, check_mountpoint, &check);
	*place = (Place){check.mountpoint, check.privileged};
	return place->mountpoint != NULL;
}

void place_clear(Place *place)
{
	g_clear_pointer(&place->mountpoint, g_free);
}

gboolean place_still(const char *mountpoint, gboolean privileged, Mounter *mounter, GError **error)
{
	Check check = {mountpoint, privileged, NULL, error};

	mounter_run(mounter, check_mountpoint, &check);
	g_autofree char *again = check.mountpoint;
	return again != NULL;
}
