#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Issue items 4 and 5: data before events, whole revisions, and no torn read."""

import mmap
import multiprocessing
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import case  # noqa: E402
import inotify  # noqa: E402
from mount import privileged  # noqa: E402
from wait import LIMIT, times  # noqa: E402

SIZE = 256 * 1024
PIECE = 1024


class AfterAnEvent(case.MountTest):
    """Item 4."""

    # A read of our own raises no event that these include.
    MASK = inotify.MODIFY | inotify.CLOSE_WRITE | inotify.CREATE | inotify.DELETE

    def test_the_event_comes_after_the_data(self):
        """10,000 updates, of a user's mount fewer: at the first and at the last event of
        each, the value read at once is the event's."""
        count = times(10000 if privileged() else 2000, slow=500)
        self.keys.put("f", "0")
        mount = self.mount()
        path = mount.join("f")
        watcher = self.watcher()
        watcher.add(mount.path, self.MASK)
        for value in range(1, count + 1):
            self.keys.put("f", str(value))
            for expected in ("MODIFY f", "CLOSE_WRITE f"):
                event = watcher.next()
                with open(path, "rb") as file:
                    read = file.read()
                self.assertEqual(expected, str(event))
                self.assertEqual(str(value).encode(), read)

    def test_unspaced_updates(self):
        """The reader does not hold the writer up.  Each event is of a value that
        was written before it; what is read then is that value or a later one."""
        last = times(5000, slow=500)
        self.keys.put("f", "0")
        mount = self.mount()
        watcher = self.watcher()
        watcher.add(mount.path, self.MASK)

        def write():
            for value in range(1, last + 1):
                self.keys.put("f", str(value))
        writer = threading.Thread(target=write)
        writer.start()
        told = read = 0
        while read < last:
            before = read
            if watcher.next().mask & inotify.CLOSE_WRITE:
                told += 1
            read = int(mount.read("f"))
            self.assertGreaterEqual(read, max(before, told))
        writer.join()

    def transactions(self, expect):
        """200 transactions over 20 keys, those of the second half deleted in
        every other one; EXPECT(mount, value, names) at the first event of each."""
        names = [f"k{i:02}" for i in range(20)]
        self.keys.txn(dict.fromkeys(names, "0"))
        mount = self.mount()
        watcher = self.watcher()
        watcher.add(mount.path, self.MASK)
        expect(mount, 0, names)
        for value in range(1, times(200) + 1):
            puts = names[:10] if value % 2 else names
            self.keys.txn(dict.fromkeys(puts, str(value)), names[10:] if value % 2 else ())
            first = watcher.next()
            self.assertEqual(os.fsencode(names[0]), first.name)
            expect(mount, value, puts)
            self.drain(watcher, names[-1], deleted=value % 2)

    @staticmethod
    def drain(watcher, name, deleted):
        last = inotify.DELETE if deleted else inotify.CLOSE_WRITE
        watcher.until(lambda event: event.mask & last and event.name == os.fsencode(name))

    def test_a_transaction_is_read_whole(self):
        def expect(mount, value, names):
            self.assertEqual({name: str(value).encode() for name in names},
                             {name: mount.read(name) for name in names})
        self.transactions(expect)

    def test_a_transaction_is_listed_whole(self):
        def expect(mount, _, names):
            self.assertEqual(names, mount.list())
        self.transactions(expect)

    def test_a_transaction_is_found_whole(self):
        """By stat alone: what is deleted is gone, what is new is there."""
        every = [f"k{i:02}" for i in range(20)]

        def expect(mount, _, names):
            self.assertEqual(names, [name for name in every if os.path.exists(mount.join(name))])
        self.transactions(expect)

    def test_over_directories(self):
        """The first event's reader sees the new value in another directory."""
        self.keys.txn({"a/f": "0", "b/f": "0"})
        mount = self.mount()
        watcher = self.watcher()
        watcher.add(mount.join("a"), inotify.MODIFY)
        for value in range(1, times(200) + 1):
            self.keys.txn({"a/f": str(value), "b/f": str(value), f"c/{value}": ""})
            watcher.next()
            self.assertEqual(str(value).encode(), mount.read("b", "f"))
            self.assertIn(str(value), mount.list("c"))


def by_read(fd, order):
    os.lseek(fd, 0, os.SEEK_SET)
    for _ in order:
        yield os.read(fd, PIECE)


def by_pread(fd, order):
    for piece in reversed(order):
        yield os.pread(fd, PIECE, piece * PIECE)


def by_mmap(fd, order):
    with mmap.mmap(fd, SIZE, mmap.MAP_SHARED, mmap.PROT_READ) as mapped:
        for piece in order:
            yield mapped[piece * PIECE:(piece + 1) * PIECE]


def by_private_mmap(fd, order):
    with mmap.mmap(fd, SIZE, mmap.MAP_PRIVATE, mmap.PROT_READ) as mapped:
        for piece in order[::2] + order[1::2]:
            yield mapped[piece * PIECE:(piece + 1) * PIECE]


def read_untorn(path, way, rounds, results):
    """Reads PATH so many times; each time waits in the middle until the path has
    another value, so that one half is read before a change and one after."""
    torn = []
    for _ in range(rounds):
        fd = os.open(path, os.O_RDONLY)
        bytes_seen = set()
        total = 0
        for i, piece in enumerate(way(fd, list(range(SIZE // PIECE)))):
            bytes_seen.update(piece)
            total += len(piece)
            while i == SIZE // PIECE // 2 and first_byte(path) in bytes_seen:
                pass
        os.close(fd)
        if len(bytes_seen) != 1 or total != SIZE:
            torn.append((sorted(bytes_seen), total))
    results.put((way.__name__, torn))


def first_byte(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        return os.pread(fd, 1, 0)[0]
    finally:
        os.close(fd)


class NoTornRead(case.MountTest):
    """Item 5."""

    def test_four_readers_of_a_value_that_is_rewritten(self):
        rounds = times(60, slow=8)
        self.keys.put("f", bytes([1]) * SIZE)
        mount = self.mount()
        path = mount.join("f")
        held = os.open(path, os.O_RDONLY)
        self.addCleanup(os.close, held)
        ways = (by_read, by_pread, by_mmap, by_private_mmap)
        results = multiprocessing.Queue()
        readers = [multiprocessing.Process(target=read_untorn, args=(path, way, rounds, results))
                   for way in ways]
        for reader in readers:
            reader.start()
        value = 1
        while any(reader.is_alive() for reader in readers):
            value += 1
            self.keys.put("f", bytes([value % 251 + 1]) * SIZE)
        for reader in readers:
            reader.join()
        self.assertEqual({way.__name__: [] for way in ways},
                         dict(results.get(timeout=LIMIT) for _ in ways))
        self.assertEqual(bytes([1]) * SIZE, os.pread(held, SIZE + 1, 0), "as it was opened")

    def test_an_open_descriptor_keeps_its_value(self):
        """Through replacement and deletion, never read before, of any size."""
        for size in (0, 1, 4095, 4096, 4097, SIZE):
            with self.subTest(size=size):
                name = f"f{size}"
                self.keys.put(name, b"a" * size)
                mount = getattr(self, "mounted", None) or self.mount()
                self.mounted = mount
                mount.settle()
                first = os.open(mount.join(name), os.O_RDONLY)
                self.keys.put(name, b"b" * (size + 1))
                mount.settle()
                second = os.open(mount.join(name), os.O_RDONLY)
                self.keys.delete(name)
                mount.settle()
                self.assertFalse(os.path.exists(mount.join(name)))
                for fd, value in ((first, b"a" * size), (second, b"b" * (size + 1))):
                    self.assertEqual(len(value), os.fstat(fd).st_size)
                    self.assertEqual(value, os.pread(fd, SIZE + 2, 0))
                    self.assertEqual(b"", os.pread(fd, 10, len(value)))
                    self.assertEqual(self.keys.full(name), os.getxattr(fd, "user.etcd.key"))
                    os.close(fd)

    def test_a_mapping_outlives_its_descriptor_and_its_key(self):
        self.keys.put("f", b"a" * SIZE)
        mount = self.mount()
        fd = os.open(mount.join("f"), os.O_RDONLY)
        with mmap.mmap(fd, SIZE, mmap.MAP_SHARED, mmap.PROT_READ) as mapped:
            os.close(fd)
            self.assertEqual(b"a", mapped[:1])
            self.keys.put("f", b"b" * 10)
            mount.settle()
            self.keys.delete("f")
            mount.settle()
            self.assertEqual(b"a" * SIZE, mapped[:])

    def test_an_old_directory_stream_goes_on(self):
        """Names that are there throughout are listed once, though entries come
        and go between two reads of the stream."""
        count = 2000  # more than one request returns
        for start in range(0, count, 100):
            self.keys.txn({f"d/stays-{i:04}": "" for i in range(start, start + 100)})
        mount = self.mount()
        with os.scandir(mount.join("d")) as stream:
            listed = [next(stream).name for _ in range(10)]
            for start in range(0, 500, 100):
                self.keys.txn({f"d/new-{i:04}": "" for i in range(start, start + 100)})
            gone = [f"stays-{i:04}" for i in range(0, count, 20)]
            self.keys.txn(deletes=[f"d/{name}" for name in gone])
            mount.settle()
            listed += [entry.name for entry in stream]
        stays = [f"stays-{i:04}" for i in range(count)]
        self.assertEqual([name for name in stays if name not in gone],
                         sorted(name for name in listed
                                if name.startswith("stays-") and name not in gone))
        self.assertEqual(len(set(listed)), len(listed))


if __name__ == "__main__":
    case.main()
