#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The bar that a person at a terminal sees while many keys are read."""

import fcntl
import importlib
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import case  # noqa: E402
from etcd import free_port  # noqa: E402
from fake import FakeEtcd  # noqa: E402
from mount import find_mount, unmount_from_background, wrapper  # noqa: E402
from proxy import Proxy  # noqa: E402
from wait import Deadline  # noqa: E402

COLUMNS = 90
# A bar comes after a second.
SLOW_MS = 1050
PREFIX = "/progress/"
KEYS = 8

PARTS = (r"%s6 of 8 keys \[#+ +\]  75 %% [\d.]+ B [\d.]+ B/s 0:0\d left")


def page(first, last, revision=50):
    kvs = " ".join(f'kvs {{ key: "{PREFIX}{i}" value: "{i}" create_revision: 1 mod_revision: 1 '
                   f'version: 1 }}' for i in range(first, last + 1))
    more = "true" if last < KEYS else "false"
    return f"send header {{ revision: {revision} cluster_id: 1 member_id: 2 raft_term: 3 }} " \
           f"{kvs} more: {more} count: {KEYS}"


def lines(data):
    """What a terminal shows that got DATA."""
    screen, column = [[]], 0
    for char in data.decode("ascii"):
        if char == "\n":
            screen.append([])
        elif char == "\r":
            column = 0
        elif char == "\b":
            column -= 1
        else:
            screen[-1][column:column + 1] = [char]
            column += 1
    return ["".join(line).rstrip() for line in screen]


class Bar(case.MountTest):
    def setUp(self):
        super().setUp()
        self.fake = FakeEtcd()
        self.addCleanup(self.fake.stop)
        self.fake.fill(PREFIX, 1, 1, 49)  # to the revision that the pages are of
        self.fake.order("hold Range")
        self.proxy = Proxy(free_port(), self.fake.port)
        self.addCleanup(self.proxy.close)
        self.point = os.path.join(self.directory, "mnt")
        os.mkdir(self.point)
        self.person, self.terminal = pty.openpty()
        self.addCleanup(os.close, self.person)
        self.addCleanup(os.close, self.terminal)
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
        self.screen = b""
        self.asked = 0

    def start(self, *args, term="xterm"):
        self.process = subprocess.Popen(
            [*wrapper(), self.program(), f"etcd://{self.proxy.endpoint}{PREFIX}", self.point,
             "--dial-timeout=20s", "--command-timeout=20s", *args], env={**os.environ, "TERM": term},
            stdin=self.terminal, stdout=self.terminal, stderr=self.terminal)
        self.addCleanup(self.process.wait)
        self.addCleanup(self.process.kill)
        self.addCleanup(self.unmount)

    def unmount(self):
        if find_mount(self.point) is not None:
            unmount_from_background(self.point)

    def answer(self, action):
        """To the next request for a page."""
        self.asked += 1
        self.fake.until(lambda seen: len(seen("request", "Range")) >= self.asked, "a request")
        call = self.fake.did("request", "Range")[self.asked - 1].words[0]
        self.fake.order(f"on {call} {action}")

    def read_slowly(self):
        """To a time at which there is a bar."""
        self.answer(page(1, 2))
        self.fake.until(lambda seen: len(seen("request", "Range")) > self.asked, "a request")
        self.proxy.delay(SLOW_MS, "down")
        self.answer(page(3, 6))
        self.fake.until(lambda seen: len(seen("request", "Range")) > self.asked, "a request")
        self.proxy.delay(0, "down")

    def until_shown(self, pattern):
        deadline = Deadline(pattern)
        while not re.search(pattern, self.screen.decode()):
            self.look(deadline.left())

    def look(self, seconds):
        if select.select([self.person], [], [], seconds)[0]:
            self.screen += os.read(self.person, 4096)

    def ended(self):
        """The exit status, and what is on the screen then."""
        status = self.process.wait(Deadline("etcdfs ends").left())
        os.write(self.terminal, b"$")  # as the shell would now
        while not self.screen.endswith(b"$"):
            self.look(Deadline("the screen").left())
        return status, lines(self.screen)

    def test_shown_and_gone(self):
        """By one that goes to the background, and has to read from the beginning once."""
        self.start()
        self.read_slowly()
        self.until_shown(PARTS % "reading ")
        self.assertLess(max(map(len, lines(self.screen))), COLUMNS)
        self.answer("end 11 etcdserver: mvcc: required revision has been compacted")
        self.answer(page(1, 2))
        self.until_shown(r"starting over: 2 of 8 keys \[#+ +\]  25 % \d+ B")
        self.answer(page(3, KEYS))
        self.assertEqual((0, ["$"]), self.ended())
        self.assertEqual(KEYS, len(os.listdir(self.point)))

    def test_before_an_error(self):
        """And before a line of the log."""
        self.start("-f")
        self.read_slowly()
        self.until_shown(PARTS % "reading ")
        self.answer("end 7 etcdserver: permission denied")
        self.assertEqual((1, [f"etcdfs: etcd at {self.proxy.endpoint} refused: "
                              "etcdserver: permission denied", "$"]), self.ended())

    def test_dumb_terminal(self):
        self.start(term="dumb")
        self.read_slowly()
        self.answer(page(7, KEYS))
        self.assertEqual((0, ["$"]), self.ended())
        self.assertEqual(b"$", self.screen)


if __name__ == "__main__":
    for module in ("h2", "google.protobuf"):
        try:
            importlib.import_module(module)
        except ImportError as error:
            print(f"1..0 # SKIP {error}")
            sys.exit(0)
    case.main()
