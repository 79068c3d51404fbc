/* SPDX-License-Identifier: Apache-2.0 */
/* reading32 DIRECTORY NAME - reads a file and its directory as a program of 32 bits
 * that knows nothing of large files: every
 * number that the kernel gives must fit.
 *
 * A line for each call, with what it gave or its error; names last, sorted.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/xattr.h>
#include <unistd.h>

_Static_assert(sizeof(off_t) == 4 && sizeof(ino_t) == 4 && sizeof(void *) == 4, "not 32 bits");

static unsigned sum(const unsigned char *data, size_t len)
{
	unsigned sum = 0;

	while (len--)
		sum = sum * 31 + *data++;
	return sum;
}

static void say(const char *what, long result)
{
	if (result < 0)
		printf("%s: %s\n", what, strerror(errno));
	else
		printf("%s: %ld\n", what, result);
}

static void say_stat(const char *what, int r, const struct stat *st)
{
	say(what, r);
	if (r == 0)
		printf("%s: size %ld, type %o, number %d\n", what,
		       S_ISREG(st->st_mode) ? st->st_size : 0, st->st_mode & S_IFMT,
		       st->st_ino != 0);
}

static void read_all(int fd, long size)
{
	unsigned char *buffer = malloc(size + 1);
	long n, len = 0;

	while ((n = read(fd, buffer + len, size + 1 - len)) > 0)
		len += n;
	say("read", n < 0 ? n : len);
	printf("sum: %u\n", sum(buffer, len));
	say("pread", pread(fd, buffer, size + 1, size / 2));
	say("lseek", lseek(fd, 0, SEEK_END));
	say("lseek data", lseek(fd, 0, SEEK_DATA));
	free(buffer);
}

static void map(int fd, long size)
{
	unsigned char *data = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);

	say("mmap", data == MAP_FAILED ? -1 : 0);
	if (data != MAP_FAILED)
		printf("sum: %u\n", sum(data, size));
}

static void read_file(const char *name)
{
	struct stat st;
	int fd = open(name, O_RDONLY);

	say("open", fd < 0 ? fd : 0);
	say_stat("fstat", fstat(fd, &st), &st);
	read_all(fd, st.st_size);
	map(fd, st.st_size);
	close(fd);
	say_stat("stat", stat(name, &st), &st);
	say_stat("lstat", lstat(name, &st), &st);
	say("access", access(name, R_OK));
}

/* Forward, and again from where each entry was. */
static void read_directory(const char *path)
{
	struct dirent *entry, **entries;
	long n = 0, at, last = 0;
	DIR *dir = opendir(path);

	say("opendir", dir ? 0 : -1);
	for (errno = 0; dir && (at = telldir(dir), entry = readdir(dir)); n++)
		last = at;
	say("readdir", errno ? -1 : n > 0);
	seekdir(dir, last);
	printf("again: %d\n", readdir(dir) != NULL);
	closedir(dir);
	n = scandir(path, &entries, NULL, alphasort);
	say("scandir", n);
	for (long i = 0; i < n; i++)
		printf("%s\n", entries[i]->d_name);
}

int main(int argc, char **argv)
{
	struct statfs fs;
	struct stat st;

	if (argc != 3 || chdir(argv[1]) < 0)
		return 1;
	read_file(argv[2]);
	say_stat("stat of the directory", stat(".", &st), &st);
	say("statfs", statfs(".", &fs));
	say("listxattr", listxattr(".", NULL, 0) < 0 ? -1 : 0);
	read_directory(".");
	return 0;
}
