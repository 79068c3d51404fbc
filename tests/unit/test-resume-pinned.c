/* SPDX-License-Identifier: Apache-2.0 */
/* One revision and no watch, as transcripts: see transcript.h. */
#include "transcript.h"

#define STARTED                                                                                    \
	"> start\n"                                                                                \
	"connect\n"                                                                                \
	"read-page first\n"                                                                        \
	" = seeding\n"
#define FIRST_PAGE                                                                                 \
	"> page 10 more newest=a@3\n"                                                              \
	"seed-begin 5\n"                                                                           \
	"read-page\n"                                                                              \
	"seed-page\n"
#define LAST_PAGE                                                                                  \
	"> page 12\n"                                                                              \
	"seed-page\n"                                                                              \
	"seed-end\n"                                                                               \
	"hang-up\n"                                                                                \
	" = frozen\n"
#define ASK_OLDEST                                                                                 \
	"> failed compacted\n"                                                                     \
	"close\n"                                                                                  \
	"open 5\n"                                                                                 \
	"arm\n"                                                                                    \
	" = asking\n"
#define ASK_NEWEST                                                                                 \
	"> failed future\n"                                                                        \
	"close\n"                                                                                  \
	"probe\n"                                                                                  \
	"arm\n"                                                                                    \
	" = asking\n"
#define MISSING                                                                                    \
	"close\n"                                                                                  \
	" = missing\n"

static void test_frozen(void)
{
	transcript_run_pinned(5, NULL, STARTED FIRST_PAGE LAST_PAGE "> timer\n");
}

/* It is the same revision again. */
static void test_begun_again(void)
{
	transcript_run_pinned(5, NULL,
			      STARTED FIRST_PAGE "> failed away\n" FAIL "> timer\n"
						 "connect\n"
						 "read-page first\n"
						 " = seeding\n" FIRST_PAGE LAST_PAGE);
}

static void test_compacted(void)
{
	transcript_run_pinned(5, "revision 5 was compacted; the oldest that etcd still has is 8",
			      STARTED ASK_OLDEST "> created 10\n"
						 "receive\n"
						 "> canceled 0 compact=8\n" MISSING "> timer\n");
}

static void test_compacted_meanwhile(void)
{
	transcript_run_pinned(5, "revision 5 was compacted; the oldest that etcd still has is 8",
			      STARTED FIRST_PAGE ASK_OLDEST "> canceled 0 compact=8\n" MISSING);
}

/* The answer is an addition: without it the error is the same. */
static void test_oldest_unknown(void)
{
	static const char *const answers[] = {
	    "> ended\n", "> ended refused\n", "> timer\n", "> canceled 0\n", "> events +a@11\n",
	};

	for (gsize i = 0; i < G_N_ELEMENTS(answers); i++) {
		g_autofree char *script = g_strconcat(STARTED ASK_OLDEST, answers[i], MISSING,
						      NULL);

		transcript_run_pinned(5, "revision 5 was compacted", script);
	}
}

static void test_future(void)
{
	transcript_run_pinned(99, "revision 99 is in the future: etcd is at 42",
			      STARTED ASK_NEWEST "> probed 42\n" MISSING);
	transcript_run_pinned(99, "revision 99 is in the future",
			      STARTED ASK_NEWEST "> failed away\n" MISSING);
	/* it got there meanwhile */
	transcript_run_pinned(99, "revision 99 is in the future",
			      STARTED ASK_NEWEST "> probed 99\n" MISSING);
}

static const TranscriptTest tests[] = {
    {"/resume/pinned/frozen", test_frozen},
    {"/resume/pinned/begun-again", test_begun_again},
    {"/resume/pinned/compacted", test_compacted},
    {"/resume/pinned/compacted-meanwhile", test_compacted_meanwhile},
    {"/resume/pinned/oldest-unknown", test_oldest_unknown},
    {"/resume/pinned/future", test_future},
};

int main(int argc, char **argv)
{
	return transcript_main(argc, argv, tests, G_N_ELEMENTS(tests));
}
