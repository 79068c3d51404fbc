#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The watch against an etcd that lies, as real ones have: what it tells is true."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import fake_case  # noqa: E402
from fake_case import FakeTest, delete_event, key, put_event, text  # noqa: E402

DENIED = {3: "etcdserver: user name is empty", 7: "etcdserver: permission denied",
          16: "etcdserver: invalid auth token"}
OLD = "etcdserver: revision of auth store is old"
# The first probe, and the next ones.
SOON = {"KEYSPACE_LOG_KEEPALIVE_MS": "1000", "KEYSPACE_LOG_PING_MS": "10000"}
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


class Denied(FakeTest):
    def setUp(self):
        super().setUp()
        self.put("here", "1")
        self.log = self.live()

    def until_told(self):
        """Back, with nothing read again."""
        self.assert_current(self.log)
        self.assertEqual(len(self.log.seeds), 1)
        self.assert_reseeds(self.log)

    def refuse_watches(self, count, reason):
        for i in range(count):
            self.order(f"at Watch {i + 1} send watch_id: -1 created: true canceled: true "
                       f"header {{ revision: 9 }} cancel_reason: {text(reason)}")
        self.order("end 14 away")
        self.until_watched(count + 2)
        self.until_told()

    def test_watch_once(self):
        """Some servers say so of a token that has expired."""
        self.refuse_watches(1, DENIED[7])
        self.assertNotIn("denied", self.log.states)

    def test_watch_twice(self):
        self.refuse_watches(2, DENIED[7])
        self.assertIn("denied", self.log.states)

    def test_page(self):
        """While it is read again: what was there stays."""
        self.order(f"at Range 1 end 7 {DENIED[7]}")
        self.order("cancel")
        self.log.until(lambda log: log.state == "denied", "denied")
        self.log.until_reseeded()
        self.assert_current(self.log)
        self.assert_reseeds(self.log, canceled=1)


class DeniedProbe(FakeTest):
    def test_each_status(self):
        self.put("here", "1")
        for code, reason in DENIED.items():
            with self.subTest(code):
                log = self.live()
                self.order(f"at KV 1 end {code} {reason}")
                self.order("end 14 away")
                log.until(lambda log: log.state == "denied", "denied")
                self.assertEqual(log.error, reason)
                self.assert_current(log)
                self.assertEqual(len(log.seeds), 1)
                self.finish(log)


class Token(FakeTest):
    USER = {"KEYSPACE_LOG_USER": "reader", "KEYSPACE_LOG_PASSWORD": "secret"}

    def setUp(self):
        super().setUp()
        self.put("here", "1")
        self.order("auth reader secret")

    def tokens(self, method):
        return [deed.words[2].split()[1] for deed in self.fake.did("opened", method)]

    def test_on_every_call(self):
        log = self.live(**self.USER)
        self.assert_current(log)
        self.assertEqual(set(self.tokens("Range") + self.tokens("Watch")), {"token.1"})

    def test_fresh_for_each_connection(self):
        log = self.live(**self.USER)
        self.order("end 14 away")
        self.until_watched(2)
        self.assert_current(log)
        self.assertEqual(self.tokens("Watch"), ["token.1", "token.2"])

    def test_expired(self):
        """An open watch lives on; and so does the next one, with a new token."""
        log = self.live(**self.USER)
        self.order("expire")
        self.assert_current(log)
        self.assertEqual(len(self.start_revisions()), 1)
        self.order("end 14 away")
        self.until_watched(2)
        self.assert_current(log)
        self.assertNotIn("denied", log.states)

    def test_expired_between_pages(self):
        self.fake.fill(key("k"), 300, 1)
        self.order(f"at Range 2 end 16 {DENIED[16]}")
        log = self.live(**self.USER)
        self.assertEqual(self.tokens("Range"), ["token.1", "token.1", "token.2"])
        self.assert_current(log)

    def test_password_changed(self):
        log = self.live(**self.USER)
        self.order("auth reader other")
        self.order("expire")
        self.order("end 14 away")
        log.until(lambda log: log.state == "denied", "denied")
        self.order("auth reader secret")
        self.assert_current(log)
        self.assertEqual(len(log.seeds), 1)

    def test_unsendable(self):
        """What no header can carry is no token."""
        for token in ("a\\nb", "\\303\\266", "\\177"):
            with self.subTest(token):
                self.order(f'at Authenticate * alter token: "{token}"')
                log = self.start_log(**self.USER)
                log.until(lambda log: log.failed, "the failure")
                self.order("clear")

    def test_old_at_once_at_start(self):
        """Users have changed between the token and the request."""
        self.order(f"at Range 1 end 3 {OLD}")
        self.assert_current(self.live(**self.USER))

    def test_old_at_once_while_live(self):
        log = self.live(**self.USER, **SOON)
        self.order("expire")
        self.order(f"at Txn 2 end 3 {OLD}")
        self.fake.until(lambda seen: len(seen("opened", "Txn")) >= 3, "three probes")
        self.assert_current(log)
        self.assertEqual(log.states, ["seeding", "live"])

    def test_expired_again(self):
        """The request that the new token was for has no answer; the next finds it expired."""
        self.order(f"at Range 2 end 16 {DENIED[16]}")
        self.order("at Range 3 end 11 etcdserver: mvcc: required revision has been compacted")
        log = self.live(**self.USER, **SOON)
        self.fake.until(lambda seen: len(seen("opened", "Range")) >= 3, "the audit")
        self.order("expire")
        count = len(self.tokens("Txn"))
        self.fake.until(lambda seen: len(seen("opened", "Txn")) >= count + 2, "two probes")
        self.assert_current(log)
        self.assertEqual(log.states, ["seeding", "live"])

    def test_not_enabled(self):
        """Whoever gives a user to an etcd without any is served."""
        self.order("auth")
        log = self.live(**self.USER)
        self.assert_current(log)
        self.assertEqual(set(self.tokens("Watch")), {"-"})


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
        pinned = self.fake.fill(key("more"), 5000, 10)
        log = self.start("claim revision: 99")
        self.assertEqual(self.asked(), [0, pinned, pinned])
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
