/* SPDX-License-Identifier: Apache-2.0 */
/* What gRPC 1.51 and etcd 3.4 were seen to say, and what is left of it. */
#include <string.h>

#include "endpoint.h"
#include "reason.h"

static void assert_reason(const char *text, const char *expected)
{
	g_autofree char *reason = reason_from_text(text, strlen(text));

	g_assert_cmpstr(reason, ==, expected);
}

static void test_known(void)
{
	assert_reason("failed to connect to all addresses; last error: UNKNOWN: "
		      "ipv4:127.0.0.1:1: Failed to connect to remote host: Connection refused",
		      "connection refused");
	assert_reason("DNS resolution failed for x:1: C-ares status is not ARES_SUCCESS qtype=A "
		      "name=x is_balancer=0: Domain name not found",
		      "unknown host");
	assert_reason("failed to connect to all addresses; last error: UNKNOWN: "
		      "ipv4:127.0.0.1:1: connection attempt timed out before receiving SETTINGS "
		      "frame",
		      "timed out");
	assert_reason("failed to connect to all addresses; last error: UNAVAILABLE: "
		      "ipv4:127.0.0.1:1: Failed parsing HTTP/2",
		      "not etcd, or not without TLS");
}

static void test_others(void)
{
	assert_reason("etcdserver: no leader", "etcdserver: no leader");
	assert_reason("failed to connect to all addresses; last error: UNKNOWN: odd",
		      "UNKNOWN: odd");
	assert_reason("", "");
}

static void test_one_line(void)
{
	assert_reason(" a\nb\tc\x7f ", "a b c");
	assert_reason("\xff", "\xef\xbf\xbd");
}

static void test_refusal(void)
{
	g_assert_true(reason_is_refusal("etcdserver: permission denied"));
	g_assert_true(reason_is_refusal("rpc error: code = Unauthenticated desc = etcdserver: "
					"invalid auth token"));
	g_assert_false(reason_is_refusal("etcdserver: no leader"));
	g_assert_false(reason_is_refusal(""));
}

static void test_endpoints(void)
{
	static const char *const names[] = {"a:1", "b:2", NULL};
	g_autoptr(EndpointList) list = endpoint_list_new(names);
	g_autofree char *reasons = NULL;

	g_assert_null(endpoint_list_current(list));
	g_assert_cmpstr(endpoint_list_next(list), ==, "a:1");
	endpoint_list_blame(list, "old");
	endpoint_list_blame(list, "refused");
	g_assert_cmpstr(endpoint_list_next(list), ==, "b:2");
	g_assert_cmpstr(endpoint_list_current(list), ==, "b:2");
	g_assert_cmpstr(endpoint_list_next(list), ==, "a:1");
	reasons = endpoint_list_reasons(list);
	g_assert_cmpstr(reasons, ==, "a:1: refused; b:2: no answer");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/reason/known", test_known);
	g_test_add_func("/reason/others", test_others);
	g_test_add_func("/reason/one-line", test_one_line);
	g_test_add_func("/reason/refusal", test_refusal);
	g_test_add_func("/reason/endpoints", test_endpoints);
	return g_test_run();
}
