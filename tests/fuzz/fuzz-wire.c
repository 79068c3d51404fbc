/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as an answer of etcd: the decoder, and what reads its result. */
#include <stdint.h>
#include <string.h>

#include "resume.h"
#include "seed.h"
#include "wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* So that a sanitizer sees each byte that a decoder promises. */
static guint touch(KvBytes bytes)
{
	guint sum = 0;

	for (gsize i = 0; i < bytes.len; i++)
		sum += bytes.data[i];
	return sum;
}

static void touch_range(const EtcdRange *range)
{
	for (gsize i = 0; i < range->n_kvs; i++)
		touch(range->kvs[i].key), touch(range->kvs[i].value);
}

static void run_range(const guint8 *data, gsize len)
{
	g_auto(Arena) arena = {0};
	KeyRange range;
	Seed seed;
	EtcdOutline outline;
	EtcdRange page;

	if (wire_range_decode(&arena, data, len, &page))
		touch_range(&page);
	if (!wire_outline_decode(&arena, data, len, &outline))
		return;

	key_range_init(&range, (KvBytes){0});
	seed_init(&seed, &range, 0);
	if (seed_take(&seed, &outline, 1) == SEED_MORE)
		g_bytes_unref(seed_request(&seed));
	if (wire_outline_fill(&arena, &outline, &page)) {
		touch_range(&page);
		seed_check(&seed, &page);
	}
	seed_clear(&seed);
	key_range_clear(&range);
}

static void run_probe(const guint8 *data, gsize len)
{
	g_auto(Arena) arena = {0};
	EtcdRange answer;

	if (wire_probe_decode(&arena, data, len, &answer))
		touch_range(&answer);
}

static void run_texts(const guint8 *data, gsize len)
{
	g_auto(Arena) arena = {0};
	const char *text;

	if (wire_token_decode(&arena, data, len, &text))
		touch((KvBytes){(const guint8 *)text, strlen(text)});
	if (wire_version_decode(&arena, data, len, &text))
		lag_version_asks(text);
}

static void feed(Resume *resume, const EtcdWatch *response)
{
	g_autoptr(GArray) actions = g_array_new(FALSE, FALSE, sizeof(ResumeAction));
	gint64 before = resume->applied;

	resume_step(resume, &(ResumeInput){RESUME_RESPONSE, .response = response}, actions);
	for (guint i = 0; i < actions->len; i++) {
		const ResumeAction *action = &g_array_index(actions, ResumeAction, i);

		if (action->type != RESUME_DELIVER)
			continue;
		g_assert_cmpint(action->batch.revision, >, before);
		before = action->batch.revision;
		for (gsize j = 0; j < action->batch.n_events; j++)
			touch(action->batch.events[j].kv.key);
	}
}

static void run_watch(const guint8 *data, gsize len)
{
	g_auto(Arena) arena = {0};
	EtcdWatch response;
	Resume resume;

	if (!wire_watch_decode(&arena, data, len, &response))
		return;
	for (gsize i = 0; i < response.n_events; i++)
		touch(response.events[i].kv.key), touch(response.events[i].kv.value);

	/* twice, so that a fragment meets another */
	resume_init(&resume, &(ResumeConfig){1, G_TIME_SPAN_SECOND, 1});
	resume.state = RESUME_LIVE;
	feed(&resume, &response);
	if (resume.state == RESUME_LIVE)
		feed(&resume, &response);
	resume_clear(&resume);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	run_range(data, size);
	run_probe(data, size);
	run_texts(data, size);
	run_watch(data, size);
	return 0;
}
