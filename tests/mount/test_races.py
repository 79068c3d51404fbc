#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Names that are created, replaced, deleted, and turned from file to directory and
back, at full speed, while everybody looks at them and the kernel forgets them.

Nobody stands still (crowd.py), nothing stays untold, no event is impossible, what
exists throughout is always found, and the mount ends as etcd's state.

With ETCDFS_LONG=1 all of it again, for ten minutes.
"""

import contextlib
import errno
import itertools
import mmap
import multiprocessing
import os
import random
import signal
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import case  # noqa: E402
import inotify  # noqa: E402
from crowd import Crowd, Ledger  # noqa: E402
from mount import privileged  # noqa: E402
from wait import LONG, times  # noqa: E402

# Some are keys and directories at the same time; `c` and `d` come and go whole.
NAMES = ["a", "b", "c", "a/x", "a/y", "b/x", "b/x/z", "c/q/r", "d/e/f/g", "d/e",
         "dir/f", "dir/g", "dir/g/h"]
DIRECTORIES = ["a", "b", "c", "c/q", "d/e", "b/x", "dir/g"]
# What a name that changes meanwhile may answer.
FLEETING = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR)
# And what a mount that goes meanwhile does.
LEAVING = (*FLEETING, errno.ENOTCONN, errno.ECONNABORTED, errno.ENODEV, errno.EIO)
DROP_CACHES = "/proc/sys/vm/drop_caches"
# A directory that nobody lists.
UNLISTED = "unlisted"
FOR_LONG = 600.0  # seconds


def read(path):
    with open(path, "rb") as file:
        return file.read()


def read_mapped(path):
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
        return mapped[:]


def walk(path):
    for _, names, _ in os.walk(path):
        names[:] = [name for name in names if name != UNLISTED]


@contextlib.contextmanager
def tolerated(*errnos):
    try:
        yield
    except OSError as error:
        if error.errno not in errnos:
            raise


class Looks:
    """What programs do with the names of one mount."""

    def __init__(self, path, errnos=FLEETING):
        self.path = path
        self.errnos = errnos

    def join(self, *names):
        return os.path.join(self.path, *names)

    def anything(self, rand):
        do = rand.choice((os.stat, os.listdir, read, walk, os.readlink, os.listxattr))
        with tolerated(*self.errnos, errno.EINVAL):
            do(self.path if do is walk else self.join(rand.choice(NAMES)))

    def hold(self, rand):
        """Keeps old revisions and deleted directories in use, and watches them."""
        path = self.join(rand.choice(NAMES))
        watcher = inotify.Watcher()
        try:
            with tolerated(*self.errnos):
                watcher.add(path)
                fd = os.open(path, os.O_RDONLY)
                for _ in range(20):
                    self.anything(rand)
                os.close(fd)
        finally:
            watcher.close()

    def from_within(self, rand):
        """Goes on in a directory that meanwhile goes, comes again, and is a file."""
        with tolerated(*self.errnos):
            fd = os.open(self.join(rand.choice(DIRECTORIES)), os.O_RDONLY | os.O_DIRECTORY)
            try:
                for _ in range(20):
                    self._within(fd, rand)
            finally:
                os.close(fd)

    def _within(self, fd, rand):
        name = rand.choice(("x", "y", "z", "q/r", "e/f/g", ".value", "..", "../a", "h"))
        with tolerated(*self.errnos, errno.EINVAL):
            os.stat(name, dir_fd=fd)
        with tolerated(*self.errnos):
            os.listdir(fd)
        with tolerated(*self.errnos):
            os.close(os.open(name, os.O_RDONLY, dir_fd=fd))

    def stays(self):
        """What exists throughout is found in every way, always."""
        for path in (self.join("stays"), self.join("dir", "stays")):
            os.stat(path)
            assert read(path) == b"here" and read_mapped(path) == b"here"
        for names in (os.listdir(self.path), os.listdir(self.join("dir"))):
            assert names.count("stays") == 1, names
        assert os.listdir(self.path).count("dir") == 1


class Replaced:
    """A key that is replaced all the time: it can always be opened.  And what one
    reader sees never goes back, if nobody lists the directory: the kernel takes each
    name in a listing for an answer to a lookup, and an old listing may come late.
    (Before the event: that waits for all listings under way.)"""

    def __init__(self, path):
        self._path = path
        self._is_listed = UNLISTED not in path
        self._last = 0

    def look(self):
        value = int(read(self._path))
        os.stat(self._path)
        mapped = int(read_mapped(self._path))
        assert self._is_listed or self._last <= value <= mapped, (self._last, value, mapped)
        self._last = mapped


def drop_caches(ended):
    with open(DROP_CACHES, "w", encoding="ascii") as file:
        file.write("2")
    ended.wait(0.2)


class Churn(case.MountTest):
    """Everything at once."""

    def setUp(self):
        super().setUp()
        self.keys.txn({"stays": "here", "dir/stays": "here", **self.hot(0)})

    @staticmethod
    def hot(value):
        return {name: str(value) for name in ("hot", "dir/hot", f"{UNLISTED}/hot")}

    def crowd(self, *mounts):
        crowd = Crowd([mount.process.pid for mount in mounts])
        if privileged() and os.access(DROP_CACHES, os.W_OK):
            crowd.forever(drop_caches, crowd.ended)
        return crowd

    def everybody_at(self, crowd, mount, lookers):
        looks = Looks(mount.path)
        for seed in range(lookers):
            crowd.forever(looks.anything, random.Random(seed))
        crowd.forever(looks.hold, random.Random(lookers))
        crowd.forever(looks.from_within, random.Random(lookers))
        crowd.forever(looks.stays)
        for name in self.hot(0):
            crowd.forever(Replaced(mount.join(*name.split("/"))).look)

    def ledgers(self, crowd, mount):
        mount.settle()
        found = [Ledger(mount.path), Ledger(mount.join("dir"))]
        for ledger in found:
            self.addCleanup(ledger.close)
            crowd.forever(ledger.read)
        return found

    def change(self, crowd, rounds):
        """For each of ROUNDS a transaction, until something goes wrong."""
        rand = random.Random(1)
        for number in rounds:
            if crowd.ended.is_set():
                return
            puts, deletes = self.hot(number), []
            for name in rand.sample(NAMES, rand.randint(1, 5)):
                if rand.random() < 0.6:
                    puts[name] = str(number)
                else:
                    deletes.append(name)
            self.keys.txn(puts, deletes)

    def churn(self, mounts, rounds, lookers):
        crowd = self.crowd(*mounts)
        ledgers = []
        for mount in mounts:
            self.everybody_at(crowd, mount, lookers)
            ledgers += self.ledgers(crowd, mount)
        crowd.start()
        try:
            self.change(crowd, rounds)
        finally:
            trouble = crowd.stop()
        self.assertEqual([], trouble)
        self.keys.txn({"mark": "", "dir/mark": ""})
        for ledger in ledgers:
            ledger.read_to("mark")
            self.assertEqual(ledger.listed(), ledger.names)
        for mount in mounts:
            mount.settle()
            self.assert_shows_etcd(mount)
            self.assertEqual(0, mount.status()["announcements"]["untold"])

    def another(self, number, *args):
        directory = os.path.join(self.directory, str(number))
        os.mkdir(directory)
        return self.mount(*args, directory=directory)

    def test_everything_at_once(self):
        self.churn([self.mount()], range(1, times(800, slow=200)), 3)

    def test_mounts_of_one_etcd(self):
        """One of them with a single thread for all requests."""
        mounts = [self.another(0), self.another(1), self.another(2, "-s")]
        self.churn(mounts, range(1, times(150, slow=40)), 1)

    @unittest.skipUnless(LONG, "ETCDFS_LONG is not set")
    def test_for_long(self):
        end = time.monotonic() + FOR_LONG
        mounts = [self.another(0), self.another(1)]
        self.churn(mounts, itertools.takewhile(lambda _: time.monotonic() < end,
                                               itertools.count(1)), 2)


class Left(Churn):
    """An unmount in the middle of it: nobody hangs, and the daemon ends well."""

    test_everything_at_once = test_mounts_of_one_etcd = test_for_long = None

    def leaving(self, leave):
        """LEAVE(mount) says whether the daemon stays until the last reader has gone."""
        for number in range(times(2, slow=1)):
            mount = self.another(number)
            crowd = self.crowd(mount)
            looks = Looks(mount.path, LEAVING)
            for seed in range(3):
                crowd.forever(looks.anything, random.Random(seed))
            crowd.forever(looks.hold, random.Random(3))
            crowd.forever(looks.from_within, random.Random(4))
            crowd.start()
            try:
                self.change(crowd, range(times(100, slow=30)))
                stays = leave(mount)
                status = None if stays else mount.wait_end()
                self.change(crowd, range(times(20)))
            finally:
                trouble = crowd.stop()
            self.assertEqual([], trouble)
            self.assertEqual(0, mount.wait_end() if stays else status)
            self.assertEqual([], os.listdir(mount.path))

    def test_sigterm(self):
        self.leaving(lambda mount: mount.terminate(signal.SIGTERM))

    def test_lazily(self):
        command = ["umount", "-l"] if privileged() else ["fusermount3", "-u", "-z"]

        def leave(mount):
            result = mount.unmount(*command)
            self.assertEqual((0, ""), (result.returncode, result.stderr))
            return True
        self.leaving(leave)


def hammer(path, ended):
    while not ended.is_set():
        for _ in range(1000):
            with contextlib.suppress(OSError):
                os.stat(path)


class Hammered(case.MountTest):
    """Exactly the name that is announced is looked up all the time, from all sides."""

    MASK = inotify.CREATE | inotify.DELETE | inotify.MODIFY | inotify.CLOSE_WRITE

    def setUp(self):
        super().setUp()
        self.keys.put("stays", "here")
        self.mounted = self.mount()
        self.watching = self.watcher()
        self.watching.add(self.mounted.path, self.MASK)
        ended = multiprocessing.Event()
        crowd = [multiprocessing.Process(target=hammer, args=(self.mounted.join("a"), ended))
                 for _ in range(2)]
        for process in crowd:
            process.start()
            self.addCleanup(process.join)
        self.addCleanup(ended.set)

    def told_of(self, last, change):
        """What is told of the name `a` by CHANGE, up to LAST."""
        change()
        return inotify.transcript(self.watching.until(lambda event: str(event) == last))

    def test_it_comes_and_goes(self):
        for i in range(times(60, slow=15)):
            self.assertEqual(["CREATE a", "MODIFY a", "CLOSE_WRITE a"],
                             self.told_of("CLOSE_WRITE a", lambda: self.keys.put("a", f"{i}")))
            self.assertEqual(["MODIFY a", "CLOSE_WRITE a"],
                             self.told_of("CLOSE_WRITE a", lambda: self.keys.put("a", f"{i}")))
            self.assertEqual(["DELETE a"],
                             self.told_of("DELETE a", lambda: self.keys.delete("a")))
        self.assertEqual(0, self.mounted.status()["announcements"]["untold"])

    def test_it_turns_into_a_directory_and_back(self):
        """Who looks finds the new kind before the end of the old is told."""
        self.assertEqual(["CREATE a", "MODIFY a", "CLOSE_WRITE a"],
                         self.told_of("CLOSE_WRITE a", lambda: self.keys.put("a", "1")))
        for _ in range(times(60, slow=15)):
            self.assertEqual(["DELETE a", "CREATE,ISDIR a"],
                             self.told_of("CREATE,ISDIR a", lambda: self.keys.put("a/x", "1")))
            self.assertEqual(["DELETE,ISDIR a", "CREATE a", "MODIFY a", "CLOSE_WRITE a"],
                             self.told_of("CLOSE_WRITE a", lambda: self.keys.delete("a/x")))
        self.assertEqual(0, self.mounted.status()["announcements"]["untold"])


if __name__ == "__main__":
    case.main()
