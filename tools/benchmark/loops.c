/* SPDX-License-Identifier: Apache-2.0 */
/* loops.c - does the same to a file again and again, and prints the ns that each took.
 *
 *	loops read|stat|lookup COUNT PATH
 *
 * read: open, read to the end, close.  lookup: of a name that is not there.
 */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void die(const char *what)
{
	g_printerr("loops: %s: %s\n", what, g_strerror(errno));
	exit(1);
}

static void do_read(const char *path)
{
	char buffer[65536];
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		die(path);
	do {
		n = read(fd, buffer, sizeof(buffer));
		if (n < 0)
			die(path);
	} while (n == sizeof(buffer));
	close(fd);
}

static void do_stat(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		die(path);
}

static void do_lookup(const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0 || errno != ENOENT)
		die(path);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*act)(const char *path);
	} loops[] = {{"read", do_read}, {"stat", do_stat}, {"lookup", do_lookup}};
	guint64 count;

	if (argc != 4 || !g_ascii_string_to_unsigned(argv[2], 10, 1, G_MAXINT64, &count, NULL)) {
		g_printerr("usage: loops read|stat|lookup COUNT PATH\n");
		return 2;
	}
	for (gsize i = 0; i < G_N_ELEMENTS(loops); i++) {
		gint64 start_us = g_get_monotonic_time();

		if (!g_str_equal(argv[1], loops[i].name))
			continue;
		for (guint64 n = 0; n < count; n++)
			loops[i].act(argv[3]);
		g_print("%g\n", (double)(g_get_monotonic_time() - start_us) * 1000 / (double)count);
		return 0;
	}
	g_printerr("loops: no loop %s\n", argv[1]);
	return 2;
}
