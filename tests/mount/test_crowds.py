#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Many watches, many descriptors and mappings of old revisions, many readers, and a
watcher that does not read: each gets what is its own, and nobody waits for the others."""

import collections
import contextlib
import ctypes
import itertools
import mmap
import os
import resource
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import case  # noqa: E402
import inotify  # noqa: E402
from wait import LONG, SLOW, Deadline, times  # noqa: E402

# How many of whatever a test is about: two events of each fit into an inotify queue.
MANY = 8000 if LONG else times(500, slow=60)
# Threads of the daemon that do not answer requests, and libfuse's that do, at most.
THREADS_MAX = 30


def sysctl(name):
    with open(f"/proc/sys/{name}", encoding="ascii") as file:
        return int(file.read())


class Crowd(case.MountTest):
    def setUp(self):
        super().setUp()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        if hard < MANY + 200:
            self.skipTest(f"RLIMIT_NOFILE is {hard}")

    def until_all_is_told(self, mount):
        mount.settle()  # what is being told at this moment is not pending any more
        deadline = Deadline("nothing is pending")
        while mount.status()["announcements"]["pending"]:
            deadline.pause()
        mount.settle()
        self.assertEqual(0, mount.status()["announcements"]["untold"])

    @staticmethod
    def say(mount, what):
        print(f"# {what}: {mount.process_status('VmRSS') // 1024} MiB, "
              f"{mount.process_status('Threads')} threads", flush=True)


class Watches(Crowd):
    def setUp(self):
        super().setUp()
        if sysctl("fs/inotify/max_user_watches") < MANY + 100:
            self.skipTest("too few inotify watches are allowed")
        self.names = [f"{i:05}" for i in range(MANY)]
        self.keys.fill((f"d/{name}", "0") for name in self.names)
        self.mounted = self.mount()

    def update(self, value):
        self.keys.fill((f"d/{name}", value) for name in self.names)
        self.mounted.settle()

    def assert_each_once(self, instances):
        """INSTANCES share the watches on all files.  Each file is changed twice: in the
        second round those watches are on older inodes."""
        watchers = [self.watcher() for _ in range(instances)]
        expected = collections.Counter()
        for name, watcher in zip(self.names, itertools.cycle(watchers)):
            expected[watcher, watcher.add(self.mounted.join("d", name), inotify.MODIFY)] = 1
        for value in "1", "2":
            self.update(value)
            self.until_all_is_told(self.mounted)
            told = collections.Counter((watcher, event.wd) for watcher in watchers
                                       for event in self.waiting(watcher))
            self.assertEqual(collections.Counter(), told - expected, "told more than once")
            self.assertEqual(0, (expected - told).total(), "not told")
        self.keys.etcd.delete_prefix(self.keys.full("d/"))
        self.until_all_is_told(self.mounted)
        gone = collections.Counter((watcher, event.wd) for watcher in watchers
                                   for event in self.waiting(watcher))
        self.assertEqual(expected, gone, "IGNORED, the end of each")

    @staticmethod
    def waiting(watcher):
        """The events that have come."""
        events = []
        while watcher.ready(0):
            events.append(watcher.next())
        return events

    def test_of_one_instance(self):
        self.assert_each_once(1)

    def test_of_many_instances(self):
        self.assert_each_once(min(50, sysctl("fs/inotify/max_user_instances") // 2))

    def test_a_reader_that_does_not_read(self):
        """Its queue overflows.  Who reads loses nothing, and the daemon does not wait."""
        limit = sysctl("fs/inotify/max_queued_events")
        if limit > 100000:
            self.skipTest(f"the queue takes {limit} events")
        idle, reader = self.watcher(), self.watcher()
        idle.add(self.mounted.join("d"), inotify.ALL)
        reader.add(self.mounted.join("d"), inotify.CLOSE_WRITE)
        heard = collections.Counter()
        rounds = limit // (3 * MANY) + 1
        for value in range(rounds):
            self.update(str(value))
            heard.update(event.name.decode() for event in self.waiting(reader))
        self.assertEqual(collections.Counter(dict.fromkeys(self.names, rounds)), heard)
        events = self.waiting(idle)
        self.assertEqual(limit + 1, len(events))
        self.assertTrue(events[-1].mask & inotify.Q_OVERFLOW)
        self.keys.put("d/afterwards", "")
        idle.until_closed("afterwards")
        self.say(self.mounted, f"after {3 * rounds * MANY} events")

    def test_directories(self):
        """Each open and watched: a change in each, and the end of all."""
        self.keys.fill((f"e/{name}/key", "0") for name in self.names)
        self.mounted.settle()
        watcher = self.watcher()
        held = [os.open(self.mounted.join("e", name), os.O_RDONLY | os.O_DIRECTORY)
                for name in self.names]
        try:
            expected = {watcher.add(f"/proc/self/fd/{fd}", inotify.MODIFY | inotify.DELETE
                                    | inotify.DELETE_SELF) for fd in held}
            self.keys.fill((f"e/{name}/key", "1") for name in self.names)
            self.mounted.settle()
            told = collections.Counter(event.wd for event in self.waiting(watcher))
            self.assertEqual(collections.Counter(expected), told)
            self.keys.etcd.delete_prefix(self.keys.full("e/"))
            self.mounted.settle()
            self.assertEqual({()}, {tuple(os.listdir(fd)) for fd in held})
            told = collections.Counter(event.wd for event in self.waiting(watcher))
            self.assertEqual(collections.Counter(expected), told, "DELETE key")
        finally:
            for fd in held:
                os.close(fd)
        told = collections.Counter(event.wd for event in self.waiting(watcher)
                                   if event.mask & inotify.DELETE_SELF)
        self.assertEqual(collections.Counter(expected), told, "once nobody holds it")


class Revisions(Crowd):
    """Of one key, each held by somebody."""

    def setUp(self):
        super().setUp()
        self.keys.put("f", "none")
        self.keys.put("other", "0")
        self.mounted = self.mount()
        self.held = []
        self.addCleanup(self.release)
        self.names = self.watcher()  # what changes in the directory
        self.names.add(self.mounted.path, inotify.CLOSE_WRITE)
        for number in range(MANY):
            self.put(number)
            self.held.append(self.hold())
        self.until_all_is_told(self.mounted)
        self.say(self.mounted, f"{MANY} revisions held")

    def put(self, value):
        """Returns when it is there and was told."""
        self.keys.put("f", str(value))
        self.names.until_closed("f")

    def hold(self):
        return os.open(self.mounted.join("f"), os.O_RDONLY)

    def release(self):
        while self.held:
            os.close(self.held.pop())

    def watch(self, watcher, held, mask):
        return watcher.add(f"/proc/self/fd/{held}", mask)

    def test_each_reads_its_own(self):
        def wrong():
            return [number for number, fd in enumerate(self.held)
                    if os.pread(fd, 100, 0) != b"%d" % number]
        self.assertEqual([], wrong())
        self.keys.put("f", "new")
        self.keys.delete("f")
        self.until_all_is_told(self.mounted)
        self.assertEqual([], wrong())
        self.assertGreaterEqual(self.mounted.status()["inodes"]["known"], MANY)
        self.release()
        deadline = Deadline("the inodes are forgotten")
        while self.mounted.status()["inodes"]["known"] > 20:
            deadline.pause()

    def test_the_oldest_is_told_of_the_last_change(self):
        """Of each or of fewer, but of the last, and of the end."""
        watcher = self.watcher()
        oldest = self.watch(watcher, self.held[0], inotify.CHANGES)
        updates = 50
        for number in range(updates):
            self.keys.put("f", f"update {number}")
        last = b"update %d" % (updates - 1)
        modified = 0
        while True:
            watcher.until(lambda event: event.mask & inotify.CLOSE_WRITE)
            modified += 1
            if self.mounted.read("f") == last:
                break
        self.until_all_is_told(self.mounted)
        while watcher.ready(0):
            modified += bool(watcher.next().mask & inotify.CLOSE_WRITE)
        self.assertLessEqual(modified, updates)
        self.keys.delete("f")
        self.until_all_is_told(self.mounted)
        self.release()  # on any filesystem the end is told when nobody has it open
        told = watcher.until(lambda event: event.mask & inotify.IGNORED)
        self.assertEqual({oldest}, {event.wd for event in told})
        self.assertIn("DELETE_SELF", inotify.transcript(told))

    def test_watches_alone(self):
        """No descriptor: a watch keeps its inode, and the end is told at once."""
        watcher = self.watcher()
        expected = {self.watch(watcher, fd, inotify.MODIFY | inotify.DELETE_SELF)
                    for fd in self.held}
        self.release()
        self.put("new")
        self.until_all_is_told(self.mounted)
        self.assertEqual(collections.Counter(expected), self.told(watcher, inotify.MODIFY))
        self.keys.delete("f")
        self.until_all_is_told(self.mounted)
        self.assertEqual(collections.Counter(expected), self.told(watcher, inotify.DELETE_SELF))

    @staticmethod
    def told(watcher, mask):
        told = collections.Counter()
        while watcher.ready(0):
            event = watcher.next()
            told[event.wd] += bool(event.mask & mask)
        return +told

    def test_another_key_does_not_wait(self):
        """It changes in the same transaction, and is told after a few of the older inodes;
        then while the rest of them are told."""
        watcher = self.watcher()
        older = {self.watch(watcher, fd, inotify.CLOSE_WRITE) for fd in self.held}
        watcher.add(self.mounted.path, inotify.CLOSE_WRITE)

        def told_before_other():
            """How many of the older were told until the other key was."""
            return sum(event.wd in older for event in watcher.until_closed("other"))
        self.keys.txn({"f": "new", "other": "1"})
        first = told_before_other()
        self.assertLess(first, MANY // 2)
        self.keys.put("other", "2")
        second = told_before_other()
        if LONG:  # else they may all be told before this put is there
            self.assertLess(first + second, MANY)
        self.until_all_is_told(self.mounted)
        rest = self.told(watcher, inotify.CLOSE_WRITE).total()
        self.say(self.mounted, f"told: {first}, the other key, {second}, the other key, {rest}")
        self.assertEqual(MANY, first + second + rest)

    def test_no_change_is_told_twice(self):
        watcher = self.watcher()
        older = {self.watch(watcher, fd, inotify.CLOSE_WRITE) for fd in self.held}
        told = collections.Counter()
        updates = 5
        for number in range(updates):
            self.put(f"update {number}")
            told += self.told(watcher, inotify.CLOSE_WRITE)
        self.until_all_is_told(self.mounted)
        told += self.told(watcher, inotify.CLOSE_WRITE)
        self.assertEqual(older, set(told))
        self.assertLessEqual(max(told.values()), updates)


class Mappings(Crowd):
    def test_of_old_revisions(self):
        """Made one after the other and first looked into when all are old; the pages of
        each come from the daemon then."""
        libc = ctypes.CDLL(None, use_errno=True)
        libc.mmap.restype = ctypes.c_void_p
        libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int,
                              ctypes.c_int, ctypes.c_long]
        libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
        if sysctl("vm/max_map_count") < 2 * MANY:
            self.skipTest("too few mappings are allowed")
        self.keys.put("f", "none")
        mount = self.mount()
        names = self.watcher()
        names.add(mount.path, inotify.CLOSE_WRITE)
        mapped = []
        for number in range(MANY):
            self.keys.put("f", b"%d" % number)
            names.until_closed("f")
            fd = os.open(mount.join("f"), os.O_RDONLY)
            mapped.append(libc.mmap(None, 1, mmap.PROT_READ, mmap.MAP_SHARED, fd, 0))
            os.close(fd)
        try:
            self.keys.delete("f")
            mount.settle()
            self.assertEqual([], [number for number, at in enumerate(mapped)
                                  if ctypes.string_at(at) != b"%d" % number])
            self.say(mount, f"{MANY} mappings")
        finally:
            for at in mapped:
                libc.munmap(at, 1)


class Readers(Crowd):
    def test_all_at_once(self):
        """1,000 readers of what the kernel has not seen yet.  libfuse starts a thread for
        each request under way, up to a limit."""
        count, each = times(1000, slow=200), 3
        self.keys.fill((f"d/{i}/{j}", f"{i} {j}") for i in range(count) for j in range(each))
        mount = self.mount()
        barrier = threading.Barrier(count)
        trouble = []

        def read(i):
            barrier.wait()
            try:
                for j in range(each):
                    if mount.read("d", str(i), str(j)) != b"%d %d" % (i, j):
                        trouble.append((i, j))
            except OSError as error:
                trouble.append((i, error))
        stack = threading.stack_size(256 * 1024)
        readers = [threading.Thread(target=read, args=(i,)) for i in range(count)]
        for reader in readers:
            reader.start()
        threading.stack_size(stack)
        for reader in readers:
            reader.join()
        self.assertEqual([], trouble)
        self.assertLess(mount.process_status("Threads"), THREADS_MAX)
        self.say(mount, f"after {count} readers at once")


class Memory(Crowd):
    KEYS = 100
    SIZE = 1024

    def round(self, number):
        self.keys.fill((f"d/{i}", b"%08d" % number * (self.SIZE // 8)) for i in range(self.KEYS))

    def test_after_many_updates(self):
        """Each seen by a reader and told to a watcher; the values are let go of."""
        rounds = 1000 if LONG else times(100)
        self.round(0)
        mount = self.mount()
        watcher = self.watcher()
        watcher.add(mount.join("d"), inotify.CLOSE_WRITE)
        before = 0
        for number in range(1, rounds + 1):
            self.round(number)
            with contextlib.ExitStack() as seen:
                for i in range(0, self.KEYS, 10):
                    seen.enter_context(open(mount.join("d", str(i)), "rb")).read()
                watcher.until_closed(str(self.KEYS - 1))
            if number == rounds // 10:
                before = mount.process_status("VmRSS")
        self.until_all_is_told(mount)
        grown = (mount.process_status("VmRSS") - before) // 1024
        self.say(mount, f"{rounds * self.KEYS} updates, {grown} MiB grown after the first tenth")
        if not SLOW:  # a sanitizer keeps what was freed
            self.assertLess(grown, 16)
        self.assertEqual(self.KEYS * self.SIZE, mount.status()["value_bytes"] - len("0"))


if __name__ == "__main__":
    case.main()
