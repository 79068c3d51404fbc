/* SPDX-License-Identifier: Apache-2.0 */
/* Each way a watch can go wrong, as a transcript: see transcript.h. */
#include "transcript.h"

#define AGAIN                                                                                      \
	"close\n"                                                                                  \
	"read-page first\n"                                                                        \
	" = seeding\n"
/* The first time that a history seems to be another. */
#define DOUBT                                                                                      \
	FAIL "> timer\n"                                                                           \
	     "connect\n"                                                                           \
	     "probe a@9\n"                                                                         \
	     " = probing\n"
#define FAIL "blame\n" WAIT
#define WAIT                                                                                       \
	"close\n"                                                                                  \
	"arm\n"                                                                                    \
	" = waiting\n"

/* ---- seeding ---- */

static void test_seed_in_pages(void)
{
	transcript_run("> start\n"
		       "connect\n"
		       "read-page first\n"
		       " = seeding\n"
		       "> page 10 more newest=a@3\n"
		       "seed-begin 10\n"
		       "read-page\n"
		       "seed-page\n"
		       /* later headers are of a store that has moved on */
		       "> page 14 more newest=b@9\n"
		       "read-page\n"
		       "seed-page\n"
		       "> page 17\n"
		       "open 11\n"
		       "arm\n"
		       "seed-page\n"
		       "seed-end\n"
		       " = opening\n"
		       "> created 20\n" TRANSCRIPT_CREATED
		       /* the anchor is the newest of all pages */
		       "> ended\n" FAIL "> timer\n"
		       "connect\n"
		       "probe b@9\n"
		       " = probing\n");
}

static void test_seed_overtaken_by_compaction(void)
{
	transcript_run("> start\n"
		       "connect\n"
		       "read-page first\n"
		       " = seeding\n"
		       "> page 10 more newest=a@3\n"
		       "seed-begin 10\n"
		       "read-page\n"
		       "seed-page\n"
		       "> failed compacted\n"
		       "close\n"
		       "read-page first\n"
		       "> page 30 more newest=a@3\n"
		       "seed-begin 30\n"
		       "read-page\n"
		       "seed-page\n"
		       /* a second time it is not at once */
		       "> failed compacted\n" WAIT "> timer\n"
		       "connect\n"
		       "read-page first\n"
		       " = seeding\n"
		       "> page 40\n"
		       "seed-begin 40\n"
		       "open 41\n"
		       "arm\n"
		       "seed-page\n"
		       "seed-end\n"
		       " = opening\n");
}

static void test_seed_fails(void)
{
	transcript_run("> start\n"
		       "connect\n"
		       "read-page first\n"
		       " = seeding\n"
		       "> failed away\n" FAIL "> timer\n"
		       "connect\n"
		       "read-page first\n"
		       " = seeding\n"
		       "> page 10 more newest=a@3\n"
		       "seed-begin 10\n"
		       "read-page\n"
		       "seed-page\n"
		       "> failed future\n" FAIL "> timer\n"
		       "connect\n"
		       "read-page first\n"
		       " = seeding\n");
}

static void test_reseed_in_another_history(void)
{
	Resume resume;

	transcript_init(&resume, 1, 1);
	transcript_check(&resume,
			 TRANSCRIPT_LIVE "> canceled compact=12\n" AGAIN
					 /* lower than what we had: taken the second time */
					 "> page 5 newest=a@4\n" FAIL "> timer\n"
					 "connect\n"
					 "read-page first\n"
					 " = seeding\n"
					 "> page 5 newest=a@4\n"
					 "seed-begin 5\n"
					 "open 6\n"
					 "arm\n"
					 "seed-page\n"
					 "seed-end\n"
					 " = opening\n");
	g_assert_cmpint(resume.reseeds[KEYSPACE_RESEED_COMPACTED], ==, 1);
	g_assert_cmpint(resume.reseeds[KEYSPACE_RESEED_HISTORY], ==, 1);
	resume_clear(&resume);
}

/* ---- opening ---- */

#define TRANSCRIPT_OPENING                                                                         \
	"> start\n"                                                                                \
	"connect\n"                                                                                \
	"read-page first\n"                                                                        \
	" = seeding\n"                                                                             \
	"> page 10\n"                                                                              \
	"seed-begin 10\n"                                                                          \
	"open 11\n"                                                                                \
	"arm\n"                                                                                    \
	"seed-page\n"                                                                              \
	"seed-end\n"                                                                               \
	" = opening\n"

static void test_open_compacted(void)
{
	transcript_run(TRANSCRIPT_OPENING "> canceled compact=20\n" AGAIN);
}

/* etcd says created first even when it then finds the revision gone. */
static void test_open_created_then_compacted(void)
{
	transcript_run(TRANSCRIPT_OPENING "> created 15\n" TRANSCRIPT_CREATED
					  "> canceled compact=20\n" AGAIN);
}

static void test_open_refused(void)
{
	transcript_run(TRANSCRIPT_OPENING
		       "> canceled id=-1 reason=some_reason\n" AGAIN "> page 12\n"
		       "seed-begin 12\n"
		       "open 13\n"
		       "arm\n"
		       "seed-page\n"
		       "seed-end\n"
		       " = opening\n"
		       "> canceled id=-1 reason=etcdserver:_permission_denied\n" FAIL);
}

/* Said in words once it may be the token, the second time it is true. */
static void test_open_denied(void)
{
	static const char again[] = "> timer\n"
				    "connect\n"
				    "probe\n"
				    " = probing\n"
				    "> probed 10\n"
				    "open 11\n"
				    "arm\n"
				    " = opening\n";
	Resume resume;

	transcript_init(&resume, 1, 1);
	transcript_check(&resume, TRANSCRIPT_OPENING);
	transcript_check(&resume, "> canceled id=-1 reason=etcdserver:_permission_denied\n" FAIL);
	g_assert_cmpint(resume.shown, ==, KEYSPACE_RECONNECTING);
	transcript_check(&resume, again);
	transcript_check(&resume, "> ended refused\n" FAIL);
	g_assert_cmpint(resume.shown, ==, KEYSPACE_DENIED);
	transcript_check(&resume, again);
	transcript_check(&resume, "> created 10\n" TRANSCRIPT_CREATED "> ended refused\n" FAIL);
	g_assert_cmpint(resume.shown, ==, KEYSPACE_RECONNECTING);
	resume_clear(&resume);
}

static void test_open_ended(void)
{
	transcript_run(TRANSCRIPT_OPENING "> ended\n" FAIL "> timer\n"
					  "connect\n"
					  "probe\n"
					  " = probing\n");
}

/* As etcd's gRPC proxy does, which numbers the watches of a stream itself. */
static void test_open_as_another(void)
{
	transcript_run(TRANSCRIPT_OPENING "> created 10 id=0\n" TRANSCRIPT_CREATED
					  "> events id=0 +a@11\n"
					  "deliver 11 +a\n"
					  "receive\n"
					  "> events +b@12\n"
					  "receive\n"
					  "> progress 20 id=0\n"
					  "tell-progress 20\n"
					  "receive\n");
}

static void test_open_silent(void)
{
	transcript_run(TRANSCRIPT_OPENING "> timer\n" FAIL);
}

static void test_open_on_member_behind(void)
{
	transcript_run(TRANSCRIPT_OPENING "> created 9\n" FAIL "> timer\n"
					  "connect\n"
					  "probe\n"
					  " = probing\n"
					  "> probed 10\n"
					  "open 11\n"
					  "arm\n"
					  " = opening\n");
}

static void test_open_out_of_turn(void)
{
	transcript_run(TRANSCRIPT_OPENING "> events +a@11\n" FAIL);
	transcript_run(TRANSCRIPT_OPENING "> created 10 id=-1\n" FAIL);
}

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
				       "probe a@9\n"
				       " = probing\n"
				       "> probed 60 kv=a@9\n"
				       "audit 50 since 11\n"
				       "> audited\n"
				       "open 51\n"
				       "arm\n"
				       " = opening\n"
				       /* nor does created */
				       "> created 70\n" TRANSCRIPT_CREATED "> ended\n" FAIL
				       "> timer\n"
				       "connect\n"
				       "probe a@9\n"
				       " = probing\n"
				       "> probed 80 kv=a@9\n"
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

/* ---- probing ---- */

static void test_probe_revision_back(void)
{
	transcript_run(TRANSCRIPT_LIVE TRANSCRIPT_PROBING "> probed 9 kv=a@9\n" DOUBT
							  "> probed 9 kv=a@9\n" AGAIN);
}

static void test_probe_another_cluster(void)
{
	transcript_run(TRANSCRIPT_LIVE TRANSCRIPT_PROBING "> probed 90 cluster=2 kv=a@9\n" DOUBT
							  "> probed 90 cluster=2 kv=a@9\n" AGAIN);
}

static void test_probe_term_back(void)
{
	transcript_run(TRANSCRIPT_LIVE TRANSCRIPT_PROBING "> probed 90 term=1 kv=a@9\n" DOUBT
							  "> probed 90 term=1 kv=a@9\n" AGAIN);
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
				      "probe a@9\n"
				      " = probing\n"
				      "> probed 90 kv=a@9\n"
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
				  "probe a@9\n"
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
	transcript_run(TRANSCRIPT_LIVE TRANSCRIPT_PROBING "> failed compacted\n"
							  "probe\n"
							  "> probed 30\n"
							  "open 11\n"
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
			 "> probed 90 cluster=2\n" DOUBT "> probed 90 kv=a@9\n"
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
				    "probe a@9\n"
				    " = probing\n"
				    "> probed 90 kv=a@9\n"
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

static void test_probe_too_far_behind(void)
{
	transcript_run(TRANSCRIPT_LIVE TRANSCRIPT_PROBING "> probed 100010 kv=a@9\n"
							  "open 11\n"
							  "arm\n"
							  " = opening\n");
	transcript_run(TRANSCRIPT_LIVE TRANSCRIPT_PROBING "> probed 100011 kv=a@9\n" AGAIN);
}

static void test_probe_fails(void)
{
	transcript_run(TRANSCRIPT_LIVE TRANSCRIPT_PROBING "> failed away\n" FAIL "> timer\n"
							  "connect\n"
							  "probe a@9\n"
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

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
    {"/resume/seed/in-pages", test_seed_in_pages},
    {"/resume/seed/overtaken-by-compaction", test_seed_overtaken_by_compaction},
    {"/resume/seed/fails", test_seed_fails},
    {"/resume/seed/in-another-history", test_reseed_in_another_history},
    {"/resume/open/compacted", test_open_compacted},
    {"/resume/open/created-then-compacted", test_open_created_then_compacted},
    {"/resume/open/refused", test_open_refused},
    {"/resume/open/denied", test_open_denied},
    {"/resume/open/ended", test_open_ended},
    {"/resume/open/as-another", test_open_as_another},
    {"/resume/open/silent", test_open_silent},
    {"/resume/open/member-behind", test_open_on_member_behind},
    {"/resume/open/out-of-turn", test_open_out_of_turn},
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
    {"/resume/probe/revision-back", test_probe_revision_back},
    {"/resume/probe/another-cluster", test_probe_another_cluster},
    {"/resume/probe/term-back", test_probe_term_back},
    {"/resume/probe/anchor", test_probe_anchor},
    {"/resume/probe/anchor-deleted", test_probe_anchor_deleted},
    {"/resume/probe/anchor-compacted", test_probe_anchor_compacted},
    {"/resume/probe/doubt-settled", test_probe_doubt_settled},
    {"/resume/probe/doubt-confirmed", test_probe_doubt_confirmed},
    {"/resume/probe/rewritten-since", test_probe_rewritten_since},
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
	g_test_init(&argc, &argv, NULL);
	for (gsize i = 0; i < G_N_ELEMENTS(tests); i++)
		g_test_add_func(tests[i].name, tests[i].run);
	return g_test_run();
}
