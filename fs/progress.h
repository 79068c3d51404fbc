/* SPDX-License-Identifier: Apache-2.0 */
/* progress.h - how far a seed is, how fast it goes, and both in words.
 *
 * Plain data and text: no clock, no terminal.  NOW_US is monotonic.  One owner.
 */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <glib.h>

/* For the rate: what happened before the oldest does not count any more. */
#define PROGRESS_SAMPLES 8

typedef struct {
	gint64 at_us;
	guint64 keys;
	guint64 bytes;
} ProgressSample;

typedef struct {
	guint64 total; /* keys to come, as etcd counted them; 0: unknown */
	guint64 keys;  /* that came */
	guint64 bytes; /* theirs and their values' */
	gboolean over; /* it is not the first attempt */
	gint64 begun_us;
	ProgressSample samples[PROGRESS_SAMPLES]; /* a ring */
	guint n_samples;			  /* ever */
} Progress;

void progress_begin(Progress *progress, guint64 total, gboolean over, gint64 now_us);
void progress_add(Progress *progress, guint64 keys, guint64 bytes, gint64 now_us);

/* At most WIDTH columns of ASCII, as many parts as fit; owned by the caller. */
char *progress_bar(const Progress *progress, guint width, gint64 now_us);

/* The same for a log, with every part; owned by the caller. */
char *progress_line(const Progress *progress, gint64 now_us);

/* Whole percents; 0 while the total is unknown. */
guint progress_percent(const Progress *progress);

#endif
