/* SPDX-License-Identifier: Apache-2.0 */
/* When what is held counts as stale, as transcripts: see transcript.h.  After 20 s. */
#include "transcript.h"

#define ANSWERED_VERSION "> version\n"

/* The timer of a live watch, and the probe's answer. */
#define PROBED(revision)                                                                           \
	"> timer\n"                                                                                \
	"probe\n"                                                                                  \
	"arm\n"                                                                                    \
	"> probed " revision "\n"

static void run(const char *expected)
{
	Resume resume;

	transcript_init(&resume, 1, 1);
	resume.config.max_stale_us = resume.contact.max_us = 20 * G_TIME_SPAN_SECOND;
	transcript_check(&resume, expected);
	resume_clear(&resume);
}

static void test_away(void)
{
	run(TRANSCRIPT_LIVE "> wait 5\n"
			    "> ended\n" FAIL "> wait 14\n"
			    "> tick\n"
			    "> wait 1\n"
			    "> tick\n"
			    " = stale\n"
			    "> timer\n"
			    "connect\n"
			    "probe a@10\n"
			    " = probing\n"
			    "> probed 20 kv=a@10\n"
			    "open 11\n"
			    "arm\n"
			    " = opening\n"
			    "> created 20\n" TRANSCRIPT_CREATED " = fresh\n");
}

/* Neither events nor progress say that a member is not cut off. */
static void test_events_prove_nothing(void)
{
	run(TRANSCRIPT_LIVE ANSWERED_VERSION "> wait 19\n"
					     "> events +a@11\n"
					     "deliver 11 +a\n"
					     "receive\n"
					     "> wait 1\n"
					     "> progress 20\n"
					     "tell-progress 20\n"
					     "receive\n"
					     " = stale\n");
}

static void test_denied(void)
{
	run(TRANSCRIPT_LIVE ANSWERED_VERSION "> wait 2\n"
					     "> timer\n"
					     "probe\n"
					     "arm\n"
					     "> failed refused\n" FAIL "> wait 20\n"
					     "> tick\n"
					     " = stale\n");
}

/* What counts is when the probe went out. */
static void test_probe_sent(void)
{
	run(TRANSCRIPT_LIVE ANSWERED_VERSION "> wait 10\n"
					     "> timer\n"
					     "probe\n"
					     "arm\n"
					     "> wait 4\n"
					     "> probed 20\n"
					     "audit 10\n"
					     "> audited\n"
					     "> wait 15\n"
					     "> tick\n"
					     "> wait 1\n"
					     "> tick\n"
					     " = stale\n" PROBED("20") " = fresh\n");
}

/* An answer that comes late says how it was; what ends it is one to a new question. */
static void test_probe_late(void)
{
	run(TRANSCRIPT_LIVE ANSWERED_VERSION "> wait 10\n"
					     "> timer\n"
					     "probe\n"
					     "arm\n"
					     "> wait 10\n"
					     "> tick\n"
					     " = stale\n"
					     "> wait 9\n"
					     "> probed 20\n"
					     "probe\n"
					     "> probed 20\n"
					     "audit 10\n"
					     " = fresh\n");
}

/* A server that says how far the watch is, and it is not where etcd is. */
static void test_lagging(void)
{
	run(TRANSCRIPT_LIVE "> version 3.5.16\n"
			    "> timer\n"
			    "probe\n"
			    "arm\n"
			    "> probed 20\n"
			    "ask-progress\n"
			    "audit 10\n"
			    "> audited\n"
			    "> progress 20 id=-1\n"
			    "tell-progress 20\n"
			    "receive\n"
			    "> wait 10\n" PROBED("30") "ask-progress\n"
						       "> wait 10\n"
						       "> tick\n"
						       " = stale\n"
						       "> progress 30 id=-1\n"
						       "tell-progress 30\n"
						       "receive\n" PROBED("30") " = fresh\n");
}

static void test_asleep(void)
{
	run(TRANSCRIPT_LIVE ANSWERED_VERSION "> suspend 3600\n"
					     "> timer\n"
					     "probe\n"
					     "arm\n"
					     " = stale\n"
					     "> probed 10\n"
					     "audit 10\n"
					     " = fresh\n");
}

static void test_never(void)
{
	transcript_run(TRANSCRIPT_LIVE "> ended\n" FAIL "> wait 100000\n"
				       "> tick\n");
}

/* There is nothing yet that could be. */
static void test_first_seed(void)
{
	run("> start\n"
	    "connect\n"
	    "read-page first\n"
	    " = seeding\n"
	    "> wait 100\n"
	    "> tick\n"
	    "> page 10\n"
	    "seed-begin 10\n"
	    "open 11\n"
	    "arm\n"
	    "seed-page\n"
	    "seed-end\n"
	    " = opening\n"
	    "> wait 100\n"
	    "> created 10\n" TRANSCRIPT_CREATED);
}

int main(int argc, char **argv)
{
	static const TranscriptTest tests[] = {
	    {"/resume/stale/away", test_away},
	    {"/resume/stale/events-prove-nothing", test_events_prove_nothing},
	    {"/resume/stale/denied", test_denied},
	    {"/resume/stale/probe-sent", test_probe_sent},
	    {"/resume/stale/probe-late", test_probe_late},
	    {"/resume/stale/lagging", test_lagging},
	    {"/resume/stale/asleep", test_asleep},
	    {"/resume/stale/never", test_never},
	    {"/resume/stale/first-seed", test_first_seed},
	};

	return transcript_main(argc, argv, tests, G_N_ELEMENTS(tests));
}
