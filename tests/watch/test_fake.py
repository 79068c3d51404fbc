#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The watch against an etcd that lies, as real ones have: what it tells is true."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import fake_case  # noqa: E402
from fake_case import FakeTest, delete_event, key, put_event, text  # noqa: E402

FUTURE = "etcdserver: mvcc: required revision is a future revision"


class CatchUp(FakeTest):
    def test_header_ahead_of_events(self):
        """Where the header says etcd is, the events of a response are not yet."""
        log = self.live()
        self.leave(log)
        revisions = [self.put(f"k{i % 3}", str(i)) for i in range(10)]
        self.order("batch 2")
        self.order("quiet 1")
        self.arrive()
        log.until_at(revisions[1])
        self.order("end 14 away")
        self.until_watched(3)
        self.order("loud")
        self.assert_current(log)
        self.assertEqual(self.start_revisions()[2], revisions[1] + 1)
        self.assertEqual(self.told(log)[:-1], revisions)
        self.assert_reseeds(log)

    def test_too_far_behind(self):
        """So far that reading again is kinder."""
        log = self.live()
        self.leave(log)
        self.fake.fill(key("k"), 1, 1, 100_001)
        self.arrive()
        log.until_reseeded()
        self.assert_current(log)
        self.assertEqual(len(log.batches), 1)
        self.assert_reseeds(log, behind=1)


class Fragments(FakeTest):
    """The default cuts by bytes; these do in the middle of a revision."""

    def setUp(self):
        super().setUp()
        self.put("gone", "1")
        self.log = self.live()

    def write(self, turn):
        """One revision of six events."""
        return self.fake.txn(*((key(f"k{i}"), f"{turn}") for i in range(5)),
                             (key("gone"), None if turn % 2 else "again"))

    def assert_whole(self, *revisions):
        """Each of REVISIONS was told once and in one piece."""
        self.assert_current(self.log)
        self.assertEqual([(at, len(events)) for at, events in self.log.batches[:-1]],
                         [(revision, 6) for revision in revisions])
        self.assertEqual(self.log.replays_dropped, 0)
        self.assert_reseeds(self.log)

    def end_after(self, pieces, *counts):
        """Writes one revision of which so many pieces arrive, and ends the watch."""
        self.order("quiet", pieces)
        self.order("fragment", *counts)
        revision = self.write(1)
        self.order("end 14 away")
        return revision

    def test_inside_a_revision(self):
        self.order("fragment 1 2 2")
        self.assert_whole(self.write(1))

    def test_each_event_alone(self):
        self.order("fragment 1 1 1 1 1 1")
        self.assert_whole(self.write(1))

    def test_end_between(self):
        revision = self.end_after(2, 2, 2)
        self.until_watched(2)
        self.order("loud")
        self.assert_whole(revision)
        self.assertEqual(self.start_revisions()[1], revision)

    def test_reset_between(self):
        self.order("quiet 1")
        self.order("fragment 3")
        revision = self.write(1)
        self.order("reset")
        self.until_watched(2)
        self.order("loud")
        self.assert_whole(revision)
        self.assertEqual(self.start_revisions()[1], revision)

    def test_end_after_one_revision_and_a_half(self):
        """What is whole counts, what is not does not."""
        self.leave(self.log)
        first, second = self.write(1), self.write(2)
        self.order("quiet 1")
        self.order("fragment 9")
        self.arrive()
        self.log.until_at(first)
        self.order("end 14 away")
        self.until_watched(3)
        self.order("loud")
        self.assert_whole(first, second)
        self.assertEqual(self.start_revisions()[2], second)

    def test_progress_between(self):
        """It must not move the watch past a revision that is not whole."""
        self.order("quiet 1")
        self.order("fragment 3")
        revision = self.write(1)
        self.order("send watch_id: 1 header { revision:", revision + 100, "}")
        self.order("end 14 away")
        self.until_watched(2)
        self.order("loud")
        self.assert_whole(revision)
        self.assertEqual(self.start_revisions()[1], revision)

    def test_canceled_between(self):
        self.order("quiet 1")
        self.order("fragment 3")
        self.write(1)
        self.order('cancel cancel_reason: "no more"')
        self.order("loud")
        self.log.until_reseeded()
        self.assert_current(self.log)
        self.assert_reseeds(self.log, canceled=1)

    def test_compacted_between(self):
        self.order("quiet 1")
        self.order("fragment 3")
        self.order("cancel compact_revision:", self.write(1))
        self.order("loud")
        self.log.until_reseeded()
        self.assert_current(self.log)
        self.assert_reseeds(self.log, compacted=1)

    def test_unfragmented(self):
        """64 MiB in one message: what waits for `created` is sent whole."""
        self.order("fragment")
        revision = self.fake.fill(key("large"), 64, 1 << 20)
        self.log.until_at(revision)
        self.assert_current(self.log)
        self.assertEqual([len(events) for _, events in self.log.batches], [64, 1])
        self.assert_reseeds(self.log)


class Created(FakeTest):
    """The first answers on a stream."""

    def setUp(self):
        super().setUp()
        self.put("here", "1")

    def away(self):
        log = self.live()
        self.leave(log)
        self.put("missed", "1")
        return log

    def test_then_compacted(self):
        log = self.live()
        self.order("hold Watch")
        self.order("end 14 away")
        self.until_watched(2)
        self.order("compact", max(self.put("missed", f"{i}") for i in range(3)))
        self.order("release Watch")
        log.until_reseeded()
        self.assert_current(log)
        self.assert_reseeds(log, compacted=1)

    def test_canceled_at_once(self):
        log = self.away()
        self.order('at Watch 1 send header { revision: 9 } watch_id: -1 created: true '
                   'canceled: true cancel_reason: "mvcc: duplicate watch ID"')
        self.arrive()
        log.until_reseeded()
        self.assert_current(log)
        self.assert_reseeds(log, canceled=1)

    def test_canceled_without_created(self):
        log = self.away()
        self.order("at Watch 1 send watch_id: 1 canceled: true")
        self.arrive()
        log.until_reseeded()
        self.assert_current(log)
        self.assert_reseeds(log, canceled=1)

    def resumes_after(self, answer, error):
        """Nothing is read again for the ANSWER."""
        log = self.away()
        self.order(f"at Watch 1 {answer}")
        self.arrive()
        log.until(lambda log: log.error == error, error)
        self.assert_current(log)
        self.assertEqual(len(log.seeds), 1)
        self.assert_reseeds(log)

    def test_without_header(self):
        self.resumes_after("send watch_id: 1 created: true", "the member is behind")

    def test_behind(self):
        self.resumes_after("claim revision: 1", "the member is behind")

    def test_of_no_watch(self):
        self.resumes_after("send header { revision: 9 } watch_id: -1 created: true",
                           "etcd answered out of turn")

    def test_events_before_created(self):
        self.resumes_after(f"send watch_id: 1 {put_event('missed', '1', 3, 3, 1)}",
                           "etcd answered out of turn")


class Events(FakeTest):
    """What a live watch is sent."""

    def setUp(self):
        super().setUp()
        self.created = self.put("key", "1")
        self.log = self.live()

    def assert_untouched(self, dropped=0):
        """Nothing of what was sent has been told."""
        before = len(self.log.batches)
        self.assert_current(self.log)
        self.assertEqual(len(self.log.batches), before + 1)
        self.log.until(lambda log: log.replays_dropped == dropped, f"{dropped} dropped")
        self.assertEqual(self.log.reconnects, 0)
        self.assert_reseeds(self.log)

    def assert_read_again(self, **reasons):
        self.log.until_reseeded()
        self.assert_current(self.log)
        self.assert_reseeds(self.log, **reasons)

    def test_of_another_watch(self):
        self.order("send watch_id: 7 header { revision: 9 }", put_event("key", "x", 2, 3, 2))
        self.assert_untouched()

    def test_of_no_watch(self):
        self.order("send header { revision: 9 }", put_event("key", "x", 2, 3, 2))
        self.assert_untouched()

    def test_replayed(self):
        """After a snapshot from its leader a member starts a watch over (#15271)."""
        revision = self.put("key", "2")
        self.log.until_at(revision)
        self.order("send watch_id: 1 header { revision: 9 }",
                   put_event("key", "1", self.created, self.created, 1),
                   put_event("key", "2", self.created, revision, 2))
        self.assert_untouched(dropped=2)

    def test_deletion_replayed(self):
        revision = self.delete("key")
        self.log.until_at(revision)
        self.order("send watch_id: 1 header { revision: 9 }", delete_event("key", revision))
        self.assert_untouched(dropped=1)

    def test_replayed_beside_new(self):
        """An old event and a new one in one response (#20221)."""
        self.order("quiet")
        revision = self.put("key", "2")
        self.order("send watch_id: 1 header { revision: 9 }",
                   put_event("key", "1", self.created, self.created, 1),
                   put_event("key", "2", self.created, revision, 2))
        self.log.until_at(revision)
        self.order("skip")
        self.order("loud")
        self.assert_untouched(dropped=1)

    def test_old_but_never_told(self):
        """Old by what progress said before, but not here: it ran ahead of the event."""
        self.order("quiet")
        revision = self.put("late", "1")
        self.order("send watch_id: 1 header { revision:", revision, "}")
        self.log.until(lambda log: log.progress == revision, "the progress")
        self.order("loud")
        self.assert_read_again(event_lost=1)

    def test_deletion_never_told(self):
        self.order("quiet")
        revision = self.delete("key")
        self.order("send watch_id: 1 header { revision:", revision, "}")
        self.log.until(lambda log: log.progress == revision, "the progress")
        self.order("loud")
        self.assert_read_again(event_lost=1)

    def test_progress_of_the_stream(self):
        """Nobody asked for it, and it runs ahead of the events (#15220)."""
        self.order("quiet")
        revision = self.put("late", "1")
        self.order("send watch_id: -1 header { revision:", revision + 100, "}")
        self.order("loud")
        self.assert_current(self.log)
        self.assertEqual(self.told(self.log)[0], revision)
        self.assert_reseeds(self.log)

    def test_progress(self):
        self.fake.put("/elsewhere", "1")
        revision = self.fake.put("/elsewhere", "2")
        self.order("progress")
        self.log.until(lambda log: log.progress == revision, "the progress")
        self.order("end 14 away")
        self.until_watched(2)
        self.assertEqual(self.start_revisions()[1], revision + 1)
        self.assert_current(self.log)

    def test_created_again(self):
        self.order("send watch_id: 1 created: true header { revision: 99 }")
        self.assert_untouched()

    def test_halves(self):
        """One revision in two responses that both claim to be whole."""
        self.order("quiet")
        revision = self.fake.txn((key("a"), "1"), (key("b"), "1"))
        for name in ("a", "b"):
            self.order("send watch_id: 1 header { revision: 9 }",
                       put_event(name, "1", revision, revision, 1))
        self.order("skip")
        self.order("loud")
        self.assert_read_again(event_lost=1)

    def test_progress_goes_back(self):
        self.log.until_at(self.put("key", "2"))
        self.order("send watch_id: 1 header { revision: 1 }")
        self.order("send watch_id: 1")
        self.assert_untouched()

    def test_lost(self):
        """A gap without a word: the version says so (#17529)."""
        self.order("quiet")
        self.put("key", "2")
        self.order("skip")
        self.order("loud")
        self.put("key", "3")
        self.assert_read_again(event_lost=1)

    def test_deletion_lost(self):
        """The key is new again (#19179)."""
        self.order("quiet")
        self.delete("key")
        self.order("skip")
        self.order("loud")
        self.put("key", "3")
        self.assert_read_again(event_lost=1)

    def test_creation_lost(self):
        self.order("quiet")
        self.put("new", "1")
        self.order("skip")
        self.order("loud")
        self.delete("new")
        self.assert_read_again(event_lost=1)

    def test_lost_within_a_transaction(self):
        """Nothing of the revision that does not follow is told."""
        self.order("quiet")
        self.put("key", "2")
        self.order("skip")
        self.order("loud")
        self.fake.txn((key("new"), "1"), (key("key"), "3"))
        self.log.until_reseeded()
        self.assertEqual(self.log.batches, [])
        self.assert_read_again(event_lost=1)

    def test_without_header(self):
        self.order("quiet")
        revision = self.put("key", "2")
        self.order("send watch_id: 1", put_event("key", "2", self.created, revision, 2))
        self.log.until_at(revision)
        self.order("skip")
        self.order("loud")
        self.assert_current(self.log)
        self.assertEqual(self.log.reconnects, 0)

    def test_senseless(self):
        """The watch is opened anew, and nothing is read again."""
        for what, events in {
                "no key-value": "events { type: PUT }",
                "no key": 'events { kv { value: "x" mod_revision: 9 version: 1 } }',
                "no such type": f"events {{ type: 7 kv {{ key: {text(key('x'))} }} }}",
                }.items():
            with self.subTest(what):
                log = self.live()
                self.order("send watch_id: 1 header { revision: 9 }", events)
                log.until(lambda log: log.reconnects == 1, "the next watch")
                self.assert_current(log)
                self.assertEqual(len(log.seeds), 1)
                self.finish(log)

    def test_canceled(self):
        self.order('cancel cancel_reason: "etcdserver: no more"')
        self.assert_read_again(canceled=1)
        self.assertEqual(self.log.error, "watch canceled: etcdserver: no more")


class Seed(FakeTest):
    """One page of several is not as it should be."""

    def setUp(self):
        super().setUp()
        self.pinned = self.fake.fill(key(""), 300, 10)

    def start(self, *answer):
        """A seed whose second page is ANSWER."""
        self.order("at Range 2", *answer)
        log = self.start_log().until_seeded()
        self.assert_current(log)
        self.assertEqual(len(log.seeds), 1)
        return log

    def asked(self):
        """The revision of each page; 0: the newest."""
        return [int((words[2].split("revision: ") + ["0"])[1].split()[0])
                for _, words in self.fake.did("request", "Range")]

    def stop_between(self):
        """A log that has one page."""
        self.order("at Range 2 hold")
        log = self.start_log()
        self.fake.until(lambda seen: len(seen("request", "Range")) == 2, "the second page")
        return log

    def test_compacted(self):
        log = self.stop_between()
        revision = self.put("000299", "2")
        self.order("compact", revision)
        self.order("release Range")
        log.until_seeded()
        self.assert_current(log)
        self.assertEqual(self.asked(), [0, self.pinned, 0, revision])
        self.assertEqual(log.seeds, [(revision, 300, 300)])
        self.assert_reseeds(log, compacted=1)

    def test_future(self):
        """Another member answered, which is behind."""
        log = self.start("end 11", FUTURE)
        self.assertEqual(self.asked(), [0, self.pinned] * 2)
        self.assert_reseeds(log)

    def test_header_ahead(self):
        """The store moves on between two pages; what is read does not."""
        pinned = self.fake.fill(key("!"), 1000, 20000)
        log = self.start("claim revision: 99")
        first, *others = self.asked()
        self.assertEqual((first, set(others)), (0, {pinned}))
        self.assertGreater(len(others), 1)
        self.assertEqual(self.start_revisions(), [pinned + 1])
        self.assert_reseeds(log)

    def test_writes_between(self):
        log = self.stop_between()
        missed = [self.put("000200", "2"), self.delete("000299"), self.put("new", "1")]
        self.order("release Range")
        log.until_seeded()
        self.assert_current(log)
        self.assertEqual(log.seeds, [(self.pinned, 300, 300)])
        self.assertEqual(self.told(log)[:-1], missed)

    def test_senseless(self):
        """The whole is read again, at once or later, and only then told."""
        kv = f"kvs {{ key: {text(key('000127'))} create_revision: 2 mod_revision: 2 version: 1 }}"
        header = f"header {{ cluster_id: 1 raft_term: 3 revision: {self.pinned} }}"
        for what, answer in {
                "more, and no key": f"send {header} more: true",
                "a key of the first page": f"send {header} {kv}",
                "a key twice": f"send {header} {kv.replace('127', '')} {kv.replace('127', '')}",
                "no header": "send more: false",
                "no key in it": f"send {header} kvs {{ version: 1 }}",
                }.items():
            with self.subTest(what):
                self.finish(self.start(answer))
                first, second, *again = self.asked()[-4:]
                self.assertEqual([first, 0, again[1]], [0, again[0], second])

    def test_senseless_and_more(self):
        """It is found when the third page is asked for already."""
        kv = f"kvs {{ key: {text(key('000127'))} create_revision: 2 mod_revision: 2 version: 1 }}"
        header = f"header {{ cluster_id: 1 raft_term: 3 revision: {self.pinned} }}"
        self.start(f"send {header} {kv} more: true")
        self.assertEqual(self.asked()[:2], [0, self.pinned])
        self.assertIn(0, self.asked()[2:])


if __name__ == "__main__":
    fake_case.main()
