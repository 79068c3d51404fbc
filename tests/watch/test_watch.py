#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The watch against a real etcd: what its listener is told, call by call."""

import itertools
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import watch_case  # noqa: E402
from etcd import Etcd, free_port, put_op, delete_op  # noqa: E402
from wait import times  # noqa: E402
from watch_case import PREFIX, WatchTest  # noqa: E402


class Seed(WatchTest):
    def test_empty(self):
        self.start_etcd()
        log = self.start_log().until_seeded()
        self.assertEqual(log.seeds, [(1, 0, 0)])
        self.assert_current(log)

    def test_in_pages(self):
        self.start_etcd()
        count = times(20000)
        for start in range(0, count, 100):
            self.etcd.txn(*(put_op(PREFIX + b"%06d" % i, "v" * 1000)
                            for i in range(start, start + 100)))
        log = self.start_log().until_seeded()
        self.assertEqual(log.seeds, [(self.etcd.revision(), count, count)])
        self.assert_current(log)

    def test_pages_stay_large(self):
        """Attempts that never reached etcd say nothing of the size of a page."""
        self.start_etcd()
        for start in range(0, 2000, 100):
            self.etcd.txn(*(put_op(PREFIX + b"%d" % i, "") for i in range(start, start + 100)))
        proxy = self.start_proxy()
        proxy.refuse()
        log = self.start_log(proxy.endpoint, KEYSPACE_LOG_DIAL_MS="20000")
        failures = itertools.count(1)
        log.until(lambda log: log.error == "connection refused" and next(failures) == 5,
                  "five attempts")
        before = self.etcd.calls("Range")["OK"]
        proxy.accept()
        log.until_seeded()
        self.assertEqual(self.etcd.calls("Range")["OK"] - before, 2)

    def test_large_values(self):
        """A first page of them is large; later pages shrink."""
        self.start_etcd()
        for i in range(times(300, slow=150)):
            self.put(f"{i:03}", bytes([97 + i % 26]) * 200_000)
        log = self.start_log().until_seeded()
        self.assert_current(log)

    def test_every_key(self):
        """The empty prefix; keys of any bytes."""
        self.start_etcd()
        for key in (b"\0", b"\xff", b"\xff\xff\xff", b"a", b"a\0", b"/", b"\n", b"\\101"):
            self.etcd.put(key, key)
        log = self.start_log(prefix=b"").until_seeded()
        self.etcd.put(b"\xff\xff\xff\xff", "later")
        log.until_at(self.etcd.put(b"\0\0", "later"))
        self.assertEqual(log.keys, {key: kv.value for key, kv in self.etcd.range(b"").items()})

    def test_neighbours(self):
        """Keys beside the prefix are not in it."""
        self.start_etcd()
        self.etcd.put(b"/w", "x")
        self.etcd.put(b"/w0", "x")
        log = self.start_log().until_seeded()
        self.etcd.put(b"/w0", "y")
        self.assert_current(log)
        self.assertEqual(len(log.batches), 1)


class Live(WatchTest):
    def test_events(self):
        self.start_etcd()
        self.put("gone", "1")
        log = self.start_log().until_seeded()
        put = self.put("new", "1")
        transaction = self.etcd.txn(put_op(PREFIX + b"a", "1"), delete_op(PREFIX + b"gone"),
                                    put_op(PREFIX + b"new", "2"))
        self.assert_current(log)
        self.assertEqual(log.batches[:2], [
            (put, [(PREFIX + b"new", b"1")]),
            (transaction, [(PREFIX + b"a", b"1"), (PREFIX + b"gone", None),
                           (PREFIX + b"new", b"2")])])

    def test_one_revision_of_many(self):
        """Larger than a fragment, and still one batch."""
        self.start_etcd()
        count = times(20000)
        for start in range(0, count, 100):
            self.etcd.txn(*(put_op(PREFIX + b"k" * 300 + b"%06d" % i, "")
                            for i in range(start, start + 100)))
        log = self.start_log().until_seeded()
        revision = self.etcd.delete_prefix(PREFIX)
        log.until_at(revision)
        self.assertEqual([(at, len(events)) for at, events in log.batches], [(revision, count)])
        self.assert_current(log)

    def test_lease_of_many_ends(self):
        """Nobody deleted these keys one by one: one revision, of any size."""
        self.start_etcd()
        count = times(100_000)
        lease = self.etcd.grant(3600)
        for start in range(0, count, 100):
            self.etcd.txn(*(put_op(PREFIX + b"%06d" % i, "", lease)
                            for i in range(start, start + 100)))
        log = self.start_log().until_seeded()
        self.etcd.call("lease/revoke", {"ID": str(lease)})
        log.until(lambda log: not log.keys, "the end of the lease")
        self.assertEqual([len(events) for _, events in log.batches], [count])
        self.assert_current(log)

    def test_catching_up_in_fragments(self):
        self.start_etcd()
        proxy = self.start_proxy()
        log = self.start_log(proxy.endpoint).until_seeded()
        proxy.refuse()
        for i in range(20):
            self.put(f"{i}", bytes([65 + i]) * 1_000_000)
        proxy.accept()
        self.assert_current(log)
        self.assertEqual([len(events) for _, events in log.batches], [1] * 21)
        self.assert_reseeds(log)

    def test_progress_outlives_compaction(self):
        """Nothing happens here while etcd moves on: the watch moves with it."""
        self.start_etcd("--experimental-watch-progress-notify-interval=100ms")
        proxy = self.start_proxy()
        self.put("quiet", "1")
        log = self.start_log(proxy.endpoint).until_seeded()
        for i in range(20):
            revision = self.etcd.put("/elsewhere", str(i))
        log.until(lambda log: log.progress >= revision, "progress")
        proxy.refuse()
        self.etcd.compact(revision)
        proxy.accept()
        self.assert_current(log)
        self.assert_reseeds(log)

    def test_older_snapshot_after_silence(self):
        """All that we hold is in it: etcd had only said that nothing else happened."""
        etcd = self.start_etcd("--experimental-watch-progress-notify-interval=100ms")
        proxy = self.start_proxy()
        self.put("a", "1")
        log = self.start_log(proxy.endpoint).until_seeded()
        self.put("a", "2")
        snapshot = etcd.snapshot()
        for i in range(10):
            revision = etcd.put("/elsewhere", str(i))
        log.until(lambda log: log.progress >= revision, "progress")
        proxy.refuse()
        etcd.restore(snapshot)
        etcd.start()
        self.put("a", "3")
        while etcd.revision() < revision + 10:
            etcd.put("/elsewhere", "")
        proxy.accept()
        log.until_reseeded()
        self.assert_current(log)
        self.assert_reseeds(log, history=1)


class Away(WatchTest):
    def test_sigkill(self):
        self.start_etcd()
        log = self.start_log().until_seeded()
        for turn in range(times(5, slow=2)):
            for i in range(50):
                self.put(f"k{i}", f"{turn}")
            self.etcd.kill()
            log.until(lambda log: log.state == "reconnecting", "the loss noticed")
            self.etcd.start()
        self.assert_current(log)
        self.assertEqual(len(log.seeds), 1)
        self.assert_reseeds(log)

    def test_cut_while_keys_change(self):
        self.start_etcd()
        proxy = self.start_proxy()
        log = self.start_log(proxy.endpoint).until_seeded()
        revisions = []
        for turn in range(times(8, slow=4)):
            for i in range(100):
                revisions.append(self.put(f"k{i}", f"{turn}"))
                if i == 50:
                    proxy.cut()
            log.until(lambda log, n=turn: log.reconnects > n, "the next stream")
        self.assert_current(log)
        self.assertEqual([at for at, _ in log.batches[:-1]], revisions)
        self.assertEqual(len(log.seeds), 1)

    def test_half_open(self):
        """No byte comes any more, and no reset either, on a quiet watch."""
        self.start_etcd()
        proxy = self.start_proxy()
        log = self.start_log(proxy.endpoint, KEYSPACE_LOG_KEEPALIVE_MS="1000").until_seeded()
        proxy.hold()
        self.put("unseen", "1")
        log.until(lambda log: log.state == "reconnecting", "the silence noticed")
        proxy.flow()
        self.assert_current(log)
        self.assertEqual(len(log.seeds), 1)

    def test_next_endpoint(self):
        self.start_etcd()
        first, second = self.start_proxy(), self.start_proxy()
        log = self.start_log(f"{first.endpoint},{second.endpoint}").until_seeded()
        first.refuse()
        self.assert_current(log)
        self.assertEqual(len(log.seeds), 1)

    def test_one_warning_per_outage(self):
        self.start_etcd()
        proxy = self.start_proxy()
        log = self.start_log(proxy.endpoint).until_seeded()
        proxy.refuse()
        log.until(lambda log: log.error == "connection refused", "an attempt")
        proxy.accept()
        self.assert_current(log)
        _, errors = log.stop()
        self.assertEqual(errors.count("WARNING"), 1, errors)
        self.assertRegex(errors, f"lost contact with etcd at {proxy.endpoint}: .+\n")


class Reseed(WatchTest):
    def setUp(self):
        super().setUp()
        self.start_etcd()
        self.proxy = self.start_proxy()
        for name in ("same", "changed", "gone"):
            self.put(name, "1")
        self.log = self.start_log(self.proxy.endpoint).until_seeded()

    def leave(self):
        self.log.until_at(self.put("before", "1"))
        self.proxy.refuse()
        self.log.until(lambda log: log.state == "reconnecting", "the loss noticed")

    def test_compacted(self):
        self.leave()
        self.put("changed", "2")
        self.put("new", "1")
        self.etcd.compact(self.etcd.delete(PREFIX + b"gone"))
        self.proxy.accept()
        self.log.until_reseeded()
        self.assert_current(self.log)
        self.assertEqual(self.log.seeds[1][1:], (4, 3))
        self.assert_reseeds(self.log, compacted=1)

    def test_older_snapshot(self):
        snapshot = self.etcd.snapshot()
        self.put("changed", "2")
        self.leave()
        self.etcd.restore(snapshot)
        self.etcd.start()
        self.proxy.accept()
        self.log.until_reseeded()
        self.assert_current(self.log)
        self.assertEqual(self.log.seeds[1][1:], (3, 2))
        self.assert_reseeds(self.log, history=1)

    def test_older_snapshot_written_past(self):
        """The revision alone shows nothing, nor do the cluster and the term."""
        snapshot = self.etcd.snapshot()
        self.put("changed", "2")
        self.leave()
        self.etcd.restore(snapshot)
        self.etcd.start()
        while self.etcd.revision() < self.log.revision + 10:
            self.put("other", "1")
        self.proxy.accept()
        self.log.until_reseeded()
        self.assert_current(self.log)
        self.assert_reseeds(self.log, history=1)

    def test_wiped(self):
        self.leave()
        self.etcd.wipe()
        self.etcd.start()
        self.proxy.accept()
        self.log.until_reseeded()
        self.assert_current(self.log)
        self.assertEqual(self.log.seeds[1], (1, 0, 4))
        self.assert_reseeds(self.log, history=1)

    def test_another_cluster(self):
        self.leave()
        directory = os.path.join(self.directory, "other")
        os.mkdir(directory)
        self.etcd = Etcd(directory).start()
        self.addCleanup(self.etcd.stop)
        self.proxy.target = self.etcd.port
        while self.etcd.revision() < self.log.revision + 10:
            self.put("other", "1")
        self.proxy.accept()
        self.log.until_reseeded()
        self.assert_current(self.log)
        self.assert_reseeds(self.log, history=1)


class Slow(WatchTest):
    def test_compacted_while_not_reading(self):
        """etcd 3.4 may then skip revisions without a word: whether it says so or
        the versions do, the range is read again."""
        self.start_etcd()
        log = self.start_log().until_seeded()
        log.signal(signal.SIGSTOP)
        for turn in range(times(40, slow=20)):
            for i in range(50):
                self.put(f"k{i}", f"{turn}" * 10_000)
        self.etcd.compact(self.etcd.revision())
        log.signal(signal.SIGCONT)
        self.assert_current(log)

    def test_far_behind(self):
        """More revisions than one response holds."""
        self.start_etcd()
        proxy = self.start_proxy()
        log = self.start_log(proxy.endpoint).until_seeded()
        proxy.refuse()
        revisions = [self.put(f"k{i % 7}", f"{i}") for i in range(times(3000))]
        proxy.accept()
        self.assert_current(log)
        self.assertEqual([at for at, _ in log.batches[:-1]], revisions)
        self.assert_reseeds(log)


class Start(WatchTest):
    """What a person reads when the first contact fails."""

    def failure(self, endpoints, **env):
        log = self.start_log(endpoints, **env)
        log.until(lambda log: log.failed, "the failure")
        return log.failed

    def test_refused(self):
        endpoint = f"127.0.0.1:{free_port()}"
        self.assertEqual(self.failure(endpoint, KEYSPACE_LOG_DIAL_MS="500"),
                         f"etcd not reachable within 0.5 s: {endpoint}: connection refused")

    def test_each_endpoint_is_named(self):
        refused, unknown = f"127.0.0.1:{free_port()}", "no-such-host.invalid:2379"
        failed = self.failure(f"{refused},{unknown}")
        self.assertRegex(failed, f"^etcd not reachable within 2 s: {refused}: connection refused; "
                                 f"{unknown}: (unknown host|the host's name was not resolved)$")

    def test_silent(self):
        self.start_etcd()
        proxy = self.start_proxy()
        proxy.hold()
        self.assertEqual(self.failure(proxy.endpoint, KEYSPACE_LOG_DIAL_MS="500"),
                         f"etcd not reachable within 0.5 s: {proxy.endpoint}: no answer")

    def test_silent_and_well(self):
        self.start_etcd()
        proxy = self.start_proxy()
        silent = self.start_proxy()
        silent.hold()
        self.start_log(f"{silent.endpoint},{self.etcd.endpoint}").until_seeded()

    def test_auth(self):
        self.start_etcd()
        self.etcd.call("auth/user/add", {"name": "root", "password": "root"})
        self.etcd.call("auth/user/grant", {"user": "root", "role": "root"})
        self.etcd.call("auth/enable", {})
        self.assertEqual(self.failure(self.etcd.endpoint),
                         f"etcd at {self.etcd.endpoint} refused: "
                         "etcdserver: user name is empty")


class Stop(WatchTest):
    def test_while_live(self):
        self.start_etcd()
        self.start_log().until_seeded()

    def test_while_away(self):
        self.start_etcd()
        log = self.start_log().until_seeded()
        self.etcd.kill()
        log.until(lambda log: log.state == "reconnecting", "the loss noticed")

    def test_while_silent(self):
        """A probe is under way and will not come back."""
        self.start_etcd()
        proxy = self.start_proxy()
        log = self.start_log(proxy.endpoint).until_seeded()
        proxy.hold()
        proxy.cut()
        log.until(lambda log: log.state == "reconnecting", "the loss noticed")


if __name__ == "__main__":
    watch_case.main()
