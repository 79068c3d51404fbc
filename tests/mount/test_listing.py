#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Directories that change while they are listed: a name that is there throughout is
listed once, whoever reads how, and a listing that begins after a change's event shows
all of the change, whatever the kernel had kept of the listing before.

ETCDFS_LONG=1: directories of 200,000 entries, not of 20,000 alone.
"""

import collections
import ctypes
import itertools
import os
import random
import re
import stat
import struct
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import case  # noqa: E402
import inotify  # noqa: E402
from mount import TICKS  # noqa: E402
from paths import paths  # noqa: E402
from wait import LIMIT, times  # noqa: E402

LONG = os.environ.get("ETCDFS_LONG", "0") not in ("", "0")

# What one revision may hold in an etcd of our own.
TXN = 5000

Entry = collections.namedtuple("Entry", "name ino offset kind")

KINDS = {stat.S_IFDIR: 4, stat.S_IFREG: 8}

_libc = ctypes.CDLL(None, use_errno=True)
_DIRENT = struct.Struct("=QqHB")


class Stream:
    """An open directory, read by the system call itself.  No offset comes twice, so no
    stream is without end."""

    def __init__(self, path):
        self.fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        self._seen = set()

    def close(self):
        os.close(self.fd)

    def some(self, size=1024):
        """The entries that SIZE bytes can hold; none at the end."""
        buffer = ctypes.create_string_buffer(size)
        length = _libc.getdents64(self.fd, buffer, ctypes.c_size_t(size))
        if length < 0:
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error))
        data = buffer[:length]
        found = []
        at = 0
        while at < length:
            ino, offset, reclen, kind = _DIRENT.unpack_from(data, at)
            name = data[at + _DIRENT.size:at + reclen].split(b"\0", 1)[0]
            found.append(Entry(os.fsdecode(name), ino, offset, kind))
            assert offset not in self._seen, found[-1]
            self._seen.add(offset)
            at += reclen
        return found

    def rest(self, size=1024):
        return list(itertools.chain.from_iterable(iter(lambda: self.some(size), [])))

    def seek(self, offset):
        os.lseek(self.fd, offset, os.SEEK_SET)
        self._seen.clear()


def read_stream(path, size):
    stream = Stream(path)
    try:
        return stream.rest(size)
    finally:
        stream.close()


def names(entries):
    """Without what every directory has, which is there once."""
    found = [entry.name for entry in entries]
    for name in (".", ".."):
        assert found.count(name) == 1, f"{name}: {found.count(name)} times"
        found.remove(name)
    return found


def repeated(found):
    return [name for name, count in collections.Counter(found).items() if count > 1]


class ListingTest(case.MountTest):
    def fill(self, pattern, count):
        """Puts PATTERN, which has a number in it, so many times; returns the names."""
        found = [pattern.format(number) for number in range(count)]
        at_once = TXN if self.etcd else 100
        for start in range(0, count, at_once):
            self.keys.txn(dict.fromkeys(found[start:start + at_once], ""))
        return [os.path.basename(name) for name in found]

    def stream(self, path):
        stream = Stream(path)
        self.addCleanup(stream.close)
        return stream

    def assert_lasting_once(self, lasting, listed):
        """Each name of LASTING is once in LISTED, and nothing twice."""
        self.assertEqual([], repeated(listed))
        missing = set(lasting).difference(listed)
        self.assertEqual([], sorted(missing)[:5], f"{len(missing)} of {len(lasting)} missing")

    def assert_entries_are_true(self, path, entries):
        """Each names what stat finds, and its offset is above the one before."""
        offsets = [entry.offset for entry in entries]
        self.assertEqual(sorted(set(offsets)), offsets)
        for entry in entries:
            found = os.lstat(os.path.join(path, entry.name))
            self.assertEqual((found.st_ino, KINDS[stat.S_IFMT(found.st_mode)]),
                             (entry.ino, entry.kind), entry)


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
        """Somebody has read a part, and then there is a change; he reads on, or not."""
        self.more = 0
        self.start_logging()
        for reads_on in (True, False):
            with self.subTest(reads_on=reads_on):
                stream = self.stream(self.path)
                stream.some()
                self.more += 1
                self.keys.put(f"d/new-{self.more}", "")
                self.mounted.settle()
                if reads_on:
                    stream.rest()
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
            watcher = self.watcher()
            watcher.add(self.mounted.path, inotify.CREATE | inotify.DELETE)
            watcher.add(self.mounted.join("d"), inotify.CREATE | inotify.DELETE)
            before, now = str(number - 1), str(number)
            self.keys.txn({f"d/s/{now}": now, f"d/{now}": now}, [f"d/s/{before}", f"d/{before}"])
            watcher.next()
            self.assertEqual({"d": None, "d/s": None, f"d/{now}": now.encode(),
                              f"d/s/{now}": now.encode()}, self.shown())
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
