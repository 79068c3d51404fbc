#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Races with one way to go (stall.py): somebody is in the middle of something when a
name is invalidated and announced.  And what holds on to a name that goes: working
directories, descriptors, what somebody mounted on top."""

import contextlib
import ctypes
import errno
import mmap
import multiprocessing
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import case  # noqa: E402
import inotify  # noqa: E402
import stall  # noqa: E402
from etcd import Keys  # noqa: E402
from mount import mounts  # noqa: E402
from wait import Deadline  # noqa: E402

CREATED = ["CREATE", "MODIFY", "CLOSE_WRITE"]
MODIFIED = ["MODIFY", "CLOSE_WRITE"]
SIZE = 64 * stall.PAGE


def kind(path):
    """Its value, or what is in it, or None: nothing is there."""
    try:
        if os.path.isdir(path):
            return sorted(os.listdir(path))
        with open(path, "rb") as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError):
        return None


class InFlight(case.MountTest):
    ARGS = "--dial-timeout", "20s"  # there are many mounts here, and the machine is busy

    def setUp(self):
        super().setUp()
        self.keys.txn({"d/f": "1", "d/stays": "here", "other/f": "1", "d/turns": "1",
                       "d/turns/x": "1"})
        self.mounted = self.mount(*self.ARGS)
        self.mounted.settle()
        # Somebody may drop the kernel's caches; what is open stays in them.
        self.keep(self.mounted.join("d"))

    def keep(self, path):
        """A descriptor of PATH until the test ends."""
        fd = os.open(path, os.O_RDONLY)
        self.addCleanup(os.close, fd)
        return fd

    def watch(self, *names):
        watcher = self.watcher()
        watcher.add(self.mounted.join(*names), inotify.CHANGES)
        return watcher

    def wait_for_announcer(self):
        """Until it waits for the directory that somebody holds."""
        pid = self.mounted.process.pid
        tid = stall.thread_named(pid, "announcer")
        stall.until(lambda: stall.state(tid, pid) == "D", "the announcer waits for a lock")

    def assert_told(self, expected, watcher):
        told = self.told(watcher, "d/mark")
        self.assertEqual(expected, told)
        self.assertEqual(0, self.mounted.status()["announcements"]["untold"])
        self.mounted.settle()
        self.assert_shows_etcd(self.mounted)


class LookedUpTooEarly(InFlight):
    """The entry is invalidated; and before it is announced, somebody looks it up."""

    def setUp(self):
        super().setUp()
        directory = os.path.join(self.directory, "slow")
        os.mkdir(directory)
        keys = Keys(self.keys.etcd, f"/slow{self.keys.prefix.decode()}")
        keys.put(stall.Gate.KEY, stall.Gate.VALUE)
        self.gate = stall.Gate(self.mount(*self.ARGS, keys=keys, directory=directory))
        self.addCleanup(self.gate.open)

    def race(self, change, name, told):
        """What all three see who look up NAME in the queue behind the announcer, who
        wants to invalidate what CHANGE touched.  Nobody has looked it up before: else
        they would find it without waiting."""
        watcher = self.watch("d")
        self.gate.close(self.mounted.join("d"))
        change()
        self.wait_for_announcer()
        looks = [stall.Doing(kind, self.mounted.join("d", name)) for _ in range(3)]
        for look in looks:
            look.until_locked_out()
        self.gate.open()
        first, *others = [look.result() for look in looks]
        self.assertEqual([first, first], others)
        self.assert_told({name: told}, watcher)
        return first

    def test_a_new_key(self):
        self.assertEqual(b"1", self.race(lambda: self.keys.put("d/new", "1"), "new", CREATED))

    def test_a_new_key_again_and_again(self):
        for i in range(10):
            self.assertEqual(b"1", self.race(lambda i=i: self.keys.put(f"d/new{i}", "1"),
                                             f"new{i}", CREATED))

    def test_a_new_directory(self):
        self.assertEqual(["x"], self.race(lambda: self.keys.put("d/new/x", "1"), "new",
                                          ["CREATE,ISDIR"]))

    def test_a_replaced_key(self):
        self.assertEqual(b"2", self.race(lambda: self.keys.put("d/f", "2"), "f", MODIFIED))

    def test_a_key_that_goes(self):
        self.assertIsNone(self.race(lambda: self.keys.delete("d/f"), "f", ["DELETE"]))

    def test_a_directory_that_goes(self):
        self.assertIsNone(self.race(lambda: self.keys.txn({}, ["d/turns", "d/turns/x"]), "turns",
                                    ["DELETE,ISDIR"]))

    def test_a_key_that_goes_and_comes_again(self):
        def change():
            self.keys.delete("d/f")
            self.keys.put("d/f", "2")
        self.assertEqual(b"2", self.race(change, "f", ["DELETE", *CREATED]))

    def test_a_key_that_turns_into_a_directory(self):
        self.assertEqual([".value", "x"], self.race(lambda: self.keys.put("d/f/x", "1"), "f",
                                                    ["DELETE", "CREATE,ISDIR"]))

    def test_a_directory_that_turns_into_a_key(self):
        self.assertEqual(b"1", self.race(lambda: self.keys.delete("d/turns/x"), "turns",
                                         ["DELETE,ISDIR", *CREATED]))

    def test_others_are_served(self):
        """The announcer waits for who holds the directory; nobody else does, who
        knows the name already or looks elsewhere."""
        self.keep(self.mounted.join("d", "stays"))
        self.gate.close(self.mounted.join("d"))
        self.keys.put("d/new", "1")
        self.wait_for_announcer()
        for expected, *call in ((b"here", self.mounted.read, "d", "stays"),
                                (["f"], self.mounted.list, "other"),
                                (b"1", self.mounted.read, "other", "f")):
            self.assertEqual(expected, stall.Doing(*call).result())
        status = stall.Doing(self.mounted.status).result()
        self.assertEqual(1, status["announcements"]["pending"])

    def test_terminated(self):
        self.gate.close(self.mounted.join("d"))
        self.keys.put("d/new", "1")
        self.wait_for_announcer()
        look = stall.Doing(kind, self.mounted.join("d", "new"))
        look.until_locked_out()
        self.mounted.terminate()
        self.gate.open()
        with contextlib.suppress(OSError):
            look.result()
        self.assertEqual(0, self.mounted.wait_end())


class Asked(InFlight):
    """The kernel has asked, and is answered only when the announcer is at work.  A
    single thread answers: it must not need the announcer."""

    ARGS = *InFlight.ARGS, "-s"

    def setUp(self):
        super().setUp()
        self.assertEqual(["f"], self.mounted.list("other"))  # no OPENDIR from here on
        self.frozen = stall.Freeze(self.mounted)
        self.addCleanup(self.frozen.open)

    def race(self, change, function, *args):
        """What FUNCTION returns, which has asked before CHANGE and is answered after
        the announcer had to wait, too."""
        self.frozen.close()
        doing = stall.Doing(function, *args)
        doing.until_asked()
        change()
        self.wait_for_announcer()
        self.frozen.open()
        return doing.result()

    def test_for_a_new_key(self):
        watcher = self.watch("d")
        self.assertEqual(b"1", self.race(lambda: self.keys.put("d/new", "1"),
                                         kind, self.mounted.join("d", "new")))
        self.assert_told({"new": CREATED}, watcher)

    def test_for_a_replaced_key(self):
        watcher = self.watch("d")
        self.assertEqual(b"2", self.race(lambda: self.keys.put("d/f", "2"),
                                         kind, self.mounted.join("d", "f")))
        self.assert_told({"f": MODIFIED}, watcher)

    def test_for_a_key_that_goes(self):
        watcher = self.watch("d")
        self.assertIsNone(self.race(lambda: self.keys.delete("d/f"),
                                    kind, self.mounted.join("d", "f")))
        self.assert_told({"f": ["DELETE"]}, watcher)

    def test_for_a_directory_that_turns_into_a_key(self):
        watcher = self.watch("d")
        self.assertEqual(b"1", self.race(lambda: self.keys.delete("d/turns/x"),
                                         kind, self.mounted.join("d", "turns")))
        self.assert_told({"turns": ["DELETE,ISDIR", *CREATED]}, watcher)

    def test_for_a_listing(self):
        """Whoever is told of a new key lists it, whatever was listed just before."""
        watcher = self.watch("d")
        path = self.mounted.join("d")
        listed = self.race(lambda: self.keys.put("d/new", "1"), os.listdir, path)
        self.assertLessEqual({"f", "stays", "turns"}, set(listed))
        watcher.until_closed("new")
        self.assertEqual(["f", "new", "stays", "turns"], sorted(os.listdir(path)))

    def open_big(self):
        """A value of which no page has been read."""
        self.keys.put("d/big", b"a" * SIZE)
        self.mounted.settle()
        return self.keep(self.mounted.join("d", "big"))

    def while_announced(self, change, function, *args):
        """As race; but a read holds no directory, so the announcer waits for its own
        request."""
        self.frozen.close()
        doing = stall.Doing(function, *args)
        doing.until_asked()
        change()
        pid = self.mounted.process.pid
        stall.until_asked(stall.thread_named(pid, "announcer"), pid)
        self.frozen.open()
        return doing.result()

    def read_while(self, change, events):
        """Each way of reading, each by a descriptor of its own."""
        for way in (self.by_read, self.by_fault):
            with self.subTest(way=way.__name__):
                fd = self.open_big()
                watcher = self.watch("d")
                self.assertEqual(b"a" * SIZE, self.while_announced(change, way, fd))
                self.assert_told({"big": events}, watcher)

    @staticmethod
    def by_read(fd):
        return os.pread(fd, SIZE, 0)

    @staticmethod
    def by_fault(fd):
        with mmap.mmap(fd, SIZE, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE) as mapped:
            start = ctypes.c_char.from_buffer(mapped)
            page = ctypes.create_string_buffer(stall.PAGE)
            # A plain access would keep the interpreter's lock, and with it everybody.
            ctypes.memmove(page, ctypes.addressof(start), stall.PAGE)
            del start
            return mapped[:]

    def test_for_pages_of_a_key_that_is_replaced(self):
        self.read_while(lambda: self.keys.put("d/big", b"b" * SIZE), MODIFIED)

    def test_for_pages_of_a_key_that_goes(self):
        self.read_while(lambda: self.keys.delete("d/big"), ["DELETE"])

    def test_and_terminated(self):
        self.frozen.close()
        look = stall.Doing(kind, self.mounted.join("d", "new"))
        look.until_asked()
        self.keys.put("d/new", "1")
        self.wait_for_announcer()
        self.mounted.terminate()
        self.frozen.open()
        with contextlib.suppress(OSError):
            look.result()
        self.assertEqual(0, self.mounted.wait_end())


def in_directory(path, orders, answers):
    """Goes to PATH, and does what it is told there."""
    os.chdir(path)
    answers.put("there")
    for function, *args in iter(orders.get, None):
        try:
            answers.put(function(*args))
        except OSError as error:
            answers.put(errno.errorcode[error.errno])


class Held(InFlight):
    """Somebody's working directory and descriptors, whose names go."""

    def setUp(self):
        super().setUp()
        self.orders, self.answers = multiprocessing.Queue(), multiprocessing.Queue()
        process = multiprocessing.Process(
            target=in_directory, args=(self.mounted.join("d", "turns"), self.orders, self.answers))
        process.start()
        self.addCleanup(process.join)
        self.addCleanup(self.orders.put, None)
        self.assertEqual("there", self.answer())
        self.fd = self.keep(self.mounted.join("d", "turns"))

    def answer(self):
        return self.answers.get(timeout=Deadline("an answer").left())

    def there(self, function, *args):
        self.orders.put((function, *args))
        return self.answer()

    def assert_here(self, names, **values):
        """What both find in the directory that they hold, and by what path."""
        path = self.mounted.join("d", "turns")
        self.assertEqual(path if names else "ENOENT", self.there(os.getcwd))
        self.assertEqual(names, sorted(self.there(os.listdir, ".")))
        self.assertEqual(names, sorted(os.listdir(self.fd)))
        for name, value in values.items():
            self.assertEqual(value, self.there(kind, name))
            self.assertEqual(value, kind(f"/proc/self/fd/{self.fd}/{name}"))

    def test_what_is_in_it_changes(self):
        self.assert_here([".value", "x"], x=b"1", y=None)
        self.keys.txn({"d/turns/y": "2", "d/turns/x": "2"})
        self.mounted.settle()
        self.assert_here([".value", "x", "y"], x=b"2", y=b"2")
        self.keys.txn({}, ["d/turns/x"])
        self.mounted.settle()
        self.assert_here([".value", "y"], x=None, y=b"2")

    def test_it_goes_and_comes_again(self):
        """Again is another one, as on a disk; who is in the old one finds nothing."""
        watcher = self.watch("d")
        for value in range(5):
            self.keys.txn({}, ["d/turns", "d/turns/x"])
            self.mounted.settle()
            self.assert_here([], x=None)
            self.keys.put("d/turns/x", f"{value}")
            self.mounted.settle()
            self.assert_here([], x=None)
            self.assertEqual(f"{value}".encode(), self.mounted.read("d", "turns", "x"))
        self.assert_told({"turns": ["DELETE,ISDIR", "CREATE,ISDIR"] * 5}, watcher)
        self.assertEqual("ENOENT", self.there(os.getcwd))

    def test_it_turns_into_a_key_and_back(self):
        watcher = self.watch("d")
        held = []
        for value in range(5):
            self.keys.delete("d/turns/x")
            self.mounted.settle()
            self.assert_here([], x=None)
            held.append(open(self.mounted.join("d", "turns"), "rb"))
            self.addCleanup(held[-1].close)
            self.keys.txn({"d/turns": f"{value}", "d/turns/x": f"{value}"})
            self.mounted.settle()
            self.assert_here([], x=None)
            self.assertEqual([".value", "x"], self.mounted.list("d", "turns"))
        self.assert_told({"turns": ["DELETE,ISDIR", *CREATED, "DELETE", "CREATE,ISDIR"] * 5},
                         watcher)
        self.assertEqual([b"1", b"0", b"1", b"2", b"3"], [file.read() for file in held])


class MountedOnTop(InFlight):
    """What somebody mounted on a name goes with the entry; the daemon stays well."""

    def on_top(self, name, *args):
        path = self.mounted.join(*name.split("/"))
        subprocess.run(["mount", *args, path], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", path], check=False, capture_output=True)
        return path

    def are_mounted(self, *paths):
        points = [point for point, _, _ in mounts()]
        return [path in points for path in paths]

    @case.privileged_only("mount is root's")
    def test_a_file(self):
        watcher = self.watch("d")
        for change, value, events in (
                (lambda: self.keys.put("d/f", "2"), b"2", MODIFIED),
                (lambda: self.keys.delete("d/f"), None, ["DELETE"]),
                (lambda: self.keys.put("d/f", "3"), b"3", CREATED),
                (lambda: self.keys.put("d/f/x", "3"), [".value", "x"],
                 ["DELETE", "CREATE,ISDIR"])):
            path = self.mounted.join("d", "f")
            if kind(path) is not None:
                self.on_top("d/f", "--bind", self.program())
                self.assertEqual([True], self.are_mounted(path))
            change()
            self.mounted.settle()
            self.assertEqual([False], self.are_mounted(path))
            self.assertEqual(value, kind(path))
            self.assert_told({"f": events}, watcher)

    @case.privileged_only("mount is root's")
    def test_a_directory(self):
        """It stays while the directory does, whose changes are told below it."""
        watcher = self.watch("d")
        below = self.watch("d", "turns")
        path = self.on_top("d/turns", "-t", "tmpfs", "none")
        with open(os.path.join(path, "held"), "w+b") as held:
            self.keys.txn({"d/turns/x": "2", "d/turns/y": "2"})
            self.mounted.settle()
            self.assertEqual(["held"], os.listdir(path))
            self.assertEqual([*(f"{event} x" for event in MODIFIED),
                              *(f"{event} y" for event in CREATED)],
                             inotify.transcript(below.until_closed("y")))
            self.keys.txn({}, ["d/turns/x", "d/turns/y"])
            self.mounted.settle()
            self.assertEqual([False], self.are_mounted(path))
            self.assertEqual(b"1", kind(path))
            held.write(b"goes on")
        self.assert_told({"turns": ["DELETE,ISDIR", *CREATED]}, watcher)

    @case.privileged_only("mount is root's")
    def test_below_a_directory_that_goes(self):
        watcher = self.watch("d")
        paths = [self.on_top("d/turns/x", "--bind", self.program()),
                 self.on_top("d/turns", "-t", "tmpfs", "none")]
        self.keys.txn({}, ["d/turns", "d/turns/x"])
        self.mounted.settle()
        self.assertEqual([False, False], self.are_mounted(*paths))
        self.assert_told({"turns": ["DELETE,ISDIR"]}, watcher)


if __name__ == "__main__":
    case.main()
