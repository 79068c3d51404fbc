/* SPDX-License-Identifier: Apache-2.0 */
/* transition.h - the ways of the state machine from one state to another.
 *
 * resume.c looks at an input and decides; what each decision means for the state,
 * for what is shown and for what has to be done is here.  ACTIONS: as of
 * resume_step.
 */
#ifndef TRANSITION_H
#define TRANSITION_H

#include "resume.h"

/* Adds an action; its argument is for the caller to set, until the next one. */
ResumeAction *transition_act(GArray *actions, ResumeActionType type);

/* Sets the timer for the next probe. */
void transition_arm_probe(Resume *resume, GArray *actions);

/* What is shown as the last error, and counted. */
void transition_blame(Resume *resume, KeyspaceError kind, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

/* Until the first seed is complete it is SEEDING, whatever goes wrong. */
void transition_show(Resume *resume, KeyspaceState state);

/* To SEEDING, from the first page. */
void transition_seed(Resume *resume, GArray *actions);

/* No other state: a probe, of ANCHOR unless NULL. */
void transition_probe(Resume *resume, const HistoryAnchor *anchor, GArray *actions);

/* To OPENING, after the revision applied. */
void transition_open(Resume *resume, GArray *actions);

/* To WAITING for the next endpoint, which has its turn at once if it has not
 * failed in this round. */
void transition_fail(Resume *resume, KeyspaceError kind, const char *reason, GArray *actions);

/* To WAITING, for no time, though nothing failed; what is shown stays. */
void transition_reconnect(Resume *resume, GArray *actions);

/* As transition_fail, but DENIED is shown, and it takes longer. */
void transition_deny(Resume *resume, const char *reason, GArray *actions);

/* A watch was refused in words alone.  Some servers say so of a token that has
 * expired, and the next attempt has another: the second time it is denied. */
void transition_refuse(Resume *resume, const char *reason, GArray *actions);

/* To SEEDING, or first to WAITING.  The cause has been blamed. */
void transition_reseed(Resume *resume, KeyspaceReseedReason reason, GArray *actions);

/* An answer is not of our history: fails, or reseeds once that is confirmed. */
void transition_doubt(Resume *resume, const char *fault, GArray *actions);

/* What is held is of another history. */
void transition_forget_past(Resume *resume);

#endif
