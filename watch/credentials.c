/* SPDX-License-Identifier: Apache-2.0 */
/* credentials.c - reads the files, and has libcrypto look at them.
 *
 * gRPC takes the same text later and looks for itself; when it does not like what
 * it sees it says nothing that a person could use.  So each mistake that can be
 * found in the files is found here, with the name of the file.
 */
#include "credentials.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

#include "file.h"

typedef enum { CACERT, CERT, KEY, N_FILES } File;

static const char *const options[N_FILES] = {"--cacert", "--cert", "--key"};

struct Credentials {
	gboolean enabled;
	gboolean verify;
	char *names[N_FILES]; /* NULL: not given */
	gboolean loaded;
	TlsMaterial material;
};

static void material_clear(TlsMaterial *material)
{
	g_clear_pointer(&material->roots, g_free);
	g_clear_pointer(&material->cert, g_free);
	g_clear_pointer(&material->key, g_free);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(TlsMaterial, material_clear)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BIO, BIO_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_PKEY, EVP_PKEY_free)

Credentials *credentials_new(const WatchTls *tls)
{
	Credentials *credentials = g_new0(Credentials, 1);

	credentials->enabled = tls->enabled;
	credentials->verify = !tls->insecure_skip_verify;
	credentials->names[CACERT] = g_strdup(tls->cacert);
	credentials->names[CERT] = g_strdup(tls->cert);
	credentials->names[KEY] = g_strdup(tls->key);
	return credentials;
}

void credentials_free(Credentials *credentials)
{
	if (!credentials)
		return;
	for (gsize i = 0; i < N_FILES; i++)
		g_free(credentials->names[i]);
	material_clear(&credentials->material);
	g_free(credentials);
}

const TlsMaterial *credentials_material(const Credentials *credentials)
{
	return credentials->loaded ? &credentials->material : NULL;
}

/* Always FALSE. */
static gboolean file_fault(const Credentials *credentials, File file, const char *what,
			   GError **error)
{
	g_set_error(error, WATCH_ERROR, WATCH_ERROR_FILE, "%s %s: %s", options[file],
		    credentials->names[file], what);
	return FALSE;
}

static gboolean read_files(const Credentials *credentials, TlsMaterial *material, GError **error)
{
	char **texts[N_FILES] = {&material->roots, &material->cert, &material->key};

	for (File file = 0; file < N_FILES; file++) {
		const char *name = credentials->names[file];

		if (name && !(*texts[file] = file_read(options[file], name, error)))
			return FALSE;
	}
	return TRUE;
}

/* Every certificate (X509) up to the end or to one that is damaged. */
static GPtrArray *parse_certificates(const char *text)
{
	GPtrArray *certificates = g_ptr_array_new_with_free_func((GDestroyNotify)X509_free);
	g_autoptr(BIO) bio = BIO_new_mem_buf(text, -1);
	X509 *certificate;

	while ((certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL)))
		g_ptr_array_add(certificates, certificate);
	return certificates;
}

static gboolean reached_end(void)
{
	unsigned long last = ERR_peek_last_error();

	return ERR_GET_LIB(last) == ERR_LIB_PEM && ERR_GET_REASON(last) == PEM_R_NO_START_LINE;
}

/* At least one; NULL and ERROR otherwise. */
static GPtrArray *check_certificates(const Credentials *credentials, File file, const char *text,
				     GError **error)
{
	g_autoptr(GPtrArray) certificates = parse_certificates(text);

	if (!reached_end())
		file_fault(credentials, file, "holds a damaged certificate", error);
	else if (certificates->len == 0)
		file_fault(credentials, file, "holds no certificate in PEM form", error);
	else
		return g_steal_pointer(&certificates);
	return NULL;
}

/* Instead of a question on the terminal.  DATA: a gboolean, that it was asked. */
static int refuse_passphrase(char *buffer, int size, int writing, void *data)
{
	*(gboolean *)data = TRUE;
	return -1;
}

/* NULL when there is none, or none that can be used. */
static EVP_PKEY *parse_key(const char *text, gboolean *ret_encrypted)
{
	g_autoptr(BIO) bio = BIO_new_mem_buf(text, -1);

	*ret_encrypted = FALSE;
	return PEM_read_bio_PrivateKey(bio, NULL, refuse_passphrase, ret_encrypted);
}

static char *show_time(const ASN1_TIME *time)
{
	struct tm tm = {0};
	char text[sizeof("2000-01-01 00:00 UTC")];

	ASN1_TIME_to_tm(time, &tm);
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M UTC", &tm);
	return g_strdup(text);
}

/* NULL: valid today. */
static char *time_fault(const X509 *certificate)
{
	g_autofree char *from = show_time(X509_get0_notBefore(certificate));
	g_autofree char *until = show_time(X509_get0_notAfter(certificate));

	if (X509_cmp_current_time(X509_get0_notBefore(certificate)) > 0)
		return g_strdup_printf("not valid before %s", from);
	if (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0)
		return g_strdup_printf("expired on %s", until);
	return NULL;
}

/* Old authorities may stay in a bundle as long as one is good. */
static gboolean check_roots(const Credentials *credentials, const char *text, GError **error)
{
	g_autoptr(GPtrArray) certificates = NULL;
	g_autofree char *fault = NULL;

	if (!text)
		return TRUE;
	certificates = check_certificates(credentials, CACERT, text, error);
	if (!certificates)
		return FALSE;
	for (guint i = 0; i < certificates->len; i++) {
		g_free(fault);
		fault = time_fault(certificates->pdata[i]);
		if (!fault || !credentials->verify)
			return TRUE;
	}
	return file_fault(credentials, CACERT, fault, error);
}

static gboolean holds_only(const char *text, const char *kind, const char *other)
{
	return strstr(text, kind) && !strstr(text, other);
}

static gboolean are_swapped(const TlsMaterial *material)
{
	static const char certificate[] = "BEGIN CERTIFICATE", key[] = "PRIVATE KEY";

	return holds_only(material->cert, key, certificate) &&
	       holds_only(material->key, certificate, key);
}

static gboolean check_key(const Credentials *credentials, const char *text, X509 *certificate,
			  GError **error)
{
	gboolean encrypted;
	g_autoptr(EVP_PKEY) key = parse_key(text, &encrypted);
	g_autofree char *mismatch = g_strdup_printf("not the key of --cert %s",
						    credentials->names[CERT]);

	if (encrypted)
		return file_fault(credentials, KEY, "encrypted; one without a passphrase is needed",
				  error);
	if (!key)
		return file_fault(credentials, KEY, "holds no private key in PEM form", error);
	if (X509_check_private_key(certificate, key) != 1)
		return file_fault(credentials, KEY, mismatch, error);
	return TRUE;
}

static gboolean check_identity(const Credentials *credentials, const TlsMaterial *material,
			       GError **error)
{
	g_autoptr(GPtrArray) certificates = NULL;
	g_autofree char *fault = NULL;

	if (!material->cert)
		return TRUE;
	g_assert(material->key); /* both or neither, says watch.h */
	if (are_swapped(material))
		return file_fault(credentials, CERT,
				  "holds a key, and --key a certificate: swapped?", error);
	certificates = check_certificates(credentials, CERT, material->cert, error);
	if (!certificates)
		return FALSE;
	if (!check_key(credentials, material->key, certificates->pdata[0], error))
		return FALSE;
	fault = time_fault(certificates->pdata[0]);
	return !fault || file_fault(credentials, CERT, fault, error);
}

gboolean credentials_load(Credentials *credentials, GError **error)
{
	g_auto(TlsMaterial) fresh = {.verify = credentials->verify};
	gboolean good;

	if (!credentials->enabled)
		return TRUE;
	/* the queue of errors is the thread's, and gRPC would take ours for its own */
	ERR_set_mark();
	good = read_files(credentials, &fresh, error) &&
	       check_roots(credentials, fresh.roots, error) &&
	       check_identity(credentials, &fresh, error);
	ERR_pop_to_mark();
	if (!good)
		return FALSE;
	material_clear(&credentials->material);
	credentials->material = fresh;
	credentials->loaded = TRUE;
	fresh = (TlsMaterial){0};
	return TRUE;
}
