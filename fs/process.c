/* SPDX-License-Identifier: Apache-2.0 */
#include "process.h"

#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

/* The entries of a directory. */
static guint64 count_entries(const char *path)
{
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	guint64 n = 0;

	while (dir && g_dir_read_name(dir))
		n++;
	return n;
}

static void look_at_memory(Process *process)
{
	g_autofree char *text = NULL;
	guint64 total, resident, page = (guint64)sysconf(_SC_PAGESIZE);

	if (!g_file_get_contents("/proc/self/statm", &text, NULL, NULL) ||
	    sscanf(text, "%" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT, &total, &resident) != 2)
		return;
	process->virtual_bytes = total * page;
	process->resident_bytes = resident * page;
}

static gint64 microseconds(struct timeval time)
{
	return (gint64)time.tv_sec * G_USEC_PER_SEC + time.tv_usec;
}

void process_look(Process *ret_process)
{
	struct rusage usage = {0};
	struct rlimit limit = {0};

	*ret_process = (Process){0};
	look_at_memory(ret_process);
	getrusage(RUSAGE_SELF, &usage);
	getrlimit(RLIMIT_NOFILE, &limit);
	ret_process->cpu_us = microseconds(usage.ru_utime) + microseconds(usage.ru_stime);
	ret_process->threads = count_entries("/proc/self/task");
	ret_process->fds = count_entries("/proc/self/fd");
	ret_process->fds_max = limit.rlim_cur;
}
