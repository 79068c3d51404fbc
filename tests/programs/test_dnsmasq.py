#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A server that watches its configuration by itself: dnsmasq."""

import socket
import struct

import program
from etcd import free_port
from wait import Deadline


class Dnsmasq(program.ProgramTest):
    """dnsmasq --hostsdir: nobody tells it anything, a key changes."""

    def setUp(self):
        super().setUp()
        self.keys.put("hosts/a", "10.0.0.1 a.test\n")
        self.mounted = self.mount()
        self.port = free_port()
        self.dnsmasq = self.start(
            "dnsmasq", "--no-daemon", "--conf-file=/dev/null", f"--port={self.port}",
            "--listen-address=127.0.0.1", "--bind-interfaces", "--no-resolv", "--no-hosts",
            "--pid-file", "--user=root", "--log-facility=-",
            f"--hostsdir={self.mounted.join('hosts')}")
        self.dnsmasq.until("read ")

    def address(self, name):
        """What a client is told; None without an answer."""
        question = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(Deadline("dnsmasq answers").left())
            client.sendto(struct.pack(">6H", 1, 0x100, 1, 0, 0, 0) + question +
                          struct.pack(">xHH", 1, 1), ("127.0.0.1", self.port))
            answer = client.recv(512)
        count = struct.unpack(">6H", answer[:12])[3]
        return socket.inet_ntoa(answer[-4:]) if count else None

    def test_hosts_come_change_and_go(self):
        self.assertEqual(("10.0.0.1", None), (self.address("a.test"), self.address("b.test")))
        self.keys.put("hosts/b", "10.0.0.2 b.test\n")
        self.dnsmasq.until("hosts/b - 1 ")
        self.assertEqual("10.0.0.2", self.address("b.test"))
        for number in range(3, 6):
            self.keys.put("hosts/b", f"10.0.0.{number} b.test\n")
            self.dnsmasq.until("hosts/b - 1 ")
            self.assertEqual(f"10.0.0.{number}", self.address("b.test"))
        self.assertEqual("10.0.0.1", self.address("a.test"))

    def test_one_transaction(self):
        self.keys.txn({f"hosts/{name}": f"10.0.1.1 {name}.test\n" for name in "wxyz"})
        self.dnsmasq.until("hosts/z - 1 ")
        self.assertEqual(["10.0.1.1"] * 4, [self.address(f"{name}.test") for name in "wxyz"])


if __name__ == "__main__":
    program.main()
