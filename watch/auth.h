/* SPDX-License-Identifier: Apache-2.0 */
/* auth.h - who we are to etcd, and the token that shows it.
 *
 * A token is worth little: it expires on the member that does not see it, dies
 * with a restart, and with any change of users or roles.  So each connection asks
 * for its own, and a request that is refused asks once more.
 *
 * But a token that was given is used as it is: who refuses it refuses us.  If it is in
 * a file, another may be there by then.
 */
#ifndef AUTH_H
#define AUTH_H

#include "watch.h"

typedef struct {
	char *user;	/* NULL: no authentication, or a token that was given */
	char *password; /* NULL before auth_load, if it is in a file */
	char *password_file;
	char *token_file;
	gboolean given; /* the token */
	char *token;	/* NULL: none yet */
	gboolean off;	/* etcd says that it has no authentication */
	guint tokens;	/* asked for, for the request under way */
} Auth;

/* CONFIG is copied. */
void auth_init(Auth *auth, const WatchAuth *config);
void auth_clear(Auth *auth);

/* Reads the password or the token again if it is in a file.  FALSE: the one before
 * stays. */
gboolean auth_load(Auth *auth, GError **error);

/* A new request: what it is refused for may be the age of the token. */
void auth_begin(Auth *auth);

/* A new connection, to whatever member. */
void auth_forget(Auth *auth);

/* Whether a token must be asked for before anything else. */
gboolean auth_is_due(const Auth *auth);

/* The request for it. */
GBytes *auth_request(const Auth *auth);

/* The answer to it. */
void auth_take(Auth *auth, const char *token);

/* It was refused, for REASON.  TRUE: nothing to do with us, go on without. */
gboolean auth_refused(Auth *auth, const char *reason);

typedef enum {
	AUTH_RETRY,  /* with another token */
	AUTH_LATER,  /* tokens do not live long enough: nothing is said about us */
	AUTH_DENIED, /* it is about us */
} AuthVerdict;

/* The request was refused, for REASON. */
AuthVerdict auth_judge(Auth *auth, const char *reason);

#endif
