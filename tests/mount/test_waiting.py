#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""etcdfs-wait: until a revision shows, a path exists, the mount is live."""

import os
import signal
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import case  # noqa: E402
from wait import LIMIT, LONG, Deadline, times  # noqa: E402

AWAY = [r"connect", r"lost", r"etcd"]
FAR = 10**12


class WaitTest(case.MountTest):
    def wait(self, mount, *args, status=0):
        """What etcdfs-wait says, once it ends with STATUS."""
        result = subprocess.run(self.wait_command(mount, *args), check=False, text=True,
                                capture_output=True, timeout=LIMIT, stdin=subprocess.DEVNULL)
        self.assertEqual(status, result.returncode, result.stderr)
        self.assertEqual("", result.stdout)
        self.assertEqual(0 if status == 0 else 1, result.stderr.count("\n"), result.stderr)
        return result.stderr

    def begin(self, mount, *args):
        """etcdfs-wait, asleep in the mount."""
        process = subprocess.Popen(self.wait_command(mount, *args), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(self.end, process)
        deadline = Deadline("etcdfs-wait sleeps in the mount")
        while not self.asks(process.pid):
            self.assertIsNone(process.poll())
            deadline.pause()
        return process

    @staticmethod
    def asks(pid):
        """Whether the process waits for an answer of a FUSE daemon's."""
        with open(f"/proc/{pid}/wchan", encoding="ascii") as file:
            return file.read() == "request_wait_answer"

    @staticmethod
    def end(process):
        if process.poll() is None:
            process.kill()
        process.communicate()

    @staticmethod
    def ask(mount, what):
        return os.getxattr(mount.path, f"user.etcd.wait.{what}").decode()


class Revision(WaitTest):
    def test_reads_own_write(self):
        """With a warm cache, for keys that are modified, come and go."""
        self.keys.txn({f"k{i}": "0" for i in range(8)} | {f"d/k{i}": "0" for i in range(8)})
        mount = self.mount()
        for count in range(times(100000 if LONG else 400)):
            name = f"{'d/' if count % 2 else ''}k{count // 2 % 8}"
            if count % 7 == 3:
                revision, wanted = self.keys.delete(name), None
            else:
                revision, wanted = self.keys.put(name, str(count)), str(count).encode()
            shown = int(self.ask(mount, f"revision.{revision}"))
            self.assertGreaterEqual(shown, revision)
            self.assertEqual(wanted, self.look(mount, name), f"{name} at {revision}")
            self.assertEqual(wanted is not None, os.path.basename(name) in
                             os.listdir(os.path.dirname(mount.join(name))))
            self.assertGreaterEqual(int(mount.read(".etcdfs", "revision")), revision)

    @staticmethod
    def look(mount, name):
        try:
            return mount.read(name)
        except FileNotFoundError:
            return None

    def test_with_others_about(self):
        """Several writers wait for their own, while everybody lists and reads."""
        mount = self.mount()
        stop = threading.Event()
        failures = []

        def read():
            while not stop.is_set():
                for name in mount.list():
                    self.look(mount, name)

        def write(mine):
            for count in range(times(20000 if LONG else 100)):
                revision = self.keys.put(mine, str(count))
                self.ask(mount, f"revision.{revision}")
                if self.look(mount, mine) != str(count).encode():
                    failures.append((mine, count, self.look(mount, mine)))
        readers = [threading.Thread(target=read) for _ in range(2)]
        writers = [threading.Thread(target=write, args=(f"w{i}",)) for i in range(3)]
        for thread in readers + writers:
            thread.start()
        for thread in writers:
            thread.join()
        stop.set()
        for thread in readers:
            thread.join()
        self.assertEqual([], failures)

    def test_program(self):
        mount = self.mount()
        for count in range(3):
            revision = self.keys.put("k", str(count))
            self.assertEqual("", self.wait(mount, "--revision", str(revision), "--live",
                                           "--exists", "k", "--timeout", "20s"))
            self.assertEqual(str(count).encode(), mount.read("k"))
        self.wait(mount, "--revision", "0")

    def test_wakes(self):
        mount = self.mount()
        revision = self.keys.put("k", "0")
        process = self.begin(mount, "--revision", str(revision + 2))
        self.keys.put("k", "1")
        self.assertIsNone(process.poll())
        self.keys.put("k", "2")
        self.assertEqual(("", ""), process.communicate(timeout=LIMIT))
        self.assertEqual(0, process.returncode)

    def test_timeout_says_where_the_mount_stands(self):
        mount = self.mount()
        revision = self.keys.put("k", "1")
        self.ask(mount, f"revision.{revision}")
        line = self.wait(mount, "--revision", str(FAR), "--exists", "nope", "--live",
                         "--timeout", "50ms", status=124)
        shown = mount.read(".etcdfs", "revision").decode().strip()
        self.assertEqual(f"etcdfs-wait: not within 50ms: revision {FAR}, nope, live; {mount.path} "
                         f"is live at revision {shown}, endpoint {self.keys.etcd.endpoint}, "
                         "last error: none\n", line)

    def test_many_waiters(self):
        """In order, the last of them first to come; and new readers get through."""
        self.keys.put("k", "0")
        mount = self.mount()
        first = self.keys.put("k", "1")
        count = times(400, slow=40)
        answers = {}

        def wait(revision):
            answers[revision] = int(self.ask(mount, f"revision.{revision}"))
        threads = [threading.Thread(target=wait, args=(first + 1 + i,)) for i in range(count)]
        for thread in reversed(threads):
            thread.start()
        for value in range(count):
            self.keys.put("k", str(value))
            self.assertTrue(mount.read("k"))
        for thread in threads:
            thread.join()
        self.assertEqual(count, len(answers))
        self.assertEqual([], [pair for pair in answers.items() if pair[1] < pair[0]])

    def test_not_listed(self):
        mount = self.mount()
        self.assertEqual([], [name for name in os.listxattr(mount.path) if "wait" in name])
        for name in ("user.etcd.wait.", "user.etcd.wait.revision.x", "user.etcd.wait.revision.-1",
                     f"user.etcd.wait.revision.{2**63}", "user.etcd.wait.live.1"):
            with self.subTest(name), self.assertRaises(OSError):
                os.getxattr(mount.path, name)


class OtherPrefix(WaitTest):
    """etcd sends nothing of what is outside the mount's prefix."""

    def test_revision_of_another_key(self):
        mount = self.mount()
        for count in range(3):
            mine = self.keys.put("k", str(count))
            other = self.keys.etcd.put(f"/elsewhere/{self.name}", "1")
            self.wait(mount, "--revision", str(other), "--timeout", "20s")
            self.assertGreater(other, mine)
            self.assertEqual(str(count).encode(), mount.read("k"))
            self.assertGreaterEqual(int(mount.read(".etcdfs", "revision")), other)

    def test_not_written_yet(self):
        mount = self.mount()
        other = self.keys.etcd.put(f"/elsewhere/{self.name}", "1")
        self.ask(mount, f"revision.{other}")
        process = self.begin(mount, "--revision", str(other + 2))
        self.keys.put("k", "mine")
        self.assertEqual(other + 2, self.keys.etcd.put(f"/elsewhere/{self.name}", "2"))
        self.assertEqual(("", ""), process.communicate(timeout=LIMIT))
        self.assertEqual(0, process.returncode)
        self.assertEqual(b"mine", mount.read("k"))


class Exists(WaitTest):
    def test_appears(self):
        self.keys.put("dir/there", "1")
        mount = self.mount()
        self.wait(mount, "--exists", "dir/there")
        self.wait(mount, "--exists", mount.join("dir", "there"), "--exists", "dir")
        for path, key in (("a/b/c", "a/b/c"), ("dir/new", "dir/new"), ("flip/x", "flip/x"),
                          ("flip/.value", "flip"), ("100%25", "100%"), ("s/%/t", "s//t")):
            with self.subTest(path):
                if path == "flip/x":
                    self.keys.put("flip", "a file")
                elif path == "flip/.value":
                    self.ask(mount, f"revision.{self.keys.delete('flip')}")
                process = self.begin(mount, "--exists", path)
                self.keys.put("noise", path)
                self.keys.put(key, path)
                self.assertEqual(("", ""), process.communicate(timeout=LIMIT))
                self.assertEqual(0, process.returncode)
                self.assertEqual(path.encode(), mount.read(path))

    def test_not_in_time(self):
        mount = self.mount()
        stop = threading.Event()

        def write():
            while not stop.is_set():
                self.keys.put("busy", "1")
        writer = threading.Thread(target=write)
        writer.start()
        line = self.wait(mount, "--exists", "nope/x", "--timeout", "50ms", status=124)
        stop.set()
        writer.join()
        self.assertRegex(line, "^etcdfs-wait: not within 50ms: nope/x; .* is live at revision ")


class Ends(WaitTest):
    def test_live_again(self):
        self.own_etcd()
        mount = self.mount(allow=AWAY)
        self.wait(mount, "--live")
        self.etcd.kill()
        mount.wait_state("reconnecting")
        line = self.wait(mount, "--live", "--timeout", "50ms", status=124)
        self.assertRegex(line, "live; .* is reconnecting at revision [0-9]+, endpoint .*, "
                               "last error: (?!none).")
        process = self.begin(mount, "--live")
        self.etcd.start()
        process.communicate(timeout=LIMIT)
        self.assertEqual(0, process.returncode)
        self.wait(mount, "--revision", str(self.keys.put("k", "1")))
        self.assertEqual(b"1", mount.read("k"))

    def test_signals(self):
        mount = self.mount()
        for args in (("--revision", str(FAR)), ("--exists", "nope")):
            for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
                process = self.begin(mount, *args)
                process.send_signal(signum)
                self.assertEqual(-signum, process.wait(LIMIT))

    def test_stopped_daemon(self):
        mount = self.mount()
        waiters = [self.begin(mount, "--revision", str(FAR)), self.begin(mount, "--exists", "no")]
        mount.terminate()
        for process in waiters:
            said = process.communicate(timeout=LIMIT)[1]
            self.assertEqual((1, f"etcdfs-wait: {mount.path}: the mount is gone\n"),
                             (process.returncode, said))
        self.assertEqual(0, mount.wait_end())

    def test_killed_daemon(self):
        mount = self.mount()
        process = self.begin(mount, "--revision", str(FAR))
        mount.terminate(signal.SIGKILL)
        self.assertIn("the mount is gone", process.communicate(timeout=LIMIT)[1])
        self.assertEqual(1, process.returncode)
        mount.process.wait(LIMIT)
        mount.unmount()
        mount.process = None

    def test_lazy_unmount(self):
        """Nobody who waits keeps the daemon alive."""
        mount = self.mount()
        process = self.begin(mount, "--revision", str(FAR))
        mount.unmount(*(["umount", "-l"] if os.geteuid() == 0 else ["fusermount3", "-u", "-z"]))
        self.assertIn("the mount is gone", process.communicate(timeout=LIMIT)[1])
        self.assertEqual(1, process.returncode)
        self.assertEqual(0, mount.wait_end())


class Refused(WaitTest):
    def test_command_line(self):
        mount = self.mount()
        for args, words in (
                ((), "nothing to wait for"),
                (("--revision", "x"), "--revision=x: not a revision"),
                (("--revision", "-1"), "--revision=-1: not a revision"),
                (("--revision", str(2**63)), "not a revision"),
                (("--live", "--timeout", "5"), "--timeout=5: not a duration"),
                (("--live", "--timeout", "-1s"), "--timeout=-1s: not a duration"),
                (("--exists", ""), "the path is empty"),
                (("--exists", "/elsewhere"), "--exists=/elsewhere: not below"),
                (("--live", "more"), "one MOUNTPOINT only"),
                (("--lief",), "--lief")):
            with self.subTest(args):
                self.assertIn(words, self.wait(mount, *args, status=2))

    def test_no_such_mount(self):
        self.keys.put("d/k", "1")
        mount = self.mount()
        for path, words in ((mount.join("d"), "not an etcdfs mount"),
                            (self.directory, "not an etcdfs mount"),
                            (mount.join("d", "k"), "Not a directory"),
                            (mount.path + "-nope", "No such file or directory")):
            result = subprocess.run([self.wait_command(mount)[0], path, "--live"], check=False,
                                    text=True, capture_output=True)
            self.assertEqual((1, f"etcdfs-wait: {path}: {words}\n"),
                             (result.returncode, result.stderr))


if __name__ == "__main__":
    case.main()
