#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Issue items 6 and 7: etcd away and back; nothing missed, nothing told twice."""

import collections
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import case  # noqa: E402
import inotify  # noqa: E402
from etcd import free_port  # noqa: E402
from proxy import Proxy  # noqa: E402
from wait import times  # noqa: E402

# What may be said when etcd is away.
AWAY = [r"connect", r"lost", r"etcd"]

# As watched here, without the events that a test's own reads raise as well.
CREATED = ["CREATE", "MODIFY", "CLOSE_WRITE"]
CHANGED = ["MODIFY", "CLOSE_WRITE"]
DELETED = ["DELETE"]


class AwayTest(case.MountTest):
    """A watch on the root from the start."""

    def watch(self, mount):
        self.root = self.watcher()
        self.root.add(mount.path, inotify.CHANGES)

    @staticmethod
    def identity(mount, names):
        """What must stay as it is while a key is unchanged."""
        found = {}
        for name in names:
            status = os.stat(mount.join(name))
            found[name] = (status.st_ino, status.st_mtime_ns, status.st_ctime_ns)
        return found


class Killed(AwayTest):
    """Item 6: SIGKILL and restart, with the resume, not with a reseed."""

    def test_sigkill_while_keys_change(self):
        """A writer puts each key once, in turn; etcd dies in the middle and comes
        back; the writer goes on where it was."""
        self.own_etcd()
        count = times(400, slow=200)
        quiet = [f"quiet-{i}" for i in range(20)]
        names = [f"k{i:03}" for i in range(count)]
        for start in range(0, count, 100):
            self.keys.txn(dict.fromkeys(names[start:start + 100], "0"))
        self.keys.txn(dict.fromkeys(quiet, "0"))
        mount = self.mount(allow=AWAY)
        before = self.identity(mount, quiet)
        self.watch(mount)
        back = threading.Event()
        retried = []

        def write():
            for name in names:
                try:
                    self.keys.put(name, "1")
                except OSError:
                    retried.append(name)  # nobody knows whether it was stored
                    back.wait()
                    self.keys.put(name, "1")
        writer = threading.Thread(target=write)
        writer.start()
        middle = names[count // 2].encode()
        events = self.root.until(lambda event: event.name == middle)
        self.etcd.kill()
        self.read_everything(mount, names + quiet)
        mount.wait_state("reconnecting")
        self.read_everything(mount, names + quiet)
        self.etcd.start()
        back.set()
        writer.join()
        status = mount.wait_state("live")

        self.assertLessEqual(len(retried), 1)
        told = collections.Counter()
        told.update(event.name for event in events if event.mask & inotify.CLOSE_WRITE)
        for name, what in self.told(self.root, "mark").items():
            told[name.encode()] += what.count("CLOSE_WRITE")
        for name in names:
            if name not in retried:
                self.assertEqual(1, told.pop(name.encode(), 0), f"{name}: told once")
        for name in retried:
            self.assertIn(told.pop(name.encode()), (1, 2))
        self.assertEqual({}, {name: times for name, times in told.items() if times})
        self.assert_shows_etcd(mount)
        self.assertEqual(before, self.identity(mount, quiet))
        self.assertEqual(0, sum(status["reseeds"].values()), status)
        self.assertGreaterEqual(status["reconnects"], 1)

    def read_everything(self, mount, names):
        """Readers work, with files that they have and have not opened before."""
        for name in names:
            self.assertIn(mount.read(name), (b"0", b"1"))
        self.assertEqual(sorted(names), mount.list())
        self.assertFalse(os.path.exists(mount.join("nope")))

    def test_changes_before_and_after(self):
        """Changed just before the kill, and right after the restart, before
        etcdfs is back: each told exactly once."""
        self.own_etcd()
        names = [f"k{i}" for i in range(40)]
        self.keys.txn(dict.fromkeys(names, "0"))
        mount = self.mount(allow=AWAY)
        before = self.identity(mount, names[30:])
        self.watch(mount)
        for name in names[:10]:
            self.keys.put(name, "1")
        self.etcd.kill()
        self.etcd.start()
        for name in names[10:20]:
            self.keys.put(name, "1")
        self.keys.put("new", "1")
        for name in names[20:30]:
            self.keys.delete(name)
        self.assertEqual({**dict.fromkeys(names[:20], CHANGED), "new": CREATED,
                          **dict.fromkeys(names[20:30], DELETED)},
                         self.told(self.root, "mark"))
        self.assert_shows_etcd(mount)
        self.assertEqual(before, self.identity(mount, names[30:]))
        self.assertEqual(0, sum(mount.status()["reseeds"].values()))

    def test_many_times(self):
        self.own_etcd()
        self.keys.put("quiet", "0")
        mount = self.mount(allow=AWAY)
        before = self.identity(mount, ["quiet"])
        self.watch(mount)
        for attempt in range(times(5, slow=2)):
            self.keys.put("f", str(attempt))
            self.etcd.kill()
            self.etcd.start()
            self.assertEqual({"f": CHANGED if attempt else CREATED},
                             self.told(self.root, f"mark-{attempt}"))
        self.assertEqual(before, self.identity(mount, ["quiet"]))
        self.assertEqual(0, sum(mount.status()["reseeds"].values()))


class Disconnected(AwayTest):
    """Through a proxy: etcd lives on, the connection does not."""

    def setUp(self):
        super().setUp()
        self.own_etcd()
        self.proxy = Proxy(free_port(), self.etcd.port)
        self.addCleanup(self.proxy.close)

    def away(self, mount):
        self.proxy.refuse()
        mount.wait_state("reconnecting")

    def test_cut_and_resumed(self):
        names = [f"k{i}" for i in range(20)]
        self.keys.txn(dict.fromkeys(names, "0"))
        mount = self.mount(endpoint=self.proxy.endpoint, allow=AWAY)
        before = self.identity(mount, names[10:])
        self.watch(mount)
        for attempt in range(times(10, slow=3)):
            self.proxy.cut()
            for name in names[:10]:
                self.keys.put(name, str(attempt))
            self.assertEqual(dict.fromkeys(names[:10], CHANGED),
                             self.told(self.root, f"mark-{attempt}"))
        self.assert_shows_etcd(mount)
        self.assertEqual(before, self.identity(mount, names[10:]))
        self.assertEqual(0, sum(mount.status()["reseeds"].values()))

    def test_held_and_resumed(self):
        """Bytes stop for a while and then all come."""
        self.keys.put("f", "0")
        mount = self.mount(endpoint=self.proxy.endpoint)
        self.watch(mount)
        self.proxy.hold()
        self.keys.put("f", "1")
        self.keys.put("g", "1")
        self.assertEqual(b"0", mount.read("f"))
        self.proxy.flow()
        self.assertEqual({"f": CHANGED, "g": CREATED}, self.told(self.root, "mark"))

    def test_held_and_then_cut(self):
        """What was on its way when the connection died is not lost."""
        self.keys.put("f", "0")
        mount = self.mount(endpoint=self.proxy.endpoint, allow=AWAY)
        self.watch(mount)
        self.proxy.hold()
        for value in range(20):
            self.keys.put("f", str(value))
        self.proxy.cut()
        self.proxy.flow()
        told = self.told(self.root, "mark")
        self.assertEqual({"f"}, set(told))
        self.assertEqual(b"19", mount.read("f"))
        self.assertEqual(0, sum(mount.status()["reseeds"].values()))

    def test_compacted_while_away(self):
        """Item 7: only the difference is told, and each key once."""
        names = ["changed", "changed-often", "deleted", "deleted-and-back", "same-bytes", "turned",
                 "quiet-1", "quiet-2", "quiet-3"]
        self.keys.txn({**dict.fromkeys(names, "0"), "d/only": "0", "kept/1": "0", "kept/2": "0"})
        mount = self.mount(endpoint=self.proxy.endpoint, allow=AWAY)
        quiet = ["quiet-1", "quiet-2", "quiet-3", "kept", "kept/1"]
        before = self.identity(mount, quiet)
        self.watch(mount)
        inside = self.watcher()
        inside.add(mount.join("kept"), inotify.CHANGES)
        self.away(mount)
        self.keys.put("changed", "1")
        for value in range(1, 4):
            self.keys.put("changed-often", str(value))
        self.keys.delete("deleted")
        self.keys.delete("deleted-and-back")
        self.keys.put("deleted-and-back", "1")
        self.keys.put("same-bytes", "0")
        self.keys.put("turned/sub", "1")
        self.keys.put("new", "1")
        self.keys.put("new-and-gone", "1")
        self.keys.delete("new-and-gone")
        self.keys.delete("d/only")
        self.keys.put("e/only", "1")
        self.keys.put("kept/2", "1")
        self.etcd.compact(self.etcd.revision())
        self.proxy.accept()
        status = mount.wait_state("live")

        told = self.told(self.root, "mark")
        back = told.pop("deleted-and-back")
        self.assertIn(back, (CHANGED, DELETED + CREATED), "as one change or as the two that it was")
        self.assertEqual({"changed": CHANGED, "changed-often": CHANGED, "deleted": DELETED,
                          "same-bytes": CHANGED, "turned": ["DELETE", "CREATE,ISDIR"],
                          "new": CREATED, "d": ["DELETE,ISDIR"], "e": ["CREATE,ISDIR"]}, told)
        self.assertEqual([f"{what} 2" for what in CHANGED],
                         [str(event) for event in inside.until_closed("2")])
        self.assertEqual(before, self.identity(mount, quiet))
        self.assertEqual(1, status["reseeds"]["compacted"], status)
        self.assertEqual(1, sum(status["reseeds"].values()), status)
        self.assert_shows_etcd(mount)

    def test_compacted_and_nothing_changed(self):
        """A reseed that finds the same tree is silent."""
        names = [f"d/k{i}" for i in range(50)]
        self.keys.txn(dict.fromkeys(names, "0"))
        mount = self.mount(endpoint=self.proxy.endpoint, allow=AWAY)
        self.watch(mount)
        inside = self.watcher()
        inside.add(mount.join("d"), inotify.CHANGES)
        before = self.identity(mount, names + ["d"])
        self.away(mount)
        for _ in range(3):  # revisions that are none of ours
            self.etcd.put("/elsewhere", "1")
        self.etcd.compact(self.etcd.revision())
        self.proxy.accept()
        status = mount.wait_state("live")
        self.assertEqual(1, status["reseeds"]["compacted"], status)
        self.keys.put("d/mark", "")
        self.assertEqual([f"{what} mark" for what in CREATED],
                         [str(event) for event in inside.until_closed("mark")])
        self.assertEqual({}, self.told(self.root, "mark"))
        after = self.identity(mount, names + ["d"])
        self.assertEqual(before.pop("d")[0], after.pop("d")[0], "a new member, the same inode")
        self.assertEqual(before, after)

    def test_compacted_again_and_again(self):
        self.keys.put("f", "0")
        mount = self.mount(endpoint=self.proxy.endpoint, allow=AWAY)
        self.watch(mount)
        for attempt in range(1, times(5, slow=2) + 1):
            self.away(mount)
            self.keys.put("f", "a")
            self.keys.put("f", str(attempt))
            self.etcd.compact(self.etcd.revision())
            self.proxy.accept()
            self.assertEqual({"f": CHANGED}, self.told(self.root, f"mark-{attempt}"))
            self.assertEqual(str(attempt).encode(), mount.read("f"))
        self.assertEqual(attempt, mount.status()["reseeds"]["compacted"])

    def test_compacted_while_connected(self):
        """A compaction at the current revision takes nothing from a live watch."""
        mount = self.mount(endpoint=self.proxy.endpoint)
        self.watch(mount)
        for value in range(10):
            self.etcd.compact(self.keys.put("f", str(value)))
            self.assertEqual({"f": CHANGED if value else CREATED},
                             self.told(self.root, f"mark-{value}"))
        self.assertEqual(0, sum(mount.status()["reseeds"].values()))


if __name__ == "__main__":
    case.main()
