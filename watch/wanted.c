/* SPDX-License-Identifier: Apache-2.0 */
#include "wanted.h"

#include "transition.h"

/* Mostly the events are on their way already. */
#define PATIENCE_US (10 * G_TIME_SPAN_MILLISECOND)
#define DELAY_MIN_US (100 * G_TIME_SPAN_MILLISECOND)
#define DELAY_MAX_US G_TIME_SPAN_SECOND
/* etcd reads the whole range for it. */
#define SHARE 20

static gboolean is_pending(const Resume *resume)
{
	return resume->wanted.revision > MAX(resume->applied, resume->wanted.current);
}

void wanted_arm(Resume *resume, GArray *actions)
{
	Wanted *wanted = &resume->wanted;

	if (!is_pending(resume) || wanted->at_us >= resume->probe_at_us)
		return;
	wanted->armed = TRUE;
	transition_act(actions, RESUME_ARM)->at_us = MAX(wanted->at_us, resume->now_us);
}

void wanted_begin(Resume *resume, GArray *actions)
{
	Wanted *wanted = &resume->wanted;

	wanted->delay_us = DELAY_MIN_US;
	wanted->at_us = MAX(resume->now_us + PATIENCE_US, wanted->asked_us + DELAY_MIN_US);
	wanted_arm(resume, actions);
}

void wanted_add(Resume *resume, gint64 revision, GArray *actions)
{
	Wanted *wanted = &resume->wanted;

	if (revision <= MAX(resume->applied, wanted->current))
		return;
	wanted->revision = MAX(wanted->revision, revision);
	/* Not while an answer is awaited: that one sees to it. */
	if (resume->state == RESUME_LIVE && wanted->at_us != G_MAXINT64)
		wanted_begin(resume, actions);
	wanted->delay_us = 0;
}

static void ask(Resume *resume, GArray *actions)
{
	Wanted *wanted = &resume->wanted;

	resume->probing = TRUE;
	wanted->asked_us = resume->now_us;
	wanted->asked_at = resume->applied;
	wanted->at_us = G_MAXINT64;
	transition_act(actions, RESUME_CONFIRM)->revision = resume->applied + 1;
}

gboolean wanted_timer(Resume *resume, GArray *actions)
{
	Wanted *wanted = &resume->wanted;

	if (!wanted->armed)
		return FALSE;
	wanted->armed = FALSE;
	if (resume->now_us >= resume->probe_at_us)
		return FALSE;
	if (is_pending(resume) && resume->now_us >= wanted->at_us) {
		if (!resume->probing)
			ask(resume, actions);
		else
			wanted->at_us = resume->now_us + PATIENCE_US;
	}
	transition_act(actions, RESUME_ARM)->at_us = resume->probe_at_us;
	wanted_arm(resume, actions);
	return TRUE;
}

void wanted_answered(Resume *resume, const EtcdHeader *header, gboolean same, GArray *actions)
{
	Wanted *wanted = &resume->wanted;
	gint64 took_us = resume->now_us - wanted->asked_us;

	resume->probing = FALSE;
	if (same && resume->applied == wanted->asked_at &&
	    header->revision > MAX(resume->applied, wanted->current) &&
	    !history_fault(&resume->history, header, resume->applied)) {
		wanted->current = header->revision;
		transition_act(actions, RESUME_CURRENT)->revision = header->revision;
	}
	wanted->delay_us = CLAMP(2 * wanted->delay_us, DELAY_MIN_US, DELAY_MAX_US);
	wanted->at_us = resume->now_us + MAX(wanted->delay_us, SHARE * took_us);
	wanted_arm(resume, actions);
}
