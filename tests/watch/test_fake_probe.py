#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The watch against an etcd that is not what it was, or not where it should be."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import fake_case  # noqa: E402
from fake_case import SOON, FakeTest, key  # noqa: E402

DENIED = {3: "etcdserver: user name is empty", 7: "etcdserver: permission denied",
          16: "etcdserver: invalid auth token"}


class Probe(FakeTest):
    """What shows at a probe alone, while the watch says nothing."""

    def setUp(self):
        super().setUp()
        self.put("key", "1")
        self.log = self.live(**SOON)

    def elsewhere(self):
        """Something happens in the store, and nothing in our range."""
        return self.fake.put("/elsewhere", "1")

    def assert_resumed(self, reconnects=1):
        self.log.until(lambda log: log.reconnects == reconnects, "the next watch")
        self.assert_current(self.log)
        self.assertEqual(len(self.log.seeds), 1)
        self.assert_reseeds(self.log)

    def test_denied(self):
        """A permission was taken away; a watch that is open never learns."""
        self.order(f"at Txn 1 end 7 {DENIED[7]}")
        self.log.until(lambda log: log.state == "denied", "denied")
        self.assert_resumed()

    def test_another_cluster(self):
        self.order("at Txn 1 claim cluster_id: 9")
        self.log.until(lambda log: log.error == "another cluster answers", "the doubt")
        self.assert_resumed()

    def test_no_leader(self):
        self.order("at Txn 1 end 14 etcdserver: no leader")
        self.log.until(lambda log: log.error == "etcdserver: no leader", "the loss")
        self.assert_resumed()

    def test_progress(self):
        """The watch keeps up with the store all the same."""
        revision = self.elsewhere()
        self.log.until(lambda log: log.progress == revision, "the progress")
        self.order("end 14 away")
        self.until_watched(2)
        self.assertEqual(self.start_revisions()[1], revision + 1)
        self.assert_resumed()

    def test_lags(self):
        """It has answered before, and now the watch does not move any more."""
        revision = self.elsewhere()
        self.log.until(lambda log: log.progress == revision, "the progress")
        self.order("at Progress * ignore")
        self.elsewhere()
        self.log.until(lambda log: log.error == "the watch lags behind", "the lag")
        self.order("clear")
        self.assert_resumed()

    def test_never_answers(self):
        """As etcd's gRPC proxy: it is not held to what it never did."""
        self.order("at Progress * ignore")
        self.elsewhere()
        self.fake.until(lambda seen: len(seen("request", "Txn")) >= 5, "five probes")
        self.assert_resumed(reconnects=0)

    def test_counts(self):
        """A deletion was lost, and nobody touches the key again (#18089).  The next
        watch has its keys counted soon."""
        self.order("quiet")
        self.delete("key")
        self.order("skip")
        self.order("loud")
        self.log.until_at(self.put("other", "1"))
        self.assertIn(key("key"), self.log.keys)
        self.order("end 14 away")
        self.log.until_reseeded()
        self.assertEqual(self.log.keys, {key("other"): b"1"})
        self.assert_current(self.log)
        self.assert_reseeds(self.log, event_lost=1)


class OldServer(FakeTest):
    def test_is_not_asked(self):
        """Its answers about progress run ahead of the events (#15220)."""
        self.order("version 3.4.23")
        log = self.live(**SOON)
        self.fake.put("/elsewhere", "1")
        self.fake.until(lambda seen: len(seen("request", "Txn")) >= 2, "two probes")
        self.assert_current(log)
        self.assertEqual(self.fake.did("request", "Progress"), [])


class History(FakeTest):
    """Whether etcd is still what it was: one answer alone is not believed."""

    LIES = {"cluster_id: 9": "another cluster answers",
            "raft_term: 1": "etcd's raft term went back",
            "revision: 1": "etcd's revision went back"}

    VERSIONS = 3

    def setUp(self):
        super().setUp()
        for turn in range(self.VERSIONS):
            self.put("key", str(turn))

    def test_one_lie(self):
        for lie, error in self.LIES.items():
            with self.subTest(lie):
                log = self.live()
                self.order("at KV 1 claim", lie)
                self.order("end 14 away")
                log.until(lambda log: log.error == error, error)
                self.assert_current(log)
                self.assertEqual(len(log.seeds), 1)
                self.assert_reseeds(log)
                self.finish(log)

    def test_another_cluster(self):
        """Or so it goes on to say."""
        for lie in ("cluster_id: 9", "raft_term: 1"):
            with self.subTest(lie):
                log = self.live()
                self.order("claim", lie)
                self.order("end 14 away")
                log.until_reseeded()
                self.assert_current(log)
                self.assert_reseeds(log, history=1)
                self.order("claim")
                self.finish(log)

    def test_one_lie_of_a_page(self):
        log = self.live()
        self.order("at Range 1 claim cluster_id: 9")
        self.order("cancel")
        log.until(lambda log: log.error == "another cluster answers", "the doubt")
        log.until_reseeded()
        self.assert_current(log)
        self.assert_reseeds(log, canceled=1)

    def test_one_endpoint_lies(self):
        """The other one knows better."""
        liar = self.start_fake()
        for turn in range(self.VERSIONS):
            liar.put(key("key"), str(turn))
        liar.order("claim cluster_id: 9")
        log = self.live(endpoints=f"{self.fake.endpoint},{liar.endpoint}")
        self.order("end 14 away")
        log.until(lambda log: log.error == "another cluster answers", "the doubt")
        self.until_watched(2)
        self.assert_current(log)
        self.assertEqual(len(log.seeds), 1)
        self.assert_reseeds(log)

    def test_backup(self):
        log = self.live()
        backup = self.put("key", "then")
        log.until_at(self.put("key", "later"))
        self.leave(log)
        self.order("rewind", backup)
        self.arrive()
        log.until_reseeded()
        self.assertEqual(log.keys, {key("key"): b"then"})
        self.assert_current(log)
        self.assert_reseeds(log, history=1)

    def test_backup_written_past(self):
        """The header shows nothing; the last event applied does."""
        log = self.live()
        backup = self.put("key", "then")
        log.until_at(self.put("key", "later"))
        self.leave(log)
        self.order("rewind", backup)
        self.put("key", "otherwise")
        self.put("other", "1")
        self.arrive()
        log.until_reseeded()
        self.assert_current(log)
        self.assert_reseeds(log, history=1)


if __name__ == "__main__":
    fake_case.main()
