/* SPDX-License-Identifier: Apache-2.0 */
/* A revision that somebody waits for, as a transcript: see transcript.h. */
#include "transcript.h"

#define LIVE TRANSCRIPT_LIVE "> version\n"

#define ASKED                                                                                      \
	"> wanted 20\n"                                                                            \
	"arm\n"                                                                                    \
	"> wait 1\n"                                                                               \
	"> timer\n"                                                                                \
	"confirm 11\n"                                                                             \
	"arm\n"

static void test_confirmed(void)
{
	transcript_run(LIVE ASKED "> confirmed 25 same\n"
				  "tell-current 25\n"
				  "> wanted 25\n"
				  "> wanted 26\n"
				  "arm\n");
}

/* etcd is not there yet, and then it is; the watch goes on from where it was. */
static void test_asks_again(void)
{
	transcript_run(LIVE ASKED "> confirmed 19 same\n"
				  "tell-current 19\n"
				  "arm\n"
				  "> wait 1\n"
				  "> timer\n"
				  "confirm 11\n"
				  "arm\n"
				  "> confirmed 20\n"
				  "arm\n"
				  "> events +b@18\n"
				  "deliver 18 +b\n"
				  "receive\n"
				  "> wait 1\n"
				  "> timer\n"
				  "confirm 19\n"
				  "arm\n"
				  "> confirmed 20 same\n"
				  "tell-current 20\n");
}

/* Events bring it: nobody is asked. */
static void test_events_are_enough(void)
{
	transcript_run(LIVE "> wanted 11\n"
			    "arm\n"
			    "> events +b@11\n"
			    "deliver 11 +b\n"
			    "receive\n"
			    "> wait 1\n"
			    "> timer\n"
			    "arm\n"
			    "> wanted 11\n");
}

/* An answer of another history proves nothing; the probe will find out. */
static void test_another_history(void)
{
	transcript_run(LIVE ASKED "> confirmed 25 same cluster=2\n"
				  "arm\n");
}

static void test_not_connected(void)
{
	transcript_run(LIVE "> ended\n" FAIL "> wanted 20\n"
			    "> timer\n"
			    "connect\n"
			    "probe a@10\n"
			    " = probing\n"
			    "> probed 20 kv=a@10\n"
			    "open 11\n"
			    "arm\n"
			    " = opening\n"
			    "> created 20\n"
			    "receive\n"
			    "ask-version\n"
			    "arm\n"
			    "arm\n"
			    " = live\n"
			    "> version\n"
			    "> wait 1\n"
			    "> timer\n"
			    "confirm 11\n"
			    "arm\n");
}

/* One question at a time. */
static void test_beside_a_probe(void)
{
	transcript_run(TRANSCRIPT_LIVE "> wanted 20\n"
				       "arm\n"
				       "> wait 1\n"
				       "> timer\n"
				       "arm\n"
				       "arm\n"
				       "> version\n"
				       "> wait 1\n"
				       "> timer\n"
				       "confirm 11\n"
				       "arm\n");
}

static const TranscriptTest tests[] = {
    {"/resume/wanted/confirmed", test_confirmed},
    {"/resume/wanted/asks-again", test_asks_again},
    {"/resume/wanted/events-are-enough", test_events_are_enough},
    {"/resume/wanted/another-history", test_another_history},
    {"/resume/wanted/not-connected", test_not_connected},
    {"/resume/wanted/beside-a-probe", test_beside_a_probe},
};

int main(int argc, char **argv)
{
	return transcript_main(argc, argv, tests, G_N_ELEMENTS(tests));
}
