#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Item 10, the worst case: the daemon is killed (SIGKILL), or stopped for a while.
Nobody hangs, nothing is left that cannot be got rid of, and starting it again is all
that there is to do.  With ETCDFS_LONG=1 the announcer is killed 100 times."""

import contextlib
import errno
import mmap
import os
import pwd
import signal
import socket
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import case  # noqa: E402
import inotify  # noqa: E402
import libc  # noqa: E402
from inotify import transcript  # noqa: E402
from load import LoadedTest  # noqa: E402
from mount import mounts, privileged, unmount_command  # noqa: E402
from place import error_of  # noqa: E402
from wait import ENDS_WITH_US, LONG, Deadline, times  # noqa: E402

# Reads what the kernel keeps and what it always asks for, until there is an error.
READER = """
import errno, os, sys
os.chdir(sys.argv[1])
print("ready", flush=True)
while True:
    for do in (lambda: open("f").read(), lambda: os.getxattr("f", "user.etcd.key"),
               lambda: os.listdir("load"), lambda: open("load/k1").read(),
               lambda: os.stat("load/k19")):
        try:
            do()
        except OSError as error:
            if error.errno in (errno.ENOTCONN, errno.ECONNABORTED):
                sys.exit(0)
            if error.errno != errno.ENOENT:
                raise
"""


def lazily(path):
    """The command that unmounts whatever happens."""
    return ["umount", "-l", path] if privileged() else ["fusermount3", "-u", "-z", path]


def mounted(path):
    """The types of what is mounted there, the topmost last."""
    return [kind for point, _, kind in mounts() if point == path]


def connection_of(path):
    """The kernel's number of it, by which it can be aborted."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as lines:
        return next(fields[2].split(":")[1] for fields in map(str.split, lines)
                    if fields[4] == path)


class KilledTest(case.MountTest):
    def kill(self, mount):
        """Returns once the daemon is gone."""
        connection = connection_of(mount.path)
        self.addCleanup(self.clear, mount)
        mount.terminate(signal.SIGKILL)
        try:
            status = mount.process.wait(Deadline("the killed daemon is gone").left())
        except subprocess.TimeoutExpired:
            # Else neither it nor its readers would ever end.
            with open(f"/sys/fs/fuse/connections/{connection}/abort", "wb") as abort:
                abort.write(b"1")
            mount.process.wait()
            raise
        finally:
            if mount.process.returncode is not None:
                mount.process = None
        self.assertEqual(-signal.SIGKILL, status)

    @staticmethod
    def clear(mount):
        while mount.process is None and mounted(mount.path):
            subprocess.run(lazily(mount.path), check=True, capture_output=True)

    def start_again(self, mount):
        """Returns once the new daemon serves; the lines that it said until then."""
        known = len(mount.log.lines())
        mount.start()
        deadline = Deadline("etcdfs mounts again")
        while True:
            said = mount.log.lines()[known:]
            if any(f"is mounted on {mount.path}" in line for line in said):
                return said
            if mount.process.poll() is not None:
                self.fail(f"etcdfs ended with {mount.process.returncode}: {said}")
            deadline.pause()

    def refused(self, path, as_user=()):
        """What a start on PATH says that is to fail."""
        source = f"etcd://{self.keys.etcd.endpoint}{self.keys.prefix.decode()}"
        result = subprocess.run([*as_user, self.program(), source, path, "-f"], check=False,
                                stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                timeout=Deadline("etcdfs refuses").left())
        self.assertEqual((1, ""), (result.returncode, result.stdout), result.stderr)
        return result.stderr

    def assert_alone(self, mount):
        self.assertEqual(["fuse.etcdfs"], mounted(mount.path))
        self.assert_shows_etcd(mount)


class Idle(KilledTest):
    def setUp(self):
        super().setUp()
        for name in ("f", "never/seen"):
            self.keys.put(name, "1")
        self.mounted = self.mount()

    def test_readers_get_an_error(self):
        """At once, unless the kernel has the answer itself."""
        path = self.mounted.join("f")
        self.mounted.read("f")
        with open(path, "rb", buffering=0) as file, \
             mmap.mmap(file.fileno(), 1, mmap.MAP_SHARED, mmap.PROT_READ) as mapped:
            self.assertEqual(b"1", mapped[:])
            self.kill(self.mounted)
            # Pages that the kernel has.
            self.assertEqual(b"1", mapped[:])
            self.assertEqual(b"1", file.read())
            for call in (lambda: os.getxattr(file.fileno(), "user.etcd.key"),
                         lambda: self.mounted.read("never", "seen"),
                         lambda: self.mounted.read(".etcdfs", "status"),
                         lambda: os.stat(self.mounted.join("new")),
                         lambda: os.listdir(self.mounted.join("never")),
                         lambda: os.statvfs(self.mounted.path)):
                self.assertEqual(errno.ENOTCONN, error_of(call))
            # Without asking us, root's kernel opens what it knows; an ordinary user's asks.
            self.assertEqual(None if privileged() else errno.ENOTCONN,
                             error_of(lambda: self.mounted.read("f")))

    def test_nobody_writes(self):
        self.mounted.read("f")
        self.kill(self.mounted)
        for call in (lambda: os.open(self.mounted.join("f"), os.O_WRONLY),
                     lambda: os.mkdir(self.mounted.join("d")),
                     lambda: os.unlink(self.mounted.join("f"))):
            self.assertIn(error_of(call), (errno.EROFS, errno.ENOTCONN))

    def test_umount(self):
        watcher = self.watcher()
        for path in (self.mounted.path, self.mounted.join("f")):
            watcher.add(path, inotify.CHANGES)
        self.kill(self.mounted)
        result = self.mounted.unmount()
        self.assertEqual((0, ""), (result.returncode, result.stderr))
        self.assertEqual(["IGNORED", "IGNORED", "UNMOUNT", "UNMOUNT,ISDIR"],
                         sorted(transcript(watcher.next() for _ in range(4))))
        self.assertEqual([], os.listdir(self.mounted.path))

    def test_started_again(self):
        self.kill(self.mounted)
        self.keys.put("f", "2")
        self.keys.put("new", "3")
        said = self.start_again(self.mounted)
        self.assertEqual([f"etcdfs: {self.mounted.path}: a dead etcdfs was left there, "
                          "and is unmounted now"], [line for line in said if "dead" in line])
        self.assert_alone(self.mounted)
        self.assertEqual(b"2", self.mounted.read("f"))
        watcher = self.watcher()
        watcher.add(self.mounted.path, inotify.CHANGES)
        self.assertEqual({}, self.told(watcher, "mark"))

    def test_started_again_with_readers_left(self):
        """Who still has files, directories and watches of the dead one is no obstacle,
        and no danger."""
        watcher = self.watcher()
        watcher.add(self.mounted.path, inotify.CHANGES)
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(open(self.mounted.join("f"), "rb", buffering=0))
            directory = os.open(self.mounted.join("never"), os.O_RDONLY)
            stack.callback(os.close, directory)
            inside = subprocess.Popen([*ENDS_WITH_US, "KILL", "cat"], cwd=self.mounted.path,
                                      stdin=subprocess.PIPE)
            stack.callback(inside.communicate)
            for _ in range(times(5, slow=2)):
                self.kill(self.mounted)
                self.start_again(self.mounted)
                self.assert_alone(self.mounted)
                self.assertIn(error_of(file.read), (None, errno.ENOTCONN))
                self.assertEqual(errno.ENOTCONN, error_of(lambda: os.listdir(directory)))
        watcher.until(lambda event: event.mask & inotify.UNMOUNT, "UNMOUNT")
        self.assertEqual(0, self.mounted.unmount().returncode)
        self.assertEqual(0, self.mounted.wait_end())

    def test_started_again_by_other_names_of_the_directory(self):
        link = os.path.join(self.directory, "link")
        os.symlink("mnt", link)
        for name in (link, f"{link}/", f"{self.mounted.path}/.", f"{self.directory}/../"
                     f"{os.path.basename(self.directory)}//mnt"):
            with self.subTest(name):
                self.kill(self.mounted)
                command = self.mounted.command
                self.mounted.command = [name if word == self.mounted.path else word
                                        for word in command]
                self.start_again(self.mounted)
                self.mounted.command = command
                self.assert_alone(self.mounted)

    def test_started_again_in_the_background(self):
        self.kill(self.mounted)
        source = f"etcd://{self.keys.etcd.endpoint}{self.keys.prefix.decode()}"
        result = subprocess.run([self.program(), source, self.mounted.path], check=False,
                                text=True, stdin=subprocess.DEVNULL, capture_output=True,
                                timeout=Deadline("etcdfs").left())
        self.addCleanup(subprocess.run, lazily(self.mounted.path), capture_output=True)
        self.assertEqual(0, result.returncode, result.stderr)
        self.assert_alone(self.mounted)
        self.assertEqual(0, self.mounted.unmount().returncode)

    def test_without_etcd_the_dead_one_may_go(self):
        """A start that fails later leaves nothing mounted."""
        self.kill(self.mounted)
        result = subprocess.run([self.program(), "etcd://127.0.0.1:1/", self.mounted.path, "-f",
                                 "--dial-timeout=1s"], check=False, capture_output=True, text=True)
        self.assertEqual(1, result.returncode)
        self.assertIn("not reachable", result.stderr)
        self.assertEqual([], mounted(self.mounted.path))


class Others(KilledTest):
    """What a start must not take away."""

    def setUp(self):
        super().setUp()
        os.chmod(self.directory, 0o755)
        self.keys.put("d/f", "1")

    def test_a_live_one(self):
        mount = self.mount()
        self.assertIn("it is a mount point already", self.refused(mount.path))
        self.assert_alone(mount)

    def test_another_type(self):
        """The connection's only descriptor is closed: so it is dead."""
        path = os.path.join(self.directory, "other")
        os.mkdir(path)
        ours, fusermounts = socket.socketpair()
        subprocess.run(["fusermount3", "-o", "fsname=x,subtype=other", "--", path], check=True,
                       pass_fds=[fusermounts.fileno()],
                       env={**os.environ, "_FUSE_COMMFD": str(fusermounts.fileno())})
        _, [fd], _, _ = socket.recv_fds(ours, 1, 1)
        self.addCleanup(subprocess.run, lazily(path), check=True)
        for end in (ours, fusermounts):
            end.close()
        os.close(fd)
        self.assertIn("a dead mount of another type (fuse.other) is left there: umount it",
                      self.refused(path))
        self.assertEqual(["fuse.other"], mounted(path))

    @case.privileged_only("only root mounts a tmpfs")
    def test_another_filesystem(self):
        path = os.path.join(self.directory, "other")
        os.mkdir(path)
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", path], check=True)
        self.addCleanup(subprocess.run, ["umount", path], check=True)
        self.assertIn("it is a mount point already", self.refused(path))
        self.assertEqual(["tmpfs"], mounted(path))

    @case.privileged_only("only root mounts a tmpfs")
    def test_other_mounts_in_a_dead_one(self):
        """They would go, too, and may be alive."""
        mount = self.mount()
        inner = mount.join("d")
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", inner], check=True)
        self.kill(mount)
        self.assertIn("with other mounts in it", self.refused(mount.path))
        self.assertEqual(["tmpfs"], mounted(inner))
        subprocess.run(["umount", inner], check=True)
        self.start_again(mount)
        self.assert_alone(mount)

    @case.privileged_only("root alone can be several users")
    def test_another_users(self):
        """An ordinary user does not get rid of root's mount; the line says why."""
        mount = self.mount("-o", "allow_other")
        self.kill(mount)
        self.assertIn("a dead etcdfs is left there, and cannot be unmounted: fusermount3:",
                      self.refused(mount.path, as_nobody()))
        self.assertEqual(["fuse.etcdfs"], mounted(mount.path))

    @case.privileged_only("root alone can be several users")
    def test_another_users_private_one(self):
        """Nobody but that user can even find out that it is dead."""
        mount = self.mount()
        self.kill(mount)
        self.assertIn("it is a mount point already", self.refused(mount.path, as_nobody()))
        self.assertEqual(["fuse.etcdfs"], mounted(mount.path))


def as_nobody():
    user = pwd.getpwnam("nobody")
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


class Stacked(KilledTest):
    """What only root can arrange."""

    def setUp(self):
        super().setUp()
        self.keys.put("f", "1")

    def bind(self, one, other):
        subprocess.run(["mount", "--bind", one, other], check=True)

    def one_on_the_other(self):
        """A mount, and the one that hides it."""
        mount = self.mount()
        other = os.path.join(self.directory, "other")
        os.mkdir(other)
        second = self.mount(directory=other)
        self.bind(second.path, mount.path)
        return mount, second

    @case.privileged_only("only root binds")
    def test_two_dead_ones(self):
        mount, second = self.one_on_the_other()
        self.kill(second)
        self.kill(mount)
        self.assertEqual(["fuse.etcdfs"] * 2, mounted(mount.path))
        said = self.start_again(mount)
        self.assertEqual(2, sum("a dead etcdfs was left there" in line for line in said))
        self.assert_alone(mount)

    @case.privileged_only("only root binds")
    def test_a_dead_one_on_a_live_one(self):
        """The live one shows again, and stays."""
        mount, second = self.one_on_the_other()
        self.kill(second)
        dead, refusal = self.refused(mount.path).splitlines()
        self.assertIn("a dead etcdfs was left there", dead)
        self.assertIn("it is a mount point already", refusal)
        self.assert_alone(mount)

    @case.privileged_only("only root binds")
    def test_under_a_bind_mount(self):
        """Each copy is a mount of its own; the one that is started on goes."""
        mount = self.mount()
        copy = os.path.join(self.directory, "copy")
        os.mkdir(copy)
        self.bind(mount.path, copy)
        self.addCleanup(subprocess.run, ["umount", "-l", copy], capture_output=True)
        self.kill(mount)
        self.start_again(mount)
        self.assert_alone(mount)
        self.assertEqual(errno.ENOTCONN, error_of(lambda: os.listdir(copy)))
        self.assertEqual(["fuse.etcdfs"], mounted(copy))
        subprocess.run(["umount", copy], check=True)
        self.assert_alone(mount)


class UnderLoad(KilledTest, LoadedTest):
    """In the midst of announcements: the announcer waits for an answer of its own
    process then, which will never come."""

    def reader(self, mount):
        reader = subprocess.Popen([*ENDS_WITH_US, "KILL", sys.executable, "-c", READER,
                                   mount.path], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, text=True)
        self.addCleanup(reader.stdout.close)
        self.addCleanup(reader.wait)
        self.addCleanup(reader.kill)
        self.assertEqual("ready\n", reader.stdout.readline())
        return reader

    def test_killed(self):
        mount = self.mount()
        for _ in range(100 if LONG else times(8, slow=5)):
            readers = [self.reader(mount) for _ in range(2)]
            self.in_the_middle(mount)
            self.kill(mount)
            for reader in readers:
                self.assertEqual(0, reader.wait(Deadline("a reader gets an error").left()))
                reader.stdout.close()
            self.start_again(mount)
        self.assertEqual(b"1", mount.read("f"))


class Stopped(KilledTest):
    """SIGSTOP, as by a debugger or a frozen container."""

    def setUp(self):
        super().setUp()
        for name in ("f", "g", "d/h"):
            self.keys.put(name, "1")
        self.mounted = self.mount()
        self.addCleanup(self.go_on)
        self.assertEqual(b"1", self.mounted.read("f"))  # it is there, and serves

    def go_on(self):
        if self.mounted.process:
            self.mounted.terminate(signal.SIGCONT)

    def stop(self):
        self.mounted.terminate(signal.SIGSTOP)
        pid, status = os.waitpid(self.mounted.process.pid, os.WUNTRACED)
        self.assertTrue(pid and os.WIFSTOPPED(status))

    def waiting_reader(self, *names):
        """Of what only the daemon can tell; returned once it waits."""
        reader = subprocess.Popen([*ENDS_WITH_US, "KILL", "cat", self.mounted.join(*names)],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL)
        self.addCleanup(reader.stdout.close)
        self.addCleanup(reader.wait)
        self.addCleanup(reader.kill)
        deadline = Deadline("a reader waits for the daemon")
        while True:
            with open(f"/proc/{reader.pid}/wchan", encoding="ascii") as wchan:
                if "request_wait" in wchan.read():
                    return reader
            deadline.pause()

    @staticmethod
    def at_once(*command):
        """What a COMMAND says that needs no daemon."""
        return subprocess.run(command, check=True, stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE,
                              timeout=Deadline("the kernel alone").left()).stdout

    def test_others_wait_and_nothing_is_lost(self):
        watcher = self.watcher()
        watcher.add(self.mounted.path, inotify.CHANGES)
        watcher.add(self.mounted.join("f"), inotify.CHANGES)
        held = os.open(self.mounted.join("f"), os.O_RDONLY)
        self.addCleanup(os.close, held)
        self.assertEqual(b"1", os.read(held, 1))
        os.stat(self.mounted.join("f"))  # reading changed its atime, says the kernel
        self.stop()
        reader = self.waiting_reader("d", "h")
        self.keys.put("f", "2")
        self.keys.put("new", "3")
        self.keys.delete("g")
        self.assertEqual(b"1", os.pread(held, 1, 0))
        self.assertEqual("1\n", self.at_once("stat", "-c", "%s", self.mounted.join("f")))
        if privileged():
            self.assertEqual("1", self.at_once("cat", self.mounted.join("f")))
        self.assertIsNone(reader.poll())
        self.go_on()
        self.assertEqual(b"1", reader.communicate()[0])
        self.assertEqual({"f": ["MODIFY", "CLOSE_WRITE"], "": ["MODIFY", "CLOSE_WRITE"],
                          "new": ["CREATE", "MODIFY", "CLOSE_WRITE"], "g": ["DELETE"]},
                         self.told(watcher, "mark"))
        self.assert_shows_etcd(self.mounted)
        self.assertEqual("live", self.mounted.status()["state"])

    def test_a_waiting_reader_can_be_killed(self):
        self.stop()
        reader = self.waiting_reader("d", "h")
        reader.kill()
        self.assertEqual(-signal.SIGKILL, reader.wait(Deadline("the reader is gone").left()))
        self.go_on()
        self.assertEqual(b"1", self.mounted.read("d", "h"))

    def test_unmounted_meanwhile(self):
        """Nobody need wait for it; it ends when it is woken."""
        self.stop()
        if privileged():  # umount(8) asks the filesystem first, and would wait
            libc.call("umount2", os.fsencode(self.mounted.path), 0)
        else:
            subprocess.run(unmount_command(self.mounted.path), check=True,
                           timeout=Deadline("umount").left())
        self.assertEqual([], os.listdir(self.mounted.path))
        self.go_on()
        self.assertEqual(0, self.mounted.wait_end())

    def test_terminated_meanwhile(self):
        self.stop()
        self.mounted.terminate()
        self.go_on()
        self.assertEqual(0, self.mounted.wait_end())

    def test_killed_meanwhile(self):
        self.stop()
        reader = self.waiting_reader("d", "h")
        self.kill(self.mounted)
        self.assertEqual(1, reader.wait(Deadline("the reader gets an error").left()))
        self.start_again(self.mounted)
        self.assert_alone(self.mounted)


if __name__ == "__main__":
    case.main()
