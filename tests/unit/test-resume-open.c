/* SPDX-License-Identifier: Apache-2.0 */
/* Each way to a watch, and not to one, as a transcript: see transcript.h. */
#include "transcript.h"

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
				    "audit 10 since 1\n"
				    "> audited\n"
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
					  "audit 10 since 1\n"
					  "> audited\n"
					  "open 11\n"
					  "arm\n"
					  " = opening\n");
}

static void test_open_out_of_turn(void)
{
	transcript_run(TRANSCRIPT_OPENING "> events +a@11\n" FAIL);
	transcript_run(TRANSCRIPT_OPENING "> created 10 id=-1\n" FAIL);
}

static const TranscriptTest tests[] = {
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
};

int main(int argc, char **argv)
{
	return transcript_main(argc, argv, tests, G_N_ELEMENTS(tests));
}
