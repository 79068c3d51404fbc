#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Issue item 10: it goes when told to, at the first try, whatever happens then."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import case  # noqa: E402
import inotify  # noqa: E402
from load import LoadedTest  # noqa: E402
from mount import find_mount, privileged, wait_mounts, wrapper  # noqa: E402
from wait import Deadline, times  # noqa: E402

PR_SET_CHILD_SUBREAPER = 36


class UnderLoad(LoadedTest):
    def rounds(self, leave):
        """LEAVE(mount) ends each mount; the next one is on the same directory."""
        for attempt in range(times(5, slow=2)):
            with self.subTest(attempt=attempt):
                mount, _ = self.in_the_middle()
                leave(mount)
                self.assertEqual(0, mount.wait_end())
                self.assertEqual([], os.listdir(mount.path))
        self.assertEqual(b"1", self.mount().read("f"))

    def unmounted_by(self, *command):
        def leave(mount):
            result = mount.unmount(*command)
            self.assertEqual((0, ""), (result.returncode, result.stderr))
        return leave

    @case.privileged_only("umount is root's")
    def test_umount(self):
        self.rounds(self.unmounted_by("umount"))

    def test_fusermount3(self):
        self.rounds(self.unmounted_by("fusermount3", "-u"))

    @case.privileged_only("umount is root's")
    def test_umount_lazily(self):
        self.rounds(self.unmounted_by("umount", "-l"))

    def test_sigterm(self):
        self.rounds(lambda mount: mount.terminate(signal.SIGTERM))

    def test_sigint(self):
        self.rounds(lambda mount: mount.terminate(signal.SIGINT))

    def test_watchers_are_told(self):
        mount, watcher = self.in_the_middle()
        self.assertEqual(0, mount.unmount().returncode)
        watcher.until(lambda event: event.mask & inotify.UNMOUNT, "UNMOUNT")
        self.assertEqual(0, mount.wait_end())

    def test_a_file_that_is_open(self):
        """The reader's own reason for EBUSY; nothing breaks by trying, and the
        mount goes once the file is closed."""
        mount, watcher = self.in_the_middle()
        mount.held = True
        with open(mount.join("f"), "rb") as file:
            self.assertNotEqual(0, mount.unmount().returncode)
            watcher.until(lambda event: event.mask & inotify.CLOSE_WRITE)
            self.assertEqual(b"1", file.read())
        mount.held = False
        self.assertEqual(0, mount.unmount().returncode)
        self.assertEqual(0, mount.wait_end())


class Idle(case.MountTest):
    def test_without_any_change(self):
        self.keys.put("f", "1")
        for leave in (lambda mount: self.assertEqual(0, mount.unmount().returncode),
                      lambda mount: mount.terminate(signal.SIGTERM),
                      lambda mount: mount.terminate(signal.SIGINT)):
            mount = self.mount()
            leave(mount)
            self.assertEqual(0, mount.wait_end())

    def test_as_soon_as_it_shows(self):
        """A signal that comes with the mount finds somebody who heeds it."""
        for signum in (signal.SIGTERM, signal.SIGINT) * times(5, slow=2):
            mount = self.mount(early=True)
            mount.terminate(signum)
            self.assertEqual(0, mount.wait_end())

    def test_while_etcd_is_away(self):
        self.own_etcd()
        for leave in (lambda mount: self.assertEqual(0, mount.unmount().returncode),
                      lambda mount: mount.terminate(signal.SIGTERM)):
            self.keys.put("f", "1")
            mount = self.mount(allow=[r"connect", r"lost", r"etcd"])
            self.etcd.kill()
            mount.wait_state("reconnecting")
            self.assertEqual(b"1", mount.read("f"))
            leave(mount)
            self.assertEqual(0, mount.wait_end())
            self.etcd.start()

    def test_with_a_descriptor_left_open(self):
        """SIGTERM does not wait for readers; they are cut off."""
        self.keys.put("f", "1")
        mount = self.mount()
        fd = os.open(mount.join("f"), os.O_RDONLY)
        mount.terminate()
        self.assertEqual(0, mount.wait_end())
        with self.assertRaises(OSError):
            os.pread(fd, 1, 0)
        with contextlib.suppress(OSError):  # the daemon cannot be told of it
            os.close(fd)


class Background(case.MountTest):
    """Without -f: mounted when the command returns, and everything is there."""

    def daemon_of(self, mount):
        """The process that became ours when its parent ended."""
        me = os.getpid()
        with open(f"/proc/{me}/task/{me}/children", encoding="ascii") as children:
            for pid in map(int, children.read().split()):
                with open(f"/proc/{pid}/cmdline", "rb") as cmdline:
                    if os.fsencode(mount) in cmdline.read().split(b"\0"):
                        return pid
        return self.fail("no daemon")

    def setUp(self):
        super().setUp()
        libc = ctypes.CDLL(None, use_errno=True)
        self.assertEqual(0, libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
        self.addCleanup(libc.prctl, PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
        for i in range(500):
            self.keys.put(f"k{i}", str(i))

    def start(self):
        mount = os.path.join(self.directory, "mnt")
        os.mkdir(mount)
        source = f"etcd://{self.keys.etcd.endpoint}{self.keys.prefix.decode()}"
        result = subprocess.run([*wrapper(), self.program(), source, mount], check=False,
                                text=True, stdin=subprocess.DEVNULL, capture_output=True,
                                timeout=Deadline("etcdfs").left())
        self.assertEqual((0, ""), (result.returncode, result.stdout))
        self.assertEqual(500, len(os.listdir(mount)))
        return mount, self.daemon_of(mount)

    def assert_clean_end(self, mount, pid):
        self.assertTrue(wait_mounts(lambda: find_mount(mount) is None, Deadline("unmounted")))
        self.assertEqual((pid, 0), os.waitpid(pid, 0))

    def test_unmounted(self):
        mount, pid = self.start()
        command = ["umount"] if privileged() else ["fusermount3", "-u"]
        subprocess.run([*command, mount], check=True)
        self.assert_clean_end(mount, pid)

    def test_terminated(self):
        mount, pid = self.start()
        os.kill(pid, signal.SIGTERM)
        self.assert_clean_end(mount, pid)

    def test_it_lets_go_of_everything_it_was_started_with(self):
        """Its working directory, standard streams and session."""
        mount, pid = self.start()
        self.assertEqual("/", os.readlink(f"/proc/{pid}/cwd"))
        self.assertEqual({"/dev/null"}, {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in range(3)})
        self.assertEqual(pid, os.getsid(pid))
        os.kill(pid, signal.SIGTERM)
        self.assert_clean_end(mount, pid)


if __name__ == "__main__":
    case.main()
