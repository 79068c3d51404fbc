/* SPDX-License-Identifier: Apache-2.0 */
#include "sequence.h"

#include "siblings.h"

/* What the second file in a row is worth, and by what each further one multiplies it. */
#define FIRST 4
#define GROWTH 4
/* Between two files in a row there may be what is not read, or what somebody else reads. */
#define NEAR 8
/* So many directories are read unasked before it has to show that they are read at all. */
#define LENT_DIRS 16

static SequenceRun *find_run(Sequence *sequence, guint64 dir)
{
	for (guint i = 0; i < SEQUENCE_DIRS; i++)
		if (sequence->runs[i].dir == dir)
			return &sequence->runs[i];
	return NULL;
}

static SequenceRun *new_run(Sequence *sequence, guint64 dir)
{
	SequenceRun *run = &sequence->runs[sequence->oldest];

	sequence->oldest = (sequence->oldest + 1) % SEQUENCE_DIRS;
	*run = (SequenceRun){.dir = dir};
	return run;
}

/* Whether FILE is one of the next after OFFSET. */
static gboolean follows(const Node *file, guint64 offset)
{
	SiblingsIter iter;

	siblings_seek(&iter, file->parent->dir->children, offset);
	for (guint i = 0; i < NEAR; i++) {
		const Node *next = siblings_next(&iter);
		if (next == file || !next)
			return next == file;
	}
	return FALSE;
}

static guint grown(guint reach)
{
	return MIN(reach > 0 ? reach * GROWTH : FIRST, SEQUENCE_MAX_FILES);
}

/* The first file of a directory is asked for: whoever reads no more than that loses it soon. */
static guint take_lent(Sequence *sequence)
{
	guint reach = sequence->lent;

	sequence->lent /= 2;
	sequence->n_lent = LENT_DIRS;
	return reach;
}

static gboolean is_worth_it(const Node *node)
{
	return node->kind == NODE_FILE && node->value_len > 0 &&
	       node->value_len <= SEQUENCE_MAX_VALUE;
}

/* The next files after RUN's offset, which it moves; *ret_end: there are no more. */
static GPtrArray *collect(SequenceRun *run, const Node *dir, gboolean *ret_end)
{
	g_autoptr(GPtrArray) files = g_ptr_array_new_with_free_func((GDestroyNotify)node_unref);
	SiblingsIter iter;
	gsize bytes = 0;
	Node *node = NULL;

	siblings_seek(&iter, dir->dir->children, run->offset);
	for (guint i = 0; i < run->reach && bytes < SEQUENCE_MAX_BYTES; i++) {
		node = siblings_next(&iter);
		if (!node)
			break;
		run->offset = node->offset;
		if (!is_worth_it(node))
			continue;
		g_ptr_array_add(files, node_ref(node));
		bytes += node->value_len;
	}
	*ret_end = run->reach > 0 && !node;
	return files->len > 0 ? g_steal_pointer(&files) : NULL;
}

GPtrArray *sequence_read_locked(Sequence *sequence, const Node *file)
{
	/* Nobody comes past an older revision, nor to one. */
	if (!file->linked)
		return NULL;

	SequenceRun *run = find_run(sequence, file->parent->nodeid);
	gboolean goes_on = run && follows(file, run->offset);
	gboolean ended;

	if (!run) {
		run = new_run(sequence, file->parent->nodeid);
		run->reach = follows(file, 0) ? take_lent(sequence) : 0;
	} else {
		run->reach = goes_on ? grown(run->reach) : 0;
	}
	run->offset = file->offset;
	GPtrArray *files = collect(run, file->parent, &ended);
	if (goes_on && ended) {
		sequence->lent = run->reach;
		sequence->n_lent = LENT_DIRS;
	}
	return files;
}

GPtrArray *sequence_listed_locked(Sequence *sequence, const Node *dir)
{
	gboolean ended;

	if (sequence->lent == 0 || sequence->n_lent == 0 || find_run(sequence, dir->nodeid))
		return NULL;
	sequence->n_lent--;
	SequenceRun *run = new_run(sequence, dir->nodeid);
	run->reach = sequence->lent;
	return collect(run, dir, &ended);
}
