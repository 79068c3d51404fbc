/* SPDX-License-Identifier: Apache-2.0 */
#include "heartbeat.h"

#include <fcntl.h>
#include <sys/stat.h>

struct Heartbeat {
	int fd;
	const char *path;
	GThread *thread;

	GMutex lock;
	GCond wake;
	gboolean asked; /* under lock; so the next */
	gboolean stopping;
};

/* Whatever the answer is, it is one. */
static void ask(const Heartbeat *heartbeat)
{
	struct statx stx;

	if (statx(heartbeat->fd, heartbeat->path, AT_EMPTY_PATH | AT_STATX_FORCE_SYNC, STATX_SIZE,
		  &stx) < 0)
		g_debug("heartbeat: %m");
}

static gpointer heartbeat_main(gpointer data)
{
	Heartbeat *heartbeat = data;

	g_mutex_lock(&heartbeat->lock);
	while (!heartbeat->stopping) {
		if (!heartbeat->asked) {
			g_cond_wait(&heartbeat->wake, &heartbeat->lock);
			continue;
		}
		g_mutex_unlock(&heartbeat->lock);
		ask(heartbeat);
		g_mutex_lock(&heartbeat->lock);
		heartbeat->asked = FALSE;
	}
	g_mutex_unlock(&heartbeat->lock);
	return NULL;
}

Heartbeat *heartbeat_new(int fd, const char *path)
{
	Heartbeat *heartbeat = g_new0(Heartbeat, 1);

	heartbeat->fd = fd;
	heartbeat->path = path;
	g_mutex_init(&heartbeat->lock);
	g_cond_init(&heartbeat->wake);
	heartbeat->thread = g_thread_new("heartbeat", heartbeat_main, heartbeat);
	return heartbeat;
}

void heartbeat_free(Heartbeat *heartbeat)
{
	if (!heartbeat)
		return;
	g_mutex_lock(&heartbeat->lock);
	heartbeat->stopping = TRUE;
	g_cond_signal(&heartbeat->wake);
	g_mutex_unlock(&heartbeat->lock);
	g_thread_join(heartbeat->thread);
	g_cond_clear(&heartbeat->wake);
	g_mutex_clear(&heartbeat->lock);
	g_free(heartbeat);
}

gboolean heartbeat_answered(Heartbeat *heartbeat)
{
	g_mutex_lock(&heartbeat->lock);
	gboolean answered = !heartbeat->asked;
	heartbeat->asked = TRUE;
	g_cond_signal(&heartbeat->wake);
	g_mutex_unlock(&heartbeat->lock);
	return answered;
}
