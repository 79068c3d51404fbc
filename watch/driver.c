/* SPDX-License-Identifier: Apache-2.0 */
#include "driver.h"

#define METHOD_RANGE "/etcdserverpb.KV/Range"
#define METHOD_WATCH "/etcdserverpb.Watch/Watch"

static const RpcEvents request_events, stream_events;

static void driver_feed(Driver *driver, ResumeInput input);

void driver_init(Driver *driver, const WatchConfig *config, Rpc *rpc, Keyspace *keyspace)
{
	*driver = (Driver){
	    .keyspace = keyspace,
	    .rpc = rpc,
	    .endpoints = endpoint_list_new(config->endpoints),
	    .command_timeout_ms = config->command_timeout_ms,
	    .actions = g_array_new(FALSE, FALSE, sizeof(ResumeAction)),
	    .timer_us = G_MAXINT64,
	};
	key_range_init(&driver->range, config->prefix);
	seed_init(&driver->seed, &driver->range);
	resume_init(&driver->resume, g_random_int());
}

void driver_clear(Driver *driver)
{
	resume_clear(&driver->resume);
	seed_clear(&driver->seed);
	key_range_clear(&driver->range);
	arena_clear(&driver->answer);
	g_clear_pointer(&driver->actions, g_array_unref);
	g_clear_pointer(&driver->endpoints, endpoint_list_free);
	g_clear_pointer(&driver->refused, g_free);
}

void driver_start(Driver *driver)
{
	driver_feed(driver, (ResumeInput){RESUME_START});
}

void driver_check_timer(Driver *driver)
{
	if (g_get_monotonic_time() < driver->timer_us)
		return;
	driver->timer_us = G_MAXINT64;
	driver_feed(driver, (ResumeInput){RESUME_TIMER});
}

/* ---- actions: to etcd ---- */

static void do_connect(Driver *driver)
{
	rpc_connect(driver->rpc, endpoint_list_next(driver->endpoints));
}

static void do_close(Driver *driver)
{
	rpc_call_close(g_steal_pointer(&driver->request));
	rpc_call_close(g_steal_pointer(&driver->stream));
}

static void do_request(Driver *driver, GBytes *message, gboolean probe)
{
	driver->probe = probe;
	driver->answered = FALSE;
	driver->requested_us = g_get_monotonic_time();
	driver->request = rpc_unary(driver->rpc, METHOD_RANGE, message, driver->command_timeout_ms,
				    &request_events, driver);
}

static void do_read_page(Driver *driver, gboolean first)
{
	g_autoptr(GBytes) message = NULL;

	if (first)
		seed_restart(&driver->seed);
	message = seed_request(&driver->seed);
	do_request(driver, message, FALSE);
}

/* Without an anchor one key of the range is asked for, there or not: it costs
 * etcd next to nothing, and the header is what matters. */
static void do_probe(Driver *driver, const ResumeAction *action)
{
	gboolean anchored = action->anchor.revision != 0;
	g_autoptr(GBytes) message = wire_range_encode(&(WireRange){
	    .key = anchored ? action->anchor.key : key_range_bytes(driver->range.key),
	    .revision = action->anchor.revision,
	    .keys_only = !anchored,
	});

	do_request(driver, message, TRUE);
}

static void do_open(Driver *driver, gint64 revision)
{
	g_autoptr(GBytes) message = wire_watch_encode(&(WireWatch){
	    .key = key_range_bytes(driver->range.key),
	    .range_end = key_range_bytes(driver->range.end),
	    .start_revision = revision,
	    .watch_id = RESUME_WATCH_ID,
	});

	driver->stream = rpc_stream(driver->rpc, METHOD_WATCH, message, &stream_events, driver);
}

/* ---- actions: to the listener ---- */

static void do_seed_page(Driver *driver)
{
	driver->keyspace->seed_page(driver->keyspace, driver->page.kvs, driver->page.n_kvs);
}

static void do_seed_end(Driver *driver)
{
	driver->keyspace->seed_end(driver->keyspace);
	driver->seeded = TRUE;
}

static gboolean do_deliver(Driver *driver, const KvBatch *batch)
{
	return driver->keyspace->apply(driver->keyspace, batch) == KEYSPACE_APPLIED;
}

/* FALSE when the listener refused a batch. */
static gboolean driver_act(Driver *driver, const ResumeAction *action)
{
	switch (action->type) {
	case RESUME_CONNECT:
		do_connect(driver);
		break;
	case RESUME_CLOSE:
		do_close(driver);
		break;
	case RESUME_READ_PAGE:
		do_read_page(driver, action->first);
		break;
	case RESUME_PROBE:
		do_probe(driver, action);
		break;
	case RESUME_OPEN:
		do_open(driver, action->revision);
		break;
	case RESUME_RECEIVE:
		rpc_call_receive(driver->stream);
		break;
	case RESUME_SEED_BEGIN:
		driver->keyspace->seed_begin(driver->keyspace, action->revision);
		break;
	case RESUME_SEED_PAGE:
		do_seed_page(driver);
		break;
	case RESUME_SEED_END:
		do_seed_end(driver);
		break;
	case RESUME_DELIVER:
		return do_deliver(driver, &action->batch);
	case RESUME_PROGRESS:
		driver->keyspace->progress(driver->keyspace, action->revision);
		break;
	case RESUME_ARM:
		driver->timer_us = action->at_us;
		break;
	}
	return TRUE;
}

static gboolean driver_act_all(Driver *driver)
{
	for (guint i = 0; i < driver->actions->len; i++)
		if (!driver_act(driver, &g_array_index(driver->actions, ResumeAction, i)))
			return FALSE;
	return TRUE;
}

static void driver_step(Driver *driver, ResumeInput input)
{
	input.now_us = g_get_monotonic_time();
	g_array_set_size(driver->actions, 0);
	resume_step(&driver->resume, &input, driver->actions);
}

static void driver_feed(Driver *driver, ResumeInput input)
{
	driver_step(driver, input);
	if (driver_act_all(driver))
		return;
	driver_step(driver, (ResumeInput){RESUME_EVENT_LOST});
	driver_act_all(driver);
}

/* ---- completions: the request ---- */

static void request_message(gpointer data, const guint8 *bytes, gsize len)
{
	Driver *driver = data;

	arena_clear(&driver->answer);
	arena_init(&driver->answer, 2 * len);
	driver->answered = wire_range_decode(&driver->answer, bytes, len, &driver->page);
	if (driver->answered)
		driver->contact_us = g_get_monotonic_time();
}

static void feed_failure(Driver *driver, ResumeInputType type, EtcdFailure failure,
			 const char *reason)
{
	endpoint_list_blame(driver->endpoints, reason);
	if (failure == ETCD_REFUSED && !driver->seeded && !driver->refused)
		driver->refused = g_strdup(reason);
	driver_feed(driver, (ResumeInput){type, .failure = {failure, reason}});
}

/* A connection that breaks under a page may also have broken because of it. */
static void feed_request_failure(Driver *driver, const RpcEnd *end)
{
	if (!driver->probe && end->failure == ETCD_AWAY)
		seed_too_large(&driver->seed);
	feed_failure(driver, RESUME_FAILED, end->failure, end->reason);
}

static const KeyValue *newest_of(const EtcdRange *page)
{
	const KeyValue *newest = NULL;

	for (gsize i = 0; i < page->n_kvs; i++)
		if (!newest || page->kvs[i].mod_revision > newest->mod_revision)
			newest = &page->kvs[i];
	return newest;
}

static void feed_page(Driver *driver)
{
	const EtcdRange *page = &driver->page;
	gint64 elapsed_us = g_get_monotonic_time() - driver->requested_us;

	if (seed_take(&driver->seed, page, elapsed_us) == SEED_BROKEN) {
		feed_failure(driver, RESUME_FAILED, ETCD_AWAY, "etcd's answer makes no sense");
		return;
	}
	g_debug("page: %" G_GSIZE_FORMAT " keys in %" G_GINT64_FORMAT " us", page->n_kvs,
		elapsed_us);
	driver_feed(driver, (ResumeInput){
				RESUME_PAGED,
				.page = {page->header, newest_of(page), page->more},
			    });
}

static void feed_probe(Driver *driver)
{
	const EtcdRange *answer = &driver->page;

	if (answer->header.revision <= 0) {
		feed_failure(driver, RESUME_FAILED, ETCD_AWAY, "etcd's answer makes no sense");
		return;
	}
	driver_feed(driver, (ResumeInput){
				RESUME_PROBED,
				.probe = {answer->header, answer->n_kvs > 0 ? answer->kvs : NULL},
			    });
}

static void request_ended(gpointer data, const RpcEnd *end)
{
	Driver *driver = data;

	driver->request = NULL;
	if (!end->ok)
		feed_request_failure(driver, end);
	else if (!driver->answered)
		feed_failure(driver, RESUME_FAILED, ETCD_AWAY, "the answer is not etcd's");
	else if (driver->probe)
		feed_probe(driver);
	else
		feed_page(driver);
	/* a page may be large, and the next is a while away */
	arena_clear(&driver->answer);
}

static const RpcEvents request_events = {request_message, request_ended};

/* ---- completions: the stream ---- */

static void stream_message(gpointer data, const guint8 *bytes, gsize len)
{
	Driver *driver = data;
	g_auto(Arena) arena = {0};
	EtcdWatch response;

	arena_init(&arena, 2 * len);
	if (wire_watch_decode(&arena, bytes, len, &response)) {
		driver_feed(driver, (ResumeInput){RESUME_RESPONSE, .response = &response});
		return;
	}
	feed_failure(driver, RESUME_ENDED, ETCD_AWAY, "the answer is not etcd's");
}

static void stream_ended(gpointer data, const RpcEnd *end)
{
	Driver *driver = data;

	driver->stream = NULL;
	if (end->ok)
		feed_failure(driver, RESUME_ENDED, ETCD_AWAY, "etcd ended the watch");
	else
		feed_failure(driver, RESUME_ENDED, end->failure, end->reason);
}

static const RpcEvents stream_events = {stream_message, stream_ended};
