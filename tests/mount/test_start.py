#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""etcd away at the start: how long etcdfs tries, what it says, and what it leaves."""

import os
import select
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import case  # noqa: E402
from certs import Authority  # noqa: E402
from etcd import Auth, TlsEtcd, free_port  # noqa: E402
from mount import find_mount, unmount_command, wait_mounts, wrapper  # noqa: E402
from proxy import Proxy  # noqa: E402
from wait import ENDS_WITH_US, Deadline  # noqa: E402

QUICK = "--dial-timeout=300ms"


class StartTest(case.MountTest):
    def setUp(self):
        super().setUp()
        self.keys.put("f", "1")
        self.point = os.path.join(self.directory, "mnt")
        os.mkdir(self.point)
        self.proxy = Proxy(free_port(), self.keys.etcd.endpoint)
        self.proxy.refuse()
        self.addCleanup(self.proxy.close)
        self.source = f"etcd://{self.proxy.endpoint}{self.keys.prefix.decode()}"
        self.addCleanup(self.clean_up)

    def clean_up(self):
        for pid in self.daemons():
            os.kill(pid, signal.SIGKILL)
        if find_mount(self.point) is not None:
            subprocess.run(unmount_command(self.point), check=False)

    def daemons(self):
        """The processes that mount, or want to, where this test does."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    if os.fsencode(self.point) in file.read().split(b"\0"):
                        found.append(int(pid))
            except OSError:
                pass  # it has just ended
        return found

    def command(self, *args, source=None):
        return [*wrapper(), self.program(), source or self.source, self.point, *args]

    def run_program(self, *args, source=None):
        """Its exit status and the lines it said, once those who wait see its end."""
        result = subprocess.run(self.command(*args, source=source), check=False, text=True,
                                stdin=subprocess.DEVNULL, capture_output=True,
                                timeout=Deadline("etcdfs").left())
        return result.returncode, result.stderr.splitlines()

    def start_program(self, *args):
        process = subprocess.Popen([*ENDS_WITH_US, "TERM", *self.command(*args)], text=True,
                                   stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.addCleanup(process.wait)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.kill)
        return process

    def start_trying(self, *args):
        process = self.start_program("-f", QUICK, *args)
        self.assertRegex(process.stderr.readline(), "not reachable .*; trying again$")
        return process

    def wait_mounted(self):
        self.assertTrue(wait_mounts(lambda: find_mount(self.point) is not None,
                                    Deadline("it is mounted")))

    def assert_serves(self):
        with open(os.path.join(self.point, "f"), "rb") as file:
            self.assertEqual(b"1", file.read())

    def assert_nothing_left(self):
        self.assertIsNone(find_mount(self.point))
        self.assertEqual([], self.daemons())

    def assert_ends(self, process, status, *says):
        """The lines that it had still to say match SAYS."""
        rest = process.communicate(timeout=Deadline("etcdfs ends").left())[1].splitlines()
        self.assertEqual(status, process.returncode, rest)
        self.assertEqual(len(says), len(rest), rest)
        for pattern, line in zip(says, rest):
            self.assertRegex(line, pattern)


class Patience(StartTest):
    def test_none(self):
        status, lines = self.run_program(QUICK)
        self.assertEqual((1, [f"etcdfs: etcd not reachable within 0.3 s: {self.proxy.endpoint}: "
                              "connection refused"]), (status, lines))
        self.assert_nothing_left()

    def test_retry(self):
        process = self.start_trying("--retry=1s")
        self.assert_ends(process, 1, f"not reachable within 1 s: {self.proxy.endpoint}: ")
        process = self.start_trying("--retry=1h")
        self.proxy.accept()
        self.wait_mounted()
        self.assert_serves()
        process.terminate()
        self.assert_ends(process, 0, "watching etcd", "is mounted on")
        self.assert_nothing_left()

    def test_in_the_background(self):
        status, lines = self.run_program(QUICK, "--bg")
        self.assertEqual(0, status, lines)
        self.assertEqual([f"etcdfs: etcd not reachable within 0.3 s: {self.proxy.endpoint}: "
                          "connection refused; trying again in the background"], lines)
        self.assertIsNone(find_mount(self.point))
        daemon, = self.daemons()
        ended = os.pidfd_open(daemon)
        self.addCleanup(os.close, ended)
        self.proxy.accept()
        self.wait_mounted()
        self.assert_serves()
        self.assertEqual(0, subprocess.run(unmount_command(self.point), check=False).returncode)
        select.select([ended], [], [], Deadline("the daemon ends").left())
        self.assert_nothing_left()

    def test_in_the_background_for_a_while(self):
        status, _ = self.run_program(QUICK, "-o", "bg,retry=600ms")
        self.assertEqual(0, status)
        deadline = Deadline("the daemon gives up")
        while self.daemons():
            deadline.pause()
        self.assert_nothing_left()

    def test_etcd_is_there(self):
        self.proxy.accept()
        self.assertEqual((0, []), self.run_program("--bg"))
        self.assert_serves()

    def test_each_reason_once(self):
        process = self.start_trying("--bg")
        self.proxy.accept()
        self.proxy.hold()
        self.assertRegex(process.stderr.readline(), "timed out|no answer")
        self.proxy.refuse()
        process.terminate()
        self.assert_ends(process, 0)


class Refusal(StartTest):
    """What only a person can mend is no reason to wait."""

    def test_certificate(self):
        directory = self.directory
        trusted, other = Authority(directory, "ca"), Authority(directory, "other")
        os.mkdir(os.path.join(directory, "tls"))
        etcd = TlsEtcd(os.path.join(directory, "tls"), trusted.server("server", "127.0.0.1"))
        etcd.start()
        self.addCleanup(etcd.stop)
        status, lines = self.run_program(QUICK, "--bg", f"--cacert={other.cert}",
                                         source=f"etcds://{etcd.tls_endpoint}/")
        self.assertEqual((1, 1), (status, len(lines)), lines)
        self.assertRegex(lines[0], "certificate is not trusted")
        self.assert_nothing_left()

    def test_later(self):
        """It is the same when etcd comes only later."""
        Auth(self.own_etcd("--bcrypt-cost=4")).enable()
        self.proxy.retarget(self.etcd.endpoint)
        process = self.start_trying("--bg", "--user=root:wrong")
        self.proxy.accept()
        self.assert_ends(process, 1, "refused: .*authentication failed")
        self.assert_nothing_left()


class Meanwhile(StartTest):
    def test_signals(self):
        for signum in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(signum):
                process = self.start_trying("--bg")
                process.send_signal(signum)
                self.assert_ends(process, 0)
        self.assert_nothing_left()

    def test_who_waits_gives_up(self):
        """Ctrl-C ends who waits for the mount; then nobody wants it any more."""
        process = self.start_program("--bg", "--dial-timeout=1h")
        deadline = Deadline("it has gone to the background")
        while len(self.daemons()) < 2:
            deadline.pause()
        process.send_signal(signal.SIGINT)
        self.assertEqual("", process.communicate(timeout=deadline.left())[1])
        self.assert_nothing_left()

    def test_the_mount_point_goes(self):
        process = self.start_trying("--bg")
        os.rmdir(self.point)
        self.proxy.accept()
        self.assert_ends(process, 1, "watching etcd", "mnt: No such file or directory")

    def test_two_for_one_mount_point(self):
        """As `mount -a` may have it; the second has nothing to do any more."""
        processes = [self.start_trying("--bg") for _ in range(2)]
        self.proxy.accept()
        poll = select.poll()
        ends = {os.pidfd_open(process.pid): process for process in processes}
        for end in ends:
            self.addCleanup(os.close, end)
            poll.register(end, select.POLLIN)
        (end, _), = poll.poll(Deadline("the second gives up").left_ms())
        loser = ends[end]
        self.assert_ends(loser, 1, "watching etcd", "a mount point already|has just mounted")
        processes.remove(loser)
        self.assert_serves()
        processes[0].terminate()
        self.assert_ends(processes[0], 0, "watching etcd", "is mounted on")
        self.assert_nothing_left()


if __name__ == "__main__":
    case.main()
