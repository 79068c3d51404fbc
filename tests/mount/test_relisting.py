#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Listings that the kernel has kept, transactions that change many names, directories
that vanish while somebody lists them: who begins after an event sees all of it."""

import collections
import itertools
import os
import random
import re
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import case  # noqa: E402
import inotify  # noqa: E402
from mount import TICKS  # noqa: E402
from paths import paths  # noqa: E402
from stream import ListingTest, Stream, names, read_stream, repeated  # noqa: E402
from wait import LIMIT, Deadline, times  # noqa: E402


class Kept(ListingTest):
    """What the kernel keeps of a listing: who begins after an event sees the new one."""

    MASK = inotify.CREATE | inotify.DELETE
    COUNT = 600

    def setUp(self):
        super().setUp()
        # The threads here do little but call the kernel: let them take turns quickly.
        self.addCleanup(sys.setswitchinterval, sys.getswitchinterval())
        sys.setswitchinterval(0.0002)
        self.lasting = self.fill("d/stays-{}", self.COUNT)
        self.trouble = []
        self.ended = threading.Event()

    def forever(self, function, *args):
        def run():
            try:
                while not self.ended.is_set():
                    function(*args)
            except Exception as error:  # pylint: disable=broad-except
                self.trouble.append(f"{function.__name__}{args}: {error!r}")
        return threading.Thread(target=run)

    def list_whole(self, size):
        listed = names(read_stream(self.path, size))
        assert not repeated(listed), repeated(listed)
        missing = set(self.lasting).difference(listed)
        assert not missing, sorted(missing)[:5]

    def list_begun(self, rand):
        """Reads on from where nobody reads to the end, and gives up."""
        stream = Stream(self.path)
        try:
            found = []
            for _ in range(rand.randint(1, 5)):
                found += stream.some(rand.choice((512, 1024, 8192)))
            if rand.random() < 0.5:
                stream.seek(rand.choice(found).offset)
                stream.some(512)
        finally:
            stream.close()

    def crowd(self):
        return [self.forever(self.list_whole, 1024), self.forever(self.list_whole, 1 << 20),
                self.forever(self.list_begun, random.Random(1))]

    def test_a_listing_after_an_event(self):
        """While others build, use and abandon what the kernel keeps."""
        self.mounted = self.mount()
        self.path = self.mounted.join("d")
        watcher = self.watcher()
        watcher.add(self.path, self.MASK)
        expected = set(self.lasting)
        threads = self.crowd()
        for thread in threads:
            thread.start()
        try:
            for number in range(times(120, slow=40)):
                come = [f"new-{number}-{i}" for i in range(number % 3)] or [f"new-{number}"]
                gone = sorted(expected.difference(self.lasting))[:len(come) if number > 20 else 0]
                self.keys.txn({f"d/{name}": "" for name in come}, [f"d/{name}" for name in gone])
                expected = expected.difference(gone).union(come)
                watcher.next()
                self.assertEqual(sorted(expected), sorted(os.listdir(self.path)))
                for _ in range(len(come) + len(gone) - 1):
                    watcher.next()
                self.assertEqual(sorted(expected), sorted(os.listdir(self.path)))
        finally:
            self.ended.set()
            for thread in threads:
                thread.join()
        self.assertEqual([], self.trouble)

    def test_who_began_before_the_change_ends_after_it(self):
        """Two are in the middle of it: who began after the change sees nothing of what the
        other, who began before it, reads to the end meanwhile."""
        self.mounted = self.mount()
        self.path = self.mounted.join("d")
        watcher = self.watcher()
        watcher.add(self.path, self.MASK)
        for number, size in enumerate((512, 1024, 1 << 16)):
            with self.subTest(size=size):
                goes, comes = f"goes-{number}", f"comes-{number}"
                self.keys.put(f"d/{goes}", "")
                watcher.next()
                before = self.stream(self.path)
                listed = []
                while goes not in listed:
                    listed += [entry.name for entry in before.some(size)]
                self.keys.txn({f"d/{comes}": ""}, [f"d/{goes}"])
                for _ in range(2):
                    watcher.next()
                after = self.stream(self.path)
                entries = after.some(size)
                self.assertIn(comes, [entry.name for entry in before.rest(size)])
                listed = names(entries + after.rest(size))
                self.assert_lasting_once(self.lasting, listed)
                self.assertEqual((0, 1), (listed.count(goes), listed.count(comes)))

    # What the daemon is asked, from its debug log.

    def start_logging(self):
        self.mounted = self.mount("-d")
        self.path = self.mounted.join("d")
        self.log = self.watcher()
        self.log.add(self.mounted.log.path, inotify.MODIFY)
        self.marks = itertools.count()

    def mark(self):
        """The number of a line that is after all that was asked before."""
        mark = f'"mark-{next(self.marks)}"'
        self.assertFalse(os.path.exists(self.mounted.join(mark.strip('"'))))
        while True:
            for number, line in enumerate(self.mounted.log.lines()):
                if mark in line:
                    return number
            self.log.next()

    def listings_asked(self):
        """How often the daemon is asked while the directory is listed."""
        begin = self.mark()
        self.assertEqual(self.COUNT + self.more, len(os.listdir(self.path)))
        end = self.mark()
        return sum(bool(re.search(r"fuse: (readdir|getattr)", line))
                   for line in self.mounted.log.lines()[begin:end])

    def assert_kept_soon(self):
        """The second listing asks nothing (or the third, should the kernel have dropped
        a page for reasons of its own)."""
        asked = [self.listings_asked() for _ in range(4)]
        self.assertIn(0, asked[1:])

    def test_a_listing_is_kept_after_changes(self):
        self.more = 0
        self.start_logging()
        self.assert_kept_soon()
        for _ in range(20):
            self.more += 1
            self.keys.put(f"d/new-{self.more}", "")
            if self.more % 4 == 0:
                self.mounted.settle()
        self.mounted.settle()
        self.assert_kept_soon()

    def test_a_listing_is_kept_after_a_change_in_its_middle(self):
        """Somebody has read a part, and then there is a change; he reads on, or not: then he
        is taken for gone after a while.  He has room for all that the kernel is told at once,
        or not."""
        self.more = 0
        self.start_logging()
        for reads_on, size in itertools.product((True, False), (1024, 512)):
            with self.subTest(reads_on=reads_on, size=size):
                stream = self.stream(self.path)
                stream.some(size)
                self.more += 1
                self.keys.put(f"d/new-{self.more}", "")
                self.mounted.settle()
                deadline = Deadline("the listing is kept")
                if reads_on:
                    stream.rest(size)
                else:
                    while self.listings_asked():
                        deadline.pause()
                self.assert_kept_soon()
                self.keys.put("d/stays-7", "")
                self.mounted.settle()


class Transactions(ListingTest):
    """Who is woken by the first event of a revision sees all of it, and nothing else:
    names, kinds and values, in directories of any depth."""

    NAMES = [f"{directory}{name}" for directory in ("", "a/", "a/b/", "a/b/c/", "e/f/g/h/", "e/")
             for name in ("x", "y", "z")] + ["a", "a/b", "e/f/g"]

    def expected(self, state):
        """{path: value}, None for a directory."""
        found = {}
        for path, key in paths(name.encode() for name in state).items():
            found[b"/".join(path).decode()] = state[key.decode()].encode()
            for depth in range(1, len(path)):
                found[b"/".join(path[:depth]).decode()] = None
        return found

    def shown(self, path="", found=None):
        found = {} if found is None else found
        for entry in os.scandir(self.mounted.join(path)):
            name = os.path.join(path, entry.name)
            if entry.name == TICKS:
                continue
            if entry.is_dir():
                found[name] = None
                self.shown(name, found)
            else:
                found[name] = self.mounted.read(name)
        return found

    def change(self, rand, number):
        """A transaction, and the state after it."""
        changed = rand.sample(self.NAMES, rand.randint(1, 12))
        gone = [name for name in changed if name in self.state and rand.random() < 0.6]
        puts = {name: f"{number} of {name}" for name in changed if name not in gone}
        self.keys.txn(puts, gone)
        self.state = {name: value for name, value in self.state.items() if name not in gone} | puts

    def watch_all(self):
        watcher = inotify.Watcher()
        mask = inotify.CREATE | inotify.DELETE | inotify.MODIFY | inotify.CLOSE_WRITE
        for name, value in [("", None), *self.shown().items()]:
            if value is None:
                watcher.add(self.mounted.join(name), mask)
        return watcher

    def test_at_the_first_event(self):
        rand = random.Random(2)
        self.state = {}
        self.mounted = self.mount()
        for number in range(times(100, slow=30)):
            watcher = self.watch_all()
            self.change(rand, number)
            watcher.until(lambda event: not event.name or event.name != os.fsencode(TICKS))
            expected = self.expected(self.state)
            # By name first: a listing would show the kernel what has changed.
            values = {name: value for name, value in expected.items() if value is not None}
            self.assertEqual(values, {name: self.mounted.read(name) for name in values})
            self.assertEqual(expected, self.shown())
            watcher.close()
            self.mounted.settle()

    def test_a_directory_that_goes_and_comes(self):
        """In one revision: all of its keys go, and others come."""
        self.keys.txn({"d/s/0": "0", "d/0": "0"})
        self.mounted = self.mount()
        for number in range(1, times(60, slow=20)):
            watcher = inotify.Watcher()
            watcher.add(self.mounted.path, inotify.CREATE | inotify.DELETE)
            watcher.add(self.mounted.join("d"), inotify.CREATE | inotify.DELETE)
            before, now = str(number - 1), str(number)
            self.keys.txn({f"d/s/{now}": now, f"d/{now}": now}, [f"d/s/{before}", f"d/{before}"])
            watcher.next()
            self.assertEqual({"d": None, "d/s": None, f"d/{now}": now.encode(),
                              f"d/s/{now}": now.encode()}, self.shown())
            watcher.close()
            self.mounted.settle()


class Vanished(ListingTest):
    """A directory that goes while somebody is in it: as on tmpfs."""

    def setUp(self):
        super().setUp()
        self.local = self.tmpfs()
        os.makedirs(os.path.join(self.local, "a", "d"))
        for name in self.fill("a/d/f{}", 300):
            with open(os.path.join(self.local, "a", "d", name), "wb"):
                pass
        self.mounted = self.mount()

    def remove(self, top):
        """All there is in a/d, so a/d and a; of etcd in one revision."""
        if top == self.mounted.path:
            self.keys.etcd.delete_prefix(self.keys.full("a/"))
            self.mounted.settle()
        else:
            for name in os.listdir(os.path.join(top, "a", "d")):
                os.unlink(os.path.join(top, "a", "d", name))
            os.rmdir(os.path.join(top, "a", "d"))
            os.rmdir(os.path.join(top, "a"))

    def again(self, top):
        if top == self.mounted.path:
            self.keys.put("a/d/f", "")
            self.mounted.settle()
        else:
            os.makedirs(os.path.join(top, "a", "d"))
            with open(os.path.join(top, "a", "d", "f"), "wb"):
                pass

    @staticmethod
    def outcome(function, *args):
        try:
            return function(*args)
        except OSError as error:
            return type(error)

    def of_streams(self, top):
        path = os.path.join(top, "a", "d")
        unread, begun, ended = (self.stream(path) for _ in range(3))
        above = self.stream(os.path.dirname(path))
        begun.some()
        ended.rest()
        self.remove(top)
        found = []
        for _ in range(2):
            for stream in (unread, begun, ended, above):
                found += [self.outcome(stream.some), self.outcome(os.listdir, stream.fd),
                          os.fstat(stream.fd).st_nlink]
            found.append(self.outcome(os.listdir, path))
            if not os.path.exists(path):
                self.again(top)
        return found

    def test_by_streams(self):
        self.assertEqual(self.of_streams(self.local), self.of_streams(self.mounted.path))

    def of_watches(self, top, which):
        """How often the watches on the directories WHICH are told of their end."""
        watcher = self.watcher()
        watches = {watcher.add(os.path.join(top, path)): path for path in which}
        mark = self.tmpfs()
        watcher.add(mark, inotify.CREATE)
        self.remove(top)
        os.mkdir(os.path.join(mark, "mark"))
        told = collections.Counter()
        for event in watcher.until(lambda event: event.name == b"mark")[:-1]:
            if "DELETE_SELF" in str(event) or str(event) in ("IGNORED", "DELETE,ISDIR d"):
                told[watches[event.wd], str(event)] += 1
        return told

    def test_by_who_watches(self):
        for which in (["a/d"], ["a"], ["a", "a/d"]):
            with self.subTest(which):
                self.assertEqual(self.of_watches(self.local, which),
                                 self.of_watches(self.mounted.path, which))
            self.again(self.mounted.path)
            self.again(self.local)

    def of_cwd(self, top):
        """What ls says in a directory that is gone."""
        path = os.path.join(top, "a", "d")
        shell = subprocess.Popen(["bash"], cwd=path, text=True, stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        shell.stdin.write("ls | wc -l; echo\n")
        shell.stdin.flush()
        found = [shell.stdout.readline(), shell.stdout.readline()]
        self.remove(top)
        output, _ = shell.communicate(
            "ls; ls -a; echo *; cat f1; find .; stat -c %h .; ls ..; true\n", timeout=LIMIT)
        return found + [output.replace(top, "TOP"), shell.returncode]

    def test_by_who_is_in_it(self):
        self.assertEqual(self.of_cwd(self.local), self.of_cwd(self.mounted.path))


if __name__ == "__main__":
    case.main()
