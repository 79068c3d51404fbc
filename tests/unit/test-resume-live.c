/* SPDX-License-Identifier: Apache-2.0 */
/* What a watch receives, and what becomes of it, as a transcript: see transcript.h. */
#include "transcript.h"

/* ---- live: what moves the revision, and what does not ---- */

static void test_live_events(void)
{
	transcript_run(TRANSCRIPT_LIVE "> events header=14 +a@11 -b@11 +c@13\n"
				       "deliver 11 +a -b\n"
				       "deliver 13 +c\n"
				       "receive\n"
				       /* not after 14, which only the header says */
				       "> ended\n" FAIL "> timer\n"
				       "connect\n"
				       "probe c@13\n"
				       " = probing\n"
				       "> probed 20 kv=c@13\n"
				       "open 14\n"
				       "arm\n"
				       " = opening\n");
}

static void test_live_progress(void)
{
	transcript_run(TRANSCRIPT_LIVE "> progress 50\n"
				       "tell-progress 50\n"
				       "receive\n"
				       "> ended\n" FAIL "> timer\n"
				       "connect\n"
				       "probe a@10\n"
				       " = probing\n"
				       "> probed 60 kv=a@10\n"
				       "audit 50 since 11\n"
				       "> audited\n"
				       "open 51\n"
				       "arm\n"
				       " = opening\n"
				       /* nor does created */
				       "> created 70\n" TRANSCRIPT_CREATED "> ended\n" FAIL
				       "> timer\n"
				       "connect\n"
				       "probe a@10\n"
				       " = probing\n"
				       "> probed 80 kv=a@10\n"
				       "audit 50 since 11\n"
				       "> audited\n"
				       "open 51\n"
				       "arm\n"
				       " = opening\n");
}

static void test_live_not_ours(void)
{
	transcript_run(TRANSCRIPT_LIVE "> progress 50 id=-1\n"
				       "receive\n"
				       "> events id=3 +a@11\n"
				       "receive\n"
				       "> progress 9\n"
				       "receive\n"
				       "> progress 10\n"
				       "receive\n");
}

static void test_live_replay(void)
{
	Resume resume;

	transcript_init(&resume, 1, 1);
	transcript_check(&resume, TRANSCRIPT_LIVE "> events +a@11\n"
						  "deliver 11 +a\n"
						  "receive\n"
						  "> events +x@5 +y@5 +z@10 +a@11 +b@12\n"
						  /* those of the seed need no proof */
						  "verify 11 +a\n"
						  "deliver 12 +b\n"
						  "receive\n"
						  "> events +b@12\n"
						  "verify 12 +b\n"
						  "receive\n");
	g_assert_cmpint(resume.replays_dropped, ==, 5);
	resume_clear(&resume);
}

/* A put that is older than a deletion may be gone because of it. */
static void test_live_replay_of_deleted(void)
{
	transcript_run(TRANSCRIPT_LIVE "> events +a@11 -a@12 +b@13\n"
				       "deliver 11 +a\n"
				       "deliver 12 -a\n"
				       "deliver 13 +b\n"
				       "receive\n"
				       "> events +a@11 -a@12 +b@13\n"
				       "verify 12 -a\n"
				       "verify 13 +b\n"
				       "receive\n");
}

static void test_live_lost(void)
{
	transcript_run(TRANSCRIPT_LIVE "> events +a@11\n"
				       "deliver 11 +a\n"
				       "receive\n"
				       "> lost\n" AGAIN);
}

static void test_live_canceled(void)
{
	transcript_run(TRANSCRIPT_LIVE "> canceled\n" AGAIN);
	transcript_run(TRANSCRIPT_LIVE "> canceled id=-1\n" AGAIN);
	transcript_run(TRANSCRIPT_LIVE "> canceled id=5 compact=3\n" AGAIN);
}

/* Where etcd stands is asked of the watch as well, if the server does it right. */
static void test_live_asked_for_progress(void)
{
	transcript_run(TRANSCRIPT_LIVE "> version 3.5.16\n"
				       "> progress 50 id=-1\n" /* nobody asked */
				       "receive\n"
				       "> timer\n"
				       "probe\n"
				       "arm\n"
				       "> probed 60\n"
				       "ask-progress\n"
				       "audit 10\n"
				       "> progress 61 id=-1\n"
				       "tell-progress 61\n"
				       "receive\n"
				       "> audited\n"
				       "> timer\n"
				       "probe\n"
				       "arm\n"
				       "> probed 70\n"
				       "ask-progress\n"
				       "> wait 29\n"
				       "> timer\n"
				       "probe\n"
				       "arm\n"
				       "> wait 1\n"
				       "> timer\n" FAIL);
	transcript_run(TRANSCRIPT_LIVE "> version 3.4.23\n"
				       "> timer\n"
				       "probe\n"
				       "arm\n"
				       "> probed 60\n"
				       "audit 10\n"
				       "> progress 61 id=-1\n"
				       "receive\n");
}

/* With the first probe, and then not more often than each minute, or than a
 * thousand times as long as it takes. */
static void test_live_audit(void)
{
	transcript_run(TRANSCRIPT_LIVE "> version\n"
				       "> timer\n"
				       "probe\n"
				       "arm\n"
				       "> probed 10\n"
				       "audit 10\n"
				       "> audited\n"
				       "> wait 59\n"
				       "> timer\n"
				       "probe\n"
				       "arm\n"
				       "> probed 10\n"
				       "> wait 1\n"
				       "> timer\n"
				       "probe\n"
				       "arm\n"
				       "> probed 10\n"
				       "audit 10\n"
				       "> wait 1\n"
				       "> audited\n"
				       "> wait 999\n"
				       "> timer\n"
				       "probe\n"
				       "arm\n"
				       "> probed 10\n"
				       "> wait 1\n"
				       "> timer\n"
				       "probe\n"
				       "arm\n"
				       "> probed 10\n"
				       "audit 10\n"
				       "> audited one_is_missing\n" AGAIN);
}

/* Not more than one request at a time. */
static void test_live_version_pending(void)
{
	transcript_run(TRANSCRIPT_LIVE "> timer\n"
				       "arm\n"
				       "> version\n"
				       "> timer\n"
				       "probe\n"
				       "arm\n");
}

/* ---- live: fragments ---- */

static void test_fragment_inside_revision(void)
{
	transcript_run(TRANSCRIPT_LIVE "> events fragment +a@11 +b@12\n"
				       "deliver 11 +a\n"
				       "receive\n"
				       "> events fragment +c@12\n"
				       "receive\n"
				       "> events fragment +d@12 +e@13\n"
				       "deliver 12 +b +c +d\n"
				       "receive\n"
				       "> events -f@13\n"
				       "deliver 13 +e -f\n"
				       "receive\n");
}

static void test_fragment_between_revisions(void)
{
	transcript_run(TRANSCRIPT_LIVE "> events fragment +a@11\n"
				       "receive\n"
				       "> events +b@12\n"
				       "deliver 11 +a\n"
				       "deliver 12 +b\n"
				       "receive\n");
}

static void test_fragment_then_death(void)
{
	transcript_run(TRANSCRIPT_LIVE "> events fragment +a@11 +b@12\n"
				       "deliver 11 +a\n"
				       "receive\n"
				       /* a half revision is no progress */
				       "> progress 40\n"
				       "receive\n"
				       "> ended\n" FAIL "> timer\n"
				       "connect\n"
				       "probe a@11\n"
				       " = probing\n"
				       "> probed 20 kv=a@11\n"
				       "open 12\n"
				       "arm\n"
				       " = opening\n"
				       "> created 20\n" TRANSCRIPT_CREATED "> events +b@12 +c@12\n"
				       "deliver 12 +b +c\n"
				       "receive\n");
}

static void test_fragment_of_replay(void)
{
	transcript_run(TRANSCRIPT_LIVE "> events fragment +a@8 +b@9\n"
				       "receive\n"
				       "> events +c@9 +d@11\n"
				       "deliver 11 +d\n"
				       "receive\n");
}

static void test_fragment_then_canceled(void)
{
	transcript_run(TRANSCRIPT_LIVE "> events fragment +b@12\n"
				       "receive\n"
				       "> canceled compact=30\n" AGAIN);
}

/* ---- other files ---- */

#define RELOAD                                                                                     \
	"> reload\n"                                                                               \
	"close\n"                                                                                  \
	"arm\n"                                                                                    \
	" = waiting\n"                                                                             \
	"> timer\n"                                                                                \
	"connect\n"                                                                                \
	"probe a@10\n"                                                                             \
	" = probing\n"

static void test_reload_live(void)
{
	transcript_run(TRANSCRIPT_LIVE RELOAD "> probed 10 kv=a@10\n"
					      "open 11\n"
					      "arm\n"
					      " = opening\n"
					      "> created 10\n" TRANSCRIPT_CREATED);
}

static void test_reload_waiting(void)
{
	/* at once, and not when the wait would have ended */
	transcript_run(TRANSCRIPT_LIVE "> ended\n" FAIL "> reload\n"
				       "close\n"
				       "arm\n"
				       "> timer\n"
				       "connect\n"
				       "probe a@10\n"
				       " = probing\n");
}

static void test_reload_seeding(void)
{
	transcript_run("> start\n"
		       "connect\n"
		       "read-page first\n"
		       " = seeding\n"
		       "> reload\n"
		       "> page 10 newest=a@10 more\n"
		       "seed-begin 10\n"
		       "read-page\n"
		       "seed-page\n");
}

static const TranscriptTest tests[] = {
    {"/resume/live/events", test_live_events},
    {"/resume/live/progress", test_live_progress},
    {"/resume/live/not-ours", test_live_not_ours},
    {"/resume/live/replay", test_live_replay},
    {"/resume/live/replay-of-deleted", test_live_replay_of_deleted},
    {"/resume/live/lost", test_live_lost},
    {"/resume/live/canceled", test_live_canceled},
    {"/resume/live/asked-for-progress", test_live_asked_for_progress},
    {"/resume/live/audit", test_live_audit},
    {"/resume/live/version-pending", test_live_version_pending},
    {"/resume/fragment/inside-revision", test_fragment_inside_revision},
    {"/resume/fragment/between-revisions", test_fragment_between_revisions},
    {"/resume/fragment/then-death", test_fragment_then_death},
    {"/resume/fragment/of-replay", test_fragment_of_replay},
    {"/resume/fragment/then-canceled", test_fragment_then_canceled},
    {"/resume/reload/live", test_reload_live},
    {"/resume/reload/waiting", test_reload_waiting},
    {"/resume/reload/seeding", test_reload_seeding},
};

int main(int argc, char **argv)
{
	return transcript_main(argc, argv, tests, G_N_ELEMENTS(tests));
}
