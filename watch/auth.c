/* SPDX-License-Identifier: Apache-2.0 */
#include "auth.h"

#include <string.h>

#include "file.h"
#include "wire.h"

/* For one request; each costs etcd a hashed password. */
#define TOKENS_MAX 3

void auth_init(Auth *auth, const WatchAuth *config)
{
	*auth = (Auth){
	    .token = g_strdup(config->token),
	    .token_file = g_strdup(config->token_file),
	    .given = config->token || config->token_file,
	};
	if (auth->given)
		return;
	auth->user = g_strdup(config->user);
	auth->password = g_strdup(config->password);
	auth->password_file = g_strdup(config->password_file);
}

static void secret_free(char *secret)
{
	if (secret)
		explicit_bzero(secret, strlen(secret));
	g_free(secret);
}

void auth_forget(Auth *auth)
{
	if (!auth->given)
		g_clear_pointer(&auth->token, secret_free);
	auth->off = FALSE;
}

void auth_clear(Auth *auth)
{
	g_clear_pointer(&auth->token, secret_free);
	g_clear_pointer(&auth->token_file, g_free);
	g_clear_pointer(&auth->user, g_free);
	g_clear_pointer(&auth->password, secret_free);
	g_clear_pointer(&auth->password_file, g_free);
}

gboolean auth_is_due(const Auth *auth)
{
	return auth->user && !auth->token && !auth->off;
}

/* It goes into a header of HTTP.  NULL: it can. */
static const char *token_fault(const char *token)
{
	const char *c = token;

	while (g_ascii_isgraph(*c))
		c++;
	if (*c)
		return "holds no token: a token has no blanks and only ASCII in it";
	return *token ? NULL : "is empty";
}

static gboolean load_token(Auth *auth, GError **error)
{
	char *text = file_read("--auth-jwt-token-file", auth->token_file, error);
	const char *fault;

	if (!text)
		return FALSE;
	fault = token_fault(g_strstrip(text));
	if (fault) {
		g_set_error(error, WATCH_ERROR, WATCH_ERROR_FILE, "--auth-jwt-token-file %s: %s",
			    auth->token_file, fault);
		secret_free(text);
		return FALSE;
	}
	secret_free(auth->token);
	auth->token = text;
	return TRUE;
}

static gboolean load_password(Auth *auth, GError **error)
{
	char *text;

	text = file_read("--password-file", auth->password_file, error);
	if (!text)
		return FALSE;
	if (g_str_has_suffix(text, "\n"))
		text[strlen(text) - 1] = '\0';
	secret_free(auth->password);
	auth->password = text;
	return TRUE;
}

gboolean auth_load(Auth *auth, GError **error)
{
	if (auth->token_file)
		return load_token(auth, error);
	return !auth->password_file || load_password(auth, error);
}

GBytes *auth_request(const Auth *auth)
{
	return wire_authenticate_encode(auth->user, auth->password);
}

void auth_begin(Auth *auth)
{
	auth->tokens = 0;
}

void auth_take(Auth *auth, const char *token)
{
	secret_free(auth->token);
	auth->token = g_strdup(token);
	auth->tokens++;
}

gboolean auth_refused(Auth *auth, const char *reason)
{
	auth->off = strstr(reason, "authentication is not enabled") != NULL;
	auth->tokens++;
	return auth->off;
}

/* Also of one that is new, when users or roles change all the time; and of none,
 * when etcd did without a moment ago. */
static gboolean is_of_token(const char *reason)
{
	return strstr(reason, "invalid auth token") ||
	       strstr(reason, "revision of auth store is old") ||
	       strstr(reason, "user name is empty");
}

AuthVerdict auth_judge(Auth *auth, const char *reason)
{
	gboolean of_token = is_of_token(reason);

	/* the file is read again for it */
	if (auth->token_file && of_token && auth->tokens++ == 0)
		return AUTH_RETRY;
	if (!auth->user)
		return AUTH_DENIED;
	if (auth->tokens >= (of_token ? TOKENS_MAX : 1))
		return of_token ? AUTH_LATER : AUTH_DENIED;
	auth_forget(auth);
	return AUTH_RETRY;
}
