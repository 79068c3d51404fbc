/* SPDX-License-Identifier: Apache-2.0 */
#include "numberopt.h"

#include <unistd.h>

#include "setting.h"

#define DEFAULT_UMASK 022
#define MOST_THREADS 10000

typedef struct {
	guint base;
	guint64 least;
	guint64 most;
	const gchar *what; /* for the error */
} Rule;

/* (uid_t)-1 means "nobody" to every system call. */
static const Rule id = {10, 0, G_MAXUINT32 - 1, "a numeric id"};
static const Rule mask = {8, 0, 0777, "an octal number up to 0777"};
static const Rule revision = {10, 1, G_MAXINT64, "a revision: a whole number above 0"};
static const Rule threads = {10, 1, MOST_THREADS, "a number from 1 to 10000"};
static const Rule bytes = {10, 0, G_MAXINT32, "a number of bytes"};

/* TEXT, if any, as a number; the value stays as it is without. */
static gboolean take_number(const Rule *rule, const gchar *where, const gchar *text, guint64 *value,
			    GError **error)
{
	if (!text ||
	    g_ascii_string_to_unsigned(text, rule->base, rule->least, rule->most, value, NULL))
		return TRUE;
	g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "%s=%s: not %s", where, text,
		    rule->what);
	return FALSE;
}

static gboolean take(const Rule *rule, const gchar *flag, const gchar *text, guint *value,
		     GError **error)
{
	guint64 number = *value;

	if (!take_number(rule, flag, text, &number, error))
		return FALSE;
	*value = (guint)number;
	return TRUE;
}

static gboolean take_ownership(Options *options, const Given *given, GError **error)
{
	guint umask = DEFAULT_UMASK;

	options->uid = getuid();
	options->gid = getgid();
	if (!take(&id, "--uid", given->uid, &options->uid, error) ||
	    !take(&id, "--gid", given->gid, &options->gid, error) ||
	    !take(&mask, "--umask", given->umask, &umask, error))
		return FALSE;
	options->fmask = options->dmask = umask;
	return take(&mask, "--fmask", given->fmask, &options->fmask, error) &&
	       take(&mask, "--dmask", given->dmask, &options->dmask, error);
}

static gboolean take_rev(Options *options, const Given *given, GError **error)
{
	guint64 number = 0;

	if (!take_number(&revision, "--rev", given->rev, &number, error))
		return FALSE;
	options->rev = (gint64)number;
	return TRUE;
}

static gboolean take_threads(Options *options, const Given *given, GError **error)
{
	if (!take(&threads, "--max-threads", given->max_threads, &options->max_threads, error) ||
	    !take(&threads, "--max-idle-threads", given->max_idle_threads,
		  &options->max_idle_threads, error))
		return FALSE;
	if (!given->single_thread || (!given->max_threads && !given->max_idle_threads))
		return TRUE;
	g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
		    "--single-thread and %s contradict each other; leave one out",
		    given->max_threads ? "--max-threads" : "--max-idle-threads");
	return FALSE;
}

/* Nothing comes of these, but a mistake in them is one. */
static gboolean check_bytes(const Given *given, gchar **environment, GError **error)
{
	Setting request = setting_get(given->max_request_bytes, "--max-request-bytes",
				      "ETCDCTL_MAX_REQUEST_BYTES", environment);
	Setting recv = setting_get(given->max_recv_bytes, "--max-recv-bytes",
				   "ETCDCTL_MAX_RECV_BYTES", environment);
	guint64 ignored;

	return take_number(&bytes, request.where, request.text, &ignored, error) &&
	       take_number(&bytes, recv.where, recv.text, &ignored, error);
}

gboolean numberopt_take(Options *options, const Given *given, gchar **environment, GError **error)
{
	return take_ownership(options, given, error) && take_rev(options, given, error) &&
	       take_threads(options, given, error) && check_bytes(given, environment, error);
}
