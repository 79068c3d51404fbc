#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""TLS: whom the watch trusts, who it says it is, and what it says when that fails."""

import os
import socket
import ssl
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import watch_case  # noqa: E402
from certs import EXPIRED, NOT_YET, Authority, replace  # noqa: E402
from etcd import Etcd, TlsEtcd, free_port  # noqa: E402
from proxy import Proxy  # noqa: E402
from wait import SLOW  # noqa: E402
from watch_case import PREFIX, WatchTest  # noqa: E402

HERE = "127.0.0.1"
DIAL_MS = "8000" if SLOW else "2000"

UNTRUSTED = ("the server's certificate is not trusted: "
             "not from --cacert's CA, or not valid today")
MISNAMED = "the server's certificate does not name this host"
REFUSED = ("the server refuses --cert, or misses it: "
           "none given, expired, or not from a CA it trusts")
CLOSED = "connection closed at once: TLS at one end only?"
# Instead of either, when the server hangs up before it has read everything.
RESET = "connection reset at once: TLS at one end only, or --cert refused?"


class TlsTest(WatchTest):
    def setUp(self):
        super().setUp()
        self.ca = Authority(self.directory, "ca")
        self.other = Authority(self.directory, "other")

    def start_tls(self, certificate=None, clients=None):
        """An etcd with a good certificate unless another is given."""
        self.etcd = TlsEtcd(self.directory, certificate or self.ca.server("server", HERE),
                            clients=clients)
        self.addCleanup(self.etcd.stop)
        return self.etcd.start()

    def start_proxy(self):
        proxy = Proxy(free_port(), self.etcd.tls_port)
        self.addCleanup(proxy.close)
        return proxy

    def start_log(self, endpoints=None, client=None, **env):
        """A log that trusts our authority and shows the certificate CLIENT, unless ENV
        says otherwise; None is for what is not set."""
        env = {"KEYSPACE_LOG_TLS": "1", "KEYSPACE_LOG_CACERT": self.ca.cert,
               "KEYSPACE_LOG_DIAL_MS": DIAL_MS, **env}
        if client:
            env.update(KEYSPACE_LOG_CERT=client.cert, KEYSPACE_LOG_KEY=client.key)
        env = {name: value for name, value in env.items() if value is not None}
        return super().start_log(endpoints or self.etcd.tls_endpoint, **env)

    def assert_live(self, log):
        self.assertIsNone(self._failure(log))
        log.until_seeded()
        self.assert_current(log)

    def failure(self, *args, **options):
        """What the program says that such a log ends with."""
        failure = self._failure(self.start_log(*args, **options))
        self.assertIsNotNone(failure, "there is contact")
        return failure

    def assert_unreachable(self, endpoint, reasons, **options):
        self.assertIn(self.failure(endpoint, **options),
                      [f"etcd not reachable within {int(DIAL_MS) // 1000} s: {endpoint}: {reason}"
                       for reason in reasons])

    @staticmethod
    def _failure(log):
        """None: there was contact."""
        return log.until(lambda log: log.failed or log.seeds, "contact, or the end").failed


class Server(TlsTest):
    """Whom we trust."""

    def test_good(self):
        self.start_tls()
        self.assert_live(self.start_log())

    def test_intermediate_authority(self):
        inner = Authority(self.directory, "inner", issuer=self.ca)
        self.start_tls(inner.server("server", HERE))
        self.assert_live(self.start_log())

    def test_authority_among_others(self):
        bundle = os.path.join(self.directory, "bundle")
        replace(bundle, self.other.cert, self.ca.cert)
        self.start_tls()
        self.assert_live(self.start_log(KEYSPACE_LOG_CACERT=bundle))

    def test_host_name(self):
        self.start_tls(self.ca.server("server", "localhost"))
        self.assert_live(self.start_log(f"localhost:{self.etcd.tls_port}"))
        self.assert_unreachable(self.etcd.tls_endpoint, [MISNAMED])

    def test_address_not_named(self):
        self.start_tls()
        self.assert_unreachable(f"localhost:{self.etcd.tls_port}", [MISNAMED])

    def test_another_authority(self):
        self.start_tls(self.other.server("server", HERE))
        self.assert_unreachable(self.etcd.tls_endpoint, [UNTRUSTED])

    def test_authority_of_the_same_name(self):
        directory = os.path.join(self.directory, "impostor")
        os.mkdir(directory)
        self.start_tls(Authority(directory, "ca").server("server", HERE))
        self.assert_unreachable(self.etcd.tls_endpoint, [UNTRUSTED])

    def test_expired(self):
        self.start_tls(self.ca.server("server", HERE, valid=EXPIRED))
        self.assert_unreachable(self.etcd.tls_endpoint, [UNTRUSTED])

    def test_not_valid_yet(self):
        self.start_tls(self.ca.server("server", HERE, valid=NOT_YET))
        self.assert_unreachable(self.etcd.tls_endpoint, [UNTRUSTED])

    def test_system(self):
        """Without --cacert whom the system trusts, and no others."""
        self.start_tls()
        self.assert_unreachable(self.etcd.tls_endpoint, [UNTRUSTED], KEYSPACE_LOG_CACERT=None)
        self.assert_live(self.start_log(KEYSPACE_LOG_CACERT=None,
                                        GRPC_DEFAULT_SSL_ROOTS_FILE_PATH=self.ca.cert))

    def test_members_with_names_of_their_own(self):
        """Each endpoint must have a certificate for itself; another's does not do."""
        first = self.start_tls(self.ca.server("first", "localhost"))
        directory = os.path.join(self.directory, "second")
        os.mkdir(directory)
        second = TlsEtcd(directory, self.ca.server("second", HERE)).start()
        self.addCleanup(second.stop)
        log = self.start_log(f"localhost:{first.tls_port},{second.tls_endpoint}")
        self.assert_live(log)
        self.assertEqual(log.endpoint, f"localhost:{first.tls_port}")
        first.kill()
        self.etcd = second
        log.until_reseeded()
        self.assert_current(log)
        self.assertEqual(log.endpoint, second.tls_endpoint)


class NotVerified(TlsTest):
    """--insecure-skip-tls-verify."""

    def assert_trusted(self, certificate, **options):
        self.start_tls(certificate, clients=options.pop("clients", None))
        self.assert_live(self.start_log(KEYSPACE_LOG_INSECURE="1", **options))

    def test_another_authority(self):
        self.assert_trusted(self.other.server("server", HERE))

    def test_another_name(self):
        self.assert_trusted(self.ca.server("server", "elsewhere.example"))

    def test_expired(self):
        self.assert_trusted(self.ca.server("server", HERE, valid=EXPIRED))

    def test_no_authority(self):
        self.assert_trusted(self.ca.server("server", HERE), KEYSPACE_LOG_CACERT=None)

    def test_with_a_client_certificate(self):
        self.assert_trusted(self.other.server("server", HERE), clients=self.ca,
                            client=self.ca.client("alice"))

    def test_without_the_client_certificate(self):
        self.start_tls(clients=self.ca)
        self.assert_unreachable(self.etcd.tls_endpoint, [REFUSED, RESET],
                                KEYSPACE_LOG_INSECURE="1")


class Client(TlsTest):
    """Who we say we are."""

    def test_good(self):
        self.start_tls(clients=self.ca)
        self.assert_live(self.start_log(client=self.ca.client("alice")))

    def test_intermediate_authority(self):
        self.start_tls(clients=self.ca)
        inner = Authority(self.directory, "inner", issuer=self.ca)
        self.assert_live(self.start_log(client=inner.client("alice")))

    def test_none(self):
        self.start_tls(clients=self.ca)
        self.assert_unreachable(self.etcd.tls_endpoint, [REFUSED, RESET])

    def test_another_authority(self):
        self.start_tls(clients=self.ca)
        self.assert_unreachable(self.etcd.tls_endpoint, [REFUSED, RESET],
                                client=self.other.client("mallory"))

    def test_for_servers_only(self):
        self.start_tls(clients=self.ca)
        self.assert_unreachable(self.etcd.tls_endpoint, [REFUSED, RESET],
                                client=self.ca.server("alice", HERE))

    def test_common_name_is_the_user(self):
        """No password is asked for, and none is sent."""
        self.start_tls(clients=self.ca)
        self._enable_auth()
        log = self.start_log(client=self.ca.client("reader")).until_seeded()
        self._etcdctl("put", PREFIX + b"a", "1")
        log.until(lambda log: log.keys == {PREFIX + b"a": b"1"}, "the put")
        self.assertEqual(log.seeds[0][1:], (0, 0))
        self.assertRegex(self.failure(client=self.ca.client("guest")),
                         f"^etcd at {self.etcd.tls_endpoint} refused: .*permission denied$")

    def _enable_auth(self):
        """The users are root, reader (may read our prefix) and guest; none has a password."""
        self.root = self.ca.client("root")
        for user in "root", "reader", "guest":
            self._etcdctl("user", "add", user, "--no-password")
        self._etcdctl("user", "grant-role", "root", "root")
        self._etcdctl("role", "add", "read")
        self._etcdctl("role", "grant-permission", "read", "read", PREFIX, "--prefix")
        self._etcdctl("user", "grant-role", "reader", "read")
        self._etcdctl("auth", "enable")

    def _etcdctl(self, *args):
        subprocess.run(["etcdctl", "--endpoints", self.etcd.tls_endpoint, "--cacert", self.ca.cert,
                        "--cert", self.root.cert, "--key", self.root.key, *args],
                       env={**os.environ, "ETCDCTL_API": "3"}, check=True, capture_output=True)


class Files(TlsTest):
    """Mistakes that show before anything is sent; test-credentials.c has them all."""

    def test_missing(self):
        missing = os.path.join(self.directory, "missing")
        self.assertEqual(self.failure("127.0.0.1:1", KEYSPACE_LOG_CACERT=missing),
                         f"--cacert {missing}: No such file or directory")

    def test_swapped(self):
        alice = self.ca.client("alice")
        alice.cert, alice.key = alice.key, alice.cert
        self.assertEqual(self.failure("127.0.0.1:1", client=alice),
                         f"--cert {alice.cert}: holds a key, and --key a certificate: swapped?")

    def test_encrypted_key(self):
        alice = self.ca.client("alice")
        subprocess.run(["openssl", "pkcs8", "-topk8", "-in", alice.key, "-out", f"{alice.key}.new",
                        "-passout", "pass:secret"], check=True, capture_output=True)
        os.rename(f"{alice.key}.new", alice.key)
        self.assertEqual(self.failure("127.0.0.1:1", client=alice),
                         f"--key {alice.key}: encrypted; one without a passphrase is needed")

    def test_expired(self):
        alice = self.ca.client("alice", valid=EXPIRED)
        self.assertRegex(self.failure("127.0.0.1:1", client=alice),
                         rf"^--cert {alice.cert}: expired on \d{{4}}-\d\d-\d\d \d\d:\d\d UTC$")


class Impostor:
    """A server that is no etcd: it takes what is sent and sends ANSWER.  With CONTEXT it
    speaks TLS."""

    def __init__(self, answer, context=None):
        self._answer, self._context = answer, context
        self._listener = socket.create_server((HERE, 0))
        self.endpoint = "{}:{}".format(*self._listener.getsockname())
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            try:
                self._talk(connection)
            except OSError:
                pass

    def _talk(self, connection):
        with connection:
            if self._context:
                connection = self._context.wrap_socket(connection, server_side=True)
            connection.recv(1 << 16)
            connection.sendall(self._answer)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(1 << 16):
                pass


class NotEtcd(TlsTest):
    def impostor(self, answer, context=None):
        impostor = Impostor(answer, context)
        self.addCleanup(impostor.close)
        return impostor.endpoint

    def context(self, *protocols):
        server = self.ca.server("server", HERE)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(server.cert, server.key)
        context.set_alpn_protocols(protocols)
        return context

    def test_etcd_without_tls(self):
        etcd = Etcd(self.directory).start()
        self.addCleanup(etcd.stop)
        self.assert_unreachable(etcd.endpoint, [CLOSED, RESET])

    def test_we_without_tls(self):
        self.start_tls()
        self.assert_unreachable(self.etcd.tls_endpoint, [CLOSED, RESET], KEYSPACE_LOG_TLS=None)

    def test_http1(self):
        endpoint = self.impostor(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
        self.assert_unreachable(endpoint, ["the server does not speak TLS"])
        self.assert_unreachable(endpoint, ["not etcd: it speaks HTTP/1"], KEYSPACE_LOG_TLS=None)

    def test_http1_over_tls(self):
        for context in self.context(), self.context("http/1.1"):
            self.assert_unreachable(self.impostor(b"", context),
                                    ["not etcd: it has no HTTP/2 over TLS"])

    def test_garbage(self):
        endpoint = self.impostor(b"\x93garbage \x00\x01" * 20)
        self.assert_unreachable(endpoint, ["the server does not speak TLS"])
        self.assert_unreachable(endpoint, ["not etcd, or not without TLS"], KEYSPACE_LOG_TLS=None)

    def test_hangs_up(self):
        self.assert_unreachable(self.impostor(b""), [CLOSED])


class Live(TlsTest):
    """Files that change while we watch."""

    def setUp(self):
        super().setUp()
        self.trusted = os.path.join(self.directory, "trusted")
        replace(self.trusted, self.ca.cert)

    def start_log(self, *args, **options):
        return super().start_log(*args, KEYSPACE_LOG_CACERT=self.trusted, **options)

    def restart_etcd(self):
        self.etcd.kill()
        self.etcd.start()

    def assert_went_on(self, log):
        """It has come back to the same history, and knows everything."""
        self.assert_current(log)
        self.assertEqual(len(log.seeds), 1)
        self.assert_reseeds(log)

    def test_authority_replaced_before(self):
        """Both are trusted for a while."""
        self.start_tls()
        log = self.start_log().until_seeded()
        replace(self.trusted, self.ca.cert, self.other.cert)
        self.etcd.certificate = self.other.server("renewed", HERE)
        self.restart_etcd()
        self.assert_went_on(log)

    def test_authority_replaced_after(self):
        self.start_tls()
        log = self.start_log().until_seeded()
        self.etcd.certificate = self.other.server("renewed", HERE)
        self.restart_etcd()
        log.until(lambda log: log.error == UNTRUSTED, "the new certificate")
        self.put("unseen", "1")
        replace(self.trusted, self.other.cert)
        self.assert_went_on(log)

    def test_authority_taken_away(self):
        """What is trusted no longer is not trusted any more."""
        self.start_tls()
        proxy = self.start_proxy()
        log = self.start_log(proxy.endpoint).until_seeded()
        replace(self.trusted, self.other.cert)
        proxy.cut()
        log.until(lambda log: log.error == UNTRUSTED, "the distrust")
        replace(self.trusted, self.ca.cert)
        self.assert_went_on(log)

    def test_client_certificate_replaced(self):
        client = self.ca.client("alice")
        self.start_tls(clients=self.ca)
        log = self.start_log(client=client).until_seeded()
        self.etcd.clients = self.other
        self.restart_etcd()
        log.until(lambda log: log.error in (REFUSED, RESET), "the refusal")
        client.replace(self.other.client("renewed"))
        self.assert_went_on(log)

    def test_client_certificate_half_replaced(self):
        """The old one is good until the new one is complete."""
        client, renewed = self.ca.client("alice"), self.other.client("renewed")
        self.start_tls(clients=self.ca)
        proxy = self.start_proxy()
        log = self.start_log(proxy.endpoint, client=client).until_seeded()
        replace(client.cert, renewed.cert)
        proxy.cut()
        log.until(lambda log: log.reconnects == 1, "the next stream")
        self.assert_went_on(log)
        replace(client.key, renewed.key)
        self.etcd.clients = self.other
        self.restart_etcd()
        self.assert_went_on(log)
        _, errors = log.stop()
        self.assertEqual(errors.count(f"--key {client.key}: not the key of --cert {client.cert}"),
                         1, errors)

    def test_files_deleted(self):
        """What was read before is good enough."""
        client = self.ca.client("alice")
        self.start_tls(clients=self.ca)
        proxy = self.start_proxy()
        log = self.start_log(proxy.endpoint, client=client).until_seeded()
        for name in self.trusted, client.cert, client.key:
            os.remove(name)
        for turn in range(2):
            proxy.cut()
            log.until(lambda log, n=turn: log.reconnects > n, "the next stream")
        self.assert_went_on(log)
        _, errors = log.stop()
        self.assertEqual(errors.count(f"--cacert {self.trusted}: No such file or directory"), 1,
                         errors)

    def test_expires(self):
        """A client certificate that ends while we watch does not end what it began, nor
        us; its successor is taken."""
        client = self.ca.client("alice")
        self.start_tls(clients=self.ca)
        proxy = self.start_proxy()
        log = self.start_log(proxy.endpoint, client=client).until_seeded()
        client.replace(self.ca.client("late", valid=EXPIRED))
        proxy.cut()
        log.until(lambda log: log.reconnects == 1, "the next stream")
        client.replace(self.ca.client("renewed"))
        proxy.cut()
        log.until(lambda log: log.reconnects == 2, "the next stream")
        self.assert_went_on(log)


if __name__ == "__main__":
    watch_case.main()
