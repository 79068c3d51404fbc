/* SPDX-License-Identifier: Apache-2.0 */
/* exposition.h - Prometheus's text format.
 *
 * A family (its name, type and help) and then its samples.  Each sample has the label
 * that the exposition was made with, so that those of many mounts can stand in one
 * place, as node_exporter puts them.
 */
#ifndef EXPOSITION_H
#define EXPOSITION_H

#include "histogram.h"

typedef struct {
	GString *text;	  /* owned */
	char *label;	  /* owned; name="value", escaped */
	const char *name; /* of the family */
} Exposition;

typedef enum { EXPOSITION_COUNTER, EXPOSITION_GAUGE, EXPOSITION_HISTOGRAM } ExpositionType;

void exposition_init(Exposition *exposition, const char *label, const char *value);
void exposition_clear(Exposition *exposition);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Exposition, exposition_clear)

/* NAME is borrowed until the next family; HELP is one line. */
void exposition_family(Exposition *exposition, ExpositionType type, const char *name,
		       const char *help);

/* A sample of the family.  LABEL: NULL, or the name of another label, of VALUE. */
void exposition_count(Exposition *exposition, const char *label, const char *value, guint64 n);

/* A time in microseconds, written in seconds. */
void exposition_time(Exposition *exposition, gint64 us);

/* A sample that is 1, for its labels' sake: name, value, ..., NULL. */
void exposition_info(Exposition *exposition, ...) G_GNUC_NULL_TERMINATED;

void exposition_histogram(Exposition *exposition, const Histogram *histogram);

#endif
