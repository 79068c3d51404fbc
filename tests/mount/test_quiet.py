#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Issue item 11: what the kernel has seen before costs the daemon no request.

Requests are counted in the daemon's own debug log, between two marks: lookups
of names that nothing else asks for.
"""

import mmap
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import case  # noqa: E402
import inotify  # noqa: E402
from mount import privileged  # noqa: E402

REQUEST = re.compile(r"fuse: (\w+)\b.*")
# Not asked for by anybody who waits.
ASYNCHRONOUS = {"forget", "batch_forget", "forget_multi", "interrupt", "init", "destroy"}
# The node that a request is about: 1 to 3 are the way to .etcdfs/inode and the names in it.
ABOUT = re.compile(r'fuse: \w+ (?:parent|ino)=(\d+)(?: name="(.*)")?')
TIMES = 100
ROUNDS = 5


def without_older(requests):
    """But for the steps on an older inode: it is told as well, until the kernel's FORGET of it
    has come, which nobody waits for."""
    older = {"1", "2", "3"}
    for request in requests:
        node, name = ABOUT.match(request).groups()
        if node == "3" and name:
            older.add(name)
        elif node not in older:
            yield request


class Quiet(case.MountTest):
    # An ordinary user's mount asks about each open, to refuse writers in time.
    OPENING = ("open", "release", "flush")

    def setUp(self):
        super().setUp()
        for i in range(300):
            self.keys.put(f"d/f{i}", f"value {i}")
        self.keys.put("f", b"x" * 300000)
        self.keys.put("deep/er/file", "1")
        self.mounted = self.mount("-d")
        self.log = self.watcher()
        self.log.add(self.mounted.log.path, inotify.MODIFY)
        self.marks = 0

    def mark(self):
        """A line in the log that is after whatever was asked for before."""
        self.marks += 1
        name = f"mark-{self.marks}"
        self.assertFalse(os.path.exists(self.mounted.join(name)))
        while True:
            lines = self.mounted.log.lines()
            for number, line in enumerate(lines):
                if f'"{name}"' in line:
                    return number
            self.log.next()

    def requests(self, do, count=TIMES):
        """What the daemon is asked while DO() runs COUNT times."""
        begin = self.mark()
        for _ in range(count):
            do()
        end = self.mark()
        between = self.mounted.log.lines()[begin + 1:end]
        requests = [match for line in between if (match := REQUEST.search(line))]
        return [match[0] for match in requests if match[1] not in ASYNCHRONOUS]

    def assert_quiet(self, do, but=(), count=TIMES):
        """DO() asks nothing once it has run; BUT names the requests that an
        ordinary user's mount makes nevertheless.  The kernel may drop a page that
        was used once, for reasons of its own, so the quietest round counts."""
        but = () if privileged() else but
        self.requests(do, 2)
        for _ in range(ROUNDS):
            asked = [request for request in self.requests(do, count)
                     if REQUEST.match(request)[1] not in but]
            if not asked:
                return
        self.fail(asked[:5])

    def test_the_first_time_is_seen(self):
        """So that silence means something."""
        seen = self.requests(lambda: self.mounted.read("d", "f7"), 1)
        self.assertTrue({"lookup", "read"} <= {REQUEST.match(request)[1] for request in seen}, seen)

    def test_stat(self):
        self.assert_quiet(lambda: os.stat(self.mounted.join("f")))

    def test_stat_deep(self):
        self.assert_quiet(lambda: os.stat(self.mounted.join("deep", "er", "file")))

    def test_stat_of_a_directory(self):
        self.assert_quiet(lambda: os.stat(self.mounted.join("d")))
        self.assert_quiet(lambda: os.stat(self.mounted.path))

    def test_fstat(self):
        with open(self.mounted.join("f"), "rb") as file:
            self.assert_quiet(lambda: os.fstat(file.fileno()))

    def test_access(self):
        self.assert_quiet(lambda: os.access(self.mounted.join("f"), os.R_OK), ["access"])

    def test_open(self):
        self.assert_quiet(lambda: os.close(os.open(self.mounted.join("f"), os.O_RDONLY)),
                          self.OPENING)

    def test_read(self):
        self.assert_quiet(lambda: self.mounted.read("f"), self.OPENING)

    def test_read_many(self):
        def read_all():
            for i in range(300):
                self.mounted.read("d", f"f{i}")
        self.assert_quiet(read_all, self.OPENING, count=3)

    def test_mmap(self):
        def read_mapped():
            fd = os.open(self.mounted.join("f"), os.O_RDONLY)
            with mmap.mmap(fd, 300000, mmap.MAP_SHARED, mmap.PROT_READ) as mapped:
                self.assertEqual(300000, len(mapped[:]))
            os.close(fd)
        self.assert_quiet(read_mapped, self.OPENING)

    def test_readdir(self):
        self.assert_quiet(lambda: os.listdir(self.mounted.join("d")))
        self.assert_quiet(lambda: os.listdir(self.mounted.path))

    def test_readdir_and_stat_each(self):
        """ls -l"""
        def list_long():
            with os.scandir(self.mounted.join("d")) as entries:
                self.assertEqual(300, len([entry.stat() for entry in entries]))
        self.assert_quiet(list_long)

    def test_failed_lookups(self):
        self.assert_quiet(lambda: os.path.exists(self.mounted.join("nope")))
        self.assert_quiet(lambda: os.path.exists(self.mounted.join("d", "nope")))

    def test_what_a_change_costs(self):
        """Only what changed is asked for again: one lookup of the name and one
        read of the new inode; its neighbours stay known."""
        def read_both():
            for name in ("f1", "f2"):
                self.mounted.read("d", name)
        self.requests(read_both, 2)
        self.keys.put("d/f1", "new")
        self.mounted.settle()
        asked = [request for request in self.requests(read_both)
                 if privileged() or REQUEST.match(request)[1] not in self.OPENING]
        self.assertEqual([], [request for request in asked if '"f2"' in request])
        self.assertLessEqual(len(asked), 2, asked)

    def test_what_telling_a_change_costs(self):
        """Of the daemon its announcer wants the new name and its time, and no more; and the
        kernel the directory's mode, where it is the one that checks permissions."""
        events = self.watcher()
        events.add(self.mounted.join("d"), inotify.CLOSE_WRITE)

        def change():
            self.keys.put("d/f1", "new")
            events.until(lambda event: True)
        change()
        self.mounted.settle()
        but = () if privileged() else (*self.OPENING, "opendir", "releasedir")
        requests = without_older(self.requests(change, 3))
        asked = [match[1] for match in map(REQUEST.match, requests) if match[1] not in but]
        checks = ["getattr"] if privileged() else []
        self.assertEqual([*checks, "lookup", "setattr"] * 3, asked)

    def test_a_name_that_comes_ends_the_negative_entry(self):
        self.assertFalse(os.path.exists(self.mounted.join("d", "later")))
        self.keys.put("d/later", "1")
        self.mounted.settle()
        self.assertEqual(b"1", self.mounted.read("d", "later"))
        self.assertIn("later", self.mounted.list("d"))


if __name__ == "__main__":
    case.main()
