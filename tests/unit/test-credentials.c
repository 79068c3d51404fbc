/* SPDX-License-Identifier: Apache-2.0 */
/* What is found wrong with files before anybody connects.  The certificates are
 * made here: none expires with time. */
#include <glib/gstdio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "credentials.h"

/* Seconds since 1970. */
#define LONG_AGO 946684800 /* 2000-01-01 00:00 */
#define PAST 981173100	   /* 2001-02-03 04:05 */
#define FUTURE 7258118400  /* 2200-01-01 00:00 */

G_DEFINE_AUTOPTR_CLEANUP_FUNC(BIO, BIO_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_PKEY, EVP_PKEY_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509, X509_free)

/* An empty directory with three names in it. */
typedef struct {
	char *directory;
	char *cacert;
	char *cert;
	char *key;
} Files;

static void files_set_up(Files *files, gconstpointer data)
{
	files->directory = g_dir_make_tmp("etcdfs-credentials-XXXXXX", NULL);
	files->cacert = g_build_filename(files->directory, "ca", NULL);
	files->cert = g_build_filename(files->directory, "cert", NULL);
	files->key = g_build_filename(files->directory, "key", NULL);
}

static void files_tear_down(Files *files, gconstpointer data)
{
	char *names[] = {files->cacert, files->cert, files->key};

	for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
		g_remove(names[i]);
		g_free(names[i]);
	}
	g_assert_cmpint(g_rmdir(files->directory), ==, 0);
	g_free(files->directory);
}

static void write_file(const char *name, const char *text)
{
	g_assert_true(g_file_set_contents(name, text, -1, NULL));
}

static char *bio_text(BIO *bio)
{
	char *data;
	long len = BIO_get_mem_data(bio, &data);

	return g_strndup(data, len);
}

static char *key_text(EVP_PKEY *key, const char *passphrase)
{
	g_autoptr(BIO) bio = BIO_new(BIO_s_mem());
	const EVP_CIPHER *cipher = passphrase ? EVP_aes_128_cbc() : NULL;

	g_assert_true(PEM_write_bio_PKCS8PrivateKey(
	    bio, key, cipher, passphrase, passphrase ? strlen(passphrase) : 0, NULL, NULL));
	return bio_text(bio);
}

/* Of KEY, signed by itself. */
static char *cert_text(EVP_PKEY *key, time_t from, time_t until)
{
	g_autoptr(BIO) bio = BIO_new(BIO_s_mem());
	g_autoptr(X509) cert = X509_new();

	X509_time_adj(X509_getm_notBefore(cert), 0, &from);
	X509_time_adj(X509_getm_notAfter(cert), 0, &until);
	X509_set_pubkey(cert, key);
	g_assert_true(X509_sign(cert, key, EVP_sha256()));
	g_assert_true(PEM_write_bio_X509(bio, cert));
	return bio_text(bio);
}

/* A certificate and its key in the files. */
static void write_pair(const Files *files, time_t from, time_t until)
{
	g_autoptr(EVP_PKEY) key = EVP_EC_gen("P-256");
	g_autofree char *cert = cert_text(key, from, until), *secret = key_text(key, NULL);

	write_file(files->cert, cert);
	write_file(files->key, secret);
}

static void write_authority(const Files *files, time_t from, time_t until)
{
	g_autoptr(EVP_PKEY) key = EVP_EC_gen("P-256");
	g_autofree char *cert = cert_text(key, from, until);

	write_file(files->cacert, cert);
}

static Credentials *credentials_of(const char *cacert, const char *cert, const char *key)
{
	return credentials_new(&(WatchTls){TRUE, cacert, cert, key});
}

static void assert_loads(Credentials *credentials)
{
	g_autoptr(GError) error = NULL;

	credentials_load(credentials, &error);
	g_assert_no_error(error);
}

static void assert_fault(Credentials *credentials, const char *option, const char *name,
			 const char *what)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *expected = g_strdup_printf("%s %s: %s", option, name, what);

	g_assert_false(credentials_load(credentials, &error));
	g_assert_error(error, WATCH_ERROR, WATCH_ERROR_FILE);
	g_assert_cmpstr(error->message, ==, expected);
	g_assert_cmpuint(ERR_peek_error(), ==, 0);
}

static void assert_cacert_fault(const Files *files, const char *what)
{
	g_autoptr(Credentials) credentials = credentials_of(files->cacert, NULL, NULL);

	assert_fault(credentials, "--cacert", files->cacert, what);
	g_assert_null(credentials_material(credentials));
}

static void assert_pair_fault(const Files *files, const char *option, const char *what)
{
	g_autoptr(Credentials) credentials = credentials_of(NULL, files->cert, files->key);

	assert_fault(credentials, option, g_str_equal(option, "--cert") ? files->cert : files->key,
		     what);
}

static void assert_pair_loads(const Files *files)
{
	g_autoptr(Credentials) credentials = credentials_of(NULL, files->cert, files->key);

	assert_loads(credentials);
}

static void test_without_tls(void)
{
	g_autoptr(Credentials)
	    credentials = credentials_new(&(WatchTls){FALSE, "/nowhere", "/nowhere", "/nowhere"});

	assert_loads(credentials);
	g_assert_null(credentials_material(credentials));
}

static void test_nothing_named(void)
{
	g_autoptr(Credentials) credentials = credentials_of(NULL, NULL, NULL);
	const TlsMaterial *material;

	assert_loads(credentials);
	material = credentials_material(credentials);
	g_assert_null(material->roots);
	g_assert_null(material->cert);
	g_assert_true(material->verify);
}

static void test_all(Files *files, gconstpointer data)
{
	g_autoptr(Credentials) credentials = credentials_new(
	    &(WatchTls){TRUE, files->cacert, files->cert, files->key, TRUE});
	const TlsMaterial *material;

	write_authority(files, LONG_AGO, FUTURE);
	write_pair(files, LONG_AGO, FUTURE);
	assert_loads(credentials);
	material = credentials_material(credentials);
	g_assert_true(g_str_has_prefix(material->roots, "-----BEGIN CERTIFICATE"));
	g_assert_true(g_str_has_prefix(material->cert, "-----BEGIN CERTIFICATE"));
	g_assert_true(g_str_has_prefix(material->key, "-----BEGIN PRIVATE KEY"));
	g_assert_false(material->verify);
}

static void test_missing(Files *files, gconstpointer data)
{
	assert_cacert_fault(files, "No such file or directory");
	assert_pair_fault(files, "--cert", "No such file or directory");
	write_pair(files, LONG_AGO, FUTURE);
	g_remove(files->key);
	assert_pair_fault(files, "--key", "No such file or directory");
}

/* And nobody waits for one to be written to. */
static void test_not_a_file(Files *files, gconstpointer data)
{
	g_assert_cmpint(g_mkdir(files->cacert, 0700), ==, 0);
	assert_cacert_fault(files, "Is a directory");
	g_assert_cmpint(g_rmdir(files->cacert), ==, 0);
	g_assert_cmpint(mkfifo(files->cacert, 0600), ==, 0);
	assert_cacert_fault(files, "holds no certificate in PEM form");
}

static void test_forbidden(Files *files, gconstpointer data)
{
	uid_t user = geteuid();

	write_authority(files, LONG_AGO, FUTURE);
	g_assert_cmpint(g_chmod(files->cacert, 0), ==, 0);
	/* root reads everything */
	g_assert_cmpint(seteuid(user ? user : 65534), ==, 0);
	assert_cacert_fault(files, "Permission denied");
	g_assert_cmpint(seteuid(user), ==, 0);
}

static void test_not_pem(Files *files, gconstpointer data)
{
	write_file(files->cacert, "");
	assert_cacert_fault(files, "holds no certificate in PEM form");
	write_pair(files, LONG_AGO, FUTURE);
	write_file(files->key, "hello");
	assert_pair_fault(files, "--key", "holds no private key in PEM form");
	write_file(files->cert, "hello");
	assert_pair_fault(files, "--cert", "holds no certificate in PEM form");
}

/* As when it is read while somebody writes it. */
static void test_cut_off(Files *files, gconstpointer data)
{
	g_autofree char *text = NULL, *twice = NULL;

	write_authority(files, LONG_AGO, FUTURE);
	g_assert_true(g_file_get_contents(files->cacert, &text, NULL, NULL));
	twice = g_strdup_printf("%s%.*s", text, (int)strlen(text) - 40, text);
	write_file(files->cacert, twice);
	assert_cacert_fault(files, "holds a damaged certificate");
}

static void test_encrypted_key(Files *files, gconstpointer data)
{
	g_autoptr(EVP_PKEY) key = EVP_EC_gen("P-256");
	g_autofree char *cert = cert_text(key, LONG_AGO, FUTURE), *secret = key_text(key, "secret");

	write_file(files->cert, cert);
	write_file(files->key, secret);
	assert_pair_fault(files, "--key", "encrypted; one without a passphrase is needed");
}

static void test_key_of_another(Files *files, gconstpointer data)
{
	g_autoptr(EVP_PKEY) other = EVP_EC_gen("P-256");
	g_autofree char *secret = key_text(other, NULL);
	g_autofree char *expected = g_strconcat("not the key of --cert ", files->cert, NULL);

	write_pair(files, LONG_AGO, FUTURE);
	write_file(files->key, secret);
	assert_pair_fault(files, "--key", expected);
}

static void test_swapped(Files *files, gconstpointer data)
{
	g_autofree char *aside = g_build_filename(files->directory, "aside", NULL);

	write_pair(files, LONG_AGO, FUTURE);
	g_rename(files->cert, aside);
	g_rename(files->key, files->cert);
	g_rename(aside, files->key);
	assert_pair_fault(files, "--cert", "holds a key, and --key a certificate: swapped?");
}

static void test_one_file_for_both(Files *files, gconstpointer data)
{
	g_autoptr(Credentials) credentials = credentials_of(NULL, files->cert, files->cert);
	g_autoptr(EVP_PKEY) key = EVP_EC_gen("P-256");
	g_autofree char *cert = cert_text(key, LONG_AGO, FUTURE), *secret = key_text(key, NULL);
	g_autofree char *both = g_strconcat(secret, cert, NULL);

	write_file(files->cert, both);
	assert_loads(credentials);
}

static void test_dates(Files *files, gconstpointer data)
{
	write_pair(files, LONG_AGO, PAST);
	assert_pair_fault(files, "--cert", "expired on 2001-02-03 04:05 UTC");
	write_pair(files, FUTURE, FUTURE);
	assert_pair_fault(files, "--cert", "not valid before 2200-01-01 00:00 UTC");
	write_authority(files, LONG_AGO, PAST);
	assert_cacert_fault(files, "expired on 2001-02-03 04:05 UTC");
}

/* An authority's successor is added before the old one ends. */
static void test_bundle(Files *files, gconstpointer data)
{
	g_autoptr(Credentials) credentials = credentials_of(files->cacert, NULL, NULL);
	g_autoptr(EVP_PKEY) key = EVP_EC_gen("P-256");
	g_autofree char *old = cert_text(key, LONG_AGO, PAST),
			*new = cert_text(key, LONG_AGO, FUTURE);
	g_autofree char *bundle = g_strconcat("# the old\n", old, "# the new\n", new, NULL);

	write_file(files->cacert, bundle);
	assert_loads(credentials);
	g_assert_cmpstr(credentials_material(credentials)->roots, ==, bundle);
}

/* An intermediate authority behind the certificate is not what the key is for. */
static void test_chain(Files *files, gconstpointer data)
{
	g_autofree char *cert = NULL, *authority = NULL, *chain = NULL;

	write_pair(files, LONG_AGO, FUTURE);
	write_authority(files, LONG_AGO, FUTURE);
	g_assert_true(g_file_get_contents(files->cert, &cert, NULL, NULL));
	g_assert_true(g_file_get_contents(files->cacert, &authority, NULL, NULL));
	chain = g_strconcat(cert, authority, NULL);
	write_file(files->cert, chain);
	assert_pair_loads(files);
}

static void test_expired_and_not_verified(Files *files, gconstpointer data)
{
	g_autoptr(Credentials)
	    credentials = credentials_new(&(WatchTls){TRUE, files->cacert, NULL, NULL, TRUE});

	write_authority(files, LONG_AGO, PAST);
	assert_loads(credentials);
}

/* The certificate is renewed before its key is. */
static void test_half_replaced(Files *files, gconstpointer data)
{
	g_autoptr(Credentials) credentials = credentials_of(NULL, files->cert, files->key);
	g_autofree char *old = NULL, *old_key = NULL, *new_key = NULL;
	g_autofree char *expected = g_strconcat("not the key of --cert ", files->cert, NULL);

	write_pair(files, LONG_AGO, FUTURE);
	g_assert_true(g_file_get_contents(files->cert, &old, NULL, NULL));
	g_assert_true(g_file_get_contents(files->key, &old_key, NULL, NULL));
	assert_loads(credentials);

	write_pair(files, LONG_AGO, FUTURE);
	g_assert_true(g_file_get_contents(files->key, &new_key, NULL, NULL));
	write_file(files->key, old_key);
	assert_fault(credentials, "--key", files->key, expected);
	g_assert_cmpstr(credentials_material(credentials)->cert, ==, old);
	g_assert_cmpstr(credentials_material(credentials)->key, ==, old_key);

	write_file(files->key, new_key);
	assert_loads(credentials);
	g_assert_cmpstr(credentials_material(credentials)->key, ==, new_key);
}

static void add(const char *name, void (*test)(Files *files, gconstpointer data))
{
	g_autofree char *path = g_strconcat("/credentials/", name, NULL);

	g_test_add(path, Files, NULL, files_set_up, test, files_tear_down);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/credentials/without-tls", test_without_tls);
	g_test_add_func("/credentials/nothing-named", test_nothing_named);
	add("all", test_all);
	add("missing", test_missing);
	add("not-a-file", test_not_a_file);
	add("forbidden", test_forbidden);
	add("not-pem", test_not_pem);
	add("cut-off", test_cut_off);
	add("encrypted-key", test_encrypted_key);
	add("key-of-another", test_key_of_another);
	add("swapped", test_swapped);
	add("one-file-for-both", test_one_file_for_both);
	add("dates", test_dates);
	add("bundle", test_bundle);
	add("chain", test_chain);
	add("expired-and-not-verified", test_expired_and_not_verified);
	add("half-replaced", test_half_replaced);
	return g_test_run();
}
