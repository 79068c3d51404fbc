#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A mount over a cluster whose watched member fails: files stay, and the next change
is told through another member."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import case  # noqa: E402
import inotify  # noqa: E402
import network  # noqa: E402
from cluster import Cluster  # noqa: E402

# What may be said when a member is away.
AWAY = [r"connect", r"lost", r"etcd"]
CHANGED = ["MODIFY", "CLOSE_WRITE"]
NAMES = [f"k{i}" for i in range(20)]


class Failover(case.MountTest):
    def shared_etcd(self):
        """A cluster of the test's own."""
        self.cluster = Cluster(self.directory)
        self.addCleanup(self.cluster.close)
        return self.cluster.start()

    def setUp(self):
        super().setUp()
        self.keys.txn(dict.fromkeys(NAMES, "0"))
        self.mounted = self.mount(allow=AWAY)
        self.root = self.watcher()
        self.root.add(self.mounted.path, inotify.CHANGES)
        self.member = self.cluster.at(self.mounted.status()["endpoint"])

    def assert_served(self):
        self.assertEqual(sorted(NAMES), self.mounted.list())
        for name in NAMES:
            self.assertEqual(b"0", self.mounted.read(name))

    def assert_next_change_told(self):
        """Of every key that changes while the mount finds another member."""
        before = os.stat(self.mounted.join(NAMES[-1]))
        for name in NAMES[:5]:
            self.keys.put(name, "1")
        self.assertEqual(dict.fromkeys(NAMES[:5], CHANGED), self.told(self.root, "mark"))
        status = self.mounted.wait_state("live")
        self.assertNotEqual(self.member.endpoint, status["endpoint"])
        self.assertEqual(0, sum(status["reseeds"].values()), status)
        self.assertEqual(before, os.stat(self.mounted.join(NAMES[-1])))
        self.assert_shows_etcd(self.mounted)

    def test_killed(self):
        self.member.kill()
        self.assert_served()
        self.assert_next_change_told()

    def test_cut_off_from_peers(self):
        self.cluster.cut_peers(self.member)
        self.assert_served()
        self.assert_next_change_told()

    def test_no_quorum(self):
        """The tree stays, and status says that nothing new comes."""
        others = self.cluster.others(self.member)
        for other in others:
            other.kill()
        self.mounted.wait_state("reconnecting")
        self.assert_served()
        for other in others:
            other.launch()
        self.mounted.wait_state("live")
        self.keys.put(NAMES[0], "1")
        self.assertEqual({NAMES[0]: CHANGED}, self.told(self.root, "mark"))


if __name__ == "__main__":
    network.enter_or_skip()
    case.main()
