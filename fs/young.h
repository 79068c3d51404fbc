/* SPDX-License-Identifier: Apache-2.0 */
/* young.h - new directories, and what was born in them.
 *
 * A recursive watcher (inotifywait -r) watches a new directory when it hears of it.
 * On a local disk it mostly is in time for what is created there next.  Here the
 * first keys are in a directory as soon as it exists, when nobody can watch it.
 * So those are told a moment after the directory was, if somebody has come and
 * listed it by then, as such watchers do; nobody else's events wait for that.
 *
 * Pure data: the announcer guards it with its lock.  Times are those of
 * g_get_monotonic_time.
 */
#ifndef YOUNG_H
#define YOUNG_H

#include "node.h"

typedef struct {
	Node *dir;	 /* owned */
	GPtrArray *born; /* of Node, owned: what came into it before it was told of */

	/* Of young.c. */
	gboolean told;
	gint64 until_us; /* once told */
	GList in_told;
} YoungDir;

typedef struct {
	GHashTable *dirs; /* Node -> YoungDir, owned */
	GQueue told;	  /* of YoungDir; the first to come of age first */
} Young;

void young_init(Young *young);
void young_clear(Young *young);

/* The creation of DIR is still to be told: from now on it is young. */
void young_add(Young *young, Node *dir);

/* NODE came into its parent.  FALSE, and nothing happens, if that is not young or was
 * told of already. */
gboolean young_born(Young *young, Node *node);

/* DIR was told of, or never will be: it and the directories in it come of age after a
 * moment.  Harmless if it is not young, or was told of before. */
void young_told(Young *young, const Node *dir, gint64 now_us);

/* When the next comes of age; G_MAXINT64: none was told of. */
gint64 young_next(const Young *young);

/* A directory that is of age by NOW_US and so is young no more, the caller's; NULL if
 * there is none. */
YoungDir *young_take(Young *young, gint64 now_us);
void young_dir_free(YoungDir *dir);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(YoungDir, young_dir_free)

#endif
