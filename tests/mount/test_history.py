#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Issue item 8: etcd's history goes backwards, and the mount goes with it.

A restored backup and a wiped directory have the same cluster id as before,
because token and URLs are the same; their revisions begin below ours, and may
have passed ours again before anybody looks.
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import case  # noqa: E402
import inotify  # noqa: E402
from etcd import free_port  # noqa: E402
from proxy import Proxy  # noqa: E402

AWAY = [r"connect", r"lost", r"etcd", r"history"]

# Without the events that a test's own reads raise as well.
CREATED = ["CREATE", "MODIFY", "CLOSE_WRITE"]
CHANGED = ["MODIFY", "CLOSE_WRITE"]
DELETED = ["DELETE"]


class History(case.MountTest):
    """Each test: a first history up to a snapshot, a second after it that is seen
    and then undone, perhaps a third in its place."""

    FIRST = {"same": "0", "same-too": "0", "changed-after": "0", "deleted-after": "0",
             "d/kept": "0"}

    def setUp(self):
        super().setUp()
        self.own_etcd()
        self.proxy = Proxy(free_port(), self.etcd.port)
        self.addCleanup(self.proxy.close)
        for name, value in self.FIRST.items():
            self.keys.put(name, value)
        self.mounted = self.mount(endpoint=self.proxy.endpoint, allow=AWAY)
        self.root = self.watcher()
        self.root.add(self.mounted.path, inotify.CHANGES)
        self.cluster = self.etcd.header()["cluster_id"]
        self.unchanged = self.identity()

    def identity(self):
        found = {}
        for name in ("same", "same-too", "d/kept"):
            status = os.stat(self.mounted.join(name))
            found[name] = (status.st_ino, status.st_mtime_ns)
        return found

    def second_history(self):
        """After the snapshot; ends with all of it seen."""
        self.keys.put("changed-after", "1")
        self.keys.delete("deleted-after")
        self.keys.put("created-after", "1")
        for value in range(5):
            self.keys.put("changed-after", str(value))
        self.mounted.settle()
        self.told(self.root, "seen")
        self.keys.delete("seen")
        self.root.until(lambda event: event.mask & inotify.DELETE and event.name == b"seen")
        self.reached = self.etcd.revision()

    def assert_shows_etcd(self, mount=None):
        super().assert_shows_etcd(mount or self.mounted)
        self.assertEqual(self.cluster, self.etcd.header()["cluster_id"], "the test's own premise")

    def assert_one_reseed(self):
        status = self.mounted.status()
        self.assertEqual(1, status["reseeds"]["history"], status)
        self.assertEqual(1, sum(status["reseeds"].values()), status)

    def without_contact(self):
        self.proxy.refuse()
        self.mounted.wait_state("reconnecting")

    def test_restored_from_an_older_snapshot(self):
        snapshot = self.etcd.snapshot()
        self.second_history()
        self.etcd.restore(snapshot)
        self.etcd.start()
        self.mounted.wait_state("live")
        self.assertEqual({"changed-after": CHANGED, "deleted-after": CREATED,
                          "created-after": DELETED}, self.told(self.root, "zz-mark"))
        self.assertEqual(self.unchanged, self.identity())
        self.assert_shows_etcd()
        self.assert_one_reseed()

    def test_restored_and_written_past_the_old_revision(self):
        """Nothing in the revision numbers shows it; `same-too` even has the
        mod_revision in the third history that another key had in the second."""
        snapshot = self.etcd.snapshot()
        at_snapshot = self.etcd.revision()
        self.second_history()
        self.without_contact()
        self.etcd.restore(snapshot)
        self.etcd.start()
        self.keys.put("same-too", "third")
        while self.etcd.revision() <= self.reached + 10:
            self.keys.put("third", "1")
        self.assertGreater(self.etcd.revision(), self.reached)
        self.assertGreater(self.reached, at_snapshot)
        self.proxy.accept()
        self.mounted.wait_state("live")
        self.assertEqual({"changed-after": CHANGED, "deleted-after": CREATED,
                          "created-after": DELETED, "same-too": CHANGED, "third": CREATED},
                         self.told(self.root, "zz-mark"))
        for name in ("same", "d/kept"):
            self.assertEqual(self.unchanged[name], self.identity()[name])
        self.assert_shows_etcd()
        self.assert_one_reseed()

    def test_the_same_numbers_with_another_value(self):
        """In both histories the key's first change after the snapshot: the same
        mod_revision, create_revision and version; only the value tells."""
        snapshot = self.etcd.snapshot()
        self.keys.put("same-too", "second")
        self.mounted.settle()
        self.told(self.root, "seen")
        self.without_contact()
        self.etcd.restore(snapshot)
        self.etcd.start()
        self.keys.put("same-too", "third")
        while self.etcd.revision() < self.mounted.status()["revision"] + 5:
            self.keys.put("other", "1")
        self.proxy.accept()
        self.mounted.wait_state("live")
        self.assertEqual({"same-too": CHANGED, "other": CREATED, "seen": DELETED},
                         self.told(self.root, "zz-mark"))
        self.assertEqual(b"third", self.mounted.read("same-too"))
        self.assert_shows_etcd()
        self.assert_one_reseed()

    def test_the_last_event_again_with_another_value(self):
        """The newest thing we know is there, at its revision, and yet is not ours."""
        snapshot = self.etcd.snapshot()
        self.keys.put("same-too", "second")
        self.root.until_closed("same-too")
        self.without_contact()
        self.etcd.restore(snapshot)
        self.etcd.start()
        self.keys.put("same-too", "third")
        self.keys.put("other", "1")
        self.proxy.accept()
        self.mounted.wait_state("live")
        self.assertEqual({"same-too": CHANGED, "other": CREATED}, self.told(self.root, "zz-mark"))
        self.assert_shows_etcd()
        self.assert_one_reseed()

    def test_wiped_and_started_empty(self):
        self.second_history()
        self.etcd.wipe()
        self.etcd.start()
        self.mounted.wait_state("live")
        self.assertEqual({"same": DELETED, "same-too": DELETED, "changed-after": DELETED,
                          "created-after": DELETED, "d": ["DELETE,ISDIR"],
                          "~ticks": ["DELETE,ISDIR"]},
                         self.told(self.root, "zz-mark"))
        self.assertEqual(["zz-mark"], self.mounted.list())
        self.assert_shows_etcd()
        self.assert_one_reseed()

    def test_wiped_and_written_past_the_old_revision(self):
        """The same keys, with other values and other revisions."""
        self.second_history()
        self.without_contact()
        self.etcd.wipe()
        self.etcd.start()
        self.keys.put("~ticks/tick", "0")
        self.keys.put("same", "new")
        self.keys.put("d/new", "new")
        while self.etcd.revision() < self.reached:
            self.keys.put("past", "1")
        for _ in range(3):
            self.keys.put("past", "2")
        self.proxy.accept()
        self.mounted.wait_state("live")
        told = self.told(self.root, "zz-mark")
        same = told.pop("same")
        self.assertIn(same, (CHANGED, DELETED + CREATED))
        self.assertEqual({"same-too": DELETED, "changed-after": DELETED, "created-after": DELETED,
                          "past": CREATED}, told)
        self.assertEqual(["d", "past", "same", "zz-mark"], self.mounted.list())
        self.assertEqual(["new"], self.mounted.list("d"))
        self.assert_shows_etcd()
        self.assert_one_reseed()

    def test_the_watch_goes_on_after_a_restore(self):
        """Also at revisions that the lost history had used."""
        snapshot = self.etcd.snapshot()
        self.second_history()
        self.etcd.restore(snapshot)
        self.etcd.start()
        self.mounted.wait_state("live")
        self.told(self.root, "zz-mark")
        for value in range(20):
            self.keys.put("after", str(value))
            self.assertEqual({"after": CHANGED if value else CREATED},
                             self.told(self.root, f"mark-{value}"))
        self.assert_shows_etcd()
        self.assert_one_reseed()


if __name__ == "__main__":
    case.main()
