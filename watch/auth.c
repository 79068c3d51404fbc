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
	    .user = g_strdup(config->user),
	    .password = g_strdup(config->password),
	    .password_file = g_strdup(config->password_file),
	};
}

static void secret_free(char *secret)
{
	if (secret)
		explicit_bzero(secret, strlen(secret));
	g_free(secret);
}

void auth_forget(Auth *auth)
{
	g_clear_pointer(&auth->token, secret_free);
	auth->off = FALSE;
}

void auth_clear(Auth *auth)
{
	auth_forget(auth);
	g_clear_pointer(&auth->user, g_free);
	g_clear_pointer(&auth->password, secret_free);
	g_clear_pointer(&auth->password_file, g_free);
}

gboolean auth_is_due(const Auth *auth)
{
	return auth->user && !auth->token && !auth->off;
}

gboolean auth_load(Auth *auth, GError **error)
{
	char *text;

	if (!auth->password_file)
		return TRUE;
	text = file_read("--password-file", auth->password_file, error);
	if (!text)
		return FALSE;
	if (g_str_has_suffix(text, "\n"))
		text[strlen(text) - 1] = '\0';
	secret_free(auth->password);
	auth->password = text;
	return TRUE;
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

	if (!auth->user)
		return AUTH_DENIED;
	if (auth->tokens >= (of_token ? TOKENS_MAX : 1))
		return of_token ? AUTH_LATER : AUTH_DENIED;
	auth_forget(auth);
	return AUTH_RETRY;
}
