/* SPDX-License-Identifier: Apache-2.0 */
/* authopt.c - a user, and the first password of these:
 *
 *   --password or --password-file, --user NAME:PASSWORD,
 *   ETCDCTL_PASSWORD, ETCDCTL_USER=NAME:PASSWORD
 *
 * Two flags that both give one are a mistake.  A token is instead of all that, the
 * first of these:
 *
 *   --auth-jwt-token or --auth-jwt-token-file, ETCDCTL_AUTH_JWT_TOKEN
 */
#include "authopt.h"

#include <string.h>

#include "setting.h"

G_GNUC_PRINTF(2, 3)
static gboolean fail(GError **error, const gchar *format, ...)
{
	va_list args;

	va_start(args, format);
	g_propagate_error(
	    error, g_error_new_valist(G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, format, args));
	va_end(args);
	return FALSE;
}

/* The flag that gives a password apart from the user; NULL without. */
static const gchar *password_flag(const Given *given)
{
	if (given->password)
		return "--password";
	return given->password_file ? "--password-file" : NULL;
}

static gboolean check(const Given *given, const Setting *user, const gchar *inside, GError **error)
{
	const gchar *flag = password_flag(given);

	if (given->password && given->password_file)
		return fail(error, "--password and --password-file both give it; leave one out");
	if (!user->text && flag)
		return fail(error, "%s without a user; give --user NAME, too", flag);
	if (user->text && (!*user->text || user->text == inside))
		return fail(error, "%s: the name of the user is empty", user->where);
	if (inside && user->by_flag && flag)
		return fail(error, "--user NAME:PASSWORD and %s both give it; leave one out", flag);
	return TRUE;
}

/* INSIDE is the colon in USER and what follows, NULL without. */
static gboolean take_password(Options *options, Given *given, gchar **environment,
			      const Setting *user, const gchar *inside, GError **error)
{
	const gchar *variable = g_environ_getenv(environment, "ETCDCTL_PASSWORD");

	if (given->password) {
		options->password = g_steal_pointer(&given->password);
		return *options->password || fail(error, "--password is empty");
	}
	if (given->password_file) {
		Setting file = {given->password_file, "--password-file", TRUE};

		options->password_file = setting_file(&file, error);
		return options->password_file != NULL;
	}
	if (inside && (user->by_flag || !variable || !*variable)) {
		options->password = g_strdup(inside + 1);
		return inside[1] ||
		       fail(error, "%s: the password after the colon is empty", user->where);
	}
	if (variable && *variable)
		options->password = g_strdup(variable);
	return TRUE;
}

static gboolean take_user(Options *options, Given *given, gchar **environment, GError **error)
{
	Setting user = setting_get(given->user, "--user", "ETCDCTL_USER", environment);
	const gchar *inside = user.text ? strchr(user.text, ':') : NULL;

	if (!check(given, &user, inside, error))
		return FALSE;
	if (!user.text)
		return TRUE;
	options->user = inside ? g_strndup(user.text, (gsize)(inside - user.text))
			       : g_strdup(user.text);
	return take_password(options, given, environment, &user, inside, error);
}

/* It goes into a header of HTTP. */
static gboolean token_check(const Setting *token, GError **error)
{
	const gchar *c = token->text;

	while (g_ascii_isgraph(*c))
		c++;
	if (*token->text && !*c)
		return TRUE;
	return fail(error, "%s: %s", token->where,
		    *c ? "a token has no blanks and only ASCII in it" : "the token is empty");
}

/* The flag beside one of a token that says who we are; NULL without. */
static const gchar *other_than_token(const Given *given)
{
	if (given->auth_jwt_token && given->auth_jwt_token_file)
		return "--auth-jwt-token";
	return given->user ? "--user" : password_flag(given);
}

static gboolean take_token_file(Options *options, const Given *given, GError **error)
{
	Setting file = {given->auth_jwt_token_file, "--auth-jwt-token-file", TRUE};
	const gchar *other = other_than_token(given);

	if (other)
		return fail(error,
			    "--auth-jwt-token-file and %s both say who you are; leave one out",
			    other);
	options->auth_jwt_token_file = setting_file(&file, error);
	return options->auth_jwt_token_file != NULL;
}

/* Who is named by a flag beats a variable. */
static gboolean take_token(Options *options, const Given *given, gchar **environment,
			   GError **error)
{
	Setting token = setting_get(given->auth_jwt_token, "--auth-jwt-token",
				    "ETCDCTL_AUTH_JWT_TOKEN", environment);
	const gchar *other = other_than_token(given);

	if (given->auth_jwt_token_file)
		return take_token_file(options, given, error);

	if (!token.text || (other && !token.by_flag))
		return TRUE;
	if (other)
		return fail(error, "--auth-jwt-token and %s both say who you are; leave one out",
			    other);
	if (!token_check(&token, error))
		return FALSE;
	options->auth_jwt_token = g_strdup(token.text);
	return TRUE;
}

gboolean authopt_take(Options *options, Given *given, gchar **environment, GError **error)
{
	return take_token(options, given, environment, error) &&
	       (options->auth_jwt_token || options->auth_jwt_token_file ||
		take_user(options, given, environment, error));
}
