/* SPDX-License-Identifier: Apache-2.0 */
/* credentials.h - whom we trust and who we are, from the files of WatchTls.
 *
 * The files are read again for each connection, so that a certificate is renewed
 * by replacing them.
 */
#ifndef CREDENTIALS_H
#define CREDENTIALS_H

#include "watch.h"

/* PEM text, NUL-terminated. */
typedef struct {
	char *roots; /* NULL: the system's */
	char *cert;  /* NULL: none */
	char *key;
	gboolean verify;
} TlsMaterial;

typedef struct Credentials Credentials;

/* Copies the names; reads nothing. */
Credentials *credentials_new(const WatchTls *tls);
void credentials_free(Credentials *credentials);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Credentials, credentials_free)

/* Reads the files and checks that they belong together.  FALSE and ERROR, which
 * names the file and what is wrong with it: what was loaded before stays. */
gboolean credentials_load(Credentials *credentials, GError **error);

/* What was loaded last, borrowed until the next load.  NULL: without TLS, or
 * nothing loaded yet. */
const TlsMaterial *credentials_material(const Credentials *credentials);

#endif
