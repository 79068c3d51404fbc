/* SPDX-License-Identifier: Apache-2.0 */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "watch.h"

#define SIZE_MAX_BYTES (1024 * 1024)

/* NULL: errno says why. */
static char *read_all(int fd)
{
	g_autofree char *text = g_malloc(SIZE_MAX_BYTES + 1);
	gsize len = 0;

	for (;;) {
		gssize n = TEMP_FAILURE_RETRY(read(fd, text + len, SIZE_MAX_BYTES + 1 - len));

		if (n < 0)
			return NULL;
		if (n == 0)
			break;
		len += n;
		if (len > SIZE_MAX_BYTES) {
			errno = EFBIG;
			return NULL;
		}
	}
	text[len] = '\0';
	return g_realloc(g_steal_pointer(&text), len + 1);
}

char *file_read(const char *option, const char *name, GError **error)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char *text = fd >= 0 ? read_all(fd) : NULL;
	int fault = errno;

	if (fd >= 0)
		close(fd);
	if (!text)
		g_set_error(error, WATCH_ERROR, WATCH_ERROR_FILE, "%s %s: %s", option, name,
			    g_strerror(fault));
	return text;
}
