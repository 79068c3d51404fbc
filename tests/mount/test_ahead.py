#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Whoever reads one file after the other is given the next values before he asks: few
requests, the right bytes, whoever else reads or writes."""

import concurrent.futures
import mmap
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import case  # noqa: E402
import metrics  # noqa: E402
from wait import times  # noqa: E402

FILES = 500
ROUNDS = 5


class Ahead(case.MountTest):
    def setUp(self):
        super().setUp()
        self.keys.fill((f"d/f{i:04}", self.value(i)) for i in range(FILES))

    @staticmethod
    def value(number, revision=0):
        return f"{number} of {revision}\n" * (number % 7 + 1)

    def asked(self, function, *args):
        """What the daemon was asked while FUNCTION ran, less what it costs to find that out."""
        before = metrics.read(self.mounted)
        alone = metrics.read(self.mounted)
        function(*args)
        after = metrics.read(self.mounted)

        def of(read, kind):
            return read["etcdfs_requests_total", kind]
        return {kind: of(after, kind) - of(alone, kind) - (of(alone, kind) - of(before, kind))
                for kind in ("lookup", "getattr", "read", "readdirplus")}

    def walk(self, *revisions):
        """As grep -r does; each file is of one of the REVISIONS."""
        for name in os.listdir(self.mounted.join("d")):
            with open(self.mounted.join("d", name), encoding="ascii") as file:
                size = os.fstat(file.fileno()).st_size
                read = file.read()
            self.assertEqual(size, len(read))
            self.assertIn(read, [self.value(int(name[1:]), each) for each in revisions or (0,)])

    def new_walks(self):
        """What three walks ask of a new mount, one after the other."""
        self.mounted = self.mount(directory=tempfile.mkdtemp(dir=self.directory))
        return [self.asked(self.walk) for _ in range(3)]

    def test_few_requests(self):
        """Of the quietest mount: where the machine is busy, a value that is given may come
        late, and who reads does not wait for that."""
        first, again, later = min((self.new_walks() for _ in range(ROUNDS)),
                                  key=lambda walks: walks[0]["read"])
        self.assertLess(first["read"], FILES / 10)
        self.assertLess(first["lookup"] + first["getattr"], FILES / 10)
        # A file of which the kernel has read a page tells it its new access time.
        self.assertLess(sum(again.values()), FILES / 10)
        self.assertEqual(0, sum(later.values()))

    def test_one_after_an_update(self):
        self.mounted = self.mount()
        self.walk()
        for revision in range(1, times(20, slow=3)):
            self.keys.fill((f"d/f{i:04}", self.value(i, revision)) for i in range(0, FILES))
            self.mounted.settle()
            self.walk(revision)

    def test_nothing_behind_the_end(self):
        self.mounted = self.mount()
        self.walk()
        for name in os.listdir(self.mounted.join("d")):
            with open(self.mounted.join("d", name), "rb") as file, \
                    mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
                self.assertEqual(self.value(int(name[1:])).encode(), mapped[:])

    def crowd(self, *args):
        """Many walk at the same time, while all that they read is replaced."""
        self.mounted = self.mount(*args)
        rounds = times(5, slow=2)
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            for revision in range(1, rounds):
                walks = [pool.submit(self.walk, revision - 1, revision) for _ in range(16)]
                self.keys.fill((f"d/f{i:04}", self.value(i, revision)) for i in range(FILES))
                for walk in walks:
                    walk.result()
        self.mounted.settle()
        self.walk(rounds - 1)

    def test_crowd(self):
        self.crowd()

    def test_crowd_and_one_thread(self):
        self.crowd("-s")

    def test_crowd_and_few_threads(self):
        self.crowd("-o", "max_threads=2")

    def test_none_where_a_tree_can_be_withheld(self):
        self.mounted = self.mount("--max-stale=1h", "--stale-policy=fail")
        self.assertEqual(FILES, self.asked(self.walk)["read"])


if __name__ == "__main__":
    case.main()
