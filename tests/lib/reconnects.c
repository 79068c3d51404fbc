/* SPDX-License-Identifier: Apache-2.0 */
/* reconnects ENDPOINT - loses etcd again and again, and says what that costs.
 *
 * The real watch code without its thread: watch/driver.c and watch/rpc.c.  In each
 * round it comes to be live, probes once, and then all of its connections break.
 * What the code would wait for is skipped: the linker puts the clock below in the
 * place of GLib's (--wrap=g_get_monotonic_time), so ten thousand rounds take a
 * minute.  gRPC's own clock runs as ever.
 *
 * A line for each --every rounds, at the end of the last:
 *
 *   ROUND BYTES DESCRIPTORS THREADS     BYTES: allocated and not freed
 *   done RECONNECTS RESEEDS
 *
 * Diagnostics: on standard error.
 */
#include <dirent.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "driver.h"

gint64 __real_g_get_monotonic_time(void);
gint64 __wrap_g_get_monotonic_time(void);

/* The sanitizers' allocators know better than malloc. */
gsize __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static gint64 skipped_us;

gint64 __wrap_g_get_monotonic_time(void)
{
	return __real_g_get_monotonic_time() + skipped_us;
}

/* ---- a listener that keeps nothing, of a range without keys ---- */

static void ignore_seed_begin(Keyspace *keyspace, gint64 revision, guint64 n_keys)
{
}

static void ignore_seed_page(Keyspace *keyspace, const KeyValue *kvs, gsize n_kvs)
{
}

static void ignore_seed_end(Keyspace *keyspace)
{
}

static KeyspaceVerdict ignore_batch(Keyspace *keyspace, const KvBatch *batch)
{
	return KEYSPACE_APPLIED;
}

static gboolean holds_all(Keyspace *keyspace, const KvEvent *event)
{
	return TRUE;
}

static guint64 count_none(Keyspace *keyspace)
{
	return 0;
}

static void ignore_progress(Keyspace *keyspace, gint64 revision)
{
}

static void ignore_status(Keyspace *keyspace, const KeyspaceStatus *status)
{
}

/* ---- what it costs ---- */

static gsize bytes_allocated(void)
{
	struct mallinfo2 info = mallinfo2();

	if (__sanitizer_get_current_allocated_bytes)
		return __sanitizer_get_current_allocated_bytes();
	return info.uordblks + info.hblkhd;
}

static guint count_entries(const char *path)
{
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	guint n = 0;

	while (g_dir_read_name(dir))
		n++;
	return n;
}

static void print_costs(gint round)
{
	printf("%d %zu %u %u\n", round, bytes_allocated(), count_entries("/proc/self/fd"),
	       count_entries("/proc/self/task"));
}

/* ---- rounds ---- */

static void turn(Rpc *rpc, Driver *driver)
{
	rpc_wait(rpc, driver->timer_us);
	driver_check_timer(driver);
}

static void skip_to_timer(Driver *driver)
{
	skipped_us += MAX(driver->timer_us - g_get_monotonic_time(), 0);
	driver_check_timer(driver);
}

/* Until it is, and nothing else is under way. */
static void turn_until(Rpc *rpc, Driver *driver, ResumeState state)
{
	while (driver->resume.state != state || asker_is_busy(&driver->asker)) {
		if (driver->resume.state == RESUME_WAITING)
			skip_to_timer(driver);
		else
			turn(rpc, driver);
	}
}

/* As a network does it that is gone: nobody is told. */
static void break_connections(void)
{
	g_autoptr(GDir) dir = g_dir_open("/proc/self/fd", 0, NULL);
	const char *name;

	while ((name = g_dir_read_name(dir)))
		shutdown(atoi(name), SHUT_RDWR); /* what is no connection refuses it */
}

static void run_round(Rpc *rpc, Driver *driver)
{
	turn_until(rpc, driver, RESUME_LIVE);
	skip_to_timer(driver); /* of the probe */
	turn_until(rpc, driver, RESUME_LIVE);
	break_connections();
	while (driver->resume.state == RESUME_LIVE)
		turn(rpc, driver);
}

static guint64 reseeds(const Resume *resume)
{
	guint64 n = 0;

	for (guint i = 0; i < KEYSPACE_N_RESEED_REASONS; i++)
		n += resume->reseeds[i];
	return n;
}

static void run(const WatchConfig *config, gint rounds, gint every)
{
	Keyspace keyspace = {
	    .seed_begin = ignore_seed_begin,
	    .seed_page = ignore_seed_page,
	    .seed_end = ignore_seed_end,
	    .apply = ignore_batch,
	    .holds = holds_all,
	    .count = count_none,
	    .progress = ignore_progress,
	    .status = ignore_status,
	};
	Rpc *rpc = rpc_new(&(RpcSettings){config->keepalive_time_ms, config->keepalive_timeout_ms});
	g_autoptr(GError) error = NULL;
	Driver driver;

	driver_init(&driver, config, rpc, &keyspace);
	if (!driver_load_files(&driver, &error))
		g_error("%s", error->message);
	driver_start(&driver);
	for (gint round = 1; round <= rounds; round++) {
		run_round(rpc, &driver);
		if (round % every == 0)
			print_costs(round);
	}
	printf("done %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT "\n", driver.resume.reconnects,
	       reseeds(&driver.resume));
	rpc_free(rpc);
	driver_clear(&driver);
}

int main(int argc, char **argv)
{
	gint rounds = 1000, every = 100;
	g_autofree char *cacert = NULL, *cert = NULL, *key = NULL, *user = NULL, *password = NULL;
	const GOptionEntry entries[] = {
	    {"rounds", 0, 0, G_OPTION_ARG_INT, &rounds, "How often etcd is lost", "N"},
	    {"every", 0, 0, G_OPTION_ARG_INT, &every, "A line for so many", "N"},
	    {"cacert", 0, 0, G_OPTION_ARG_FILENAME, &cacert, "TLS", "FILE"},
	    {"cert", 0, 0, G_OPTION_ARG_FILENAME, &cert, NULL, "FILE"},
	    {"key", 0, 0, G_OPTION_ARG_FILENAME, &key, NULL, "FILE"},
	    {"user", 0, 0, G_OPTION_ARG_STRING, &user, NULL, "NAME"},
	    {"password", 0, 0, G_OPTION_ARG_STRING, &password, NULL, "TEXT"},
	    {NULL},
	};
	WatchConfig config = {
	    .prefix = {(const guint8 *)"/none/", 6},
	    .dial_timeout_ms = 10000,
	    .command_timeout_ms = 10000,
	    .keepalive_time_ms = 10000,
	    .keepalive_timeout_ms = 10000,
	};
	g_autoptr(GOptionContext) context = g_option_context_new("ENDPOINT");
	g_autoptr(GError) error = NULL;

	g_option_context_add_main_entries(context, entries, NULL);
	if (!g_option_context_parse(context, &argc, &argv, &error) || argc != 2)
		g_error("usage: reconnects [OPTION...] ENDPOINT");
	setlinebuf(stdout);
	config.endpoints = (const char *const[]){argv[1], NULL};
	config.tls = (WatchTls){
	    .enabled = cacert != NULL, .cacert = cacert, .cert = cert, .key = key};
	config.auth = (WatchAuth){.user = user, .password = password};
	run(&config, rounds, every);
	return 0;
}
