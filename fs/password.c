/* SPDX-License-Identifier: Apache-2.0 */
#include "password.h"

#include <bsd/readpassphrase.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PASSWORD_SIZE 1024

static gboolean fail_file(GError **error, const gchar *file, const gchar *reason)
{
	g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "--password-file %s: %s", file,
		    reason);
	return FALSE;
}

/* What is wrong with the file behind FD; NULL if nothing is. */
static const gchar *fault(int fd)
{
	struct stat st;
	gchar start[2];

	if (fstat(fd, &st) < 0)
		return g_strerror(errno);
	if (S_ISDIR(st.st_mode))
		return g_strerror(EISDIR);
	if (!S_ISREG(st.st_mode))
		return "not a regular file, and it is read again for each login";

	ssize_t n = TEMP_FAILURE_RETRY(read(fd, start, sizeof start));
	if (n < 0)
		return g_strerror(errno);
	return n == 0 || (n == 1 && start[0] == '\n') ? "there is no password in it" : NULL;
}

gboolean password_check_file(const gchar *file, GError **error)
{
	/* A FIFO that nobody writes to must not hold us. */
	int fd = open(file, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return fail_file(error, file, g_strerror(errno));

	const gchar *reason = fault(fd);
	close(fd);
	return !reason || fail_file(error, file, reason);
}

/* NULL and errno. */
static gchar *ask(const gchar *prompt)
{
	gchar typed[PASSWORD_SIZE];
	gchar *password = NULL;

	if (readpassphrase(prompt, typed, sizeof typed, RPP_ECHO_OFF | RPP_REQUIRE_TTY))
		password = g_strdup(typed);
	int errnum = errno;
	explicit_bzero(typed, sizeof typed);
	errno = errnum;
	return password;
}

gchar *password_ask(const gchar *user, GError **error)
{
	g_autofree gchar *prompt = g_strdup_printf("Password of %s in etcd: ", user);
	gchar *password = ask(prompt);

	if (password && *password)
		return password;
	if (password)
		g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "no password of %s was typed",
			    user);
	else if (errno == ENOTTY)
		g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED,
			    "user %s: no password, and no terminal to ask for it; give "
			    "--password-file FILE",
			    user);
	else
		g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno),
			    "user %s: cannot ask for the password: %s", user, g_strerror(errno));
	g_free(password);
	return NULL;
}
