#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""etcd no longer wants us to read: what is there stays, and the status says why."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import case  # noqa: E402
import inotify  # noqa: E402
from etcd import Auth  # noqa: E402

CREATED = ["CREATE", "MODIFY", "CLOSE_WRITE"]
CHANGED = ["MODIFY", "CLOSE_WRITE"]
DELETED = ["DELETE"]

DENIED = "etcdserver: permission denied"


class Denied(case.MountTest):
    def setUp(self):
        super().setUp()
        self.own_etcd("--bcrypt-cost=4")
        self.auth = Auth(self.etcd)
        self.auth.add_role("reader")
        self.auth.grant_read("reader", self.keys.prefix)
        self.auth.add_user("reader", "secret")
        self.auth.grant_role("reader", "reader")
        self.auth.enable()
        for name in ("same", "changed", "gone"):
            self.keys.put(name, "1")
        self.mounted = self.mount("--user=reader", "--password=secret", "--keepalive-time=6s",
                                  allow=["denies access"])
        self.root = self.watcher()
        self.root.add(self.mounted.path, inotify.CHANGES)

    def until_denied(self):
        self.auth.revoke_role("reader", "reader")
        status = self.mounted.wait_state("denied")
        self.assertEqual(DENIED, status["last_error"])

    def change(self):
        self.keys.put("changed", "2")
        self.keys.put("new", "1")
        return self.keys.delete("gone")

    def assert_unchanged(self):
        self.assertEqual(["changed", "gone", "same"], self.mounted.list())
        self.assertEqual(b"1", self.mounted.read("changed"))
        self.assertEqual("denied", self.mounted.status()["state"])

    def assert_change_told(self, reseeds):
        self.auth.grant_role("reader", "reader")
        status = self.mounted.wait_state("live")
        self.assertEqual(reseeds, sum(status["reseeds"].values()), status)
        self.assertEqual({"changed": CHANGED, "new": CREATED, "gone": DELETED},
                         self.told(self.root, "mark"))
        self.assert_shows_etcd(self.mounted)

    def test_resumed(self):
        self.until_denied()
        self.change()
        self.assert_unchanged()
        self.assert_change_told(reseeds=0)

    def test_compacted_meanwhile(self):
        """Nobody can say any more what happened in between: the difference is told."""
        self.until_denied()
        self.etcd.compact(self.change())
        self.assert_unchanged()
        self.assert_change_told(reseeds=1)


if __name__ == "__main__":
    case.main()
