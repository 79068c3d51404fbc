/* SPDX-License-Identifier: Apache-2.0 */
#include "mounter.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include "privileges.h"

struct Mounter {
	GThread *thread; /* NULL: the caller does it all */

	GMutex lock;
	GCond changed;
	void (*job)(gpointer data); /* under lock, so the rest; NULL: none, or done */
	gpointer data;
	gboolean stopping;
};

static gpointer mounter_main(gpointer data)
{
	Mounter *mounter = data;

	g_mutex_lock(&mounter->lock);
	while (!mounter->stopping) {
		if (!mounter->job) {
			g_cond_wait(&mounter->changed, &mounter->lock);
			continue;
		}
		g_mutex_unlock(&mounter->lock);
		mounter->job(mounter->data);
		g_mutex_lock(&mounter->lock);
		mounter->job = NULL;
		g_cond_signal(&mounter->changed);
	}
	g_mutex_unlock(&mounter->lock);
	return NULL;
}

void mounter_run(Mounter *mounter, void (*job)(gpointer data), gpointer data)
{
	if (!mounter->thread) {
		job(data);
		return;
	}
	g_mutex_lock(&mounter->lock);
	mounter->job = job;
	mounter->data = data;
	g_cond_signal(&mounter->changed);
	while (mounter->job)
		g_cond_wait(&mounter->changed, &mounter->lock);
	g_mutex_unlock(&mounter->lock);
}

typedef struct {
	const char *namespace;
	int errnum; /* 0: entered */
} Entry;

static void enter(gpointer data)
{
	Entry *entry = data;
	int fd = open(entry->namespace, O_RDONLY | O_CLOEXEC);

	/* Who shares root and working directory with another thread stays where it is. */
	if (fd < 0 || unshare(CLONE_FS) < 0 || setns(fd, CLONE_NEWNS) < 0)
		entry->errnum = errno;
	if (fd >= 0)
		close(fd);
}

/* The signals are the main thread's, and an unmount is not to be interrupted. */
static void launch(Mounter *mounter)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	mounter->thread = g_thread_new("mounter", mounter_main, mounter);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

Mounter *mounter_new(const char *namespace, gboolean keeps_apart, GError **error)
{
	Mounter *mounter = g_new0(Mounter, 1);
	Entry entry = {.namespace = namespace};

	g_mutex_init(&mounter->lock);
	g_cond_init(&mounter->changed);
	if (namespace || keeps_apart)
		launch(mounter);
	if (namespace)
		mounter_run(mounter, enter, &entry);
	if (entry.errnum == 0)
		return mounter;
	g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(entry.errnum),
		    "--mount-namespace %s: %s", namespace, g_strerror(entry.errnum));
	mounter_free(mounter);
	return NULL;
}

void mounter_free(Mounter *mounter)
{
	if (!mounter)
		return;
	g_mutex_lock(&mounter->lock);
	mounter->stopping = TRUE;
	g_cond_signal(&mounter->changed);
	g_mutex_unlock(&mounter->lock);
	if (mounter->thread)
		g_thread_join(mounter->thread);
	g_cond_clear(&mounter->changed);
	g_mutex_clear(&mounter->lock);
	g_free(mounter);
}

static void settle(gpointer data)
{
	privileges_keep(PRIVILEGES_UNMOUNT);
}

void mounter_settle(Mounter *mounter)
{
	if (mounter->thread)
		mounter_run(mounter, settle, NULL);
}
