/* SPDX-License-Identifier: Apache-2.0 */
/* test-options.c - command lines and what they mean, or the line that a person gets. */
#include <string.h>
#include <unistd.h>

#include "options.h"

/* Arguments and variables as one string each, separated by blanks. */
static gboolean parse(Options *options, const gchar *arguments, const gchar *variables,
		      GError **error)
{
	g_autofree gchar *line = g_strconcat("etcdfs ", arguments, NULL);
	g_auto(GStrv) argv = g_strsplit(line, " ", -1);
	g_auto(GStrv) environment = g_strsplit(variables ? variables : "", " ", -1);

	return options_parse(options, argv, environment, error);
}

static void parse_ok(Options *options, const gchar *arguments, const gchar *variables)
{
	g_autoptr(GError) error = NULL;

	if (!parse(options, arguments, variables, &error))
		g_error("\"%s\": %s", arguments, error->message);
}

/* ---- what is understood ---- */

static void prefix_check(const Options *options, const gchar *prefix, gsize len)
{
	gsize options_len;
	const void *data = g_bytes_get_data(options->prefix, &options_len);

	g_assert_cmpmem(data, options_len, prefix, len);
}

static void test_defaults(void)
{
	g_auto(Options) options;

	parse_ok(&options, "/mnt", NULL);
	g_assert_cmpint(options.action, ==, OPTIONS_MOUNT);
	g_assert_cmpstr(options.mountpoint, ==, "/mnt");
	g_assert_cmpstr(options.source, ==, "etcd://127.0.0.1:2379");
	g_assert_cmpuint(g_strv_length(options.endpoints), ==, 1);
	g_assert_cmpstr(options.endpoints[0], ==, "127.0.0.1:2379");
	prefix_check(&options, "", 0);
	g_assert_cmpuint(options.dial_timeout_ms, ==, 2000);
	g_assert_cmpuint(options.command_timeout_ms, ==, 5000);
	g_assert_cmpuint(options.keepalive_time_ms, ==, 10000);
	g_assert_cmpuint(options.keepalive_timeout_ms, ==, 10000);
	g_assert_cmpuint(options.uid, ==, getuid());
	g_assert_cmpuint(options.gid, ==, getgid());
	g_assert_cmpuint(options.fmask, ==, 022);
	g_assert_cmpuint(options.dmask, ==, 022);
	g_assert_false(options.allow_other || options.foreground || options.debug ||
		       options.single_thread);
	g_assert_cmpuint(g_strv_length(options.mount_options), ==, 0);
}

typedef struct {
	const gchar *arguments;
	const gchar *variables;
	const gchar *endpoints; /* joined with blanks */
	const gchar *prefix;
} Where;

static const Where wheres[] = {
    {"etcd://h:1 /mnt", NULL, "h:1", ""},
    {"etcd://h /mnt", NULL, "h:2379", ""},
    {"ETCD://h:1 /mnt", NULL, "h:1", ""},
    {"etcd://h:1/ /mnt", NULL, "h:1", "/"},
    {"etcd://h:1/app/ /mnt", NULL, "h:1", "/app/"},
    {"etcd://a:1,b:2,c/x%2Cy%25 /mnt", NULL, "a:1 b:2 c:2379", "/x,y%"},
    {"etcd://[::1]:5,[fe80::1]/a /mnt", NULL, "[::1]:5 [fe80::1]:2379", "/a"},
    {"--endpoints http://a:1/,b /mnt", NULL, "a:1 b:2379", ""},
    {"/mnt --endpoints=a:1", "ETCDCTL_ENDPOINTS=c:3", "a:1", ""},
    {"/mnt", "ETCDCTL_ENDPOINTS=c:3,http://d:4", "c:3 d:4", ""},
    {"/mnt", "ETCDCTL_ENDPOINTS=", "127.0.0.1:2379", ""},
    {"etcd://h:1 /mnt", "ETCDCTL_ENDPOINTS=c:3", "h:1", ""},
    {"--prefix app/ /mnt", NULL, "127.0.0.1:2379", "app/"},
    {"--prefix=%41 /mnt", NULL, "127.0.0.1:2379", "%41"},
    {"--prefix=\xff /mnt", NULL, "127.0.0.1:2379", "\xff"},
    {"etcd://h:1 /mnt --prefix=app", NULL, "h:1", "app"},
    {"none /mnt -o endpoints=a:1,prefix=/x\\,y", NULL, "a:1", "/x,y"},
    {"none /mnt -o endpoints=a:1\\,b:2", NULL, "a:1 b:2", ""},
    {"none /mnt -o endpoints=a:1\\054b:2", NULL, "a:1 b:2", ""},
    {"-- /mnt", NULL, "127.0.0.1:2379", ""},
};

static void test_where(void)
{
	for (gsize i = 0; i < G_N_ELEMENTS(wheres); i++) {
		const Where *where = &wheres[i];
		g_autofree gchar *escaped = g_strescape(where->arguments, NULL);
		g_autofree gchar *endpoints = NULL;
		g_auto(Options) options;

		g_test_message("%s", escaped);
		parse_ok(&options, where->arguments, where->variables);
		endpoints = g_strjoinv(" ", options.endpoints);
		g_assert_cmpstr(endpoints, ==, where->endpoints);
		prefix_check(&options, where->prefix, strlen(where->prefix));
		g_assert_cmpstr(options.mountpoint, ==, "/mnt");
	}
}

static void test_prefix_nul(void)
{
	g_auto(Options) options;

	parse_ok(&options, "etcd://h:1/a%00b /mnt", NULL);
	prefix_check(&options, "/a\0b", 4);
}

static void test_source_string(void)
{
	g_auto(Options) options;

	parse_ok(&options, "--endpoints a:1,b:2 --prefix=/a%b /mnt", NULL);
	g_assert_cmpstr(options.source, ==, "etcd://a:1,b:2/a%25b");
}

typedef struct {
	const gchar *text;
	guint ms;
} Duration;

static const Duration durations[] = {
    {"5s", 5000},	 {"500ms", 500},    {"1m30s", 90000},  {"1.5s", 1500},	 {"1h", 3600000},
    {"1h0m1s", 3601000}, {"1ns", 1},	    {"1us", 1},	       {"2500us", 3},	 {".5s", 500},
    {"2.3s", 2300},	 {"1\xc2\xb5s", 1}, {"1\xce\xbcs", 1}, {"1.001s", 1001},
};

static void test_durations(void)
{
	for (gsize i = 0; i < G_N_ELEMENTS(durations); i++) {
		g_autofree gchar *flag = g_strdup_printf("--dial-timeout=%s /mnt",
							 durations[i].text);
		g_autofree gchar *variable = g_strdup_printf("ETCDCTL_COMMAND_TIMEOUT=%s",
							     durations[i].text);
		g_auto(Options) options;

		parse_ok(&options, flag, variable);
		g_assert_cmpuint(options.dial_timeout_ms, ==, durations[i].ms);
		g_assert_cmpuint(options.command_timeout_ms, ==, durations[i].ms);
	}
}

static void test_keepalive(void)
{
	g_auto(Options) options, raised;

	/* etcdctl takes any value and pings less often all the same. */
	parse_ok(&raised, "/mnt", "ETCDCTL_KEEPALIVE_TIME=2s");
	g_assert_cmpuint(raised.keepalive_time_ms, ==, 6000);
	parse_ok(&options, "--keepalive-time=6s /mnt",
		 "ETCDCTL_KEEPALIVE_TIME=1s ETCDCTL_KEEPALIVE_TIMEOUT=3s");
	g_assert_cmpuint(options.keepalive_time_ms, ==, 6000);
	g_assert_cmpuint(options.keepalive_timeout_ms, ==, 3000);
}

static void test_ownership(void)
{
	g_auto(Options) flags, list, masks;

	parse_ok(&flags, "--uid=33 --gid 44 --umask=077 --allow-other /mnt", NULL);
	parse_ok(&list, "-ouid=33,gid=44,,umask=077 -o allow_other /mnt", NULL);
	g_assert_cmpuint(flags.uid, ==, 33);
	g_assert_cmpuint(list.uid, ==, 33);
	g_assert_cmpuint(flags.gid, ==, 44);
	g_assert_cmpuint(list.gid, ==, 44);
	g_assert_cmpuint(flags.fmask, ==, 077);
	g_assert_cmpuint(list.dmask, ==, 077);
	g_assert_true(flags.allow_other && list.allow_other);
	parse_ok(&masks, "--dmask=7 -o umask=22,fmask=0133 /mnt", NULL);
	g_assert_cmpuint(masks.fmask, ==, 0133);
	g_assert_cmpuint(masks.dmask, ==, 07);
}

static void test_program(void)
{
	g_auto(Options) letters, words, last;

	parse_ok(&letters, "-fs /mnt", NULL);
	g_assert_true(letters.foreground && letters.single_thread);
	g_assert_false(letters.debug);
	parse_ok(&words, "-o debug,single_thread /mnt", NULL);
	g_assert_true(words.foreground && words.debug && words.single_thread);
	/* Given twice: the last counts. */
	parse_ok(&last, "-o uid=1 --uid=2 -o uid=3 /mnt", NULL);
	g_assert_cmpuint(last.uid, ==, 3);
}

static void test_mount_options(void)
{
	g_autofree gchar *passed = NULL;
	g_auto(Options) options;

	parse_ok(
	    &options,
	    "etcd://h:1 /mnt -o rw,dev,suid,nosuid,nodev,noexec,noatime,relatime,_netdev,nofail,auto "
	    "-o noauto,user,user=joe,users,owner,group,defaults,x-systemd.automount "
	    "-o comment=x,X-a=b,ro,nodiratime,fsname=a\\,b,max_read=4096,auto_unmount",
	    NULL);
	passed = g_strjoinv(" ", options.mount_options);
	g_assert_cmpstr(passed, ==,
			"nosuid nodev noexec noatime fsname=a,b max_read=4096 auto_unmount");
}

static void test_actions(void)
{
	static const gchar *const helps[] = {"-h", "--help", "-o help", "-V -h", "--help /mnt x y"};
	g_auto(Options) version;

	for (gsize i = 0; i < G_N_ELEMENTS(helps); i++) {
		g_auto(Options) options;

		parse_ok(&options, helps[i], NULL);
		g_assert_cmpint(options.action, ==, OPTIONS_HELP);
	}
	parse_ok(&version, "-V", NULL);
	g_assert_cmpint(version.action, ==, OPTIONS_VERSION);
}

/* ---- what is printed ---- */

static void test_help(void)
{
	g_autofree gchar *help = options_help();
	g_auto(GStrv) lines = g_strsplit(help, "\n", -1);

	for (gchar **line = lines; *line; line++)
		g_assert_cmpint(g_utf8_strlen(*line, -1), <=, 80);
	g_assert_nonnull(strstr(help, "--endpoints"));
	g_assert_nonnull(strstr(help, "etcd://HOST:PORT"));
}

static void test_version(void)
{
	g_autofree gchar *version = options_version();

	g_assert_true(g_str_has_prefix(version, "etcdfs " ETCDFS_VERSION "\n"));
}

typedef struct {
	const gchar *arguments;
	const gchar *variables;
	const gchar *parts[2]; /* that the message must have */
} Mistake;

static const Mistake mistakes[] = {
    {"", NULL, {"mount point", "MOUNTPOINT"}},
    {"etcd://h:1/app", NULL, {"mount point"}},
    {"etcd://h:1 /mnt more", NULL, {"more", "too many"}},
    {"etcd:/h:1 /mnt", NULL, {"etcd:/h:1", "etcd://HOST:PORT"}},
    {"h:1 /mnt", NULL, {"h:1", "etcd://HOST:PORT"}},
    {"etcd:// /mnt", NULL, {"etcd://", "no endpoint"}},
    {"etcd:///app /mnt", NULL, {"etcd:///app", "no endpoint"}},
    {"etcd://h:0 /mnt", NULL, {"\"0\"", "65535"}},
    {"etcd://h:65536 /mnt", NULL, {"\"65536\""}},
    {"etcd://h:x /mnt", NULL, {"\"x\""}},
    {"etcd://h: /mnt", NULL, {"port"}},
    {"etcd://:1 /mnt", NULL, {"not a host"}},
    {"etcd://a:1,,b:1 /mnt", NULL, {"missing"}},
    {"etcd://::1 /mnt", NULL, {"brackets"}},
    {"etcd://[::x]:1 /mnt", NULL, {"[::x]", "not a host"}},
    {"etcd://[127.0.0.1]:1 /mnt", NULL, {"not a host"}},
    {"etcd://[::1 /mnt", NULL, {"\"[::1\" is not a host"}},
    {"etcd://[ /mnt", NULL, {"not a host"}},
    {"etcd://u:p@h:1 /mnt", NULL, {"password"}},
    {"etcd://h:1/a?b /mnt", NULL, {"%3F"}},
    {"etcd://h:1/a%zz /mnt", NULL, {"%25"}},
    {"etcds://h:1 /mnt", NULL, {"TLS", "not supported"}},
    {"https://h:1 /mnt", NULL, {"TLS", "not supported"}},
    {"--endpoints=https://h:1 /mnt", NULL, {"--endpoints", "TLS"}},
    {"/mnt", "ETCDCTL_ENDPOINTS=https://h:1", {"ETCDCTL_ENDPOINTS", "TLS"}},
    {"--endpoints=unix:///x /mnt", NULL, {"unix:///x"}},
    {"--endpoints= /mnt", NULL, {"--endpoints", "no endpoint"}},
    {"etcd://h:1/a /mnt --prefix=/b", NULL, {"both", "--prefix"}},
    {"etcd://h:1 /mnt --endpoints=x:1", NULL, {"both", "--endpoints"}},
    {"--keepalive-time=2s /mnt", NULL, {"--keepalive-time=2s", "at least 6s"}},
    {"--dial-timeout=5 /mnt", NULL, {"--dial-timeout=5", "unit"}},
    {"--dial-timeout=-1s /mnt", NULL, {"not a duration"}},
    {"--dial-timeout=1.2.3s /mnt", NULL, {"not a duration"}},
    {"--dial-timeout=.s /mnt", NULL, {"not a duration"}},
    {"--dial-timeout=s /mnt", NULL, {"not a duration"}},
    {"--dial-timeout=1sx /mnt", NULL, {"not a duration"}},
    {"--dial-timeout= /mnt", NULL, {"not a duration"}},
    {"--dial-timeout=1e3s /mnt", NULL, {"not a duration"}},
    {"--dial-timeout=999999h /mnt", NULL, {"not a duration"}},
    {"--dial-timeout=0 /mnt", NULL, {"longer than 0"}},
    {"--uid=joe /mnt", NULL, {"--uid=joe", "numeric"}},
    {"--uid=-1 /mnt", NULL, {"--uid=-1"}},
    {"--uid=4294967295 /mnt", NULL, {"--uid=4294967295"}},
    {"--umask=8 /mnt", NULL, {"--umask=8", "octal"}},
    {"--fmask=1000 /mnt", NULL, {"--fmask=1000"}},
    {"--endpoint=h:1 /mnt", NULL, {"--endpoint=h:1", "did you mean --endpoints"}},
    {"--dial_timeuot=1s /mnt", NULL, {"did you mean --dial-timeout"}},
    {"--xyzzy /mnt", NULL, {"--xyzzy", "--help"}},
    {"-x /mnt", NULL, {"-x"}},
    {"-o alow_other /mnt", NULL, {"-o alow_other", "did you mean -o allow_other"}},
    {"-o frobnicate /mnt", NULL, {"frobnicate"}},
    {"/mnt -o", NULL, {"-o"}},
    {"/mnt --endpoints", NULL, {"--endpoints"}},
    {"-o uid /mnt", NULL, {"-o uid", "value"}},
    {"-o allow_other=1 /mnt", NULL, {"-o allow_other=1", "no value"}},
    {"--debug=1 /mnt", NULL, {"--debug=1", "no value"}},
    {"-o allow_root /mnt", NULL, {"allow_root", "allow_other"}},
    {"-o remount /mnt", NULL, {"remount", "unmount"}},
    {"-o attr_timeout=1 /mnt", NULL, {"attr_timeout=1", "cache"}},
};

static void test_mistakes(void)
{
	for (gsize i = 0; i < G_N_ELEMENTS(mistakes); i++) {
		const Mistake *mistake = &mistakes[i];
		g_autoptr(GError) error = NULL;
		Options options;

		if (parse(&options, mistake->arguments, mistake->variables, &error))
			g_error("\"%s\" was understood", mistake->arguments);
		g_test_message("%s", error->message);
		g_assert_null(strchr(error->message, '\n'));
		for (gsize j = 0; j < G_N_ELEMENTS(mistake->parts) && mistake->parts[j]; j++) {
			if (!strstr(error->message, mistake->parts[j]))
				g_error("\"%s\": no \"%s\" in \"%s\"", mistake->arguments,
					mistake->parts[j], error->message);
		}
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/options/defaults", test_defaults);
	g_test_add_func("/options/where", test_where);
	g_test_add_func("/options/prefix-nul", test_prefix_nul);
	g_test_add_func("/options/source-string", test_source_string);
	g_test_add_func("/options/durations", test_durations);
	g_test_add_func("/options/keepalive", test_keepalive);
	g_test_add_func("/options/ownership", test_ownership);
	g_test_add_func("/options/program", test_program);
	g_test_add_func("/options/mount-options", test_mount_options);
	g_test_add_func("/options/actions", test_actions);
	g_test_add_func("/options/help", test_help);
	g_test_add_func("/options/version", test_version);
	g_test_add_func("/options/mistakes", test_mistakes);
	return g_test_run();
}
