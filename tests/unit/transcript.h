/* SPDX-License-Identifier: Apache-2.0 */
/* transcript.h - runs resume.c from a script and writes down what it does.
 *
 * A transcript is lines.  One that begins with `> ` is an input; those after it
 * are the actions it must lead to, and ` = STATE` if that changes, ` = stale` or ` = fresh`.
 *
 *   > start | timer | tick | reload | lost | ended [refused]
 *   > version [VERSION]
 *   > audited [A_DIFFERENCE]
 *   > wanted REVISION
 *   > confirmed REVISION [same]
 *   > page REVISION [more] [newest=KEY@REVISION]
 *   > probed REVISION [kv=KEY@REVISION]
 *   > failed away|compacted|future|refused
 *   > created REVISION
 *   > events [header=REVISION] [fragment] [id=N] +KEY@REVISION -KEY@REVISION ...
 *   > progress REVISION [id=N]
 *   > canceled [compact=REVISION] [reason=A_BLANK_IS_WRITTEN_SO] [id=N]
 *   > wait SECONDS              no input, but time goes by
 *   > suspend SECONDS           the same, and the machine is asleep
 *
 * page, probed: also [cluster=N] [term=N], 1 and 2 if not given.
 */
#ifndef TRANSCRIPT_H
#define TRANSCRIPT_H

#include "resume.h"

/* A probe is due each 10 s. */
void transcript_init(Resume *resume, guint n_endpoints, guint32 chance);

/* Feeds the inputs in EXPECTED to RESUME; what really happens must be EXPECTED
 * again, or the test fails.  May be called several times. */
void transcript_check(Resume *resume, const char *expected);

/* The same from a fresh Resume with one endpoint. */
void transcript_run(const char *expected);

/* The same of one that shows REVISION alone; MISSING is what it says of it in the
 * end, NULL if etcd has it. */
void transcript_run_pinned(gint64 revision, const char *missing, const char *expected);

/* To LIVE at revision 10, the last event being `+a@10`. */
#define TRANSCRIPT_LIVE                                                                            \
	"> start\n"                                                                                \
	"connect\n"                                                                                \
	"read-page first\n"                                                                        \
	" = seeding\n"                                                                             \
	"> page 10 newest=a@10\n"                                                                  \
	"seed-begin 10\n"                                                                          \
	"open 11\n"                                                                                \
	"arm\n"                                                                                    \
	"seed-page\n"                                                                              \
	"seed-end\n"                                                                               \
	" = opening\n"                                                                             \
	"> created 10\n" TRANSCRIPT_CREATED

/* What follows `created`. */
#define TRANSCRIPT_CREATED                                                                         \
	"receive\n"                                                                                \
	"ask-version\n"                                                                            \
	"arm\n"                                                                                    \
	" = live\n"

/* From there: the stream ends, and the probe goes out. */
#define TRANSCRIPT_PROBING                                                                         \
	"> ended\n"                                                                                \
	"blame\n"                                                                                  \
	"close\n"                                                                                  \
	"arm\n"                                                                                    \
	" = waiting\n"                                                                             \
	"> timer\n"                                                                                \
	"connect\n"                                                                                \
	"probe a@10\n"                                                                             \
	" = probing\n"

/* How a step goes on, in many transcripts. */
#define AGAIN                                                                                      \
	"close\n"                                                                                  \
	"read-page first\n"                                                                        \
	" = seeding\n"
/* The first time that a history seems to be another. */
#define DOUBT                                                                                      \
	FAIL "> timer\n"                                                                           \
	     "connect\n"                                                                           \
	     "probe a@10\n"                                                                        \
	     " = probing\n"
#define FAIL "blame\n" WAIT
#define WAIT                                                                                       \
	"close\n"                                                                                  \
	"arm\n"                                                                                    \
	" = waiting\n"

typedef struct {
	const char *name;
	void (*run)(void);
} TranscriptTest;

/* Of a program that consists of such tests. */
int transcript_main(int argc, char **argv, const TranscriptTest *tests, gsize n_tests);

#endif
