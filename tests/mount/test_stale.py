#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""--max-stale: what a tree without contact says, and with --stale-policy=fail what it
still shows: nothing, to nobody, whatever the kernel had of it."""

import contextlib
import errno
import os
import random
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import case  # noqa: E402
import inotify  # noqa: E402
from crowd import Crowd  # noqa: E402
from etcd import free_port  # noqa: E402
from libc import Mapping  # noqa: E402
from proxy import Proxy  # noqa: E402
from wait import LONG, SLOW, Deadline, times  # noqa: E402
from ways import WAYS  # noqa: E402

# Seconds; in less a busy machine loses contact by itself.
MAX_STALE = 3 if SLOW else 1
FAIL = "--stale-policy=fail"
SECRET = b"what nobody may see"
VALUE = SECRET * 1000
# These see no bytes of the file on any mount.
BLIND = {"copy_file_range", "mmap, writable"}
# Here the kernel tries again and again to read a page ahead, until it can or the caller
# is killed; so it does for any file that gives EIO.
ENDLESS = {"mmap, populated", "madvise", "mlock, mincore"}


class StaleTest(case.MountTest):
    def start(self, *args):
        self.proxy = Proxy(free_port(), self.keys.etcd.endpoint)
        self.addCleanup(self.proxy.close)
        self.mounted = self.mount(f"--max-stale={MAX_STALE}s", *args, endpoint=self.proxy.endpoint,
                                  allow=[r"lost contact", r"tree is stale"])
        return self.mounted

    def go_stale(self):
        """For good: an answer that was on its way may make it live once more."""
        self.proxy.hold()
        end = time.monotonic() + MAX_STALE
        self.mounted.wait_state("stale")
        with contextlib.closing(inotify.Watcher()) as watcher:
            watcher.add(self.mounted.join(".etcdfs"), inotify.CLOSE_WRITE)
            watcher.ready(max(0, end - time.monotonic()))
        self.mounted.wait_state("stale")

    def recover(self):
        self.proxy.flow()
        return self.mounted.wait_state("live")


def outcome(do, *args):
    """The name of its error, or None if it has none."""
    try:
        do(*args)
    except OSError as error:
        return errno.errorcode[error.errno]
    return None


def read(path):
    with open(path, "rb") as file:
        return file.read()


def how_it_ends(do):
    """What becomes of a child that does it: the name of an error or of a signal, or what
    it returns."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            text = do()
        except OSError as error:
            text = errno.errorcode[error.errno]
        except BaseException as error:  # pylint: disable=broad-except
            text = repr(error)
        os.write(writer, text.encode()[:4096])
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        text = pipe.read().decode()
    status = os.waitpid(child, 0)[1]
    return signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else text


class Serve(StaleTest):
    @case.privileged_only("it is the same for all")
    def test_serve(self):
        self.keys.put("f", "1")
        mount = self.start()
        self.go_stale()
        self.assertEqual(b"1", mount.read("f"))
        self.assertEqual(b"stale", os.getxattr(mount.path, "user.etcd.state"))
        self.keys.put("f", "2")
        self.recover()
        mount.settle()
        self.assertEqual(b"2", mount.read("f"))

    @case.privileged_only("it is the same for all")
    def test_etcd_ends(self):
        """It is told as any state, and comes after that of the connection."""
        self.own_etcd()
        self.proxy = None
        mount = self.mounted = self.mount("--max-stale=2s",
                                          allow=[r"lost contact", r"tree is stale"])
        self.etcd.kill()
        mount.wait_state("reconnecting")
        mount.wait_state("stale")
        self.assertEqual([], mount.list())
        self.etcd.start()
        mount.wait_state("live")

    @case.privileged_only("it is the same for all")
    def test_quiet_but_in_contact(self):
        """Where nothing changes it is not stale: the probes are answered."""
        mount = self.start()
        watcher = self.watcher()
        watcher.add(mount.join(".etcdfs"), inotify.CLOSE_WRITE)
        etcd = self.keys.etcd
        etcd.until_calls("Txn", "OK", etcd.calls("Txn").get("OK", 0) + 6)
        self.assertFalse(watcher.ready(0))
        self.assertEqual("live", mount.status()["state"])


class Fail(StaleTest):
    """Everything that the kernel knows is used first."""

    def start(self, *args):
        self.keys.txn({"f": VALUE, "d/f": VALUE, "d/e/f": VALUE, "gone": "1"})
        mount = super().start(FAIL, *args)
        for _ in range(2):
            for _, _, names in os.walk(mount.path):
                self.assertTrue(names)
            for path in ("f", "d/f", "d/e/f"):
                self.assertEqual(VALUE, mount.read(path))
            for path in ("nosuch", "d/nosuch"):
                self.assertFalse(os.path.exists(mount.join(path)))
        return mount

    def assert_all_fail(self, mount):
        self.assertTrue(os.stat(mount.path))
        for path in ("f", "d/f", "d/e/f", "gone"):
            for do in (os.stat, read, os.listxattr, lambda path: os.getxattr(path, "user.etcd.key"),
                       lambda path: os.open(path, os.O_RDONLY), os.statvfs, self.watch_one,
                       lambda path: os.execv(path, ["x"])):
                if do is os.statvfs and path in ("f", "gone"):
                    continue  # it needs no more than the name
                self.assertEqual("EIO", outcome(do, mount.join(path)), (path, do))
        for path in ("d", "d/e"):
            for do in (os.stat, os.listdir, os.chdir, os.listxattr, self.watch_one):
                self.assertEqual("EIO", outcome(do, mount.join(path)), (path, do))
        for path in ("nosuch", "d/nosuch", "d/e/nosuch", "never/asked", "nor_this"):
            self.assertEqual("EIO", outcome(os.stat, mount.join(path)), path)
        self.assertEqual("EIO", outcome(os.listdir, mount.path))

    @staticmethod
    def watch_one(path):
        watcher = inotify.Watcher()
        try:
            watcher.add(path)
        finally:
            watcher.close()

    def assert_control_works(self, mount):
        self.assertEqual("stale", mount.status()["state"])
        self.assertLessEqual({"status", "revision"}, set(os.listdir(mount.join(".etcdfs"))))
        self.assertTrue(mount.read(".etcdfs", "revision").strip().isdigit())
        self.assertEqual(b"stale", os.getxattr(mount.path, "user.etcd.state"))

    def test_paths(self):
        mount = self.start()
        before = {name: os.stat(mount.join(name)) for name in ("f", "d", "d/f", "d/e", "d/e/f")}
        for _ in range(2):
            self.go_stale()
            self.assert_all_fail(mount)
            self.assert_control_works(mount)
            self.recover()
            for name, stat in before.items():
                self.assertEqual(stat, os.stat(mount.join(name)), name)
            self.assertEqual(["d", "f", "gone"], mount.list())
            self.assertEqual(["e", "f"], mount.list("d"))
            self.assertEqual(VALUE, mount.read("d", "f"))
            self.assertFalse(os.path.exists(mount.join("nosuch")))

    def test_descriptors(self):
        mount = self.start()
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(open(mount.join("d", "f"), "rb", buffering=0))
            directory = os.open(mount.join("d"), os.O_RDONLY)
            stack.callback(os.close, directory)
            stack.callback(os.chdir, os.getcwd())
            os.chdir(directory)
            mapping = stack.enter_context(Mapping(file.fileno(), 4096))
            self.assertIn(SECRET, mapping.read(0, 4096))
            self.assertEqual(["e", "f"], sorted(os.listdir(directory)))
            self.assertFalse(os.path.exists("nosuch"))
            self.go_stale()
            for do in (file.read, lambda: os.fstat(file.fileno()), lambda: os.listdir(directory),
                       lambda: os.listdir("."), lambda: read("f"), lambda: os.stat("nosuch"),
                       lambda: os.stat("."), lambda: os.stat("f", dir_fd=directory),
                       lambda: os.open("f", os.O_RDONLY, dir_fd=directory),
                       lambda: read(f"/proc/self/fd/{file.fileno()}")):
                self.assertEqual("EIO", outcome(do), do)
            self.assertEqual("SIGBUS", how_it_ends(lambda: str(mapping.read(0, 10))))
            self.recover()
            self.assertEqual(VALUE, file.read())
            self.assertIn(SECRET, mapping.read(0, 4096))
            self.assertEqual(VALUE, read("f"))

    def test_ways(self):
        """Each way to read what is open."""
        mount = self.start()
        fd = os.open(mount.join("d", "f"), os.O_RDONLY)
        self.addCleanup(os.close, fd)

        def see(way):
            seen = way.do(fd, len(VALUE))
            text = repr(list(seen) if hasattr(seen, "__next__") else seen)
            return "a secret" if SECRET.decode() in text else text
        self.go_stale()
        for name, way in WAYS.items():
            if name in ENDLESS:
                continue
            os.lseek(fd, 0, os.SEEK_SET)
            with self.subTest(name):
                end = how_it_ends(lambda way=way: see(way))
                self.assertNotIn("a secret", end)
                if name not in BLIND and "forbidden" not in end:
                    self.assertRegex(end, r"EIO|SIGBUS|-5\b|EFAULT")

    def test_a_listing_half_done(self):
        self.keys.fill((f"many/{i:05}", "") for i in range(4000))
        mount = self.start()
        self.assertEqual(4000, len(os.listdir(mount.join("many"))))
        with os.scandir(mount.join("many")) as entries:
            next(entries)
            self.go_stale()
            with self.assertRaises(OSError) as caught:
                for _ in entries:
                    pass
            self.assertEqual(errno.EIO, caught.exception.errno)
        self.recover()
        self.assertEqual(4000, len(os.listdir(mount.join("many"))))

    def test_watches(self):
        """They survive, and hear of the difference alone."""
        mount = self.start()
        watcher = self.watcher()
        for path in ("", "d", "d/f", "f"):
            watcher.add(mount.join(path) if path else mount.path,
                        inotify.CHANGES | inotify.DELETE_SELF | inotify.ATTRIB)
        self.go_stale()
        self.keys.put("d/f", "2")
        self.keys.delete("gone")
        self.keys.put("new", "3")
        self.assertEqual("EIO", outcome(mount.read, "d/f"))
        self.assertFalse(watcher.ready(0))
        self.recover()
        told = self.told(watcher, "mark")
        changed = ["MODIFY", "CLOSE_WRITE"]
        self.assertEqual({"gone": ["DELETE"], "new": ["CREATE", *changed], "f": changed,
                          "": changed}, {name: events for name, events in told.items()
                                         if name != "~ticks"})
        self.assertEqual((b"2", b"3"), (mount.read("d/f"), mount.read("new")))

    @case.privileged_only("mounting in it is root's")
    def test_mounts_in_it_stay(self):
        mount = self.start()
        subprocess.run(["mount", "-t", "tmpfs", "none", mount.join("d", "e")], check=True)
        try:
            self.go_stale()
            self.recover()
            self.assertTrue(os.path.ismount(mount.join("d", "e")))
        finally:
            subprocess.run(["umount", mount.join("d", "e")], check=False)


class Crowds(StaleTest):
    """Nobody who comes after it was said gets anything."""

    def test_crowd(self):
        count = 20000
        self.keys.fill((f"{i % 7}/{i % 97}/{i:05}", SECRET) for i in range(count))
        mount = self.start(FAIL)
        stale = threading.Event()
        random.seed(1)

        def visit(do):
            late = stale.is_set()
            i = random.randrange(count)
            with contextlib.suppress(OSError):
                do(mount.join(str(i % 7), str(i % 97), f"{i:05}"))
                if late:
                    raise AssertionError(f"{do.__name__} found something")

        def until_rounds(more):
            goals = [(member, member.rounds + more) for member in crowd.members]
            deadline = Deadline("everybody has got round again and again")
            while not crowd.ended.is_set() and any(member.rounds < goal for member, goal in goals):
                deadline.pause()
        crowd = Crowd([mount.process.pid])
        for do in (os.stat, read, read, os.listxattr,
                   lambda path: os.listdir(os.path.dirname(path)),
                   lambda path: os.scandir(os.path.dirname(path)).__next__()):
            crowd.forever(visit, do)
        crowd.start()
        for _ in range(200 if LONG else times(2, slow=1)):
            self.go_stale()
            stale.set()
            until_rounds(300)
            stale.clear()
            until_rounds(2)  # nobody thinks so any more
            self.recover()
        self.assertEqual([], crowd.stop())
        self.assertEqual(SECRET, mount.read("0", "0", "00000"))


if __name__ == "__main__":
    case.main()
