#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a service manager is told, SIGHUP, and which privileges are left.

The test itself is the manager: it listens where NOTIFY_SOCKET says."""

import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import case  # noqa: E402
from case import privileged_only  # noqa: E402
from mount import find_mount, wrapper  # noqa: E402
from stall import Freeze, thread_named  # noqa: E402
from wait import SLOW, Deadline  # noqa: E402

DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER, SYS_ADMIN = 1, 2, 3, 21
WATCHDOG_MS = 4000 if SLOW else 800


def capabilities(*numbers):
    return sum(1 << number for number in numbers)


class Manager:
    """Hears what a daemon that is started meanwhile tells."""

    def __init__(self, directory, watchdog_ms=None):
        self.path = os.path.join(directory, "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.heard = []
        os.environ["NOTIFY_SOCKET"] = self.path
        if watchdog_ms:
            os.environ["WATCHDOG_USEC"] = str(watchdog_ms * 1000)

    def forget(self):
        """What is started from here on has another manager."""
        os.environ.pop("NOTIFY_SOCKET", None)
        os.environ.pop("WATCHDOG_USEC", None)

    def close(self):
        self.forget()
        self.socket.close()

    def until(self, pattern):
        """The first message from here on that holds PATTERN, and those before it."""
        deadline = Deadline(f"the manager hears {pattern!r}, {self.heard} so far")
        before = []
        while True:
            self.socket.settimeout(deadline.left())
            message = self.socket.recv(4096).decode()
            self.heard.append(message)
            if re.search(pattern, message):
                return message, before
            before.append(message)

    def drain(self):
        """What has come meanwhile."""
        found = []
        while select.select([self.socket], [], [], 0)[0]:
            found.append(self.socket.recv(4096).decode())
        return found


class ServiceTest(case.MountTest):
    def manager(self, **options):
        manager = Manager(self.directory, **options)
        self.addCleanup(manager.close)
        return manager

    def write(self, name, text):
        path = os.path.join(self.directory, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def wait_logged(self, mounted, pattern, count=1):
        deadline = Deadline(f"the log says {pattern!r}")
        while sum(bool(re.search(pattern, line)) for line in mounted.log.lines()) < count:
            deadline.pause()

    def wait_reconnects(self, mounted, count):
        deadline = Deadline(f"{count} reconnects")
        while mounted.status()["reconnects"] < count or mounted.status()["state"] != "live":
            deadline.pause()
        self.assertEqual(count, mounted.status()["reconnects"])


class States(ServiceTest):
    def test_a_life(self):
        self.own_etcd()
        revision = self.keys.put("f", "1")
        manager = self.manager()
        mounted = self.mount(allow=[r"lost", r"etcd"])
        manager.forget()  # etcd would talk to it as well
        _, before = manager.until(r"^READY=1$")
        self.assertIsNotNone(find_mount(mounted.path))
        self.assertRegex(before[-1], rf"^STATUS=live at {mounted.keys.etcd.endpoint}, "
                                     rf"revision {revision + 1}$")
        self.etcd.kill()
        mounted.wait_state("reconnecting")
        manager.until(r"^STATUS=etcd is away since \d\d:\d\d:\d\d, "
                      rf"serving the tree of revision {revision + 1}: .")
        self.etcd.start()
        manager.until("^STATUS=live at ")
        mounted.terminate()
        manager.until(r"^STOPPING=1\nSTATUS=unmounting$")
        self.assertEqual(0, mounted.wait_end())

    def test_nobody_told_twice(self):
        """A change of values is no news; nor is time that goes by."""
        manager = self.manager()
        mounted = self.mount()
        manager.until(r"^READY=1$")
        mounted.wait_state("live")
        manager.drain()
        for number in range(50):
            self.keys.put("f", str(number))
        mounted.settle()
        self.assertLess(len(manager.drain()), 5)

    def test_a_start_that_takes_long(self):
        """Told so that it is not given up; and SIGHUP does not end it."""
        self.own_etcd()
        self.keys.put("f", "1")
        self.etcd.kill()
        manager = self.manager()
        point = os.path.join(self.directory, "late")
        os.mkdir(point)
        process = subprocess.Popen(
            [*wrapper(), self.program(), f"etcd://{self.etcd.endpoint}{self.keys.prefix.decode()}",
             point, "-f", "--retry=1h", "--dial-timeout=200ms"],
            stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        manager.forget()  # etcd would talk to it as well
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        manager.until(r"^STATUS=etcd not reachable within .*; trying again$")
        manager.until(r"^EXTEND_TIMEOUT_USEC=\d+$")
        process.send_signal(signal.SIGHUP)
        manager.until(r"^EXTEND_TIMEOUT_USEC=\d+$")
        self.assertIsNone(find_mount(point))
        self.etcd.start()
        manager.until(r"^READY=1$")
        self.assertIsNotNone(find_mount(point))
        process.terminate()
        self.assertEqual(0, process.wait(Deadline("it ends").left()))


class Reload(ServiceTest):
    def test_goes_on_over_a_new_connection(self):
        self.keys.put("d/f", "1")
        manager = self.manager()
        mounted = self.mount()
        manager.until(r"^READY=1$")
        watcher = self.watcher()
        watcher.add(mounted.join("d"))
        mounted.terminate(signal.SIGHUP)
        manager.until(r"^RELOADING=1\nMONOTONIC_USEC=\d+$")
        manager.until(r"^READY=1$")
        self.wait_reconnects(mounted, 1)
        self.assertEqual({"g": ["CREATE", "OPEN", "MODIFY", "CLOSE_WRITE"]},
                         {name: events for name, events in
                          self.told_after(watcher, mounted).items() if name})
        self.assertEqual(0, sum(mounted.status()["reseeds"].values()))

    def told_after(self, watcher, mounted):
        self.keys.put("d/g", "1")
        told = self.told(watcher, "d/mark")
        mounted.settle()
        return told

    def test_files_that_are_not_there(self):
        password = self.write("password", "secret\n")
        mounted = self.mount("--user=somebody", f"--password-file={password}",
                             allow=[r"password.*what was read before stays"])
        os.rename(password, password + ".away")
        mounted.terminate(signal.SIGHUP)
        self.wait_logged(mounted, "reloaded")
        [said] = mounted.log.complaints() or [
            line for line in mounted.log.lines() if "warning" in line]
        self.assertIn(f"--password-file {password}: No such file", said)
        self.assertEqual(0, mounted.status()["reconnects"])
        os.rename(password + ".away", password)
        mounted.terminate(signal.SIGHUP)
        self.wait_reconnects(mounted, 1)

    def test_log_level(self):
        config = self.write("x.conf", "[etcdfs]\nlog-level = info\n")
        mounted = self.mount(f"--config-file={config}", allow=[r"x\.conf"])
        mounted.read(".etcdfs", "status")
        self.assertFalse([line for line in mounted.log.lines() if "lookup" in line])
        self.write("x.conf", "[etcdfs]\nlog-level = debug\n")
        mounted.terminate(signal.SIGHUP)
        self.wait_logged(mounted, "reloaded")
        mounted.read(".etcdfs", "status")
        self.wait_logged(mounted, "lookup")
        self.write("x.conf", "[etcdfs]\nlog-level = nonsense\n")
        mounted.terminate(signal.SIGHUP)
        self.wait_logged(mounted, r"x\.conf.*nonsense.*the log level stays")

    def test_a_terminal_that_hangs_up(self):
        """Who was started in the foreground there leaves."""
        self.keys.put("f", "1")
        ours, theirs = pty.openpty()
        mounted = self.mount_on(theirs)
        os.close(theirs)
        mounted.send_signal(signal.SIGHUP)
        self.assertEqual(0, mounted.wait(Deadline("it leaves").left()))
        os.close(ours)

    def mount_on(self, terminal):
        point = os.path.join(self.directory, "mnt")
        os.mkdir(point)
        process = subprocess.Popen(
            [*wrapper(), self.program(),
             f"etcd://{self.keys.etcd.endpoint}{self.keys.prefix.decode()}", point, "-f"],
            stdin=terminal, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.stderr.close)
        while "is mounted on" not in (line := process.stderr.readline()):
            self.assertTrue(line, "it ended")
        return process


class Watchdog(ServiceTest):
    def setUp(self):
        super().setUp()
        self.keys.put("f", "1")
        self.dog = self.manager(watchdog_ms=WATCHDOG_MS)
        self.mounted = self.mount(allow=[r"does not answer"])
        self.dog.until(r"^WATCHDOG=1$")
        self.dog.until(r"^WATCHDOG=1$")

    def assert_barks(self, freeze, who):
        """With those threads stopped it is fed no more, and then it is again."""
        try:
            self.wait_logged(self.mounted, f"{who} does not answer")
            self.dog.drain()
            self.mounted.terminate(signal.SIGHUP)  # the main loop is well
            self.dog.until("^RELOADING=1")
            self.assertNotIn("WATCHDOG=1", self.dog.drain())
        finally:
            freeze.open()
        self.dog.until(r"^WATCHDOG=1$")

    @privileged_only("only root may stop another's threads")
    def test_requests(self):
        freeze = Freeze(self.mounted)
        freeze.close_all()
        self.assert_barks(freeze, "the mount")

    @privileged_only("only root may stop another's threads")
    def test_the_watch(self):
        tid = thread_named(self.mounted.process.pid, "watch")
        freeze = Freeze(self.mounted, [tid])
        freeze.close()
        self.assert_barks(freeze, "the watch of etcd")

    @privileged_only("only root may stop another's threads")
    def test_not_the_announcer(self):
        freeze = Freeze(self.mounted, [thread_named(self.mounted.process.pid, "announcer")])
        freeze.close()
        try:
            self.keys.put("f", "2")
            self.dog.drain()
            for _ in range(5):
                self.dog.until(r"^WATCHDOG=1$")
        finally:
            freeze.open()
        self.mounted.settle()


class Privileges(ServiceTest):
    @privileged_only("nobody else has any")
    def test_each_thread(self):
        """Also those that come later."""
        self.keys.put("f", "1")
        mounted = self.mount("--uid=5")
        readers = [subprocess.Popen(["find", mounted.path, "-type", "f", "-exec", "cat", "{}", "+"],
                                    stdout=subprocess.DEVNULL) for _ in range(20)]
        for reader in readers:
            reader.wait()
        mounted.terminate(signal.SIGHUP)
        self.wait_reconnects(mounted, 1)
        kept = set()
        for tid in os.listdir(f"/proc/{mounted.process.pid}/task"):
            kept.add(self.kept(mounted.process.pid, tid))
        self.assertEqual({("mounter", capabilities(SYS_ADMIN, DAC_READ_SEARCH), 1),
                          ("others", capabilities(DAC_OVERRIDE, FOWNER), 1)}, kept)
        watcher = self.watcher()
        watcher.add(mounted.path)
        self.keys.put("g", "1")
        self.keys.delete("f")
        self.assertEqual({"g": ["CREATE", "OPEN", "MODIFY", "CLOSE_WRITE"], "f": ["DELETE"]},
                         self.told(watcher, "mark"))

    @staticmethod
    def kept(pid, tid):
        with open(f"/proc/{pid}/task/{tid}/status", encoding="utf-8") as lines:
            fields = dict(line.rstrip("\n").split(":\t", 1) for line in lines if ":\t" in line)
        permitted, effective = int(fields["CapPrm"], 16), int(fields["CapEff"], 16)
        assert permitted == effective, fields
        name = "mounter" if fields["Name"] == "mounter" else "others"
        return name, permitted, int(fields["NoNewPrivs"])

    @privileged_only("only root has a namespace to go to")
    def test_another_mount_namespace(self):
        """Mounted there and seen there alone; noticed when it is unmounted there."""
        self.keys.put("f", "1")
        for leave in ("kill", "umount"):
            with self.subTest(leave):
                holder = subprocess.Popen(["unshare", "--mount", "--propagation", "private",
                                           "sh", "-c", "echo; exec cat"],
                                          stdin=subprocess.PIPE, stdout=subprocess.PIPE)
                self.addCleanup(holder.communicate)
                holder.stdout.readline()
                inside = ["nsenter", "--mount", f"--target={holder.pid}"]
                process, point = self.mount_in(f"/proc/{holder.pid}/ns/mnt")
                self.assertIsNone(find_mount(point))
                self.assertEqual(b"1", subprocess.check_output([*inside, "cat", f"{point}/f"]))
                if leave == "kill":
                    process.terminate()
                else:
                    subprocess.run([*inside, "umount", point], check=True)
                self.assertEqual(0, process.wait(Deadline("it ends").left()))
                self.assertNotIn(point, subprocess.check_output(
                    [*inside, "cat", "/proc/self/mounts"], text=True))

    def mount_in(self, namespace):
        point = os.path.join(self.directory, "elsewhere")
        os.makedirs(point, exist_ok=True)
        process = subprocess.Popen(
            [*wrapper(), self.program(),
             f"etcd://{self.keys.etcd.endpoint}{self.keys.prefix.decode()}", point, "-f",
             f"--mount-namespace={namespace}"], stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.stderr.close)
        while "is mounted on" not in (line := process.stderr.readline()):
            self.assertTrue(line, "it ended")
        return process, point

    def test_a_namespace_that_is_none(self):
        point = os.path.join(self.directory, "mnt")
        os.mkdir(point)
        for namespace, where, status, says in (
                ("/none", point, 1, "--mount-namespace /none: No such file or directory"),
                (self.program(), point, 1, f"--mount-namespace {self.program()}: "),
                ("/proc/1/ns/mnt", "mnt", 2, "mnt: with --mount-namespace it must begin with /")):
            result = subprocess.run([self.program(), "etcd://127.0.0.1:1/", where, "-f",
                                     f"--mount-namespace={namespace}"], check=False,
                                    capture_output=True, text=True)
            self.assertEqual(status, result.returncode, result.stderr)
            self.assertRegex(result.stderr, f"\\Aetcdfs: {re.escape(says)}.*\n\\Z")


if __name__ == "__main__":
    case.main()
