/* SPDX-License-Identifier: Apache-2.0 */
/* tsan-glib.h - tells ThreadSanitizer what GLib's locks do.
 *
 * GLib is not built with the sanitizer and its GMutex is its own work on futexes, so
 * without this every use of one looks like a race.  Each source is compiled with
 * -include of this file, in the sanitizer's build only (tools/test).
 *
 * Lock and condition are named after the mutex: what happened before an unlock
 * happened before the next lock.  That a lock was forgotten still shows.
 *
 * And it takes a number for the same file in all threads; so here no thread gets
 * descriptors of its own, as on a kernel that refuses (fs/device.c).
 */
#ifndef TSAN_GLIB_H
#define TSAN_GLIB_H

#include <errno.h>
#include <glib.h>
#include <sanitizer/tsan_interface.h>
#include <sched.h>

static inline void tsan_mutex_lock(GMutex *mutex)
{
	g_mutex_lock(mutex);
	__tsan_acquire(mutex);
}

static inline gboolean tsan_mutex_trylock(GMutex *mutex)
{
	if (!g_mutex_trylock(mutex))
		return FALSE;
	__tsan_acquire(mutex);
	return TRUE;
}

static inline void tsan_mutex_unlock(GMutex *mutex)
{
	__tsan_release(mutex);
	g_mutex_unlock(mutex);
}

static inline void tsan_cond_wait(GCond *cond, GMutex *mutex)
{
	__tsan_release(mutex);
	g_cond_wait(cond, mutex);
	__tsan_acquire(mutex);
}

static inline gboolean tsan_cond_wait_until(GCond *cond, GMutex *mutex, gint64 end_time)
{
	gboolean signalled;

	__tsan_release(mutex);
	signalled = g_cond_wait_until(cond, mutex, end_time);
	__tsan_acquire(mutex);
	return signalled;
}

static inline GMutexLocker *tsan_mutex_locker_new(GMutex *mutex)
{
	tsan_mutex_lock(mutex);
	return (GMutexLocker *)mutex;
}

static inline void tsan_mutex_locker_free(GMutexLocker *locker)
{
	tsan_mutex_unlock((GMutex *)locker);
}

/* What g_autoptr(GMutexLocker) calls was defined when glib.h was read: so the type
 * gets another name, with a clean-up of its own. */
typedef GMutexLocker TsanMutexLocker;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TsanMutexLocker, tsan_mutex_locker_free)

static inline int tsan_unshare(int flags)
{
	(void)flags;
	errno = ENOSYS;
	return -1;
}

#define unshare tsan_unshare
#define GMutexLocker TsanMutexLocker
#define g_mutex_lock tsan_mutex_lock
#define g_mutex_trylock tsan_mutex_trylock
#define g_mutex_unlock tsan_mutex_unlock
#define g_cond_wait tsan_cond_wait
#define g_cond_wait_until tsan_cond_wait_until
#define g_mutex_locker_new tsan_mutex_locker_new
#define g_mutex_locker_free tsan_mutex_locker_free

#endif
