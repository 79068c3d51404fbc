#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What fanotify's listeners hear: inodes, the filesystem, names; and those who must
allow each open.  As root, who alone may listen."""

import contextlib
import errno
import os
import shutil
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import case  # noqa: E402
import fanotify  # noqa: E402
import inotify  # noqa: E402
from comparison import Comparison, Local  # noqa: E402
from inotify import transcript  # noqa: E402
from mount import TICKS  # noqa: E402
from wait import Deadline, times  # noqa: E402

WRITTEN = fanotify.OPEN | fanotify.MODIFY | fanotify.CLOSE_WRITE


def add_listener(test, *args):
    try:
        listener = fanotify.Listener(*args)
    except OSError as error:
        test.skipTest(f"no fanotify: {error}")
    test.addCleanup(listener.close)
    return listener


def mark_or_skip(test, listener, *mark):
    """EINVAL: the kernel does not know it; ENODEV: not of a filesystem without an id."""
    try:
        listener.mark(*mark)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENODEV, errno.EOPNOTSUPP):
            raise
        test.skipTest(f"no such mark: {error}")


def name_of(event):
    return os.readlink(f"/proc/self/fd/{event.fd}")


class Inodes(Comparison):
    """Marks on directories and files, which hear what tmpfs's hear."""

    def told(self, world, listener):
        """One line for each object, since the kernel may or may not merge its events."""
        world.settle()
        base = world.path if isinstance(world, Local) else f"/{world.directory}"
        masks, shown = {}, {}
        for event in listener.queued():
            name = name_of(event).removeprefix(base)
            masks[name] = masks.get(name, 0) | event.mask
            shown[name] = os.pread(event.fd, 100, 0).decode()
        return [f"{fanotify.Event(mask, -1, 0, None)} {name} {shown[name]}"
                for name, mask in masks.items()]

    def compare_without_modify(self, script, before):
        """The kernel tells MODIFY to descriptors when something is written, but not when
        the attributes change, and nobody writes here."""
        local, remote = map(script, self.both(before))
        self.assertTrue(any("MODIFY" in line for line in local))
        self.assertEqual([line.replace("MODIFY,", "") for line in local], remote)

    def test_a_directory_with_its_files(self):
        def script(world):
            listener = add_listener(self)
            for name in ("", "d"):
                listener.mark(fanotify.INODE, world.join(name), WRITTEN | fanotify.EVENT_ON_CHILD)
            told = []
            for name in ("f", "new", "d/f", "d/new", "f", "e/f"):
                world.put(name, f"{len(told)}")
                told += self.told(world, listener)
                world.settle()
            for name in ("new", "d/new", "f"):
                world.delete(name)
            return told + self.told(world, listener)
        self.compare_without_modify(script, {"f": "x", "d/f": "x", "e/g": "x"})

    def test_a_file(self):
        """The mark stays with the revision it was made on, and so does what it shows."""
        def script(world):
            listener = add_listener(self)
            listener.mark(fanotify.INODE, world.join("f"), WRITTEN)
            told = []
            for value in "23":
                world.put("f", value)
                world.settle()
                for event in listener.queued():
                    told.append(event.mask & ~fanotify.MODIFY)
                    told.append(os.pread(event.fd, 9, 0))
            return told
        local, remote = map(script, self.both({"f": "1"}))
        mask = fanotify.OPEN | fanotify.CLOSE_WRITE
        self.assertEqual([mask, b"2", mask, b"3"], local)
        self.assertEqual([mask, b"1", mask, b"1"], remote)

    def test_each_event_has_its_revision(self):
        """However late it is read."""
        listener = add_listener(self)
        self.keys.put("d/f", "1")
        self.mounted.settle()
        listener.mark(fanotify.INODE, self.mounted.join("d"),
                      fanotify.CLOSE_WRITE | fanotify.EVENT_ON_CHILD)
        revisions = []
        for value in "2345":
            self.keys.put("d/f", value)
            self.mounted.settle()
            with open(self.mounted.join("d/f"), "rb") as file:
                revisions.append(os.getxattr(file.fileno(), "user.etcd.mod_revision"))
        events = listener.queued()
        self.assertEqual([b"2", b"3", b"4", b"5"],
                         [os.pread(event.fd, 100, 0) for event in events])
        self.assertEqual(revisions, [os.getxattr(f"/proc/self/fd/{event.fd}",
                                                 "user.etcd.mod_revision") for event in events])
        self.assertEqual({self.mounted.process.pid}, {event.pid for event in events},
                         "it was the daemon")

    def test_names(self):
        """With the directory and the name instead of a descriptor: everything."""
        def script(world):
            listener = add_listener(self, fanotify.REPORT_DFID_NAME)
            for name in ("", "d"):
                mark_or_skip(self, listener, fanotify.INODE, world.join(name),
                             WRITTEN | fanotify.CREATE | fanotify.DELETE | fanotify.ONDIR |
                             fanotify.EVENT_ON_CHILD)
            told = []
            for verb, *args in (("put", "f", "2"), ("put", "new", "1"), ("put", "new", "2"),
                                ("delete", "new"), ("put", "d/f", "2"), ("put", "d/g", "1"),
                                ("put", "e/f", "1"), ("delete", "e/f"), ("delete", "d/g"),
                                ("delete", "d/f")):
                getattr(world, verb)(*args)
                world.settle()
                masks = {}
                for event in listener.queued():
                    masks[event.name] = masks.get(event.name, 0) | event.mask
                told += [f"{' '.join([verb, *args])}: {fanotify.Event(mask, -1, 0, name)}"
                         for name, mask in masks.items()]
            return told
        self.same(script, {"f": "1", "d/f": "1"})

    def test_fsnotifywait(self):
        """inotifywait's sister, which needs names."""
        if not shutil.which("fsnotifywait"):
            self.skipTest("no fsnotifywait")
        mark_or_skip(self, add_listener(self, fanotify.REPORT_DFID_NAME), fanotify.INODE,
                     self.mounted.path, fanotify.CREATE)

        def script(world):
            waiter = inotify.InotifyWait(world.path, "-m", "-r", program="fsnotifywait")
            self.addCleanup(waiter.close)
            for name in ("f", "d/f", "d/new"):
                world.put(name, "2")
            world.delete("f")
            world.put("last", "1")
            told = {}
            for line in waiter.until_any(lambda line: "CLOSE_WRITE" in line and " last" in line,
                                         "fsnotifywait says CLOSE_WRITE last"):
                what, _, name = line.removesuffix(" (deleted)").partition(" ")
                # How it resolves handles, and how it found the directories when it began.
                if not what.startswith("[") and "ISDIR" not in what:
                    told.setdefault(name, set()).update(what.split(","))
            return [f"{name}: {' '.join(sorted(what - {'CLOSE'}))}" for name, what in told.items()]
        self.same(script, {"f": "1", "d/f": "1"})


class Filesystem(case.MountTest):
    """Marks on all of it, or on the mount, as fatrace makes them."""

    def setUp(self):
        super().setUp()
        for name in ("f", "d/f", "unseen/f"):
            self.keys.put(name, "1")
        self.mounted = self.mount()

    def look_at(self, directory):
        """So that the kernel knows it from now on."""
        fd = os.open(self.mounted.join(directory), os.O_PATH)
        self.addCleanup(os.close, fd)

    def told(self, listener):
        """[path in the mount, mask, what it shows] of each event but the fixture's."""
        self.mounted.settle()
        told = []
        for event in listener.queued():
            with contextlib.closing(os.fdopen(os.dup(event.fd), "rb")) as file:
                name = name_of(event)
                if TICKS not in name and ".etcdfs" not in name:
                    told.append([name, str(event), file.read()])
        return told

    def test_the_whole_filesystem(self):
        """Of each directory that somebody has looked up: the daemon does nothing in the
        others.  A path is that in the mount, which is not what the daemon acts on."""
        listener = add_listener(self)
        listener.mark(fanotify.FILESYSTEM, self.mounted.path, WRITTEN)
        self.look_at("d")
        for name in ("f", "d/f", "unseen/f"):
            self.keys.put(name, "2")
        self.assertEqual([["/f", "CLOSE_WRITE,OPEN", b"2"], ["/d/f", "CLOSE_WRITE,OPEN", b"2"]],
                         self.told(listener))
        self.look_at("unseen")
        self.keys.put("unseen/f", "3")
        self.assertEqual([["/unseen/f", "CLOSE_WRITE,OPEN", b"3"]], self.told(listener))

    def test_all_names_of_the_filesystem(self):
        listener = add_listener(self, fanotify.REPORT_DFID_NAME)
        mark_or_skip(self, listener, fanotify.FILESYSTEM, self.mounted.path,
                     fanotify.CREATE | fanotify.DELETE)
        self.keys.put("new", "1")
        self.mounted.settle()
        self.keys.delete("new")
        self.mounted.settle()
        self.assertEqual({b"new"}, {event.name for event in listener.queued()})

    def test_a_mount(self):
        """Its own readers are heard, but no change: the daemon acts on a clone of it."""
        listener = add_listener(self)
        listener.mark(fanotify.MOUNT, self.mounted.path, WRITTEN)
        self.keys.put("f", "2")
        self.assertEqual([], self.told(listener))
        self.mounted.read("f")
        self.assertEqual([[self.mounted.join("f"), "OPEN", b"2"]], self.told(listener))

    def test_a_listener_that_is_late(self):
        """Each event that it has not read keeps a revision in use.  When it has read them,
        nothing is left of it."""
        self.mounted.settle()
        before = self.mounted.status()["inodes"]
        listener = fanotify.Listener()
        with contextlib.closing(listener):
            listener.mark(fanotify.FILESYSTEM, self.mounted.path, fanotify.CLOSE_WRITE)
            updates = times(20)
            for value in range(updates):
                self.keys.put("f", f"{value}")
                self.mounted.settle()
            self.assertGreaterEqual(self.mounted.status()["inodes"]["older"], updates - 1)
        deadline = Deadline(f"no more inodes than {before}")
        # The status is the newest of its kind each time, an inode of its own.
        while self.mounted.status()["inodes"]["older"] > before["older"] + 2:
            deadline.pause()
        self.assert_shows_etcd(self.mounted)

    def test_who_may_write_by_a_descriptor(self):
        """A listener that asks for writable descriptors gets them, and cannot write."""
        listener = add_listener(self, 0, os.O_RDWR)
        listener.mark(fanotify.INODE, self.mounted.path,
                      fanotify.CLOSE_WRITE | fanotify.EVENT_ON_CHILD)
        self.keys.put("f", "2")
        self.mounted.settle()
        event, = listener.queued()
        for write in (lambda: os.write(event.fd, b"x"), lambda: os.ftruncate(event.fd, 0),
                      lambda: os.fchmod(event.fd, 0o777)):
            with self.assertRaises(OSError) as caught:
                write()
            self.assertEqual(errno.EROFS, caught.exception.errno)
        self.assertEqual(b"2", self.mounted.read("f"))


class Permission(case.MountTest):
    """Listeners that must allow each open, the announcer's as well."""

    def setUp(self):
        super().setUp()
        self.keys.put("f", "1")
        self.mounted = self.mount()
        self.mounted.settle()
        self.listener = add_listener(self, fanotify.CONTENT)
        self.watch = self.watcher()
        self.watch.add(self.mounted.path, inotify.CHANGES)

    def mark(self):
        mark_or_skip(self, self.listener, fanotify.FILESYSTEM, self.mounted.path,
                     fanotify.OPEN_PERM)

    @contextlib.contextmanager
    def answering(self, response):
        """A thread says RESPONSE to everybody; yields the list of what was asked by whom."""
        asked = []
        ended = threading.Event()

        def run():
            while not ended.wait(0.001):
                for event in self.listener.queued():
                    asked.append((name_of(event), event.pid))
                    self.listener.answer(event, response)
        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield asked
        finally:
            ended.set()
            thread.join()

    def test_allowed(self):
        self.mark()
        with self.answering(fanotify.ALLOW) as asked:
            self.keys.put("f", "2")
            self.mounted.settle()
            self.assertEqual(b"2", self.mounted.read("f"))
        self.assertIn(("/f", self.mounted.process.pid), asked)
        self.assertIn((self.mounted.join("f"), os.getpid()), asked)
        self.assertEqual(["MODIFY f", "CLOSE_WRITE f"], transcript(self.watch.queued()))

    def test_denied(self):
        """The daemon may not open either: of a change it can tell MODIFY alone."""
        self.mark()
        with self.answering(fanotify.DENY) as asked:
            for change, expected in ((lambda: self.keys.put("f", "2"), ["MODIFY f"]),
                                     (lambda: self.keys.put("g", "2"), ["CREATE g", "MODIFY g"]),
                                     (lambda: self.keys.delete("f"), ["DELETE f"])):
                change()
                self.assertEqual(expected, [str(self.watch.next()) for _ in expected])
        self.assertIn(("/g", self.mounted.process.pid), asked)
        self.listener.close()
        self.assertEqual(0, self.mounted.status()["announcements"]["untold"])

    def test_not_answered(self):
        """Nobody is told while the listener thinks, as no writer of a local disk would get
        on; who opens nothing is served, and whatever happened is told at its end."""
        self.mark()
        self.keys.put("f", "2")
        self.assertEqual("/f", name_of(self.listener.next()))
        self.keys.put("f", "3")
        self.keys.put("g", "1")
        self.assertEqual([], self.watch.queued())
        self.assertEqual(1, os.stat(self.mounted.join("f")).st_size)
        self.assertIn("f", os.listdir(self.mounted.path))
        self.listener.close()
        self.mounted.settle()
        told = transcript(self.watch.queued())
        self.assertEqual(["CREATE g", "MODIFY g", "CLOSE_WRITE g"],
                         [line for line in told if line.endswith("g")])
        self.assertEqual("CLOSE_WRITE f", [line for line in told if line.endswith("f")][-1])
        self.assert_shows_etcd(self.mounted)


if __name__ == "__main__":
    case.main()
