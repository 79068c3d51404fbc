#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Directories that change while they are listed: a name that is there throughout is
listed once, whoever reads how, and a listing that begins after a change's event shows
all of the change, whatever the kernel had kept of the listing before.

ETCDFS_LONG=1: directories of 200,000 entries, not of 20,000 alone.
"""

import itertools
import os
import random
import stat
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import case  # noqa: E402
from stream import KINDS, TXN, ListingTest, names, read_stream, repeated  # noqa: E402
from wait import LONG, times  # noqa: E402


class Entries(ListingTest):
    """What an entry says."""

    def setUp(self):
        super().setUp()
        self.fill("d/f{:04}", 500)
        self.fill("d/sub{}/f", 20)
        self.mounted = self.mount()
        self.path = self.mounted.join("d")

    def test_they_are_true(self):
        for size in (1024, 4096, 1 << 20):
            for _ in range(2):  # as the daemon gives it, and as the kernel kept it
                entries = read_stream(self.path, size)
                self.assertEqual(520, len(names(entries)))
                self.assert_entries_are_true(self.path, entries)

    def test_they_stay_true(self):
        """An update, of a file that the kernel has looked up or not; a file that
        becomes a directory; a directory that has gone and come."""
        for change in (lambda: self.keys.put("d/f0007", "new"),
                       lambda: self.keys.put("d/f0007/below", "new"),
                       lambda: self.keys.delete("d/f0007/below"),
                       lambda: self.keys.txn({"d/sub7/g": ""}, ["d/sub7/f"]),
                       lambda: self.keys.delete("d/sub8/f"),
                       lambda: self.keys.put("d/sub8/f", "")):
            for look in (lambda: None, lambda: os.stat(os.path.join(self.path, "f0007"))):
                read_stream(self.path, 1 << 20)
                look()
                change()
                self.mounted.settle()
                self.assert_entries_are_true(self.path, read_stream(self.path, 1 << 20))

    def test_after_an_update_of_what_nobody_has_looked_at(self):
        """The kernel knows the name from the listing alone: it asked for attributes as
        well only at the start."""
        for _ in range(2):
            read_stream(self.path, 1024)
        self.keys.put("d/f0400", "new")
        self.mounted.settle()
        self.assert_entries_are_true(self.path, read_stream(self.path, 1024))

    def test_scandir_agrees(self):
        with os.scandir(self.path) as entries:
            found = {entry.name: (entry.inode(), entry.is_dir()) for entry in entries}
        self.assertEqual({entry.name: (entry.ino, entry.kind == KINDS[stat.S_IFDIR])
                          for entry in read_stream(self.path, 1024)
                          if entry.name not in (".", "..")}, found)

    def test_above(self):
        """What .. says is the directory above."""
        for path in (self.path, os.path.join(self.path, "sub7")):
            above = next(entry for entry in read_stream(path, 1024) if entry.name == "..")
            self.assertEqual(os.stat(os.path.dirname(path)).st_ino, above.ino)


class Lasting(ListingTest):
    """While other names come and go, before, between and after."""

    SIZES = (1024, 4096, 32768, 1 << 20)

    def setUp(self):
        super().setUp()
        self.own_etcd(f"--max-txn-ops={TXN}")
        self.number = 0

    def start(self, count):
        """COUNT names that last, and as many among them that go; returns the first."""
        self.fill("d/goes-{}", 5)
        lasting = self.fill("d/stays-{}", count // 2)
        self.goes = self.fill("d/goes-{}", max(5, min(count, 500)))
        lasting += self.fill("d/remains-{}", count - count // 2)
        self.mounted = self.mount()
        self.path = self.mounted.join("d")
        return lasting

    def change(self):
        """Some names go, others come; waits in every other case until it is told."""
        self.number += 1
        come = [f"new-{self.number}-{i}" for i in range(3)]
        gone, self.goes = self.goes[:2], self.goes[2:] + come
        self.keys.txn({f"d/{name}": "" for name in come}, [f"d/{name}" for name in gone])
        if self.number % 2:
            self.mounted.settle()

    def turns(self, readers, changes):
        """Lets the READERS, {how many buffers a turn: (Stream, size)}, read in turn until
        all have ended; every so often CHANGES happen.  Returns what each listed."""
        listed = {speed: [] for speed in readers}
        going = dict(readers)
        for turn in itertools.count():
            for speed, (stream, size) in list(going.items()):
                for _ in range(speed):
                    found = stream.some(size)
                    listed[speed] += found
                    if not found:
                        going.pop(speed, None)
            if not going:
                return listed
            if turn % max(1, changes) == 0:
                self.change()

    def check(self, count, pause):
        lasting = self.start(count)
        for size in (*self.SIZES, *self.SIZES[1:]):
            self.change()
            readers = {speed: (self.stream(self.path), size) for speed in (1, 2, 7)}
            for listed in self.turns(readers, pause).values():
                self.assert_lasting_once(lasting, names(listed))
            self.change()
        with os.scandir(self.path) as entries:
            listed = [next(entries).name]
            self.change()
            listed += [entry.name for entry in entries]
        self.assert_lasting_once(lasting, listed)
        self.mounted.settle()
        self.assertEqual(sorted(lasting + self.goes), self.mounted.list("d"))

    def test_few(self):
        self.check(10, 1)

    def test_many(self):
        self.check(times(200000 if LONG else 20000), 40)

    def test_readers_that_look_at_each(self):
        """For them the kernel asks for entries and attributes at once."""
        lasting = self.start(2000)
        for size in self.SIZES:
            stream, listed = self.stream(self.path), []
            while found := stream.some(size):
                listed += found
                for entry in found:
                    if entry.name.startswith(("stays", "remains")):
                        os.lstat(os.path.join(self.path, entry.name))
                self.change()
            self.assert_lasting_once(lasting, names(listed))


class Offsets(ListingTest):
    """telldir and seekdir."""

    def setUp(self):
        super().setUp()
        self.all = self.fill("d/f{:03}", 400)
        self.mounted = self.mount()
        self.path = self.mounted.join("d")

    def assert_continues(self, stream, after, expected, optional=()):
        """Names in OPTIONAL are those of which POSIX does not say."""
        stream.seek(after.offset)
        found = [entry.name for entry in stream.rest(1 << 16)]
        self.assertEqual([], repeated(found))
        self.assertEqual(expected, [name for name in found if name not in optional], after)

    def test_to_each(self):
        """In an order that nobody reads in, from what the kernel kept and not."""
        for _ in range(2):
            stream = self.stream(self.path)
            entries = stream.rest()
            order = list(range(len(entries)))
            random.Random(1).shuffle(order)
            for i in order[:times(len(entries), slow=50)]:
                self.assert_continues(stream, entries[i], [each.name for each in entries[i + 1:]])

    def test_over_changes(self):
        """An offset from before says the same after, also that of a name that is gone."""
        stream = self.stream(self.path)
        entries = stream.rest()
        last = entries[-1].name
        gone = self.all[::7] + [last]
        come = [f"new{i}" for i in range(20)]
        self.keys.txn({f"d/{name}": "" for name in come}, [f"d/{name}" for name in gone])
        self.mounted.settle()
        for keep in range(3):
            if keep:
                os.listdir(self.path)
            for i in range(0, len(entries), 1 if keep == 2 else 9):
                expected = [each.name for each in entries[i + 1:] if each.name not in gone]
                self.assert_continues(stream, entries[i], expected, {*gone, *come})

    def test_of_a_name_that_is_gone_at_any_size(self):
        """A stream is at a name that goes, and somebody else lists the directory: for
        each number of names from 115 to 135.  (With 126 of these the kernel's copy of
        the listing fills exactly one page.)"""
        sizes = range(115, 136)
        for start in range(0, len(sizes), 3):
            self.keys.txn({f"{size}/{i:04}": "" for size in sizes[start:start + 3]
                           for i in range(30)})
        for size in sizes:
            self.keys.txn({f"{size}/{i:04}": "" for i in range(30, size + 1)})
        self.mounted.settle()
        streams = {}
        for size in sizes:
            path = self.mounted.join(str(size))
            os.listdir(path)
            stream = self.stream(path)
            streams[size] = stream, stream.some()
        self.keys.txn(deletes=[f"{size}/{read[-1].name}" for size, (_, read) in streams.items()])
        self.mounted.settle()
        for size, (stream, read) in streams.items():
            with self.subTest(size):
                for _ in range(2):
                    self.assertEqual(size, len(self.mounted.list(str(size))))
                listed = names(read + stream.rest())
                self.assertEqual([f"{i:04}" for i in range(size + 1)], sorted(listed))

    def test_rewind(self):
        """A stream that is open all the time shows the newest state from its start on,
        read to its end or not."""
        stream = self.stream(self.path)
        expected = set(self.all)
        for number in range(times(60, slow=20)):
            if number % 3:
                stream.some() if number % 2 else stream.rest()
            come, gone = f"new{number}", self.all[number]
            self.keys.txn({f"d/{come}": ""}, [f"d/{gone}"])
            expected = expected - {gone} | {come}
            self.mounted.settle()
            stream.seek(0)
            self.assertEqual(sorted(expected), sorted(names(stream.rest())))
            stream.seek(0)


if __name__ == "__main__":
    case.main()
