#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""--rev: one revision, whatever happens to etcd."""

import os
import signal
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import case  # noqa: E402
import inotify  # noqa: E402
from mount import wrapper  # noqa: E402
from wait import Deadline  # noqa: E402

MANY = 3000


def connections(process):
    """How many TCP connections PROCESS has."""
    inodes = set()
    for fd in os.listdir(f"/proc/{process.pid}/fd"):
        try:
            inodes.add(os.readlink(f"/proc/{process.pid}/fd/{fd}"))
        except FileNotFoundError:
            pass
    with open(f"/proc/{process.pid}/net/tcp", encoding="ascii") as lines:
        sockets = [line.split()[9] for line in list(lines)[1:]]
    return sum(f"socket:[{inode}]" in inodes for inode in sockets)


class Frozen(case.MountTest):
    def change(self):
        """Values to tell revisions apart; returns the revision in the middle."""
        for name in ("same", "changed", "gone", "turned"):
            self.keys.put(name, "1")
        self.keys.put("changed", "2")
        middle = self.keys.put("changed", "3")
        self.keys.put("changed", "4")
        self.keys.delete("gone")
        self.keys.put("new", "1")
        self.keys.put("turned/below", "1")
        return middle

    def frozen(self, revision, *args):
        return self.mount(f"--rev={revision}", *args)

    def assert_middle(self, mounted, revision):
        self.assertEqual(["changed", "gone", "same", "turned"], mounted.list())
        self.assertEqual([b"3", b"1", b"1", b"1"],
                         [mounted.read(name) for name in mounted.list()])
        self.assertEqual(f"{revision}\n".encode(), mounted.read(".etcdfs", "revision"))
        self.assertEqual(str(revision).encode(),
                         os.getxattr(mounted.path, "user.etcd.revision"))
        self.assertEqual(b"3", os.getxattr(mounted.join("changed"), "user.etcd.version"))

    def refused(self, revision):
        """What a mount of REVISION ends with."""
        result = subprocess.run([*wrapper(), self.program(), f"--rev={revision}",
                                 f"etcd://{self.keys.etcd.endpoint}{self.keys.prefix.decode()}",
                                 self.tmpdir()], capture_output=True, text=True, check=False)
        self.assertEqual((1, ""), (result.returncode, result.stdout))
        return result.stderr

    def tmpdir(self):
        path = os.path.join(self.directory, "refused")
        os.makedirs(path, exist_ok=True)
        return path

    def test_revision(self):
        revision = self.change()
        mounted = self.frozen(revision)
        self.assert_middle(mounted, revision)
        status = mounted.status()
        self.assertEqual(("frozen", revision, 4),
                         (status["state"], status["revision"], status["keys"]))
        self.assertEqual(b"frozen", os.getxattr(mounted.path, "user.etcd.state"))

    def test_nothing_more_is_asked(self):
        """Not a byte, and nothing that happens to etcd is seen."""
        etcd = self.own_etcd()
        revision = self.change()
        mounted = self.frozen(revision)
        watcher = self.watcher()
        watcher.add(mounted.path, inotify.CHANGES)
        deadline = Deadline("the connection is closed")
        while connections(mounted.process):
            deadline.pause()
        etcd.compact(self.keys.put("changed", "5"))
        self.assert_middle(mounted, revision)
        etcd.stop()
        mounted.terminate(signal.SIGHUP)  # there is no connection to renew
        self.assert_middle(mounted, revision)
        self.assertEqual("frozen", mounted.status()["state"])
        self.assertEqual([], watcher.queued())

    def test_compacted(self):
        self.own_etcd()
        revision = self.change()
        self.etcd.compact(revision + 1)
        self.assertEqual(f"etcdfs: etcd at {self.etcd.endpoint}: revision {revision} was "
                         f"compacted; the oldest that etcd still has is {revision + 1}\n",
                         self.refused(revision))
        mounted = self.frozen(revision + 1)  # the oldest can be had
        self.assertEqual(b"4", mounted.read("changed"))

    def test_future(self):
        self.own_etcd()
        now = self.change() + 4
        self.assertEqual(f"etcdfs: etcd at {self.etcd.endpoint}: revision 1000 is in the "
                         f"future: etcd is at {now}\n", self.refused(1000))

    def test_many_keys_amid_writes(self):
        self.keys.fill((f"d{i % 7}/{i:05}", f"{i}") for i in range(MANY))
        before = self.keys.all()
        revision = max(kv.mod_revision for kv in before.values())
        enough = threading.Event()
        writer = threading.Thread(target=self.write_until, args=(enough,))
        writer.start()
        try:
            mounted = self.frozen(revision)
        finally:
            enough.set()
            writer.join()
        self.assertEqual({key: (kv.value, kv.create_revision, kv.mod_revision, kv.version)
                          for key, kv in before.items()}, mounted.shown())

    def write_until(self, enough):
        for i in range(10**9):
            self.keys.txn({f"d1/{i % MANY:05}": "later", f"e/{i}": ""},
                          deletes=[f"d2/{i % MANY:05}"])
            if enough.is_set():
                break


if __name__ == "__main__":
    case.main()
