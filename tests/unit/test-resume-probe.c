/* SPDX-License-Identifier: Apache-2.0 */
/* Whether etcd is still ours, when to try again, and what is shown meanwhile, as a
 * transcript: see transcript.h. */
#include "transcript.h"

/* ---- probing ---- */

static void test_probe_revision_back(void)
{
	transcript_run(TRANSCRIPT_LIVE TRANSCRIPT_PROBING "> probed 9 kv=a@10\n" DOUBT
							  "> probed 9 kv=a@10\n" AGAIN);
}

static void test_probe_another_cluster(void)
{
	transcript_run(TRANSCRIPT_LIVE TRANSCRIPT_PROBING "> probed 90 cluster=2 kv=a@10\n" DOUBT
							  "> probed 90 cluster=2 kv=a@10\n" AGAIN);
}

static void test_probe_term_back(void)
{
	transcript_run(TRANSCRIPT_LIVE TRANSCRIPT_PROBING "> probed 90 term=1 kv=a@10\n" DOUBT
							  "> probed 90 term=1 kv=a@10\n" AGAIN);
}

static void test_probe_anchor(void)
{
	transcript_run(TRANSCRIPT_LIVE TRANSCRIPT_PROBING "> probed 90\n" DOUBT
							  "> probed 90\n" AGAIN);
	transcript_run(TRANSCRIPT_LIVE TRANSCRIPT_PROBING "> probed 90 kv=a@8\n" DOUBT
							  "> probed 90 kv=a@8\n" AGAIN);
	transcript_run(TRANSCRIPT_LIVE TRANSCRIPT_PROBING "> failed future\n" DOUBT
							  "> failed future\n" AGAIN);
}

/* After the put, the deletion, if that is newer. */
static void test_probe_anchor_deleted(void)
{
	static const char deleted[] = "> events -b@11\n"
				      "deliver 11 -b\n"
				      "receive\n"
				      "> ended\n" FAIL "> timer\n"
				      "connect\n"
				      "probe a@10\n"
				      " = probing\n"
				      "> probed 90 kv=a@10\n"
				      "probe b@11\n";
	Resume resume;

	transcript_init(&resume, 1, 1);
	transcript_check(&resume, TRANSCRIPT_LIVE);
	transcript_check(&resume, deleted);
	transcript_check(&resume, "> probed 90\n"
				  "open 12\n"
				  "arm\n"
				  " = opening\n"
				  "> ended\n" FAIL "> timer\n"
				  "connect\n"
				  "probe a@10\n"
				  " = probing\n"
				  /* a compacted one is passed over */
				  "> failed compacted\n"
				  "probe b@11\n"
				  "> probed 90 kv=b@4\n" FAIL);
	resume_clear(&resume);
}

/* The anchor is compacted: all depends on whether it is the last revision. */
static void test_probe_anchor_compacted(void)
{
	transcript_run(TRANSCRIPT_LIVE "> progress 11\n"
				       "tell-progress 11\n"
				       "receive\n" TRANSCRIPT_PROBING "> failed compacted\n"
				       "probe\n"
				       "> probed 30\n"
				       "audit 11 since 11\n"
				       "> audited\n"
				       "open 12\n"
				       "arm\n"
				       " = opening\n"
				       "> canceled compact=20\n" WAIT);
	transcript_run(TRANSCRIPT_LIVE "> events +b@11\n"
				       "deliver 11 +b\n"
				       "receive\n"
				       "> ended\n" FAIL "> timer\n"
				       "connect\n"
				       "probe b@11\n"
				       " = probing\n"
				       "> failed compacted\n" AGAIN);
}

/* One of three endpoints leads elsewhere: the next is asked, and is right. */
static void test_probe_doubt_settled(void)
{
	Resume resume;

	transcript_init(&resume, 3, 1);
	transcript_check(&resume, TRANSCRIPT_LIVE TRANSCRIPT_PROBING
			 "> probed 90 cluster=2\n" DOUBT "> probed 90 kv=a@10\n"
			 "open 11\n"
			 "arm\n"
			 " = opening\n"
			 "> ended\n" DOUBT "> probed 90 cluster=2\n" DOUBT);
	g_assert_cmpint(resume.reseeds[KEYSPACE_RESEED_HISTORY], ==, 0);
	resume_clear(&resume);
}

/* All three are asked; who is away has no say. */
static void test_probe_doubt_confirmed(void)
{
	Resume resume;

	transcript_init(&resume, 3, 1);
	transcript_check(&resume, TRANSCRIPT_LIVE TRANSCRIPT_PROBING
			 "> probed 9\n" DOUBT "> failed away\n" DOUBT "> probed 9\n" AGAIN);
	g_assert_cmpint(resume.reseeds[KEYSPACE_RESEED_HISTORY], ==, 1);
	resume_clear(&resume);
}

/* Nothing of ours happened up to 50, etcd said; and its new history says otherwise,
 * though all that we hold is in it. */
static void test_probe_rewritten_since(void)
{
	static const char again[] = "> timer\n"
				    "connect\n"
				    "probe a@10\n"
				    " = probing\n"
				    "> probed 90 kv=a@10\n"
				    "audit 50 since 11\n";
	Resume resume;

	transcript_init(&resume, 1, 1);
	transcript_check(&resume, TRANSCRIPT_LIVE "> progress 50\n"
						  "tell-progress 50\n"
						  "receive\n"
						  "> ended\n" FAIL);
	transcript_check(&resume, again);
	transcript_check(&resume, "> audited a_change\n" FAIL);
	transcript_check(&resume, again);
	transcript_check(&resume, "> audited a_change\n" AGAIN);
	g_assert_cmpint(resume.reseeds[KEYSPACE_RESEED_HISTORY], ==, 1);
	resume_clear(&resume);
}

/* The same of a backup that is older than the seed. */
static void test_probe_rewritten_before_seed(void)
{
	transcript_run("> start\n"
		       "connect\n"
		       "read-page first\n"
		       " = seeding\n"
		       "> page 10 newest=a@4\n"
		       "seed-begin 10\n"
		       "open 11\n"
		       "arm\n"
		       "seed-page\n"
		       "seed-end\n"
		       " = opening\n"
		       "> ended\n" FAIL "> timer\n"
		       "connect\n"
		       "probe a@4\n"
		       " = probing\n"
		       "> probed 90 kv=a@4\n"
		       "audit 10 since 5\n"
		       "> audited changes\n" FAIL);
}

static void test_probe_too_far_behind(void)
{
	transcript_run(TRANSCRIPT_LIVE TRANSCRIPT_PROBING "> probed 100010 kv=a@10\n"
							  "open 11\n"
							  "arm\n"
							  " = opening\n");
	transcript_run(TRANSCRIPT_LIVE TRANSCRIPT_PROBING "> probed 100011 kv=a@10\n" AGAIN);
}

static void test_probe_fails(void)
{
	transcript_run(TRANSCRIPT_LIVE TRANSCRIPT_PROBING "> failed away\n" FAIL "> timer\n"
							  "connect\n"
							  "probe a@10\n"
							  " = probing\n"
							  "> failed refused\n" FAIL);
}

static void test_probe_while_live(void)
{
	transcript_run(TRANSCRIPT_LIVE "> version\n"
				       "> timer\n"
				       "probe\n"
				       "arm\n"
				       /* asked at 10, answered when we are at 11 */
				       "> events +a@11\n"
				       "deliver 11 +a\n"
				       "receive\n"
				       "> probed 10\n"
				       "audit 11\n"
				       "> audited\n"
				       "> timer\n"
				       "probe\n"
				       "arm\n"
				       /* one at a time */
				       "> timer\n"
				       "arm\n"
				       "> probed 10\n" FAIL);
	transcript_run(TRANSCRIPT_LIVE "> version\n"
				       "> timer\n"
				       "probe\n"
				       "arm\n"
				       "> failed away\n" FAIL);
}

/* ---- backoff ---- */

static gint64 backoff_after_failure(Resume *resume)
{
	transcript_check(resume, "> failed away\n" FAIL "> timer\n"
				 "connect\n"
				 "read-page first\n"
				 " = seeding\n");
	return resume->backoff.last_us;
}

static void test_backoff_grows(void)
{
	Resume resume;
	gint64 before = 50000;

	transcript_init(&resume, 1, 7);
	transcript_check(&resume, "> start\n"
				  "connect\n"
				  "read-page first\n"
				  " = seeding\n");
	for (int i = 0; i < 1000; i++) {
		gint64 delay = backoff_after_failure(&resume);

		g_assert_cmpint(delay, >=, 50000);
		g_assert_cmpint(delay, <=, MIN(before * 3, 5000000));
		before = delay;
	}
	resume_clear(&resume);
}

/* Three endpoints: a wait after each round. */
static void test_backoff_in_rounds(void)
{
	Resume resume;

	transcript_init(&resume, 3, 1);
	transcript_check(&resume, "> start\n"
				  "connect\n"
				  "read-page first\n"
				  " = seeding\n");
	g_assert_cmpint(backoff_after_failure(&resume), ==, 0);
	g_assert_cmpint(backoff_after_failure(&resume), ==, 0);
	g_assert_cmpint(backoff_after_failure(&resume), !=, 0);
	resume_clear(&resume);
}

/* Only a watch that lived sets it back, not a connection. */
static void test_backoff_reset(void)
{
	transcript_run(TRANSCRIPT_LIVE "> canceled\n" AGAIN "> page 11\n"
				       "seed-begin 11\n"
				       "open 12\n"
				       "arm\n"
				       "seed-page\n"
				       "seed-end\n"
				       " = opening\n"
				       "> created 11\n" TRANSCRIPT_CREATED "> wait 9\n"
				       "> canceled\n" WAIT "> timer\n"
				       "connect\n"
				       "read-page first\n"
				       " = seeding\n"
				       "> page 12\n"
				       "seed-begin 12\n"
				       "open 13\n"
				       "arm\n"
				       "seed-page\n"
				       "seed-end\n"
				       " = opening\n"
				       "> created 12\n" TRANSCRIPT_CREATED "> wait 10\n"
				       "> canceled\n" AGAIN);
}

/* ---- what is shown ---- */

static void test_shown(void)
{
	Resume resume;

	transcript_init(&resume, 1, 1);
	g_assert_cmpint(resume.shown, ==, KEYSPACE_SEEDING);
	transcript_check(&resume, TRANSCRIPT_LIVE);
	g_assert_cmpint(resume.shown, ==, KEYSPACE_LIVE);
	transcript_check(&resume, TRANSCRIPT_PROBING);
	g_assert_cmpint(resume.shown, ==, KEYSPACE_RECONNECTING);
	g_assert_cmpstr(resume.last_error, ==, "a reason");
	transcript_check(&resume, "> failed refused\n" DOUBT);
	g_assert_cmpint(resume.shown, ==, KEYSPACE_DENIED);
	transcript_check(&resume, "> probed 90\n" DOUBT);
	g_assert_cmpint(resume.shown, ==, KEYSPACE_RECONNECTING);
	transcript_check(&resume, "> probed 90\n" AGAIN);
	g_assert_cmpint(resume.shown, ==, KEYSPACE_RESEEDING);
	g_assert_cmpint(resume.reconnects, ==, 0);
	transcript_check(&resume, "> page 95\n"
				  "seed-begin 95\n"
				  "open 96\n"
				  "arm\n"
				  "seed-page\n"
				  "seed-end\n"
				  " = opening\n");
	g_assert_cmpint(resume.reconnects, ==, 1);
	g_assert_cmpint(resume.applied, ==, 95);
	g_assert_cmpint(resume.history.seen.raft_term, ==, 2);
	resume_clear(&resume);
}

static const TranscriptTest tests[] = {
    {"/resume/probe/revision-back", test_probe_revision_back},
    {"/resume/probe/another-cluster", test_probe_another_cluster},
    {"/resume/probe/term-back", test_probe_term_back},
    {"/resume/probe/anchor", test_probe_anchor},
    {"/resume/probe/anchor-deleted", test_probe_anchor_deleted},
    {"/resume/probe/anchor-compacted", test_probe_anchor_compacted},
    {"/resume/probe/doubt-settled", test_probe_doubt_settled},
    {"/resume/probe/doubt-confirmed", test_probe_doubt_confirmed},
    {"/resume/probe/rewritten-since", test_probe_rewritten_since},
    {"/resume/probe/rewritten-before-seed", test_probe_rewritten_before_seed},
    {"/resume/probe/too-far-behind", test_probe_too_far_behind},
    {"/resume/probe/fails", test_probe_fails},
    {"/resume/probe/while-live", test_probe_while_live},
    {"/resume/backoff/grows", test_backoff_grows},
    {"/resume/backoff/in-rounds", test_backoff_in_rounds},
    {"/resume/backoff/reset", test_backoff_reset},
    {"/resume/shown", test_shown},
};

int main(int argc, char **argv)
{
	return transcript_main(argc, argv, tests, G_N_ELEMENTS(tests));
}
