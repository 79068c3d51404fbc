/* SPDX-License-Identifier: Apache-2.0 */
/* test-options-service.c - what a service needs: a configuration file, levels, patience. */
#include <glib/gstdio.h>
#include <string.h>

#include "commandline.h"

static void test_defaults(void)
{
	g_auto(Options) options;

	commandline_parse_ok(&options, "/mnt", NULL);
	g_assert_cmpint(options.rev, ==, 0);
	g_assert_cmpint(options.log_level, ==, G_LOG_LEVEL_INFO);
	g_assert_false(options.bg || options.stale_fail);
	g_assert_cmpuint(options.retry_ms, ==, 0);
	g_assert_cmpuint(options.max_stale_ms, ==, 0);
	g_assert_cmpuint(options.max_threads, ==, 0);
	g_assert_cmpuint(options.max_idle_threads, ==, 0);
	g_assert_true(options.insecure_discovery);
	g_assert_null(options.discovery_srv);
	g_assert_null(options.config_file);
	g_assert_null(options.mount_namespace);
	g_assert_null(options.auth_jwt_token);
}

static void test_values(void)
{
	g_auto(Options) options;

	commandline_parse_ok(
	    &options,
	    "/mnt --rev=9223372036854775807 --retry 5m --bg -o log_level=debug "
	    "--max-threads=20 -o max_idle_threads=3 --mount-namespace=/proc/1/ns/mnt "
	    "--max-request-bytes=1 -o max_recv_bytes=0,fg",
	    "ETCDCTL_MAX_RECV_BYTES=7");
	g_assert_cmpint(options.rev, ==, G_MAXINT64);
	g_assert_cmpuint(options.retry_ms, ==, 300000);
	g_assert_true(options.bg);
	g_assert_cmpint(options.log_level, ==, G_LOG_LEVEL_DEBUG);
	g_assert_false(options.debug);
	g_assert_cmpuint(options.max_threads, ==, 20);
	g_assert_cmpuint(options.max_idle_threads, ==, 3);
	g_assert_cmpstr(options.mount_namespace, ==, "/proc/1/ns/mnt");
}

static void test_stale(void)
{
	g_auto(Options) serve, fail;

	commandline_parse_ok(&serve, "/mnt --max-stale=90s --stale-policy=serve", NULL);
	g_assert_cmpuint(serve.max_stale_ms, ==, 90000);
	g_assert_false(serve.stale_fail);
	commandline_parse_ok(&fail, "/mnt -o max_stale=1m,stale_policy=fail", NULL);
	g_assert_true(fail.stale_fail);
}

static void test_level(void)
{
	g_auto(Options) debug, quiet, both;

	commandline_parse_ok(&debug, "-d /mnt", NULL);
	g_assert_cmpint(debug.log_level, ==, G_LOG_LEVEL_DEBUG);
	commandline_parse_ok(&quiet, "--log-level warn /mnt", NULL);
	g_assert_cmpint(quiet.log_level, ==, G_LOG_LEVEL_WARNING);
	commandline_parse_ok(&both, "-d --log-level=error /mnt", NULL);
	g_assert_cmpint(both.log_level, ==, G_LOG_LEVEL_CRITICAL);
}

typedef struct {
	const gchar *arguments;
	const gchar *variables;
	const gchar *domain;
	const gchar *name;
	gboolean insecure;
	gboolean tls;
} Discovery;

static const Discovery discoveries[] = {
    {"--discovery-srv=x.org /mnt", NULL, "x.org", NULL, TRUE, FALSE},
    {"--discovery-srv=x.org --insecure-discovery=false /mnt", NULL, "x.org", NULL, FALSE, FALSE},
    {"--discovery-srv x.org --discovery-srv-name n /mnt", NULL, "x.org", "n", TRUE, FALSE},
    {"none /mnt -o discovery_srv=x.org,cacert=/c", NULL, "x.org", NULL, TRUE, TRUE},
    {"/mnt", "ETCDCTL_DISCOVERY_SRV=x.org ETCDCTL_DISCOVERY_SRV_NAME=n", "x.org", "n", TRUE, FALSE},
    {"/mnt", "ETCDCTL_DISCOVERY_SRV=x.org ETCDCTL_INSECURE_DISCOVERY=0", "x.org", NULL, FALSE,
     FALSE},
    /* A flag beats the variable of another. */
    {"--discovery-srv=x.org /mnt", "ETCDCTL_ENDPOINTS=h:1", "x.org", NULL, TRUE, FALSE},
    {"--endpoints=h:1 /mnt", "ETCDCTL_DISCOVERY_SRV=x.org", NULL, NULL, TRUE, FALSE},
    {"etcd://h:1 /mnt", "ETCDCTL_DISCOVERY_SRV=x.org", NULL, NULL, TRUE, FALSE},
};

static void test_discovery(void)
{
	for (gsize i = 0; i < G_N_ELEMENTS(discoveries); i++) {
		const Discovery *discovery = &discoveries[i];
		g_auto(Options) options;

		g_test_message("%s", discovery->arguments);
		commandline_parse_ok(&options, discovery->arguments, discovery->variables);
		g_assert_cmpstr(options.discovery_srv, ==, discovery->domain);
		g_assert_cmpstr(options.discovery_srv_name, ==, discovery->name);
		g_assert_cmpint(options.insecure_discovery, ==, discovery->insecure);
		g_assert_cmpint(options.tls, ==, discovery->tls);
		g_assert_cmpint(options.endpoints[0] == NULL, ==, discovery->domain != NULL);
	}
}

static void test_token(void)
{
	g_auto(Options) flag, variable, user;

	commandline_parse_ok(&flag, "--auth-jwt-token=a.b-c_d /mnt", "ETCDCTL_USER=u:p");
	g_assert_cmpstr(flag.auth_jwt_token, ==, "a.b-c_d");
	g_assert_null(flag.user);
	commandline_parse_ok(&variable, "/mnt", "ETCDCTL_AUTH_JWT_TOKEN=t ETCDCTL_USER=u:p");
	g_assert_cmpstr(variable.auth_jwt_token, ==, "t");
	g_assert_null(variable.password);
	commandline_parse_ok(&user, "--user=u:p /mnt", "ETCDCTL_AUTH_JWT_TOKEN=t");
	g_assert_null(user.auth_jwt_token);
	g_assert_cmpstr(user.user, ==, "u");
}

static void test_token_file(void)
{
	g_auto(Options) options;

	commandline_parse_ok(&options, "-o auth_jwt_token_file=/t /mnt",
			     "ETCDCTL_AUTH_JWT_TOKEN=t ETCDCTL_USER=u:p");
	g_assert_cmpstr(options.auth_jwt_token_file, ==, "/t");
	g_assert_null(options.auth_jwt_token);
	g_assert_null(options.user);
}

static void test_token_hidden(void)
{
	g_auto(GStrv)
	    argv = g_strsplit("etcdfs --auth-jwt-token abc /mnt -o ro,auth_jwt_token=xyz", " ", -1);
	g_auto(GStrv) environment = g_strsplit("ETCDCTL_AUTH_JWT_TOKEN=abc", " ", -1);
	g_auto(Options) options;

	g_assert_true(options_parse(&options, argv, environment, NULL));
	g_assert_cmpstr(argv[2], ==, "***");
	g_assert_cmpstr(argv[5], ==, "ro,auth_jwt_token=***");
	g_assert_cmpstr(environment[0], ==, "ETCDCTL_AUTH_JWT_TOKEN=***");
}

/* ---- the configuration file ---- */

/* Its name; the test removes it. */
static gchar *file_new(const gchar *text)
{
	gchar *name = NULL;
	gint fd = g_file_open_tmp("etcdfs-XXXXXX.conf", &name, NULL);

	g_assert_cmpint(fd, >=, 0);
	g_close(fd, NULL);
	g_assert_true(g_file_set_contents(name, text, -1, NULL));
	return name;
}

static void file_free(gchar *name)
{
	g_assert_cmpint(g_unlink(name), ==, 0);
	g_free(name);
}

static const gchar whole_file[] = "# a comment\n"
				  "[etcdfs]\n"
				  "source = etcd://h:1/app/\n"
				  "mountpoint = /etc/app\n"
				  "dial-timeout = 7s\n"
				  "command_timeout=8s\n"
				  "\n"
				  "allow-other = true\n"
				  "executable = false\n"
				  "log-level = warning\n"
				  "options = noexec,uid=33,x-systemd.automount\n";

static void test_file(void)
{
	gchar *file = file_new(whole_file);
	g_autofree gchar *line = g_strconcat("-f --config-file=", file, NULL);
	g_auto(Options) options;

	commandline_parse_ok(&options, line, "ETCDCTL_DIAL_TIMEOUT=1s");
	g_assert_cmpstr(options.source, ==, "etcd://h:1/app/");
	g_assert_cmpstr(options.endpoints[0], ==, "h:1");
	g_assert_cmpstr(options.mountpoint, ==, "/etc/app");
	g_assert_cmpuint(options.dial_timeout_ms, ==, 7000);
	g_assert_cmpuint(options.command_timeout_ms, ==, 8000);
	g_assert_true(options.allow_other && options.foreground);
	g_assert_false(options.executable);
	g_assert_cmpuint(options.uid, ==, 33);
	g_assert_cmpint(options.log_level, ==, G_LOG_LEVEL_WARNING);
	g_assert_cmpstr(options.config_file, ==, file);
	g_assert_cmpuint(g_strv_length(options.mount_options), ==, 1);
	g_assert_cmpstr(options.mount_options[0], ==, "noexec");
	file_free(file);
}

/* What stands on the command line counts. */
static void test_file_overridden(void)
{
	gchar *file = file_new(whole_file);
	g_autofree gchar *one = g_strconcat("/mnt --dial-timeout=3s -o config_file=", file, NULL);
	g_autofree gchar *two = g_strconcat("--config-file ", file, " etcd://i /mnt -o uid=1",
					    NULL);
	g_auto(Options) mountpoint, both;

	commandline_parse_ok(&mountpoint, one, NULL);
	g_assert_cmpstr(mountpoint.source, ==, "etcd://h:1/app/");
	g_assert_cmpstr(mountpoint.mountpoint, ==, "/mnt");
	g_assert_cmpuint(mountpoint.dial_timeout_ms, ==, 3000);
	commandline_parse_ok(&both, two, NULL);
	g_assert_cmpstr(both.source, ==, "etcd://i");
	g_assert_cmpstr(both.mountpoint, ==, "/mnt");
	g_assert_cmpuint(both.uid, ==, 1);
	file_free(file);
}

static void test_file_level(void)
{
	gchar *with = file_new(whole_file), *without = file_new("[etcdfs]\nuid=1\n");
	gchar *wrong = file_new("[etcdfs]\nlog-level=loud\n");
	GLogLevelFlags level = G_LOG_LEVEL_DEBUG;
	g_autoptr(GError) error = NULL;

	g_assert_true(options_read_log_level(with, &level, NULL));
	g_assert_cmpint(level, ==, G_LOG_LEVEL_WARNING);
	g_assert_true(options_read_log_level(without, &level, NULL));
	g_assert_cmpint(level, ==, G_LOG_LEVEL_WARNING);
	g_assert_false(options_read_log_level(wrong, &level, &error));
	g_assert_nonnull(strstr(error->message, wrong));
	g_assert_nonnull(strstr(error->message, "log-level=loud"));
	file_free(with);
	file_free(without);
	file_free(wrong);
}

typedef struct {
	const gchar *text;
	const gchar *parts[2]; /* that the message must have, beside the file's name */
} WrongFile;

static const WrongFile wrong_files[] = {
    {"", {"no [etcdfs]"}},
    {"[etcdfs]\nuid=1\n[other]\nuid=2\n", {"[other]"}},
    {"uid=1\n", {""}},
    {"[etcdfs]\nnonsense\n", {""}},
    {"[etcdfs]\nlog-levle=debug\n", {"log-levle", "did you mean --log-level?"}},
    {"[etcdfs]\nallow-other=yes\n", {"allow-other=yes", "neither true nor false"}},
    {"[etcdfs]\nallow-other=\n", {"allow-other=", "neither true nor false"}},
    {"[etcdfs]\npassword=SECRET\n", {"password-file"}},
    {"[etcdfs]\nauth_jwt_token=SECRET\n", {"token"}},
    {"[etcdfs]\nuser=u:SECRET\n", {"password-file"}},
    {"[etcdfs]\noptions=nope\n", {"-o nope"}},
    {"[etcdfs]\nuid=joe\n", {"--uid=joe", "numeric"}},
    {"[etcdfs]\ndial_timeout=5\n", {"--dial-timeout=5", "unit"}},
    {"[etcdfs]\nconfig-file=/x\n", {"another"}},
};

static void test_file_mistakes(void)
{
	for (gsize i = 0; i < G_N_ELEMENTS(wrong_files); i++) {
		gchar *file = file_new(wrong_files[i].text);
		g_autofree gchar *line = g_strconcat("/mnt --config-file=", file, NULL);
		g_autofree gchar *message = commandline_parse_fails(line, NULL);

		g_test_message("%s", message);
		g_assert_true(g_str_has_prefix(message, file));
		for (gsize j = 0; j < G_N_ELEMENTS(wrong_files[i].parts); j++) {
			const gchar *part = wrong_files[i].parts[j];
			if (part && !strstr(message, part))
				g_error("no \"%s\" in \"%s\"", part, message);
		}
		file_free(file);
	}
}

static const Mistake mistakes[] = {
    {"--rev=0 /mnt", NULL, {"--rev=0", "above 0"}},
    {"--rev=-1 /mnt", NULL, {"--rev=-1", "above 0"}},
    {"--rev=9223372036854775808 /mnt", NULL, {"above 0"}},
    {"--rev=x /mnt", NULL, {"--rev=x", "revision"}},
    {"--rev=5 --max-stale=5s /mnt", NULL, {"--rev", "--max-stale"}},
    {"--retry=5 /mnt", NULL, {"--retry=5", "unit"}},
    {"--retry=0 /mnt", NULL, {"--retry=0", "longer"}},
    {"--bg=1 /mnt", NULL, {"--bg", "no value"}},
    {"--max-stale=x /mnt", NULL, {"--max-stale=x"}},
    {"--max-stale=999ms /mnt", NULL, {"--max-stale=999ms", "at least 1s"}},
    {"--stale-policy=fail /mnt", NULL, {"--max-stale"}},
    {"--max-stale=5s --stale-policy=wait /mnt", NULL, {"--stale-policy=wait", "serve"}},
    {"--log-level=loud /mnt", NULL, {"--log-level=loud", "debug, info"}},
    {"--log-level= /mnt", NULL, {"--log-level="}},
    {"--max-threads=0 /mnt", NULL, {"--max-threads=0"}},
    {"--max-idle-threads=x /mnt", NULL, {"--max-idle-threads=x"}},
    {"-s --max-threads=2 /mnt", NULL, {"--single-thread", "--max-threads"}},
    {"-s --max-idle-threads=2 /mnt", NULL, {"--single-thread", "--max-idle-threads"}},
    {"--max-recv-bytes=x /mnt", NULL, {"--max-recv-bytes=x"}},
    {"/mnt", "ETCDCTL_MAX_REQUEST_BYTES=x", {"ETCDCTL_MAX_REQUEST_BYTES=x"}},
    {"--mount-namespace= /mnt", NULL, {"--mount-namespace", "missing"}},
    {"--config-file= /mnt", NULL, {"--config-file"}},
    {"--config-file=/nonexistent/x /mnt", NULL, {"/nonexistent/x", "No such file"}},
    {"--config-file=/ /mnt", NULL, {"/: Not a regular file"}},
    {"--discovery-srv= /mnt", NULL, {"--discovery-srv", "domain"}},
    {"--discovery-srv-name=n /mnt", NULL, {"--discovery-srv-name", "--discovery-srv"}},
    {"--discovery-srv=x --endpoints=h /mnt", NULL, {"--endpoints", "--discovery-srv"}},
    {"--discovery-srv=x etcd://h /mnt", NULL, {"etcd://h", "--discovery-srv"}},
    {"--discovery-srv=x --insecure-discovery=maybe /mnt", NULL, {"=maybe", "neither"}},
    {"--auth-jwt-token= /mnt", NULL, {"--auth-jwt-token", "empty"}},
    {"--auth-jwt-token=SECRET\t /mnt", NULL, {"--auth-jwt-token", "ASCII"}},
    {"--auth-jwt-token-file= /mnt", NULL, {"--auth-jwt-token-file", "missing"}},
    {"--auth-jwt-token-file=/t --auth-jwt-token=SECRET /mnt",
     NULL,
     {"--auth-jwt-token-file", "--auth-jwt-token"}},
    {"--auth-jwt-token-file=/t --user=u /mnt", NULL, {"--auth-jwt-token-file", "--user"}},
    {"--auth-jwt-token=SECRET --user=u /mnt", NULL, {"--auth-jwt-token", "--user"}},
    {"--auth-jwt-token=SECRET --password=SECRET /mnt", NULL, {"--auth-jwt-token", "--password"}},
};

static void test_mistakes(void)
{
	commandline_check_mistakes(mistakes, G_N_ELEMENTS(mistakes));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/options-service/defaults", test_defaults);
	g_test_add_func("/options-service/values", test_values);
	g_test_add_func("/options-service/stale", test_stale);
	g_test_add_func("/options-service/level", test_level);
	g_test_add_func("/options-service/discovery", test_discovery);
	g_test_add_func("/options-service/token", test_token);
	g_test_add_func("/options-service/token-file", test_token_file);
	g_test_add_func("/options-service/token-hidden", test_token_hidden);
	g_test_add_func("/options-service/file", test_file);
	g_test_add_func("/options-service/file-overridden", test_file_overridden);
	g_test_add_func("/options-service/file-level", test_file_level);
	g_test_add_func("/options-service/file-mistakes", test_file_mistakes);
	g_test_add_func("/options-service/mistakes", test_mistakes);
	return g_test_run();
}
