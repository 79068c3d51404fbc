#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The mount itself: where it can be, and what else is mounted around it."""

import errno
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import case  # noqa: E402
import inotify  # noqa: E402
from etcd import Keys  # noqa: E402
from inotify import transcript  # noqa: E402
from mount import Mount, find_mount, mounts  # noqa: E402
from place import PlaceTest, error_of, read, run, write  # noqa: E402
from wait import Deadline  # noqa: E402


class Bound(PlaceTest):
    @case.privileged_only("only root binds")
    def test_the_mount(self):
        mount = self.mount()
        copy = self.place("copy")
        self.mount_at(copy, "--bind", mount.path)
        self.assertIn("ro", find_mount(copy))
        self.assert_lives_at(copy, "2")
        self.assert_lives_at(mount.path, "3")

    @case.privileged_only("only root binds")
    def test_a_copy_outlives_the_mount(self):
        """It is served, but told nothing any more, and the daemon ends with it."""
        mount = self.mount()
        copy = self.place("copy")
        self.mount_at(copy, "--bind", mount.path)
        self.assertEqual(0, mount.unmount().returncode)
        self.until_unmounted(mount)
        watcher = self.watcher()
        watcher.add(copy, inotify.CHANGES)
        self.assert_kept_up(copy)
        self.assertIsNone(mount.process.poll())
        run("umount", copy)
        self.assertEqual(["UNMOUNT,ISDIR", "IGNORED"],
                         transcript(watcher.next() for _ in range(2)))
        self.assertEqual(0, mount.wait_end())

    @case.privileged_only("only root binds")
    def test_a_copy_ends_by_sigterm(self):
        mount = self.mount()
        copy = self.place("copy")
        self.mount_at(copy, "--bind", mount.path)
        mount.terminate()
        self.assertEqual(0, mount.wait_end())
        self.assertEqual(errno.ENOTCONN, error_of(lambda: os.listdir(copy)))

    @case.privileged_only("only root binds")
    def test_a_directory(self):
        self.keys.put("d/e/f", "1")
        mount = self.mount()
        copy = self.place("copy")
        self.mount_at(copy, "--bind", mount.join("d", "e"))
        watcher = self.watcher()
        watcher.add(copy, inotify.CHANGES)
        self.keys.put("d/e/f", "2")
        self.keys.put("d/e/new", "3")
        told = transcript(watcher.until_closed("new"))
        self.assertEqual(["MODIFY f", "CLOSE_WRITE f", "CREATE new", "MODIFY new",
                          "CLOSE_WRITE new"], told)
        self.assertEqual("2", read(os.path.join(copy, "f")))
        self.assertEqual(["f", "new"], sorted(os.listdir(copy)))
        self.assertEqual(errno.EROFS, error_of(lambda: write(os.path.join(copy, "f"))))
        # It is that directory which is bound, and not the next of its name.
        for name in ("f", "new"):
            self.keys.delete(f"d/e/{name}")
        watcher.until(lambda event: event.mask & inotify.DELETE and event.name == b"new")
        mount.settle()
        self.keys.put("d/e/f", "4")
        mount.settle()
        self.assertEqual(b"4", mount.read("d", "e", "f"))
        self.assertEqual([], os.listdir(copy))
        run("umount", copy)
        self.assert_leaves(mount)

    @case.privileged_only("only root binds")
    def test_a_file(self):
        """It shows the revision that was bound, while a watch on it tells the next ones."""
        mount = self.mount()
        copy = os.path.join(self.directory, "file")
        with open(copy, "wb"):
            pass
        self.mount_at(copy, "--bind", mount.join("f"))
        watcher = self.watcher()
        watcher.add(copy, inotify.CHANGES)
        self.keys.put("f", "2")
        self.assertEqual(["MODIFY", "CLOSE_WRITE"], transcript(watcher.next() for _ in range(2)))
        self.assertEqual(("1", b"2"), (read(copy), mount.read("f")))
        self.keys.delete("f")
        self.assertEqual(["ATTRIB", "DELETE_SELF"],
                         transcript(watcher.next() for _ in range(2))[-2:])
        self.assertEqual("1", read(copy))
        run("umount", copy)
        self.assert_leaves(mount)

    @case.privileged_only("only root binds")
    def test_recursively(self):
        mount = self.mount()
        inner = self.mount(directory=self.place("inner"))
        run("mount", "--bind", inner.path, mount.join("d"))
        copy = self.place("copy")
        self.mount_at(copy, "--rbind", mount.path)
        self.assert_lives_at(copy, "2")
        inner.settle()
        self.assert_lives_at(os.path.join(copy, "d"), "3")
        run("umount", "-R", copy)
        run("umount", mount.join("d"))
        self.assert_leaves(mount)
        self.assert_leaves(inner)

    @case.privileged_only("only root moves")
    def test_moved(self):
        mount = self.mount()
        there = self.place("there")
        self.addCleanup(subprocess.run, ["umount", "-l", there], capture_output=True)
        watcher = self.watcher()
        watcher.add(mount.path, inotify.CHANGES)
        run("mount", "--move", mount.path, there)
        self.assertEqual([], os.listdir(mount.path))
        self.assert_lives_at(there, "2")
        # The watch is on the directory, not on the place.
        self.assertEqual(["MODIFY f", "CLOSE_WRITE f"], transcript(watcher.until_closed("f")))
        mount.path = there
        self.assert_leaves(mount)


class Around(PlaceTest):
    """Mounts on top of it, in it, below it."""

    @case.privileged_only("only root mounts a tmpfs")
    def test_covered_for_a_while(self):
        mount = self.mount()
        self.mount_at(mount.path, "-t", "tmpfs", "tmpfs")
        self.assertEqual([], os.listdir(mount.path))
        self.keys.put("f", "2")
        run("umount", mount.path)
        mount.settle()
        self.assertEqual(b"2", mount.read("f"))
        self.assert_lives_at(mount.path, "3")
        self.assert_leaves(mount)

    @case.privileged_only("only root mounts a tmpfs")
    def test_covered_at_the_end(self):
        """SIGTERM takes our own mount away, or nothing: not the one on top."""
        mount = self.mount(allow=["something else is mounted on it"])
        self.mount_at(mount.path, "-t", "tmpfs", "tmpfs")
        with open(os.path.join(mount.path, "theirs"), "wb"):
            pass
        mount.terminate()
        mount.process.wait(Deadline("etcdfs ends").left())
        mount.process = None
        self.assertEqual(["theirs"], os.listdir(mount.path))
        run("umount", mount.path)
        subprocess.run(["umount", mount.path], check=False, capture_output=True)

    @case.privileged_only("only root moves")
    def test_moved_at_the_end(self):
        """SIGTERM finds it where it is now, and leaves alone what is where it was."""
        mount = self.mount()
        there = self.place("there")
        run("mount", "--move", mount.path, there)
        self.mount_at(mount.path, "-t", "tmpfs", "tmpfs")
        mount.terminate()
        self.assertEqual(0, mount.wait_end())
        self.assertEqual([], [kind for point, _, kind in mounts() if point == there])
        self.assertEqual(["tmpfs"], [kind for point, _, kind in mounts() if point == mount.path])

    @case.privileged_only("only root mounts on a directory that is read-only")
    def test_in_another_etcdfs(self):
        outer = self.mount()
        self.keys.put("in/x", "1")
        inner_keys = Keys(self.shared_etcd(), self.keys.full("in/"))
        inner_keys.put("f", "inner")
        outer.settle()
        inner = self.nested(inner_keys, outer.join("in"))
        self.assertEqual("inner", read(os.path.join(inner.path, "f")))
        self.assert_lives_at(outer.path, "2")
        outer.held = True
        self.assertIn("busy", outer.unmount().stderr)
        outer.held = False
        self.assert_leaves(inner)
        self.assert_leaves(outer)

    def nested(self, keys, path):
        """A mount on PATH itself."""
        mount = Mount(self.program(), keys, self.place("nested"))
        mount.command[mount.command.index(mount.path)] = path
        mount.path = path
        self.addCleanup(mount.finish)
        return mount.start()

    @case.privileged_only("only root mounts on a directory that is read-only")
    def test_in_another_etcdfs_whose_directory_goes(self):
        """What is mounted on it is detached, as on any filesystem since Linux 3.18."""
        self.keys.put("in/x", "1")
        outer = self.mount()
        inner = self.nested(self.keys, outer.join("in"))
        self.keys.delete("in/x")
        self.assertEqual(0, inner.wait_end())
        self.assert_leaves(outer)

    def test_two_of_the_same(self):
        """Even of the same prefix; and one of a part of it."""
        one = self.mount()
        two = self.mount(directory=self.place("two"))
        part = self.mount(directory=self.place("part"),
                          keys=Keys(self.shared_etcd(), self.keys.full("d/")))
        watchers = []
        for path in (one.join("d"), two.join("d"), part.path):
            watchers.append(self.watcher())
            watchers[-1].add(path, inotify.CHANGES)
        self.keys.put("d/g", "2")
        for watcher, path in zip(watchers, (one.join("d"), two.join("d"), part.path)):
            self.assertEqual(["MODIFY g", "CLOSE_WRITE g"], transcript(watcher.until_closed("g")))
            self.assertEqual("2", read(os.path.join(path, "g")))
        self.assert_leaves(one)
        self.assertEqual("2", read(two.join("d", "g")))
        self.assert_leaves(two)

    def test_twice_on_one_directory(self):
        mount = self.mount()
        result = subprocess.run([self.program(), mount.source, mount.path, "-f"], check=False,
                                stdin=subprocess.DEVNULL, capture_output=True, text=True)
        self.assertEqual((1, f"etcdfs: {mount.path}: Device or resource busy; it is a mount "
                             "point already\n"), (result.returncode, result.stderr))
        self.assertEqual(1, sum(point == mount.path for point, _, _ in mounts()))
        self.assert_lives_at(mount.path, "2")


class Named(PlaceTest):
    """Ways to say where."""

    def start(self, path, given=None, cwd=None):
        """On the directory PATH, said as GIVEN."""
        mount = Mount(self.program(), self.keys, self.directory)
        mount.path = path
        mount.command[mount.command.index(os.path.join(self.directory, "mnt"))] = given or path
        self.addCleanup(mount.finish)
        before = os.getcwd()
        os.chdir(cwd or before)
        try:
            return mount.start()
        finally:
            os.chdir(before)

    def test_not_absolute(self):
        target = self.place("target")
        os.symlink("target", os.path.join(self.directory, "link"))
        os.mkdir(os.path.join(self.directory, "beside"))
        for given, cwd in (("target", self.directory), ("target/", self.directory),
                           ("./target//", self.directory), (".", target), ("./", target),
                           ("../target", os.path.join(self.directory, "beside")),
                           ("link", self.directory), ("link/", self.directory),
                           (os.path.join(self.directory, "beside", "..", "link"), None)):
            with self.subTest(given=given):
                mount = self.start(target, given, cwd)
                self.assertEqual(["d", "f"], mount.list())
                self.assert_leaves(mount)

    def test_odd_names(self):
        for name in ("with space", "new\nline", "com,ma", "back\\slash", "quo'te\"s", "ünï",
                     "tab\there", "-f", "o=x", "hash#", "\\040", "per%cent", "a" * 200):
            with self.subTest(name=name):
                path = self.place(name)
                mount = self.start(path)
                self.assertEqual(["d", "f"], mount.list())
                self.assert_lives_at(path, name)
                self.assert_leaves(mount)
                os.rmdir(path)

    def test_a_directory_with_files(self):
        """They are covered, and come back."""
        path = self.place("full")
        with open(os.path.join(path, "theirs"), "wb") as file:
            file.write(b"theirs")
        mount = self.start(path)
        self.assertEqual(["d", "f"], mount.list())
        self.assert_leaves(mount)
        self.assertEqual("theirs", read(os.path.join(path, "theirs")))


if __name__ == "__main__":
    case.main()
