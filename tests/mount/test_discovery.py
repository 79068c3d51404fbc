#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""--discovery-srv: a domain's SRV records tell where etcd listens.

The domain is served by a dnsmasq of the test's own, in a network of its own.
"""

import os
import shutil
import socket
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import case  # noqa: E402
import libc  # noqa: E402
import network  # noqa: E402
from certs import Authority  # noqa: E402
from etcd import Keys, TlsEtcd, free_port  # noqa: E402
from mount import wrapper  # noqa: E402
from proxy import Proxy  # noqa: E402
from wait import ENDS_WITH_US  # noqa: E402

DOMAIN = "etcdfs.test"
HOST = f"m1.{DOMAIN}"


class Dns:
    """The domain, on 127.0.0.1:53."""

    def __init__(self):
        self._process = None

    def serve(self, *records):
        """(service, port)... at HOST from now on, and nothing else."""
        self.stop()
        services = [f"--srv-host=_{service}._tcp.{DOMAIN},{HOST},{port}"
                    for service, port in records]
        self._process = subprocess.Popen(
            [*ENDS_WITH_US, "KILL", "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null",
             "--pid-file=", "--log-facility=-", "--user=root", "--no-resolv", "--no-hosts",
             "--listen-address=127.0.0.1", "--bind-interfaces", f"--local=/{DOMAIN}/",
             f"--host-record={HOST},127.0.0.1", *services],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for line in self._process.stderr:
            if "started" in line:
                return
        raise RuntimeError(f"dnsmasq ended with {self._process.wait()}")

    def stop(self):
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process.stderr.close()
            self._process = None


class Discovery(case.MountTest):
    def setUp(self):
        super().setUp()
        self.resolve_here()
        self.dns = Dns()
        self.addCleanup(self.dns.stop)

    def resolve_here(self):
        conf = os.path.join(self.directory, "resolv.conf")
        with open(conf, "w", encoding="ascii") as file:
            file.write("nameserver 127.0.0.1\n")
        target = os.path.realpath(b"/etc/resolv.conf")
        libc.call("mount", os.fsencode(conf), target, None, libc.MS_BIND, None)
        self.addCleanup(libc.call, "umount2", target, libc.MNT_DETACH)

    def discovered(self, *args, **options):
        return self.mount(f"--discovery-srv={DOMAIN}", f"--prefix={self.keys.prefix.decode()}",
                          *args, source="none", **options)

    def refused(self, *args):
        point = os.path.join(self.directory, "refused")
        os.makedirs(point, exist_ok=True)
        result = subprocess.run([*wrapper(), self.program(), point, *args], capture_output=True,
                                text=True, check=False, stdin=subprocess.DEVNULL)
        self.assertEqual((1, ""), (result.returncode, result.stdout))
        return result.stderr.removeprefix("etcdfs: ").removesuffix("\n")

    def assert_endpoint(self, mounted, port):
        self.assertEqual(f"{HOST}:{port}", mounted.status()["endpoint"])

    def test_found(self):
        self.keys.put("f", "1")
        port = self.keys.etcd.port
        self.dns.serve(("etcd-client", port))
        mounted = self.discovered()
        self.assertEqual(b"1", mounted.read("f"))
        self.assert_endpoint(mounted, port)

    def test_name_of_the_service(self):
        port = self.keys.etcd.port
        self.dns.serve(("etcd-client", 1), ("etcd-client-blue", port))
        self.assert_endpoint(self.discovered("--discovery-srv-name=blue"), port)

    def test_tls(self):
        """Its records come before the others.  The certificate must name the host, or,
        where DNS is not to be trusted, the domain."""
        authority = Authority(self.directory, "ca")
        certificate = authority.server("m1", HOST)
        directory = os.path.join(self.directory, "etcd")
        os.mkdir(directory)
        self.etcd = TlsEtcd(directory, certificate).start()
        self.addCleanup(self.etcd.stop)
        self.keys = Keys(self.etcd, self.keys.prefix)
        self.dns.serve(("etcd-client-ssl", self.etcd.tls_port), ("etcd-client", 1))
        mounted = self.discovered(f"--cacert={authority.cert}")
        self.assert_endpoint(mounted, self.etcd.tls_port)

        strict = ["--insecure-discovery=false", f"--cacert={authority.cert}"]
        self.assertIn("the server's certificate does not name this host",
                      self.refused(f"--discovery-srv={DOMAIN}", *strict))
        certificate.replace(authority.server("domain", DOMAIN))
        other = os.path.join(self.directory, "strict")
        os.mkdir(other)
        self.assert_endpoint(self.discovered(*strict, directory=other), self.etcd.tls_port)

    def test_none(self):
        self.dns.serve()
        self.assertEqual(f"no SRV records _etcd-client-ssl._tcp.{DOMAIN}, and no "
                         f"_etcd-client._tcp.{DOMAIN}", self.refused(f"--discovery-srv={DOMAIN}"))
        self.dns.serve(("etcd-client", 1), ("etcd-client-blue", 1))
        only_tls = f"no SRV records _etcd-client-ssl-blue._tcp.{DOMAIN}"
        for args in (["--insecure-discovery=false"], ["--insecure-transport=false"]):
            with self.subTest(args):
                self.assertEqual(only_tls, self.refused(f"--discovery-srv={DOMAIN}",
                                                        "--discovery-srv-name=blue", *args))

    def test_silent(self):
        """A resolver that hangs does not hang us."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nobody:
            nobody.bind(("127.0.0.1", 53))
            self.assertEqual(f"SRV records _etcd-client-ssl._tcp.{DOMAIN}: no answer within 0.5 s",
                             self.refused(f"--discovery-srv={DOMAIN}", "--dial-timeout=500ms"))

    def test_later(self):
        """With --retry it is enough that the records are there in the end."""
        self.dns.serve()
        self.keys.put("f", "1")
        mounted = os.path.join(self.directory, "mnt")
        os.mkdir(mounted)
        process = subprocess.Popen(
            [*ENDS_WITH_US, "TERM", *wrapper(), self.program(), mounted, "-f", "--retry=60s",
             f"--discovery-srv={DOMAIN}", f"--prefix={self.keys.prefix.decode()}"],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        self.assertRegex(process.stderr.readline(), "no SRV records .*; trying again")
        self.dns.serve(("etcd-client", self.keys.etcd.port))
        while "is mounted on" not in (line := process.stderr.readline()):
            self.assertTrue(line)
        self.assertEqual(["f"], os.listdir(mounted))

    def test_replaced(self):
        """When all endpoints have failed, the records may tell of others."""
        first = Proxy(free_port(), self.keys.etcd.port)
        self.addCleanup(first.close)
        self.dns.serve(("etcd-client", first.port))
        mounted = self.discovered(allow=["lost contact"])
        self.assert_endpoint(mounted, first.port)
        first.refuse()
        mounted.wait_state("reconnecting")
        self.dns.serve(("etcd-client", self.keys.etcd.port))
        mounted.wait_state("live")
        self.assert_endpoint(mounted, self.keys.etcd.port)


if __name__ == "__main__":
    if not shutil.which("dnsmasq"):
        print("1..0 # SKIP no dnsmasq")
        sys.exit(0)
    network.enter_or_skip()
    case.main()
