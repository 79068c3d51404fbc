/* SPDX-License-Identifier: Apache-2.0 */
/* sequence.h - which files somebody who reads one after the other comes to next.
 *
 * What is given to the kernel before it asks is not asked for, so nobody learns whether it
 * was of use.  Hence only what was asked for counts: it makes the reach grow, and from one
 * directory to the next the reach is lent, and lost unless that goes on.
 */
#ifndef SEQUENCE_H
#define SEQUENCE_H

#include "node.h"

#define SEQUENCE_MAX_FILES 256		/* at a time */
#define SEQUENCE_MAX_BYTES (256 * 1024) /* of them together */
#define SEQUENCE_MAX_VALUE (16 * 1024)	/* of each; who reads more does not gain */
#define SEQUENCE_DIRS 8			/* in which somebody reads at the same time */

/* Somebody reads in a directory. */
typedef struct {
	guint64 dir;	/* nodeid; 0: none */
	guint64 offset; /* of the last file that was read or given */
	guint reach;	/* how many were to be given after it */
} SequenceRun;

/* All zeroes at first. */
typedef struct {
	SequenceRun runs[SEQUENCE_DIRS];
	guint oldest;
	guint lent;   /* the reach with which the next directory begins */
	guint n_lent; /* how many directories are given that before any file in one is asked for */
} Sequence;

/* Both need the tree lock, and SEQUENCE the caller's own.  They return the nodes (owned
 * references) whose values are to be given to the kernel now; NULL: none. */

/* The kernel asks for the value of FILE. */
GPtrArray *sequence_read_locked(Sequence *sequence, const Node *file);

/* Somebody has listed DIR to its end. */
GPtrArray *sequence_listed_locked(Sequence *sequence, const Node *dir);

#endif
