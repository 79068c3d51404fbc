/* SPDX-License-Identifier: Apache-2.0 */
/* pinned.c - which revisions etcd has.
 *
 * The newest is in the header of any answer.  The oldest is told to nobody but who
 * wants to watch from before it: a range that is refused for its revision says that
 * much and no more.
 */
#include "pinned.h"

#include "transition.h"

/* It is for the sake of the message only. */
#define ASKING_US (2 * G_TIME_SPAN_SECOND)

gint64 pinned_revision(const Resume *resume, const EtcdHeader *header)
{
	return resume->config.pinned ? resume->config.pinned : header->revision;
}

void pinned_freeze(Resume *resume, GArray *actions)
{
	resume->state = RESUME_FROZEN;
	transition_show(resume, KEYSPACE_FROZEN);
	transition_act(actions, RESUME_HANG_UP);
}

static void begin_asking(Resume *resume, EtcdFailure failure, GArray *actions)
{
	resume->state = RESUME_ASKING;
	resume->asked_for = failure;
	transition_act(actions, RESUME_CLOSE);
	if (failure == ETCD_COMPACTED)
		transition_act(actions, RESUME_OPEN)->revision = resume->config.pinned;
	else
		transition_probe(resume, NULL, actions);
	transition_act(actions, RESUME_ARM)->at_us = resume->now_us + ASKING_US;
}

/* KNOWN is the oldest revision of etcd's, or the newest; 0: it did not say. */
static char *missing_text(const Resume *resume, gint64 known)
{
	gint64 pinned = resume->config.pinned;

	if (resume->asked_for == ETCD_COMPACTED && known > pinned)
		return g_strdup_printf("revision %" G_GINT64_FORMAT
				       " was compacted; the oldest that "
				       "etcd still has is %" G_GINT64_FORMAT,
				       pinned, known);
	if (resume->asked_for == ETCD_COMPACTED)
		return g_strdup_printf("revision %" G_GINT64_FORMAT " was compacted", pinned);
	if (known > 0 && known < pinned)
		return g_strdup_printf("revision %" G_GINT64_FORMAT
				       " is in the future: etcd is at %" G_GINT64_FORMAT,
				       pinned, known);
	return g_strdup_printf("revision %" G_GINT64_FORMAT " is in the future", pinned);
}

static void end_asking(Resume *resume, gint64 known, GArray *actions)
{
	resume->state = RESUME_MISSING;
	resume->missing = missing_text(resume, known);
	transition_blame(resume, KEYSPACE_ERROR_COMPACTED, "%s", resume->missing);
	transition_act(actions, RESUME_CLOSE);
}

gboolean pinned_failed(Resume *resume, EtcdFailure failure, GArray *actions)
{
	if (resume->state == RESUME_ASKING) {
		end_asking(resume, 0, actions);
		return TRUE;
	}
	if (!resume->config.pinned || (failure != ETCD_COMPACTED && failure != ETCD_FUTURE))
		return FALSE;
	begin_asking(resume, failure, actions);
	return TRUE;
}

void pinned_probed(Resume *resume, const EtcdHeader *header, GArray *actions)
{
	end_asking(resume, header->revision, actions);
}

void pinned_response(Resume *resume, const EtcdWatch *response, GArray *actions)
{
	/* the watch is there, and its cancellation comes next */
	if (response->created && !response->canceled)
		transition_act(actions, RESUME_RECEIVE);
	else
		end_asking(resume, response->compact_revision, actions);
}
