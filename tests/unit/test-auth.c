/* SPDX-License-Identifier: Apache-2.0 */
/* When a token is asked for, and with which password. */
#include "auth.h"

#include <glib/gstdio.h>

#include "wire.h"

#define NOT_ENABLED "etcdserver: authentication is not enabled"
#define DENIED "etcdserver: permission denied"
#define FAILED "etcdserver: authentication failed, invalid user ID or password"

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Auth, auth_clear)

static const WatchAuth me = {.user = "me", .password = "secret"};

static void assert_password(const Auth *auth, const char *password)
{
	g_autoptr(GBytes) request = auth_request(auth);
	g_autoptr(GBytes) expected = wire_authenticate_encode("me", password);

	g_assert_true(g_bytes_equal(request, expected));
}

static void test_nobody(void)
{
	g_auto(Auth) auth = {0};

	auth_init(&auth, &(WatchAuth){0});
	g_assert_true(auth_load(&auth, NULL));
	g_assert_false(auth_is_due(&auth));
	g_assert_null(auth.token);
	/* no token will help */
	g_assert_cmpint(auth_judge(&auth, "etcdserver: user name is empty"), ==, AUTH_DENIED);
}

static void test_token(void)
{
	g_auto(Auth) auth = {0};

	auth_init(&auth, &me);
	g_assert_true(auth_is_due(&auth));
	assert_password(&auth, "secret");
	auth_take(&auth, "token");
	g_assert_false(auth_is_due(&auth));
	g_assert_cmpstr(auth.token, ==, "token");
}

static void test_each_connection(void)
{
	g_auto(Auth) auth = {0};

	auth_init(&auth, &me);
	auth_take(&auth, "token");
	auth_forget(&auth);
	g_assert_true(auth_is_due(&auth));
	g_assert_null(auth.token);
}

/* It is new, so the refusal is not for its age. */
static void test_new_token_refused(void)
{
	g_auto(Auth) auth = {0};

	auth_init(&auth, &me);
	auth_begin(&auth);
	auth_take(&auth, "token");
	g_assert_cmpint(auth_judge(&auth, DENIED), ==, AUTH_DENIED);
	g_assert_false(auth_is_due(&auth));
}

/* Old servers say so of an expired one, too. */
static void test_old_token_refused(void)
{
	g_auto(Auth) auth = {0};

	auth_init(&auth, &me);
	auth_take(&auth, "token");
	for (guint i = 0; i < 3; i++) {
		auth_begin(&auth);
		g_assert_cmpint(auth_judge(&auth, DENIED), ==, AUTH_RETRY);
		g_assert_true(auth_is_due(&auth));
		auth_take(&auth, "another");
		g_assert_cmpstr(auth.token, ==, "another");
		g_assert_cmpint(auth_judge(&auth, DENIED), ==, AUTH_DENIED);
	}
}

/* As when users change all the time. */
static void test_each_token_refused(void)
{
	static const char *const reasons[] = {
	    "etcdserver: invalid auth token",
	    "etcdserver: revision of auth store is old",
	    "etcdserver: user name is empty",
	};
	g_auto(Auth) auth = {0};

	auth_init(&auth, &me);
	auth_take(&auth, "token");
	auth_begin(&auth);
	for (gsize i = 0; i < G_N_ELEMENTS(reasons); i++) {
		g_assert_cmpint(auth_judge(&auth, reasons[i]), ==, AUTH_RETRY);
		auth_take(&auth, "another");
	}
	g_assert_cmpint(auth_judge(&auth, reasons[0]), ==, AUTH_LATER);
}

static void test_password_refused(void)
{
	g_auto(Auth) auth = {0};

	auth_init(&auth, &me);
	g_assert_false(auth_refused(&auth, FAILED));
	g_assert_true(auth_is_due(&auth));
}

static void test_off(void)
{
	g_auto(Auth) auth = {0};

	auth_init(&auth, &me);
	auth_begin(&auth);
	g_assert_true(auth_refused(&auth, NOT_ENABLED));
	g_assert_false(auth_is_due(&auth));
	g_assert_null(auth.token);
	/* etcd has just said so: what is refused now is refused for something else */
	g_assert_cmpint(auth_judge(&auth, DENIED), ==, AUTH_DENIED);
	auth_begin(&auth);
	g_assert_false(auth_is_due(&auth));
}

static void test_off_and_on(void)
{
	g_auto(Auth) auth = {0};

	auth_init(&auth, &me);
	auth_refused(&auth, NOT_ENABLED);
	auth_begin(&auth);
	g_assert_cmpint(auth_judge(&auth, "etcdserver: user name is empty"), ==, AUTH_RETRY);
	g_assert_true(auth_is_due(&auth));
}

static void test_off_elsewhere(void)
{
	g_auto(Auth) auth = {0};

	auth_init(&auth, &me);
	auth_refused(&auth, NOT_ENABLED);
	auth_forget(&auth);
	g_assert_true(auth_is_due(&auth));
}

/* A file in a directory of its own. */
typedef struct {
	char *directory;
	char *name;
	Auth auth;
} File;

static void file_write(const File *file, const char *text)
{
	g_assert_true(g_file_set_contents(file->name, text, -1, NULL));
}

static void file_set_up(File *file, gconstpointer data)
{
	file->directory = g_dir_make_tmp("etcdfs-auth-XXXXXX", NULL);
	file->name = g_build_filename(file->directory, "password", NULL);
	auth_init(&file->auth, &(WatchAuth){.user = "me", .password_file = file->name});
}

static void file_tear_down(File *file, gconstpointer data)
{
	g_remove(file->name);
	g_assert_cmpint(g_rmdir(file->directory), ==, 0);
	g_free(file->name);
	g_free(file->directory);
	auth_clear(&file->auth);
}

static void test_file(File *file, gconstpointer data)
{
	static const char *const texts[][2] = {
	    {"secret", "secret"},
	    {"another\n", "another"},
	    {"two\n\n", "two\n"},
	    {" blanks \n", " blanks "},
	    {"w\303\266rt", "w\303\266rt"},
	    {"\n", ""},
	    {"", ""},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
		file_write(file, texts[i][0]);
		g_assert_true(auth_load(&file->auth, NULL));
		assert_password(&file->auth, texts[i][1]);
	}
}

static void test_file_gone(File *file, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *message = g_strdup_printf("--password-file %s: No such file or directory",
						   file->name);

	file_write(file, "secret");
	g_assert_true(auth_load(&file->auth, NULL));
	g_remove(file->name);
	g_assert_false(auth_load(&file->auth, &error));
	g_assert_error(error, WATCH_ERROR, WATCH_ERROR_FILE);
	g_assert_cmpstr(error->message, ==, message);
	assert_password(&file->auth, "secret");
}

static void test_file_never_there(File *file, gconstpointer data)
{
	g_autoptr(GError) error = NULL;

	g_assert_false(auth_load(&file->auth, &error));
	g_assert_error(error, WATCH_ERROR, WATCH_ERROR_FILE);
}

/* ---- a token that was given ---- */

static void test_given(void)
{
	Auth auth;

	auth_init(&auth, &(WatchAuth){.token = "t", .user = "me", .password = "p"});
	for (int connection = 0; connection < 2; connection++) {
		auth_forget(&auth);
		g_assert_false(auth_is_due(&auth));
		auth_begin(&auth);
		g_assert_cmpstr(auth.token, ==, "t");
	}
	g_assert_cmpint(auth_judge(&auth, "etcdserver: invalid auth token"), ==, AUTH_DENIED);
	g_assert_cmpint(auth_judge(&auth, "etcdserver: permission denied"), ==, AUTH_DENIED);
	auth_clear(&auth);
}

static void token_set_up(File *file, gconstpointer data)
{
	file_set_up(file, data);
	auth_clear(&file->auth);
	auth_init(&file->auth, &(WatchAuth){.token_file = file->name});
}

static void test_given_file(File *file, gconstpointer data)
{
	static const char *const texts[] = {"t.o-k_n", "t.o-k_n\n", " t.o-k_n\r\n\n"};

	for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
		file_write(file, texts[i]);
		g_assert_true(auth_load(&file->auth, NULL));
		g_assert_cmpstr(file->auth.token, ==, "t.o-k_n");
	}
	auth_forget(&file->auth);
	g_assert_cmpstr(file->auth.token, ==, "t.o-k_n");
}

static void test_given_file_bad(File *file, gconstpointer data)
{
	static const char *const texts[][2] = {
	    {"", "is empty"},
	    {"\n", "is empty"},
	    {"two words", "holds no token: a token has no blanks and only ASCII in it"},
	    {"w\303\266rt", "holds no token: a token has no blanks and only ASCII in it"},
	};

	file_write(file, "before");
	g_assert_true(auth_load(&file->auth, NULL));
	for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autoptr(GError) error = NULL;
		g_autofree char *message = g_strdup_printf("--auth-jwt-token-file %s: %s",
							   file->name, texts[i][1]);

		file_write(file, texts[i][0]);
		g_assert_false(auth_load(&file->auth, &error));
		g_assert_error(error, WATCH_ERROR, WATCH_ERROR_FILE);
		g_assert_cmpstr(error->message, ==, message);
		g_assert_cmpstr(file->auth.token, ==, "before");
	}
}

/* Once for each request, since another may be there by then. */
static void test_given_file_refused(File *file, gconstpointer data)
{
	for (int request = 0; request < 2; request++) {
		auth_begin(&file->auth);
		g_assert_cmpint(auth_judge(&file->auth, "etcdserver: permission denied"), ==,
				AUTH_DENIED);
		g_assert_cmpint(auth_judge(&file->auth, "etcdserver: invalid auth token"), ==,
				AUTH_RETRY);
		g_assert_cmpint(auth_judge(&file->auth, "etcdserver: invalid auth token"), ==,
				AUTH_DENIED);
	}
}

#define ADD_GIVEN(name, test)                                                                      \
	g_test_add("/auth/given/" name, File, NULL, token_set_up, test, file_tear_down)
#define ADD(name, test) g_test_add("/auth/" name, File, NULL, file_set_up, test, file_tear_down)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/auth/nobody", test_nobody);
	g_test_add_func("/auth/token", test_token);
	g_test_add_func("/auth/each-connection", test_each_connection);
	g_test_add_func("/auth/new-token-refused", test_new_token_refused);
	g_test_add_func("/auth/old-token-refused", test_old_token_refused);
	g_test_add_func("/auth/each-token-refused", test_each_token_refused);
	g_test_add_func("/auth/password-refused", test_password_refused);
	g_test_add_func("/auth/off", test_off);
	g_test_add_func("/auth/off-and-on", test_off_and_on);
	g_test_add_func("/auth/off-elsewhere", test_off_elsewhere);
	g_test_add_func("/auth/given", test_given);
	ADD_GIVEN("file", test_given_file);
	ADD_GIVEN("file-bad", test_given_file_bad);
	ADD_GIVEN("file-refused", test_given_file_refused);
	ADD("file", test_file);
	ADD("file-gone", test_file_gone);
	ADD("file-never-there", test_file_never_there);
	return g_test_run();
}
