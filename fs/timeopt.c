/* SPDX-License-Identifier: Apache-2.0 */
#include "timeopt.h"

#include <string.h>

#include "duration.h"
#include "setting.h"

typedef struct {
	const gchar *flag;
	const gchar *variable;
	guint default_ms;
	guint least_ms;
	const gchar *reason; /* for the least */
} DurationRule;

static const DurationRule dial_timeout = {"--dial-timeout", "ETCDCTL_DIAL_TIMEOUT", 2000, 1, NULL};
static const DurationRule command_timeout = {"--command-timeout", "ETCDCTL_COMMAND_TIMEOUT", 5000,
					     1, NULL};
static const DurationRule keepalive_time = {"--keepalive-time", "ETCDCTL_KEEPALIVE_TIME", 10000,
					    6000, "etcd cuts off clients that ping more often"};
static const DurationRule keepalive_timeout = {"--keepalive-timeout", "ETCDCTL_KEEPALIVE_TIMEOUT",
					       10000, 1, NULL};
/* etcdctl has no such thing. */
static const DurationRule retry = {"--retry", "", 0, 1, NULL};
static const DurationRule max_stale = {"--max-stale", "", 0, 1000,
				       "etcd is asked four times in that time"};

static gboolean take_duration(const DurationRule *rule, const gchar *given, gchar **environment,
			      guint *ret_ms, GError **error)
{
	Setting setting = setting_get(given, rule->flag, rule->variable, environment);
	const gchar *text = setting.text, *where = setting.where;

	*ret_ms = rule->default_ms;
	if (!text)
		return TRUE;
	if (!duration_parse(text, ret_ms)) {
		g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
			    "%s=%s: not a duration; write a number and a unit, as in 5s or 500ms",
			    where, text);
		return FALSE;
	}
	if (*ret_ms >= rule->least_ms)
		return TRUE;
	/* The variable is etcdctl's, which raises what is too short without a word. */
	if (rule->reason && !setting.by_flag) {
		*ret_ms = rule->least_ms;
		return TRUE;
	}
	if (rule->reason)
		g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
			    "%s=%s: at least %us, for %s", where, text, rule->least_ms / 1000,
			    rule->reason);
	else
		g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
			    "%s=%s: must be longer than 0", where, text);
	return FALSE;
}

static gboolean take_durations(Options *options, const Given *given, gchar **environment,
			       GError **error)
{
	return take_duration(&dial_timeout, given->dial_timeout, environment,
			     &options->dial_timeout_ms, error) &&
	       take_duration(&command_timeout, given->command_timeout, environment,
			     &options->command_timeout_ms, error) &&
	       take_duration(&keepalive_time, given->keepalive_time, environment,
			     &options->keepalive_time_ms, error) &&
	       take_duration(&keepalive_timeout, given->keepalive_timeout, environment,
			     &options->keepalive_timeout_ms, error) &&
	       take_duration(&retry, given->retry, environment, &options->retry_ms, error) &&
	       take_duration(&max_stale, given->max_stale, environment, &options->max_stale_ms,
			     error);
}

static gboolean fail(GError **error, const gchar *message)
{
	g_set_error_literal(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, message);
	return FALSE;
}

static gboolean take_stale_policy(Options *options, const Given *given, GError **error)
{
	const gchar *policy = given->stale_policy;

	options->stale_fail = g_strcmp0(policy, "fail") == 0;
	if (policy && !options->stale_fail && strcmp(policy, "serve") != 0) {
		g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
			    "--stale-policy=%s: neither serve nor fail", policy);
		return FALSE;
	}
	if (policy && !given->max_stale)
		return fail(error, "--stale-policy needs to know when; give --max-stale, too");
	if (given->rev && given->max_stale)
		return fail(error,
			    "--rev and --max-stale contradict each other: what never changes "
			    "is never stale; leave one out");
	return TRUE;
}

gboolean timeopt_take(Options *options, const Given *given, gchar **environment, GError **error)
{
	options->bg = given->bg;
	return take_durations(options, given, environment, error) &&
	       take_stale_policy(options, given, error);
}
