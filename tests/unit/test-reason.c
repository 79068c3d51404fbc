/* SPDX-License-Identifier: Apache-2.0 */
/* What gRPC 1.51 and etcd 3.4 were seen to say, and what is left of it. */
#include <string.h>

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

#define CONNECTING "failed to connect to all addresses; last error: "
#define HANDSHAKE                                                                                  \
	CONNECTING "UNKNOWN: ipv4:127.0.0.1:1: Ssl handshake failed: SSL_ERROR_SSL: error:"

static void test_server_certificate(void)
{
	assert_reason(HANDSHAKE "0A000086:SSL routines::certificate verify failed",
		      "the server's certificate is not trusted: not from --cacert's CA, or not "
		      "valid today");
	assert_reason(CONNECTING "UNKNOWN: ipv4:127.0.0.1:1: Peer name localhost is not in peer "
				 "certificate",
		      "the server's certificate does not name this host");
}

static void test_client_certificate(void)
{
	assert_reason(CONNECTING "UNAVAILABLE: ipv4:127.0.0.1:1: Endpoint read failed",
		      "the server refuses --cert, or misses it: none given, expired, or not from a "
		      "CA it trusts");
	assert_reason(CONNECTING "UNAVAILABLE: ipv4:127.0.0.1:1: Connection reset by peer",
		      "connection reset at once: TLS at one end only, or --cert refused?");
	assert_reason(HANDSHAKE "0A000412:SSL routines::sslv3 alert bad certificate",
		      "the server refuses --cert, or misses it");
	assert_reason(HANDSHAKE "0A000418:SSL routines::tlsv1 alert unknown ca",
		      "the server refuses --cert: not from a CA that it trusts");
	assert_reason(HANDSHAKE "0A000415:SSL routines::sslv3 alert certificate expired",
		      "the server refuses --cert: expired");
	assert_reason("empty address list: ", "libssl refuses --cert: is its key too short?");
}

static void test_other_server(void)
{
	assert_reason(CONNECTING "UNAVAILABLE: ipv4:127.0.0.1:1: Socket closed",
		      "connection closed at once: TLS at one end only?");
	assert_reason(CONNECTING "INTERNAL: ipv4:127.0.0.1:1: Trying to connect an http1.x server",
		      "not etcd: it speaks HTTP/1");
	assert_reason(CONNECTING "UNKNOWN: ipv4:127.0.0.1:1: Cannot check peer: missing selected "
				 "ALPN property.",
		      "not etcd: it has no HTTP/2 over TLS");
	assert_reason(HANDSHAKE "0A000460:SSL routines::tlsv1 alert no application protocol",
		      "not etcd: it has no HTTP/2 over TLS");
	assert_reason(HANDSHAKE "0A00010B:SSL routines::wrong version number",
		      "the server does not speak TLS");
	assert_reason(HANDSHAKE "0A00042E:SSL routines::tlsv1 alert protocol version",
		      "TLS handshake failed: tlsv1 alert protocol version");
	assert_reason(CONNECTING "UNKNOWN: ipv4:127.0.0.1:1: Handshake read failed",
		      "the TLS handshake timed out");
}

/* etcd was there, and went. */
static void test_connected(void)
{
	assert_reason("Socket closed", "connection closed");
	assert_reason("recvmsg:Connection reset by peer", "connection reset");
}

static void test_others(void)
{
	assert_reason("etcdserver: no leader", "etcdserver: no leader");
	assert_reason("failed to connect to all addresses; last error: UNKNOWN: odd",
		      "UNKNOWN: odd");
	assert_reason("rpc error: code = PermissionDenied desc = etcdserver: permission denied",
		      "etcdserver: permission denied");
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

static void test_mistake(void)
{
	g_assert_true(reason_is_mistake("the server's certificate does not name this host"));
	g_assert_true(reason_is_mistake("the server refuses --cert: expired"));
	/* as when a server ends in the middle of a handshake */
	g_assert_false(reason_is_mistake("the server refuses --cert, or misses it: none given"));
	g_assert_false(reason_is_mistake("connection refused"));
}

static void test_kind(void)
{
	g_assert_cmpint(reason_kind("connection refused"), ==, KEYSPACE_ERROR_UNREACHABLE);
	g_assert_cmpint(reason_kind("no answer to a ping"), ==, KEYSPACE_ERROR_TIMEOUT);
	g_assert_cmpint(reason_kind("the server refuses --cert: expired"), ==, KEYSPACE_ERROR_TLS);
	g_assert_cmpint(reason_kind("connection closed at once: TLS at one end only?"), ==,
			KEYSPACE_ERROR_TLS);
	g_assert_cmpint(reason_kind("TLS handshake failed: no ciphers"), ==, KEYSPACE_ERROR_TLS);
	g_assert_cmpint(reason_kind("the answer is not etcd's"), ==, KEYSPACE_ERROR_PROTOCOL);
	g_assert_cmpint(reason_kind("etcdserver: no leader"), ==, KEYSPACE_ERROR_ETCD);
	g_assert_cmpint(reason_kind("never heard of"), ==, KEYSPACE_ERROR_UNREACHABLE);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/reason/known", test_known);
	g_test_add_func("/reason/server-certificate", test_server_certificate);
	g_test_add_func("/reason/client-certificate", test_client_certificate);
	g_test_add_func("/reason/other-server", test_other_server);
	g_test_add_func("/reason/connected", test_connected);
	g_test_add_func("/reason/others", test_others);
	g_test_add_func("/reason/one-line", test_one_line);
	g_test_add_func("/reason/refusal", test_refusal);
	g_test_add_func("/reason/mistake", test_mistake);
	g_test_add_func("/reason/kind", test_kind);
	return g_test_run();
}
