/* SPDX-License-Identifier: Apache-2.0 */
#include "driver.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "clock.h"

#define METHOD_WATCH "/etcdserverpb.Watch/Watch"

static const AskerEvents asker_events;
static const RpcEvents stream_events;

static void driver_feed(Driver *driver, ResumeInput input);

void driver_init(Driver *driver, const WatchConfig *config, Rpc *rpc, Keyspace *keyspace)
{
	*driver = (Driver){
	    .keyspace = keyspace,
	    .rpc = rpc,
	    .endpoints = endpoint_list_new(config->endpoints),
	    .credentials = credentials_new(&config->tls),
	    .server_name = g_strdup(config->tls.server_name),
	    .dial_timeout_ms = config->dial_timeout_ms,
	    .actions = g_array_new(FALSE, FALSE, sizeof(ResumeAction)),
	    .timer_us = G_MAXINT64,
	};
	finder_init(&driver->finder, config->find_endpoints, config->find_data);
	asker_init(&driver->asker,
		   &(AskerConfig){
		       .rpc = rpc,
		       .metering = &driver->metering,
		       .timeout_ms = config->command_timeout_ms,
		       .events = &asker_events,
		       .data = driver,
		   },
		   &config->auth);
	key_range_init(&driver->range, config->prefix);
	metering_init(&driver->metering, keyspace->meter);
	seed_init(&driver->seed, &driver->range, config->revision);
	resume_init(&driver->resume,
		    &(ResumeConfig){
			.n_endpoints = endpoint_list_size(driver->endpoints),
			.probe_us = config->keepalive_time_ms * G_TIME_SPAN_MILLISECOND,
			.chance = g_random_int(),
			.max_stale_us = config->max_stale_ms * G_TIME_SPAN_MILLISECOND,
			.pinned = config->revision,
		    });
}

void driver_clear(Driver *driver)
{
	resume_clear(&driver->resume);
	seed_clear(&driver->seed);
	key_range_clear(&driver->range);
	asker_clear(&driver->asker);
	g_clear_pointer(&driver->actions, g_array_unref);
	g_clear_pointer(&driver->endpoints, endpoint_list_free);
	g_clear_pointer(&driver->credentials, credentials_free);
	g_clear_pointer(&driver->server_name, g_free);
	g_clear_pointer(&driver->refused, g_free);
	g_clear_pointer(&driver->stale_files, g_free);
}

gboolean driver_load_files(Driver *driver, GError **error)
{
	return credentials_load(driver->credentials, error) &&
	       auth_load(&driver->asker.auth, error);
}

void driver_start(Driver *driver)
{
	driver_feed(driver, (ResumeInput){RESUME_START});
}

/* Where the machine sleeps in between, it is too late by the clock that counts; but with
 * the next probe at the latest there is another look. */
gint64 driver_deadline(const Driver *driver)
{
	gint64 contact_us = contact_deadline(&driver->resume.contact);

	if (contact_us != G_MAXINT64)
		contact_us = g_get_monotonic_time() + contact_us - clock_boot_us();
	return MIN(driver->timer_us, contact_us);
}

void driver_want(Driver *driver, gint64 revision)
{
	driver_feed(driver, (ResumeInput){RESUME_WANTED, .wanted = revision});
}

void driver_check_timer(Driver *driver)
{
	if (clock_boot_us() >= contact_deadline(&driver->resume.contact))
		driver_feed(driver, (ResumeInput){RESUME_TICK});
	if (g_get_monotonic_time() < driver->timer_us)
		return;
	driver->timer_us = G_MAXINT64;
	driver_feed(driver, (ResumeInput){RESUME_TIMER});
}

/* ---- actions: to etcd ---- */

/* Files that are just being replaced may not fit together. */
static gboolean reload_files(Driver *driver)
{
	g_autoptr(GError) error = NULL;

	if (driver_load_files(driver, &error)) {
		g_clear_pointer(&driver->stale_files, g_free);
		return TRUE;
	}
	if (g_strcmp0(driver->stale_files, error->message) == 0)
		return FALSE;
	g_warning("%s; what was read before stays in use", error->message);
	g_free(driver->stale_files);
	driver->stale_files = g_strdup(error->message);
	return FALSE;
}

void driver_reload(Driver *driver)
{
	/* whoever asks again is told again */
	g_clear_pointer(&driver->stale_files, g_free);
	if (reload_files(driver))
		driver_feed(driver, (ResumeInput){RESUME_RELOAD});
}

/* Until the first contact the dial timeout is for all endpoints together. */
static guint connect_timeout_ms(const Driver *driver)
{
	guint shares = driver->seeded ? 1 : endpoint_list_size(driver->endpoints);

	return MAX(driver->dial_timeout_ms / shares, 1);
}

static void do_connect(Driver *driver)
{
	if (finder_look(&driver->finder, driver->endpoints, driver->resume.failures))
		resume_set_endpoints(&driver->resume, endpoint_list_size(driver->endpoints));

	RpcPeer peer = {
	    .target = endpoint_list_next(driver->endpoints, g_get_monotonic_time()),
	    .connect_timeout_ms = connect_timeout_ms(driver),
	    .server_name = driver->server_name,
	};

	reload_files(driver);
	peer.tls = credentials_material(driver->credentials);
	auth_forget(&driver->asker.auth);
	rpc_connect(driver->rpc, &peer);
}

static void do_blame(Driver *driver)
{
	endpoint_list_blame(driver->endpoints, driver->resume.last_error, g_get_monotonic_time());
}

static void do_close(Driver *driver)
{
	asker_close(&driver->asker);
	rpc_call_close(g_steal_pointer(&driver->stream));
}

static void ask_page(Driver *driver)
{
	asker_ask(&driver->asker, ASK_PAGE, seed_request(&driver->seed));
}

static void do_read_page(Driver *driver, gboolean first)
{
	if (first) {
		metering_seed_begin(&driver->metering);
		seed_restart(&driver->seed);
	}
	/* or feed_page was ahead of it */
	if (!asker_is_busy(&driver->asker))
		ask_page(driver);
}

/* Without an anchor the range's first key is asked for, there or not: the header
 * is what matters. */
static void do_probe(Driver *driver, const ResumeAction *action)
{
	if (action->anchor.revision == 0)
		asker_ask(&driver->asker, ASK_PROBE,
			  wire_probe_encode(key_range_bytes(driver->range.key),
					    key_range_bytes(driver->range.end)));
	else
		asker_ask(&driver->asker, ASK_ANCHOR,
			  wire_range_encode(&(WireRange){
			      .key = action->anchor.key,
			      .revision = action->anchor.revision,
			  }));
}

/* A request on the same connection was granted before: the token is there. */
static void do_open(Driver *driver, gint64 revision)
{
	g_autoptr(GBytes) message = wire_watch_encode(&(WireWatch){
	    .key = key_range_bytes(driver->range.key),
	    .range_end = key_range_bytes(driver->range.end),
	    .start_revision = revision,
	    .watch_id = RESUME_WATCH_ID,
	});
	RpcRequest request = {
	    .lane = RPC_WATCH,
	    .method = METHOD_WATCH,
	    .message = message,
	    .token = driver->asker.auth.token,
	};

	driver->stream = rpc_stream(driver->rpc, &request, &stream_events, driver);
}

static void do_audit(Driver *driver, const ResumeAction *action)
{
	asker_ask(&driver->asker, ASK_AUDIT,
		  audit_request(&driver->audit, &driver->range, action->audit.revision,
				action->audit.since, driver->keyspace->count(driver->keyspace)));
}

static void do_confirm(Driver *driver, gint64 since)
{
	asker_ask(&driver->asker, ASK_CONFIRM,
		  audit_confirm_request(&driver->audit, &driver->range, since,
					driver->keyspace->count(driver->keyspace)));
}

static void do_ask_progress(Driver *driver)
{
	g_autoptr(GBytes) message = wire_progress_encode();

	rpc_call_send(driver->stream, message);
}

/* ---- actions: to the listener ---- */

static void do_seed_page(Driver *driver)
{
	const EtcdRange *page = &driver->asker.page;

	driver->keyspace->seed_page(driver->keyspace, page->kvs, page->n_kvs);
}

static void do_seed_end(Driver *driver)
{
	driver->keyspace->seed_end(driver->keyspace);
	metering_seed_end(&driver->metering);
	driver->seeded = driver->seed_done = TRUE;
	rpc_hang_up(driver->rpc, RPC_BULK);
}

static gboolean do_deliver(Driver *driver, const KvBatch *batch)
{
	KvBatch timed = *batch;

	timed.arrived_us = driver->arrived_us;
	return driver->keyspace->apply(driver->keyspace, &timed) == KEYSPACE_APPLIED;
}

static gboolean do_verify(Driver *driver, const KvBatch *batch)
{
	for (gsize i = 0; i < batch->n_events; i++)
		if (!driver->keyspace->holds(driver->keyspace, &batch->events[i]))
			return FALSE;
	return TRUE;
}

/* FALSE when the listener refused a batch, or lacks it. */
static gboolean driver_act(Driver *driver, const ResumeAction *action)
{
	switch (action->type) {
	case RESUME_BLAME:
		do_blame(driver);
		break;
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
	case RESUME_ASK_VERSION:
		asker_ask(&driver->asker, ASK_VERSION, wire_status_encode());
		break;
	case RESUME_AUDIT:
		do_audit(driver, action);
		break;
	case RESUME_ASK_PROGRESS:
		do_ask_progress(driver);
		break;
	case RESUME_SEED_BEGIN:
		driver->keyspace->seed_begin(driver->keyspace, action->revision,
					     driver->asker.page.count);
		break;
	case RESUME_SEED_PAGE:
		do_seed_page(driver);
		break;
	case RESUME_SEED_END:
		do_seed_end(driver);
		break;
	case RESUME_HANG_UP:
		rpc_hang_up(driver->rpc, RPC_WATCH);
		rpc_hang_up(driver->rpc, RPC_BULK);
		break;
	case RESUME_DELIVER:
		return do_deliver(driver, &action->batch);
	case RESUME_VERIFY:
		return do_verify(driver, &action->batch);
	case RESUME_CONFIRM:
		do_confirm(driver, action->revision);
		break;
	case RESUME_CURRENT:
		if (driver->keyspace->current)
			driver->keyspace->current(driver->keyspace, action->revision);
		break;
	case RESUME_PROGRESS:
		driver->keyspace->progress(driver->keyspace, action->revision);
		break;
	case RESUME_ARM:
		driver->timer_us = action->at_us;
		break;
	}
	return TRUE;
}

/* NULL, or the action that was refused. */
static const ResumeAction *driver_act_all(Driver *driver)
{
	for (guint i = 0; i < driver->actions->len; i++) {
		const ResumeAction *action = &g_array_index(driver->actions, ResumeAction, i);

		if (!driver_act(driver, action))
			return action;
	}
	return NULL;
}

static void driver_step(Driver *driver, ResumeInput input)
{
	input.now_us = g_get_monotonic_time();
	input.boot_us = clock_boot_us();
	g_array_set_size(driver->actions, 0);
	resume_step(&driver->resume, &input, driver->actions);
}

static void driver_feed(Driver *driver, ResumeInput input)
{
	const ResumeAction *refused;

	driver_step(driver, input);
	refused = driver_act_all(driver);
	if (!refused)
		return;
	driver_step(driver, (ResumeInput){RESUME_EVENT_LOST, .lost = refused->batch.revision});
	driver_act_all(driver);
}

/* ---- completions: what was asked ---- */

static void feed_failure(Driver *driver, ResumeInputType type, EtcdFailure failure,
			 const char *reason)
{
	if (failure == ETCD_REFUSED && !driver->seeded && !driver->refused)
		driver->refused = g_strdup(reason);
	driver_feed(driver, (ResumeInput){type, .failure = {failure, reason}});
}

/* Out of time while the connection stands; or the connection broke under it, and
 * a smaller page had come through. */
static gboolean page_was_too_large(const Driver *driver, EtcdFailure failure)
{
	return driver->asker.kind == ASK_PAGE && failure == ETCD_AWAY &&
	       (rpc_connected(driver->rpc) || driver->seed.last->len > 0);
}

static void ask_failed(gpointer data, EtcdFailure failure, const char *reason)
{
	Driver *driver = data;
	AskKind kind = driver->asker.kind;

	if (page_was_too_large(driver, failure))
		seed_too_large(&driver->seed);
	/* etcd tells its version to some only, and the watch does without */
	if (kind == ASK_VERSION)
		driver_feed(driver, (ResumeInput){RESUME_VERSION, .version = NULL});
	/* a revision may be compacted, a count may take too long: nobody knows */
	else if (kind == ASK_AUDIT && failure != ETCD_REFUSED)
		driver_feed(driver, (ResumeInput){RESUME_AUDITED, .audit = NULL});
	else if (kind == ASK_CONFIRM && failure != ETCD_REFUSED)
		driver_feed(driver, (ResumeInput){RESUME_CONFIRMED, .confirmed = {.same = FALSE}});
	else
		feed_failure(driver, RESUME_FAILED, failure, reason);
}

static void ask_had_no_token(gpointer data, EtcdFailure failure, const char *reason)
{
	feed_failure(data, RESUME_FAILED, failure, reason);
}

static void ask_refused(gpointer data)
{
	reload_files(data);
}

/* The next page is asked for before this one is decoded: etcd need not wait for that.
 * Not so behind the first, with which resume.c may find that this is another etcd. */
static void feed_page(Driver *driver)
{
	g_auto(Arena) arena = {0};
	Asker *asker = &driver->asker;
	EtcdRange *page = &asker->page;
	gboolean first = driver->seed.last->len == 0;
	gint64 elapsed_us = g_get_monotonic_time() - asker->sent_us;
	SeedVerdict verdict = seed_take(&driver->seed, &asker->outline, elapsed_us);

	if (verdict == SEED_MORE && !first)
		ask_page(driver);
	arena_init(&arena, 2 * asker->len);
	if (verdict == SEED_BROKEN || !asker_fill_page(asker, &arena) ||
	    !seed_check(&driver->seed, page)) {
		feed_failure(driver, RESUME_FAILED, ETCD_AWAY, "etcd's answer makes no sense");
		return;
	}
	metering_page(&driver->metering, page->n_kvs, asker->len);
	g_debug("page: %" G_GSIZE_FORMAT " keys in %" G_GINT64_FORMAT " us", page->n_kvs,
		elapsed_us);
	driver_feed(driver, (ResumeInput){
				RESUME_PAGED,
				.page = {page->header, seed_newest(page), page->more},
			    });
}

static void feed_probe(Driver *driver)
{
	const EtcdRange *answer = &driver->asker.page;

	if (answer->header.revision <= 0) {
		feed_failure(driver, RESUME_FAILED, ETCD_AWAY, "etcd's answer makes no sense");
		return;
	}
	metering_probe(&driver->metering, answer->header.revision);
	driver_feed(driver, (ResumeInput){
				RESUME_PROBED,
				.probe = {answer->header, answer->n_kvs > 0 ? answer->kvs : NULL},
			    });
}

static void feed_audit(Driver *driver)
{
	g_autofree char *difference = audit_difference(&driver->audit, &driver->asker.page);

	metering_audit(&driver->metering);
	driver_feed(driver, (ResumeInput){RESUME_AUDITED, .audit = difference});
}

static void feed_confirmed(Driver *driver)
{
	const EtcdRange *answer = &driver->asker.page;
	gboolean same = audit_confirms(&driver->audit, answer);

	driver_feed(driver, (ResumeInput){
				RESUME_CONFIRMED,
				.confirmed = {answer->header, same},
			    });
}

static void feed_answer(Driver *driver)
{
	switch (driver->asker.kind) {
	case ASK_PAGE:
		feed_page(driver);
		break;
	case ASK_VERSION:
		driver_feed(driver,
			    (ResumeInput){RESUME_VERSION, .version = driver->asker.version});
		break;
	case ASK_AUDIT:
		feed_audit(driver);
		break;
	case ASK_CONFIRM:
		feed_confirmed(driver);
		break;
	default:
		feed_probe(driver);
	}
}

/* Of a seed's pages the allocator keeps as much as the largest took, for good. */
static void give_memory_back(Driver *driver)
{
#ifdef __GLIBC__
	malloc_trim(0);
#endif
	driver->seed_done = FALSE;
}

static void ask_answered(gpointer data)
{
	Driver *driver = data;

	feed_answer(driver);
	if (driver->seed_done)
		give_memory_back(driver);
}

static const AskerEvents asker_events = {
    .answered = ask_answered,
    .failed = ask_failed,
    .no_token = ask_had_no_token,
    .refused = ask_refused,
};

/* ---- completions: the stream ---- */

static void stream_message(gpointer data, const guint8 *bytes, gsize len)
{
	Driver *driver = data;
	g_auto(Arena) arena = {0};
	EtcdWatch response;

	driver->arrived_us = metering_heard(&driver->metering, len);
	arena_init(&arena, 2 * len);
	if (wire_watch_decode(&arena, bytes, len, &response)) {
		metering_response(&driver->metering, &response);
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
