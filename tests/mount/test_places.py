#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The mount itself: where it can be, who sees it there, what else is mounted around
it, and what makes it busy."""

import errno
import json
import mmap
import os
import pwd
import shutil
import stat
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import case  # noqa: E402
import inotify  # noqa: E402
import libc  # noqa: E402
from etcd import Keys  # noqa: E402
from inotify import transcript  # noqa: E402
from mount import Mount, find_mount, mounts, privileged  # noqa: E402
from wait import ENDS_WITH_US, Deadline  # noqa: E402

SYS_PIVOT_ROOT = {"x86_64": 155}.get(os.uname().machine, 41)

# Only OURS is copied: a copy of another test's mount would keep that one alive.
NAMESPACE = """
while read -r _ path type _; do
    [ "$type" != fuse.etcdfs ] || [ "$path" = "$1" ] || umount -l "$path"
done < /proc/mounts
echo ready
read -r _ || :
"""


def error_of(call):
    try:
        call()
        return None
    except OSError as error:
        return error.errno


def in_child(do, before=lambda: None):
    """What DO() returns (something for JSON) or the errno of what it raises, in a
    process of its own that did BEFORE()."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        result = None, "failed"
        try:
            before()
            try:
                result = do(), None
            except OSError as error:
                result = None, error.errno
        except BaseException as error:  # of BEFORE: nothing that may pass as a result
            result = None, repr(error)
        finally:
            os.write(writer, json.dumps(result).encode())
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as pipe:
        value, error = json.loads(pipe.read())
    os.waitpid(pid, 0)
    return value if error is None else error


def become(name):
    user = pwd.getpwnam(name)

    def do():
        os.setgroups([])
        os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
        os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
    return do


def read(path):
    with open(path, "rb") as file:
        return file.read().decode()


def write(path):
    os.close(os.open(path, os.O_WRONLY))


def run(*command):
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)


class PlaceTest(case.MountTest):
    def setUp(self):
        super().setUp()
        os.chmod(self.directory, 0o755)
        for name in ("f", "d/g"):
            self.keys.put(name, "1")

    def place(self, name):
        """A directory outside the mount, for others to mount on."""
        path = os.path.join(self.directory, name)
        os.mkdir(path)
        return path

    def mount_at(self, path, *options):
        run("mount", *options, path)
        self.addCleanup(subprocess.run, ["umount", "-l", path], capture_output=True)

    def assert_lives_at(self, path, value):
        """New values show and are told there."""
        watcher = self.watcher()
        watcher.add(path, inotify.CHANGES)
        self.keys.put("f", value)
        events = watcher.until_closed("f")
        self.assertEqual(["MODIFY f", "CLOSE_WRITE f"], transcript(events))
        self.assertEqual(value, read(os.path.join(path, "f")))
        self.assertEqual(errno.EROFS, error_of(lambda: write(os.path.join(path, "f"))))

    @staticmethod
    def until_unmounted(mount):
        """The daemon has noticed, and tells nothing from here on."""
        deadline = Deadline("the daemon notices the unmount")
        while not any("is unmounted" in line for line in mount.log.lines()):
            deadline.pause()

    def assert_kept_up(self, path):
        """Also what the kernel has seen before does not stay old."""
        new, old = os.path.join(path, "new"), os.path.join(path, "f")
        self.assertFalse(os.path.exists(new))
        self.assertNotEqual("latest", read(old))
        names = os.listdir(path)
        self.assertNotIn("new", names)
        self.keys.txn({"f": "latest", "new": "2"})
        deadline = Deadline("the new values show")
        while (read(old) != "latest" or not os.path.exists(new) or
               "new" not in os.listdir(path)):
            deadline.pause()
        self.assertEqual("2", read(new))

    def assert_leaves(self, mount):
        result = mount.unmount()
        self.assertEqual((0, ""), (result.returncode, result.stderr))
        self.assertEqual(0, mount.wait_end())


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


class Namespaces(PlaceTest):
    def namespace(self, propagation, ours=""):
        """The path of the root of a mount namespace of its own."""
        process = subprocess.Popen(
            [*ENDS_WITH_US, "KILL", "unshare", "--mount", "--propagation", propagation, "sh", "-c",
             NAMESPACE, "sh", ours], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(self.leave, process)
        self.assertEqual("ready\n", process.stdout.readline())
        return process, f"/proc/{process.pid}/root"

    @staticmethod
    def leave(process):
        process.stdin.close()
        process.wait(Deadline("the namespace ends").left())

    @case.privileged_only("only root has namespaces of its own")
    def test_a_private_one(self):
        """Its copy lives on after umount, without events, as long as it does."""
        mount = self.mount()
        process, root = self.namespace("private", mount.path)
        inside = root + mount.path
        self.assert_lives_at(inside, "2")
        self.assertEqual(0, mount.unmount().returncode)
        self.until_unmounted(mount)
        self.assert_kept_up(inside)
        self.assertIsNone(mount.process.poll())
        self.leave(process)
        self.assertEqual(0, mount.wait_end())

    def shared_base(self):
        base = self.place("base")
        self.mount_at(base, "-t", "tmpfs", "tmpfs")
        run("mount", "--make-shared", base)
        return base

    def propagated(self, propagation):
        """A mount that comes to a namespace which is there already."""
        base = self.shared_base()
        _, root = self.namespace(propagation)
        mount = self.mount(directory=base)
        inside = root + mount.path
        self.assertEqual("1", read(os.path.join(inside, "f")))
        self.assert_lives_at(inside, "2")
        self.assert_lives_at(mount.path, "3")
        return mount, inside

    @case.privileged_only("only root has namespaces of its own")
    def test_a_slave(self):
        mount, inside = self.propagated("slave")
        self.assert_leaves(mount)  # there, too, or the daemon would go on
        self.assertEqual([], os.listdir(inside))

    @case.privileged_only("only root has namespaces of its own")
    def test_a_shared_one(self):
        mount, inside = self.propagated("unchanged")
        self.assert_leaves(mount)
        self.assertEqual([], os.listdir(inside))

    @case.privileged_only("only root has namespaces of its own")
    def test_what_is_propagated_is_read_only(self):
        """Who opens for writing there is refused, and nobody hears of it."""
        mount, inside = self.propagated("slave")
        watcher = self.watcher()
        watcher.add(mount.path)
        for flags in (os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_TRUNC):
            self.assertEqual(errno.EROFS, error_of(lambda f=flags: os.close(
                os.open(os.path.join(inside, "f"), f))))
        self.keys.put("mark", "")
        self.assertEqual(["CREATE mark", "OPEN mark", "MODIFY mark", "CLOSE_WRITE mark"],
                         transcript(watcher.until_closed("mark")))
        self.assert_leaves(mount)

    def test_a_user_namespace(self):
        """Its root has what it takes for the privileged way."""
        path = self.place("user")
        script = """
            "$1" "$2" "$3"
            awk -v p="$3" '$5 == p {print $6}' /proc/self/mountinfo
            cat "$3/f"
            inotifywait -q -m -e close_write --format '%e %f' "$3" >"$4" & watch=$!
            echo mounted
            read -r _
            cat "$3/f"
            (: >"$3/f") 2>&1 || :
            mkdir "$3/x" 2>&1 || :
            kill $watch
            umount "$3"
            ls "$3"
            echo unmounted"""
        told = os.path.join(self.directory, "told")
        source = f"etcd://{self.keys.etcd.endpoint}{self.keys.prefix.decode()}"
        process = subprocess.Popen(
            [*ENDS_WITH_US, "KILL", "unshare", "--user", "--map-root-user", "--mount", "sh", "-ec",
             script, "sh", self.program(), source, path, told], text=True,
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.addCleanup(process.communicate)
        options = process.stdout.readline()
        if "ot permitted" in options:
            self.skipTest("no user namespaces here")
        self.assertIn("ro,", options)
        self.assertEqual("1mounted\n", process.stdout.readline())
        self.until_told(told)
        process.stdin.write("\n")
        process.stdin.close()
        process.stdin = None
        said = process.stdout.read()
        self.assertEqual(0, process.wait(), said)
        self.assertRegex(said, r"\A[0-9]+sh: .*Read-only file system\n"
                               r"mkdir: .*Read-only file system\nunmounted\n\Z")

    def until_told(self, told):
        """inotifywait says nothing before there is something to say."""
        deadline = Deadline("inotifywait tells of f")
        value = 1
        while not os.path.exists(told) or not os.path.getsize(told):
            value += 1
            self.keys.put("f", str(value))
            deadline.pause()
        self.assertIn("CLOSE_WRITE,CLOSE f", read(told).splitlines())

    @case.privileged_only("only root has namespaces of its own")
    def test_readers_in_a_pid_namespace(self):
        mount = self.mount()
        inside = ["unshare", "--pid", "--fork", "--kill-child"]
        said = subprocess.run([*inside, "cat", mount.join("f")], check=True, capture_output=True)
        self.assertEqual(b"1", said.stdout)
        said = subprocess.run([*inside, "sh", "-c", f": > {mount.join('f')}"], check=False,
                              env={**os.environ, "LC_ALL": "C"}, capture_output=True)
        self.assertIn(b"Read-only file system", said.stderr)

    @case.privileged_only("only root has namespaces of its own")
    def test_the_daemon_in_a_pid_namespace(self):
        """Its announcer has another number there, and its readers have none (0)."""
        mount = Mount(self.program(), self.keys, self.directory)
        mount.command = ["unshare", "--pid", "--fork", "--kill-child", *mount.command]
        self.addCleanup(mount.finish)
        mount.start()
        self.assert_lives_at(mount.path, "2")
        self.keys.put("new/x", "1")
        self.keys.delete("d/g")
        mount.settle()
        self.assertEqual(["f", "new"], mount.list())
        # What the daemon itself refuses, were the mount not read-only.
        run("mount", "-o", "remount,bind,rw", mount.path)
        self.assertEqual(errno.EROFS, error_of(lambda: os.unlink(mount.join("f"))))
        self.assertEqual(errno.EROFS, error_of(lambda: os.mkdir(mount.join("y"))))
        self.assertEqual(0, mount.status()["announcements"]["untold"])
        self.assert_leaves(mount)

    @case.privileged_only("only root changes its root")
    def test_chroot(self):
        mount = self.mount()
        self.assertEqual("1", in_child(lambda: read("/mnt/f"), lambda: os.chroot(self.directory)))
        self.assertEqual(errno.EROFS,
                         in_child(lambda: write("/mnt/f"), lambda: os.chroot(self.directory)))
        self.assertEqual("1", in_child(lambda: read("/f"), lambda: os.chroot(mount.path)))

    @case.privileged_only("only root changes its root")
    def test_pivot_root(self):
        self.mount()

        def pivot():
            libc.call("unshare", libc.CLONE_NEWNS)
            libc.call("mount", b"none", b"/", None, libc.MS_REC | libc.MS_PRIVATE, None)
            here = os.fsencode(self.directory)
            libc.call("mount", here, here, None, libc.MS_BIND | libc.MS_REC, None)
            os.chdir(here)
            libc.call("syscall", SYS_PIVOT_ROOT, b".", b".")
            libc.call("umount2", b".", libc.MNT_DETACH)
            os.chdir("/")
        self.assertEqual("1", in_child(lambda: read("/mnt/f"), pivot))
        self.assertEqual(["d", "f"], in_child(
            lambda: sorted(name for name in os.listdir("/mnt") if name[0] != "~"), pivot))
        self.assertEqual(errno.EROFS, in_child(lambda: write("/mnt/f"), pivot))


class Users(PlaceTest):
    """Who may look, as the kernel sees it."""

    @case.privileged_only("root alone can be several users")
    def test_without_allow_other(self):
        mount = self.mount()
        for call in (lambda: read(mount.join("f")), lambda: os.listdir(mount.path),
                     lambda: os.stat(mount.path).st_ino):
            self.assertEqual(errno.EACCES, in_child(call, become("daemon")))
        self.assertEqual("1", read(mount.join("f")))

    @case.privileged_only("root alone can be several users")
    def test_root_on_a_users_mount(self):
        """Nor may root, even to look; but it may unmount."""
        path = os.path.join(self.directory, "mnt")
        os.mkdir(path)
        user = pwd.getpwnam("nobody")
        os.chown(path, user.pw_uid, user.pw_gid)
        mount = Mount(self.program(), self.keys, self.directory, early=True)
        mount.command = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}",
                         "--clear-groups", *mount.command]
        self.addCleanup(mount.finish)
        mount.start()
        self.assertEqual(errno.EACCES, error_of(lambda: read(mount.join("f"))))
        self.assertEqual("1", in_child(lambda: read(mount.join("f")), become("nobody")))
        self.assertEqual(errno.EROFS, in_child(lambda: write(mount.join("f")), become("nobody")))
        self.assert_leaves(mount)

    def granted(self, options, *users):
        """{user: what they may do with the mount, f and d}, as rwx."""
        mount = self.mount("-o", f"allow_other,{options}")

        def may():
            return ["".join(letter for letter, flag in (("r", os.R_OK), ("w", os.W_OK),
                                                        ("x", os.X_OK))
                            if self.kernel_grants(path, flag))
                    for path in (mount.path, mount.join("f"), mount.join("d"))]
        found = {user: in_child(may, become(user)) for user in users}
        self.assert_leaves(mount)
        return found

    @staticmethod
    def kernel_grants(path, flag):
        """By trying, not by access(2)."""
        directory = os.path.isdir(path)
        try:
            if flag == os.R_OK:
                os.close(os.open(path, os.O_RDONLY))
            elif flag == os.W_OK:
                write(path)
            elif directory:
                os.stat(os.path.join(path, "."))
            else:
                return os.access(path, flag)
            return True
        except OSError:
            return False

    @case.privileged_only("root alone can be several users")
    def test_modes(self):
        own = pwd.getpwnam("daemon").pw_uid
        for options, daemon, nobody in (
                ("umask=022", ["rx", "r", "rx"], ["rx", "r", "rx"]),
                (f"uid={own},umask=077", ["rx", "r", "rx"], ["", "", ""]),
                (f"uid={own},fmask=0777,dmask=022", ["rx", "", "rx"], ["rx", "", "rx"]),
                (f"uid={own},fmask=077,dmask=022", ["rx", "r", "rx"], ["rx", "", "rx"]),
                (f"uid={own},fmask=022,dmask=066", ["rx", "r", "rx"], ["x", "r", "x"]),
                (f"gid={pwd.getpwnam('daemon').pw_gid},umask=027", ["rx", "r", "rx"],
                 ["", "", ""])):
            with self.subTest(options=options):
                found = self.granted(options, "daemon", "nobody")
                self.assertEqual({"daemon": daemon, "nobody": nobody}, found)

    @case.privileged_only("root alone can be several users")
    def test_announced_whatever_the_modes(self):
        """The announcer needs no permission."""
        mount = self.mount("-o", "allow_other,uid=1,gid=1,umask=0777")
        self.assert_lives_at(mount.path, "2")
        self.keys.put("new/x", "1")
        mount.settle()
        self.assertEqual(0, mount.status()["announcements"]["untold"])

    def test_no_acl(self):
        mount = self.mount()
        for name in ("system.posix_acl_access", "security.capability", "security.selinux"):
            self.assertIn(error_of(lambda n=name: os.getxattr(mount.join("f"), n)),
                          (errno.ENODATA, errno.EOPNOTSUPP))
        self.assertEqual(stat.S_IMODE(os.stat(mount.join("f")).st_mode) & 0o022, 0)


class Options(PlaceTest):
    def test_shown(self):
        """As given, in mountinfo; but root's is ro and an ordinary user's rw in any case."""
        ours = ["ro" if privileged() else "rw"]
        for given, shown in (("", ["nosuid", "nodev"]), ("ro", []), ("rw", []),
                             ("nosuid,nodev,noexec", ["nosuid", "nodev", "noexec"]),
                             ("noatime", ["noatime"])):
            with self.subTest(given=given):
                mount = self.mount(*(["-o", given] if given else []))
                self.assertLessEqual(set(shown + ours), set(find_mount(mount.path)))
                self.assertEqual(b"1", mount.read("f"))
                self.assert_leaves(mount)

    @case.privileged_only("only root remounts")
    def test_remounted(self):
        """Whatever root makes of the flags, nobody writes, and events go on."""
        mount = self.mount()
        for options in ("remount,rw", "remount,bind,rw", "remount,bind,ro", "remount,noexec,rw"):
            with self.subTest(options):
                result = subprocess.run(["mount", "-i", "-o", options, mount.path],
                                        check=False, capture_output=True, text=True)
                self.assertEqual((0, ""), (result.returncode, result.stderr))
                for call in (lambda: os.unlink(mount.join("f")),
                             lambda: os.mkdir(mount.join("x")),
                             lambda: os.truncate(mount.join("f"), 0),
                             lambda: os.chmod(mount.join("f"), 0o777),
                             lambda: self.write_to(mount.join("f")),
                             lambda: self.write_to(mount.join("new"), os.O_CREAT)):
                    self.assertEqual(errno.EROFS, error_of(call))
                self.keys.put("f", options)
                mount.settle()
                self.assertEqual(options.encode(), mount.read("f"))
        self.assertEqual(0, mount.status()["announcements"]["untold"])
        self.assert_leaves(mount)

    @staticmethod
    def write_to(path, flags=0):
        fd = os.open(path, os.O_WRONLY | flags)
        try:
            os.write(fd, b"x")
        finally:
            os.close(fd)


class Busy(PlaceTest):
    """The user's own reasons, and nothing but them."""

    def setUp(self):
        super().setUp()
        shutil.copy("/bin/sleep", os.path.join(self.directory, "program"))
        with open("/bin/sleep", "rb") as program:
            self.keys.put("program", program.read())
        self.mounted = self.mount("-o", "umask=022")

    def assert_busy_while(self, hold):
        """HOLD() returns how to let go."""
        self.mounted.held = True
        let_go = hold()
        try:
            self.assertIn("busy", self.mounted.unmount().stderr)
            self.assertEqual(b"1", self.mounted.read("f"))
        finally:
            let_go()
        self.mounted.held = False
        self.assert_leaves(self.mounted)

    def test_an_open_file(self):
        def hold():
            fd = os.open(self.mounted.join("f"), os.O_RDONLY)
            return lambda: os.close(fd)
        self.assert_busy_while(hold)

    def test_an_open_directory(self):
        def hold():
            fd = os.open(self.mounted.join("d"), os.O_RDONLY)
            return lambda: os.close(fd)
        self.assert_busy_while(hold)

    def test_a_mapping(self):
        def hold():
            with open(self.mounted.join("f"), "rb") as file:
                return mmap.mmap(file.fileno(), 1, mmap.MAP_SHARED, mmap.PROT_READ).close
        self.assert_busy_while(hold)

    def test_a_working_directory(self):
        def hold():
            inside = subprocess.Popen([*ENDS_WITH_US, "KILL", "cat"], cwd=self.mounted.join("d"),
                                      stdin=subprocess.PIPE)
            return inside.communicate
        self.assert_busy_while(hold)

    @case.privileged_only("only root mounts a tmpfs")
    def test_a_mount_in_it(self):
        def hold():
            self.mount_at(self.mounted.join("d"), "-t", "tmpfs", "tmpfs")
            return lambda: run("umount", self.mounted.join("d"))
        self.assert_busy_while(hold)

    def test_watches_are_no_reason(self):
        watcher = self.watcher()
        for names in (("f",), ("d",), ("d", "g")):
            watcher.add(self.mounted.join(*names))
        self.assert_leaves(self.mounted)

    def unmount_lazily(self):
        command = ["umount", "-l"] if privileged() else ["fusermount3", "-u", "-z"]
        self.assertEqual(0, self.mounted.unmount(*command).returncode)

    def test_lazily_with_open_files(self):
        """They are served until they are closed; the daemon ends then."""
        fd = os.open(self.mounted.join("f"), os.O_RDONLY)
        directory = os.open(self.mounted.path, os.O_RDONLY)
        self.unmount_lazily()
        self.assertEqual([], os.listdir(self.mounted.path))
        self.assertEqual(b"1", os.read(fd, 1))
        # They even see what changes now.
        self.until_unmounted(self.mounted)
        self.assert_kept_up(f"/proc/self/fd/{directory}")
        self.assertIsNone(self.mounted.process.poll())
        os.close(fd)
        os.close(directory)
        self.assertEqual(0, self.mounted.wait_end())

    @case.privileged_only("umount is root's")
    def test_by_force(self):
        """umount -f: readers are cut off, the daemon ends well."""
        fd = os.open(self.mounted.join("f"), os.O_RDONLY)
        self.mounted.held = True
        result = self.mounted.unmount("umount", "-f")
        os.close(fd)
        self.mounted.held = False
        if result.returncode:
            self.assertIn("busy", result.stderr)
            subprocess.run(["umount", self.mounted.path], check=False, capture_output=True)
        self.assertEqual(0, self.mounted.wait_end())


if __name__ == "__main__":
    case.main()
