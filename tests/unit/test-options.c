/* SPDX-License-Identifier: Apache-2.0 */
/* test-options.c - command lines and what they mean, or the line that a person gets. */
#include <string.h>
#include <unistd.h>

#include "commandline.h"

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

	commandline_parse_ok(&options, "/mnt", NULL);
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
	g_assert_false(options.tls || options.cacert || options.cert || options.key ||
		       options.insecure_skip_verify);
	g_assert_false(options.user || options.password || options.password_file);
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
    {"etcds://a:1,b/x /mnt", NULL, "a:1 b:2379", "/x"},
    {"etcd://%2frun%2Fe%2C,b/x /mnt", NULL, "unix:/run/e, b:2379", "/x"},
    {"etcd://h/u@x /mnt", NULL, "h:2379", "/u@x"},
    {"--endpoints HTTPS://a:1/,b,https://[::1]:3 /mnt", NULL, "a:1 b:2379 [::1]:3", ""},
    {"--endpoints unix:/run/e@x,unix:///s:1/ /mnt", NULL, "unix:/run/e@x unix:/s:1/", ""},
    {"--endpoints unixs:/run/e,unixs:///s /mnt", NULL, "unix:/run/e unix:/s", ""},
};

static void test_where(void)
{
	for (gsize i = 0; i < G_N_ELEMENTS(wheres); i++) {
		const Where *where = &wheres[i];
		g_autofree gchar *escaped = g_strescape(where->arguments, NULL);
		g_autofree gchar *endpoints = NULL;
		g_auto(Options) options;

		g_test_message("%s", escaped);
		commandline_parse_ok(&options, where->arguments, where->variables);
		endpoints = g_strjoinv(" ", options.endpoints);
		g_assert_cmpstr(endpoints, ==, where->endpoints);
		prefix_check(&options, where->prefix, strlen(where->prefix));
		g_assert_cmpstr(options.mountpoint, ==, "/mnt");
	}
}

static void test_prefix_nul(void)
{
	g_auto(Options) options;

	commandline_parse_ok(&options, "etcd://h:1/a%00b /mnt", NULL);
	prefix_check(&options, "/a\0b", 4);
}

static void test_source_string(void)
{
	g_auto(Options) plain, tls, again;

	commandline_parse_ok(&plain, "--endpoints a:1,b:2 --prefix=/a%b /mnt", NULL);
	g_assert_cmpstr(plain.source, ==, "etcd://a:1,b:2/a%25b");
	commandline_parse_ok(&tls, "--endpoints unixs:/run/e%,https://b:2 --prefix=/a /mnt", NULL);
	g_assert_cmpstr(tls.source, ==, "etcds://%2Frun%2Fe%25,b:2/a");
	commandline_parse_ok(&again, "etcds://%2Frun%2Fe%25,b:2/a /mnt", NULL);
	g_assert_cmpstr(again.endpoints[0], ==, "unix:/run/e%");
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

		commandline_parse_ok(&options, flag, variable);
		g_assert_cmpuint(options.dial_timeout_ms, ==, durations[i].ms);
		g_assert_cmpuint(options.command_timeout_ms, ==, durations[i].ms);
	}
}

static void test_keepalive(void)
{
	g_auto(Options) options, raised;

	/* etcdctl takes any value and pings less often all the same. */
	commandline_parse_ok(&raised, "/mnt", "ETCDCTL_KEEPALIVE_TIME=2s");
	g_assert_cmpuint(raised.keepalive_time_ms, ==, 6000);
	commandline_parse_ok(&options, "--keepalive-time=6s /mnt",
			     "ETCDCTL_KEEPALIVE_TIME=1s ETCDCTL_KEEPALIVE_TIMEOUT=3s");
	g_assert_cmpuint(options.keepalive_time_ms, ==, 6000);
	g_assert_cmpuint(options.keepalive_timeout_ms, ==, 3000);
}

static void test_ownership(void)
{
	g_auto(Options) flags, list, masks;

	commandline_parse_ok(&flags, "--uid=33 --gid 44 --umask=077 --allow-other /mnt", NULL);
	commandline_parse_ok(&list, "-ouid=33,gid=44,,umask=077 -o allow_other /mnt", NULL);
	g_assert_cmpuint(flags.uid, ==, 33);
	g_assert_cmpuint(list.uid, ==, 33);
	g_assert_cmpuint(flags.gid, ==, 44);
	g_assert_cmpuint(list.gid, ==, 44);
	g_assert_cmpuint(flags.fmask, ==, 077);
	g_assert_cmpuint(list.dmask, ==, 077);
	g_assert_true(flags.allow_other && list.allow_other);
	commandline_parse_ok(&masks, "--dmask=7 -o umask=22,fmask=0133 /mnt", NULL);
	g_assert_cmpuint(masks.fmask, ==, 0133);
	g_assert_cmpuint(masks.dmask, ==, 07);
}

typedef struct {
	const gchar *arguments;
	gboolean executable;
	const gchar *passed; /* mount options, joined with blanks */
} Exec;

static const Exec execs[] = {
    {"/mnt", FALSE, ""},
    {"/mnt -o rw,nosuid,nodev,defaults", FALSE, "nosuid nodev"},
    {"/mnt --executable", TRUE, ""},
    {"/mnt -o nosuid,executable", TRUE, "nosuid"},
    {"/mnt -o exec", TRUE, "exec"},
    {"/mnt -oexec", TRUE, "exec"},
    {"/mnt -o noexec", FALSE, "noexec"},
    {"/mnt -o noexec,exec", TRUE, "noexec exec"},
    {"/mnt -o exec,noexec", FALSE, "exec noexec"},
    {"-o exec /mnt -o nosuid -o noexec", FALSE, "exec nosuid noexec"},
    {"-o noexec /mnt -o rw,nosuid,exec,dev", TRUE, "noexec nosuid exec"},
    {"/mnt -o fsname=exec", FALSE, "fsname=exec"},
};

static void test_exec(void)
{
	for (gsize i = 0; i < G_N_ELEMENTS(execs); i++) {
		g_autofree gchar *passed = NULL;
		g_auto(Options) options;

		commandline_parse_ok(&options, execs[i].arguments, NULL);
		g_assert_cmpint(options.executable, ==, execs[i].executable);
		passed = g_strjoinv(" ", options.mount_options);
		g_assert_cmpstr(passed, ==, execs[i].passed);
	}
}

static void test_program(void)
{
	g_auto(Options) letters, words, last;

	commandline_parse_ok(&letters, "-fs /mnt", NULL);
	g_assert_true(letters.foreground && letters.single_thread);
	g_assert_false(letters.debug);
	commandline_parse_ok(&words, "-o debug,single_thread /mnt", NULL);
	g_assert_true(words.foreground && words.debug && words.single_thread);
	/* Given twice: the last counts. */
	commandline_parse_ok(&last, "-o uid=1 --uid=2 -o uid=3 /mnt", NULL);
	g_assert_cmpuint(last.uid, ==, 3);
}

static void test_mount_options(void)
{
	g_autofree gchar *passed = NULL;
	g_auto(Options) options;

	commandline_parse_ok(
	    &options,
	    "etcd://h:1 /mnt -o rw,dev,suid,nosuid,nodev,noexec,noatime,relatime,_netdev,nofail,auto "
	    "-o noauto,user,users,owner,group,defaults,x-systemd.automount "
	    "-o comment=x,X-a=b,ro,nodiratime,fsname=a\\,b,max_read=4096,auto_unmount",
	    NULL);
	passed = g_strjoinv(" ", options.mount_options);
	g_assert_cmpstr(passed, ==,
			"nosuid nodev noexec noatime fsname=a,b max_read=4096 auto_unmount");
	g_assert_null(options.user);
}

/* ---- TLS ---- */

typedef struct {
	const gchar *arguments;
	const gchar *variables;
	gboolean tls;
	const gchar *files; /* cacert, cert and key, joined with blanks; - for none */
} Tls;

static const Tls tlses[] = {
    /* The scheme decides, */
    {"etcd://h /mnt", NULL, FALSE, "- - -"},
    {"etcds://h /mnt", NULL, TRUE, "- - -"},
    {"--endpoints=http://h /mnt", NULL, FALSE, "- - -"},
    {"--endpoints=https://h /mnt", NULL, TRUE, "- - -"},
    {"--endpoints=h,https://i /mnt", NULL, TRUE, "- - -"},
    {"--endpoints=unix:/s /mnt", NULL, FALSE, "- - -"},
    {"--endpoints=unixs:/s /mnt", NULL, TRUE, "- - -"},
    {"/mnt", "ETCDCTL_ENDPOINTS=https://h", TRUE, "- - -"},
    /* flags and variables where there is none, */
    {"--endpoints=h /mnt", NULL, FALSE, "- - -"},
    {"--cacert=/c /mnt", NULL, TRUE, "/c - -"},
    {"--cert /c --key /k /mnt", NULL, TRUE, "- /c /k"},
    {"/mnt", "ETCDCTL_CACERT=/c", TRUE, "/c - -"},
    {"/mnt", "ETCDCTL_CERT=/c ETCDCTL_KEY=/k", TRUE, "- /c /k"},
    {"/mnt", "ETCDCTL_CACERT= ETCDCTL_CERT= ETCDCTL_KEY=", FALSE, "- - -"},
    {"/mnt --insecure-transport=false", NULL, TRUE, "- - -"},
    {"/mnt", "ETCDCTL_INSECURE_TRANSPORT=0", TRUE, "- - -"},
    {"--insecure-transport /mnt", "ETCDCTL_INSECURE_TRANSPORT=false", FALSE, "- - -"},
    {"--insecure-transport=true --cacert=/c /mnt", NULL, TRUE, "/c - -"},
    /* and what is only in the environment is for others where it says no. */
    {"etcd://h /mnt", "ETCDCTL_CACERT=/c ETCDCTL_CERT=/d", FALSE, "- - -"},
    {"--endpoints=http://h /mnt", "ETCDCTL_CACERT=/c", FALSE, "- - -"},
    {"etcd://h /mnt", "ETCDCTL_INSECURE_SKIP_TLS_VERIFY=true", FALSE, "- - -"},
    {"etcds://h /mnt --insecure-transport", NULL, TRUE, "- - -"},
    {"etcds://h /mnt", "ETCDCTL_CACERT=/c", TRUE, "/c - -"},
    {"etcds://h /mnt --cacert=/f", "ETCDCTL_CACERT=/c", TRUE, "/f - -"},
    {"etcds://h /mnt --cert=/f", "ETCDCTL_CERT=/c ETCDCTL_KEY=/k", TRUE, "- /f /k"},
    {"none /mnt -o endpoints=h,cacert=/a,cert=/b,key=/c", NULL, TRUE, "/a /b /c"},
};

static void test_tls(void)
{
	for (gsize i = 0; i < G_N_ELEMENTS(tlses); i++) {
		const Tls *tls = &tlses[i];
		g_autofree gchar *files = NULL;
		g_auto(Options) options;

		g_test_message("%s, %s", tls->arguments, tls->variables);
		commandline_parse_ok(&options, tls->arguments, tls->variables);
		files = g_strjoin(" ", options.cacert ? options.cacert : "-",
				  options.cert ? options.cert : "-",
				  options.key ? options.key : "-", NULL);
		g_assert_cmpint(options.tls, ==, tls->tls);
		g_assert_cmpstr(files, ==, tls->files);
		g_assert_true(g_str_has_prefix(options.source, tls->tls ? "etcds:" : "etcd:") ||
			      strstr(tls->arguments, "etcd"));
	}
}

static void test_skip_verify(void)
{
	static const gchar *const skips[] = {
	    "--insecure-skip-tls-verify /mnt",	 "--insecure-skip-tls-verify=true /mnt",
	    "-o insecure_skip_tls_verify /mnt",	 "-o insecure-skip-tls-verify=1 /mnt",
	    "--insecure_skip_tls_verify=T /mnt",
	};
	g_auto(Options) off, variable;

	for (gsize i = 0; i < G_N_ELEMENTS(skips); i++) {
		g_auto(Options) options;

		commandline_parse_ok(&options, skips[i], NULL);
		g_assert_true(options.tls && options.insecure_skip_verify);
		g_assert_cmpstr(options.mountpoint, ==, "/mnt");
	}
	commandline_parse_ok(&off, "--insecure-skip-tls-verify=false /mnt",
			     "ETCDCTL_INSECURE_SKIP_TLS_VERIFY=true");
	g_assert_false(off.tls || off.insecure_skip_verify);
	commandline_parse_ok(&variable, "etcds://h /mnt", "ETCDCTL_INSECURE_SKIP_TLS_VERIFY=True");
	g_assert_true(variable.insecure_skip_verify);
}

/* The program changes its directory when it goes to the background. */
static void test_relative_files(void)
{
	g_autofree gchar *directory = g_get_current_dir();
	g_autofree gchar *cacert = g_build_filename(directory, "ca.pem", NULL);
	g_autofree gchar *key = g_build_filename(directory, "../k", NULL);
	g_autofree gchar *password = g_build_filename(directory, "p", NULL);
	g_auto(Options) options;

	commandline_parse_ok(&options, "--cacert ca.pem --cert=/c --user=u --password-file=p /mnt",
			     "ETCDCTL_KEY=../k");
	g_assert_cmpstr(options.cacert, ==, cacert);
	g_assert_cmpstr(options.cert, ==, "/c");
	g_assert_cmpstr(options.key, ==, key);
	g_assert_cmpstr(options.password_file, ==, password);
}

/* ---- authentication ---- */

typedef struct {
	const gchar *arguments;
	const gchar *variables;
	const gchar *user;
	const gchar *password;
	const gchar *file;
} Login;

static const Login logins[] = {
    {"--user=u --password=p /mnt", NULL, "u", "p", NULL},
    {"--user u --password p:q=r /mnt", NULL, "u", "p:q=r", NULL},
    {"--user=u:p:q /mnt", NULL, "u", "p:q", NULL},
    {"--user=u --password-file=/f /mnt", NULL, "u", NULL, "/f"},
    {"--user=u /mnt", NULL, "u", NULL, NULL},
    {"none /mnt -o user=u,password=p", NULL, "u", "p", NULL},
    {"none /mnt -o user=u,password_file=/f", NULL, "u", NULL, "/f"},
    {"none /mnt -o user=u:p\\,q\\\\,user", NULL, "u", "p,q\\", NULL},
    {"/mnt", "ETCDCTL_USER=u ETCDCTL_PASSWORD=p", "u", "p", NULL},
    {"/mnt", "ETCDCTL_USER=u:p", "u", "p", NULL},
    {"/mnt", "ETCDCTL_USER=u", "u", NULL, NULL},
    {"/mnt", "ETCDCTL_USER= ETCDCTL_PASSWORD=", NULL, NULL, NULL},
    /* A password of nobody's is no mistake of this command's. */
    {"/mnt", "ETCDCTL_PASSWORD=p", NULL, NULL, NULL},
    /* A flag beats a variable, one of its own a part of another. */
    {"--user=u:p /mnt", "ETCDCTL_USER=v:w ETCDCTL_PASSWORD=x", "u", "p", NULL},
    {"--user=u /mnt", "ETCDCTL_USER=v:w ETCDCTL_PASSWORD=x", "u", "x", NULL},
    {"--user=u /mnt", "ETCDCTL_USER=v:w", "u", NULL, NULL},
    {"--password=p /mnt", "ETCDCTL_USER=v:w ETCDCTL_PASSWORD=x", "v", "p", NULL},
    {"--password-file=/f /mnt", "ETCDCTL_USER=v:w ETCDCTL_PASSWORD=x", "v", NULL, "/f"},
    {"/mnt", "ETCDCTL_USER=v:w ETCDCTL_PASSWORD=x", "v", "x", NULL},
    {"/mnt", "ETCDCTL_USER=v: ETCDCTL_PASSWORD=x", "v", "x", NULL},
};

static void test_logins(void)
{
	for (gsize i = 0; i < G_N_ELEMENTS(logins); i++) {
		const Login *login = &logins[i];
		g_auto(Options) options;

		g_test_message("%s, %s", login->arguments, login->variables);
		commandline_parse_ok(&options, login->arguments, login->variables);
		g_assert_cmpstr(options.user, ==, login->user);
		g_assert_cmpstr(options.password, ==, login->password);
		g_assert_cmpstr(options.password_file, ==, login->file);
	}
}

static void test_forget_secrets(void)
{
	g_auto(Options) options;

	commandline_parse_ok(&options, "--user=u:p /mnt", NULL);
	options_forget_secrets(&options);
	g_assert_null(options.password);
	g_assert_cmpstr(options.user, ==, "u");
}

/* Whatever comes of it. */
static void test_secrets_hidden(void)
{
	static const gchar *const rests[] = {"/mnt", "/mnt --nonsense", "--user= /mnt", "--help"};

	for (gsize i = 0; i < G_N_ELEMENTS(rests); i++) {
		g_autofree gchar *line = g_strconcat("etcdfs --password=pass ", rests[i], NULL);
		g_auto(GStrv) argv = g_strsplit(line, " ", -1);
		g_auto(GStrv) environment = g_strsplit("ETCDCTL_USER=u:word", " ", -1);
		g_autoptr(GError) error = NULL;
		Options options;

		if (options_parse(&options, argv, environment, &error))
			options_clear(&options);
		g_assert_cmpstr(argv[1], ==, "--password=****");
		g_assert_cmpstr(environment[0], ==, "ETCDCTL_USER=u:****");
	}
}

static void test_actions(void)
{
	static const gchar *const helps[] = {"-h", "--help", "-o help", "-V -h", "--help /mnt x y"};
	g_auto(Options) version;

	for (gsize i = 0; i < G_N_ELEMENTS(helps); i++) {
		g_auto(Options) options;

		commandline_parse_ok(&options, helps[i], NULL);
		g_assert_cmpint(options.action, ==, OPTIONS_HELP);
	}
	commandline_parse_ok(&version, "-V", NULL);
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
	g_assert_nonnull(strstr(help, "--password-file=FILE"));
	g_assert_nonnull(strstr(help, "--insecure-skip-tls-verify "));
	g_assert_nonnull(strstr(help, "etcd://HOST:PORT"));
}

static void test_version(void)
{
	g_autofree gchar *version = options_version();

	g_assert_true(g_str_has_prefix(version, "etcdfs " ETCDFS_VERSION "\n"));
}

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
    {"etcd://h:1,unix:/x /mnt", NULL, {"not a port"}},
    {"etcd://%2F%z /mnt", NULL, {"%2F%z"}},
    {"etcd://u:SECRET@h:1 /mnt", NULL, {"password", "--user"}},
    {"etcds://u:SECRET@h:1,i:2 /mnt", NULL, {"password", "--user"}},
    {"etcd://u:SECRET/@h:1 /mnt", NULL, {"password", "--user"}},
    {"http://u:SECRET@h:1 /mnt", NULL, {"password", "--user"}},
    {"u:SECRET@h:1 /mnt", NULL, {"password", "--user"}},
    {"--endpoints=h,u:SECRET@h:1 /mnt", NULL, {"--endpoints", "--user"}},
    {"--endpoints=ftp://u:SECRET@h:1 /mnt", NULL, {"--endpoints", "--user"}},
    {"/mnt", "ETCDCTL_ENDPOINTS=https://u:SECRET@h:1", {"ETCDCTL_ENDPOINTS", "--user"}},
    {"--endpoints=http://u:SECRET,x@h:1 /mnt", NULL, {"--endpoints", "--user"}},
    {"etcd://h:1/a?b /mnt", NULL, {"%3F"}},
    {"etcd://h:1/a%zz /mnt", NULL, {"%25"}},
    {"https://h:1 /mnt", NULL, {"https://h:1", "etcd://HOST:PORT"}},
    {"--endpoints=etcds://h:1 /mnt", NULL, {"--endpoints: etcds://h:1", "https://HOST:PORT"}},
    {"--endpoints=https://a,http://b /mnt", NULL, {"--endpoints", "choose one"}},
    {"--endpoints=unix:/a,unixs:/b /mnt", NULL, {"--endpoints", "choose one"}},
    {"/mnt", "ETCDCTL_ENDPOINTS=http://a,b,https://c", {"ETCDCTL_ENDPOINTS", "choose one"}},
    {"--endpoints=unix:x /mnt", NULL, {"--endpoints", "\"x\"", "unix:/PATH"}},
    {"--endpoints=unix:// /mnt", NULL, {"--endpoints", "unix:/PATH"}},
    {"etcd://h /mnt --cacert=/c", NULL, {"--cacert", "etcd://h", "etcds://"}},
    {"etcd://h /mnt --cert=/c", NULL, {"--cert", "etcd://h"}},
    {"etcd://h /mnt --key=/c", NULL, {"--key", "etcd://h"}},
    {"etcd://h /mnt --insecure-skip-tls-verify", NULL, {"--insecure-skip-tls-verify"}},
    {"etcd://h /mnt --insecure-transport=false", NULL, {"--insecure-transport"}},
    {"--endpoints=http://h --cacert=/c /mnt", NULL, {"--cacert", "--endpoints=http://h"}},
    {"--cacert=/c /mnt", "ETCDCTL_ENDPOINTS=http://h", {"ETCDCTL_ENDPOINTS=http://h"}},
    {"--cert=/c /mnt", NULL, {"--cert: ", "give --key"}},
    {"--key=/c /mnt", NULL, {"--key: ", "give --cert"}},
    {"/mnt", "ETCDCTL_CERT=/c", {"ETCDCTL_CERT: ", "give --key"}},
    {"--cacert= /mnt", NULL, {"--cacert", "missing"}},
    {"--insecure-skip-tls-verify=maybe /mnt", NULL, {"-verify=maybe", "neither true"}},
    {"/mnt", "ETCDCTL_INSECURE_TRANSPORT=no", {"ETCDCTL_INSECURE_TRANSPORT=no", "neither"}},
    {"--password=SECRET /mnt", NULL, {"--password ", "--user NAME"}},
    {"--password-file=f /mnt", NULL, {"--password-file ", "--user NAME"}},
    {"--user=u --password=SECRET --password-file=f /mnt", NULL, {"--password-file", "leave one"}},
    {"--user=u:SECRET --password=SECRET /mnt", NULL, {"--user NAME:PASSWORD", "leave one"}},
    {"--user=u:SECRET --password-file=f /mnt", NULL, {"--password-file", "leave one"}},
    {"--user= /mnt", NULL, {"--user: ", "empty"}},
    {"--user=:SECRET /mnt", NULL, {"--user: ", "name"}},
    {"/mnt", "ETCDCTL_USER=:SECRET", {"ETCDCTL_USER: ", "name"}},
    {"--user=u: /mnt", NULL, {"--user: ", "password", "empty"}},
    {"/mnt", "ETCDCTL_USER=u:", {"ETCDCTL_USER: ", "password", "empty"}},
    {"--user=u --password= /mnt", NULL, {"--password is empty"}},
    {"--user=u --password-file= /mnt", NULL, {"--password-file", "missing"}},
    {"/mnt --user", NULL, {"--user"}},
    {"-o password,user=u /mnt", NULL, {"-o password", "value"}},
    /* What may have been meant as a password is not told. */
    {"--pasword=SECRET /mnt", NULL, {"--pasword;", "--password?"}},
    {"-o pasword=SECRET /mnt", NULL, {"-o pasword;", "-o password?"}},
    {"-o user=u,password=a,SECRET /mnt", NULL, {"-o: ", "password", "\\,"}},
    {"-o user=u:a,SECRET=b,ro /mnt", NULL, {"-o: ", "password", "\\,"}},
    {"-o user=u:a,ro,nonsense /mnt", NULL, {"-o nonsense"}},
    {"-password=SECRET /mnt", NULL, {"unknown option -p;"}},
    {"-pSECRET /mnt", NULL, {"unknown option -p;"}},
    {"-foSECRET /mnt", NULL, {"-o behind another letter"}},
    {"--debug=SECRET /mnt", NULL, {"--debug", "no value"}},
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
    {"--endpoint=h:1 /mnt", NULL, {"--endpoint;", "did you mean --endpoints"}},
    {"--dial_timeuot=1s /mnt", NULL, {"did you mean --dial-timeout"}},
    {"--xyzzy /mnt", NULL, {"--xyzzy", "--help"}},
    {"-x /mnt", NULL, {"-x"}},
    {"-o alow_other /mnt", NULL, {"-o alow_other", "did you mean -o allow_other"}},
    {"-o frobnicate /mnt", NULL, {"frobnicate"}},
    {"/mnt -o", NULL, {"-o"}},
    {"/mnt --endpoints", NULL, {"--endpoints"}},
    {"-o uid /mnt", NULL, {"-o uid", "value"}},
    {"-o allow_other=1 /mnt", NULL, {"-o allow-other", "no value"}},
    {"--debug=1 /mnt", NULL, {"--debug", "no value"}},
    {"-o allow_root /mnt", NULL, {"allow_root", "allow_other"}},
    {"-o remount /mnt", NULL, {"remount", "unmount"}},
    {"-o attr_timeout=1 /mnt", NULL, {"attr_timeout=1", "cache"}},
};

static void test_mistakes(void)
{
	commandline_check_mistakes(mistakes, G_N_ELEMENTS(mistakes));
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
	g_test_add_func("/options/exec", test_exec);
	g_test_add_func("/options/program", test_program);
	g_test_add_func("/options/mount-options", test_mount_options);
	g_test_add_func("/options/tls", test_tls);
	g_test_add_func("/options/skip-verify", test_skip_verify);
	g_test_add_func("/options/relative-files", test_relative_files);
	g_test_add_func("/options/logins", test_logins);
	g_test_add_func("/options/forget-secrets", test_forget_secrets);
	g_test_add_func("/options/secrets-hidden", test_secrets_hidden);
	g_test_add_func("/options/actions", test_actions);
	g_test_add_func("/options/help", test_help);
	g_test_add_func("/options/version", test_version);
	g_test_add_func("/options/mistakes", test_mistakes);
	return g_test_run();
}
