#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Names that are created, replaced, deleted, and turned from file to directory and
back, at full speed, while everybody looks at them and the kernel forgets them.

Nothing deadlocks (the test ends), nothing stays untold, what exists throughout is
always found, and the mount ends as etcd's state."""

import contextlib
import errno
import os
import random
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import case  # noqa: E402
import inotify  # noqa: E402
from mount import privileged  # noqa: E402
from wait import times  # noqa: E402

# Some are keys and directories at the same time; `c` and `d` come and go whole.
NAMES = ["a", "b", "c", "a/x", "a/y", "b/x", "b/x/z", "c/q/r", "d/e/f/g", "d/e"]
# What a name that changes meanwhile may answer.
FLEETING = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR)
DROP_CACHES = "/proc/sys/vm/drop_caches"


def read(path):
    with open(path, "rb") as file:
        return file.read()


def walk(path):
    for _ in os.walk(path):
        pass


class Crowd(case.MountTest):
    def setUp(self):
        super().setUp()
        self.keys.put("stays", "here")
        self.keys.put("dir/stays", "here")
        self.mounted = self.mount()
        self.ended = threading.Event()
        self.trouble = []
        self.threads = []

    def forever(self, function, *args):
        def run():
            try:
                while not self.ended.is_set():
                    function(*args)
            except Exception as error:  # pylint: disable=broad-except
                self.trouble.append(f"{function.__name__}: {error!r}")
        self.threads.append(threading.Thread(target=run))

    def start(self):
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.ended.set()
        for thread in self.threads:
            thread.join()
        self.assertEqual([], self.trouble)


class Churn(Crowd):
    def look(self, rand):
        """One of the things that programs do with a name."""
        path = self.mounted.join(rand.choice(NAMES))
        do = rand.choice((os.stat, os.listdir, read, walk, os.readlink))
        try:
            do(self.mounted.path if do is walk else path)
        except OSError as error:
            if error.errno not in (*FLEETING, errno.EINVAL):
                raise

    def look_at_what_stays(self):
        assert read(self.mounted.join("stays")) == b"here"
        assert read(self.mounted.join("dir", "stays")) == b"here"
        names = os.listdir(self.mounted.path)
        assert names.count("stays") == 1 and names.count("dir") == 1, names

    def hold(self, rand):
        """Keeps old revisions and deleted directories in use, and watches them."""
        path = self.mounted.join(rand.choice(NAMES))
        watcher = inotify.Watcher()
        try:
            watcher.add(path)
            fd = os.open(path, os.O_RDONLY)
            for _ in range(20):
                self.look(rand)
            os.close(fd)
        except OSError as error:
            if error.errno not in FLEETING:
                raise
        finally:
            watcher.close()

    def drop(self):
        with open(DROP_CACHES, "w", encoding="ascii") as file:
            file.write("2")
        self.ended.wait(0.2)

    def change(self, count):
        rand = random.Random(count)
        for number in range(count):
            puts, deletes = {}, []
            for name in rand.sample(NAMES, rand.randint(1, 5)):
                if rand.random() < 0.6:
                    puts[name] = str(number)
                else:
                    deletes.append(name)
            self.keys.txn(puts, deletes)

    def test_everything_at_once(self):
        for seed in range(3):
            self.forever(self.look, random.Random(seed))
        self.forever(self.look_at_what_stays)
        self.forever(self.hold, random.Random(3))
        if privileged() and os.access(DROP_CACHES, os.W_OK):
            self.forever(self.drop)
        self.start()
        try:
            self.change(times(4000, slow=800))
        finally:
            self.stop()
        self.mounted.settle()
        self.assert_shows_etcd(self.mounted)
        self.assertEqual(0, self.mounted.status()["announcements"]["untold"])


class Turning(Crowd):
    def turn(self, watcher, mark, change):
        """What WATCHER is told of the name `a` by CHANGE."""
        change()
        self.keys.put("mark", mark)
        return [str(event) for event in watcher.until_closed("mark")
                if event.name != b"mark"]

    def test_into_a_directory_and_back(self):
        """While somebody looks, who finds the new kind before the end of the old is told."""
        self.keys.put("a", "1")
        self.mounted.settle()
        watcher = self.watcher()
        watcher.add(self.mounted.path, inotify.CREATE | inotify.DELETE | inotify.CLOSE_WRITE)
        for _ in range(3):
            self.forever(self.look_at_a)
        self.start()
        self.addCleanup(self.stop)
        for i in range(times(200)):
            self.assertEqual(["DELETE a", "CREATE,ISDIR a"],
                             self.turn(watcher, f"{i}", lambda: self.keys.put("a/x", "1")))
            self.assertEqual(["DELETE,ISDIR a", "CREATE a", "CLOSE_WRITE a"],
                             self.turn(watcher, f"{i} back", lambda: self.keys.delete("a/x")))

    def look_at_a(self):
        with contextlib.suppress(OSError):
            os.stat(self.mounted.join("a"))


if __name__ == "__main__":
    case.main()
