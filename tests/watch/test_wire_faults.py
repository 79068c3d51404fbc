#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every way in which a call, a connection or a peer can fail: nothing is lost."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import fake_case  # noqa: E402
from etcd import free_port  # noqa: E402
from fake_case import FakeTest, key  # noqa: E402
from proxy import Proxy  # noqa: E402

# gRPC's codes; 0 is an end that etcd calls none.
STATUSES = range(17)
OUT_OF_RANGE = 11
REFUSALS = (3, 7, 16)
# HTTP/2's, from NO_ERROR to HTTP_1_1_REQUIRED.
ERRORS = range(14)
ENHANCE_YOUR_CALM = 11


class WireTest(FakeTest):
    def each(self, faults, *orders):
        """Gives ORDERS for each of FAULTS, {} in them; each has a log of its own."""
        for fault in faults:
            with self.subTest(fault):
                log = self.live()
                for order in orders:
                    self.order(order.format(fault))
                self.assert_resumed(log, self.put("missed", str(fault)))
                self.finish(log)

    def assert_resumed(self, log, *missed):
        log.until(lambda log: log.reconnects, "the next watch")
        self.assert_current(log)
        self.assertEqual(self.told(log)[:-1], list(missed))
        self.assertEqual((len(log.seeds), log.replays_dropped), (1, 0))
        self.assert_reseeds(log)


class Status(WireTest):
    def test_of_an_open_watch(self):
        self.each(STATUSES, "end {}")

    def test_at_open(self):
        self.each(STATUSES, "at Watch 1 end {}", "end 14")

    def test_of_a_probe(self):
        """Those that refuse are denials: test_fake.py has them."""
        self.put("key", "1")
        self.each((code for code in STATUSES if code not in (*REFUSALS, OUT_OF_RANGE)),
                  "at KV 1 end {}", "end 14")

    def test_of_a_page(self):
        self.fake.fill(key(""), 300, 10)
        for code in STATUSES:
            with self.subTest(code):
                self.order("at Range 2 end", code, "because")
                log = self.start_log()
                if code in REFUSALS:
                    log.until(lambda log: log.failed, "the refusal")
                    self.assertEqual(log.failed,
                                     f"etcd at {self.fake.endpoint} refused: because")
                else:
                    log.until_seeded()
                    self.assert_current(log)
                    self.assert_reseeds(log, compacted=int(code == OUT_OF_RANGE))
                self.finish(log)

    def test_of_the_page(self):
        """Whichever it is."""
        self.fake.fill(key(""), 1000, 20000)
        for page in (1, 2, 3):
            with self.subTest(page):
                self.order("at Range", page, "end 14 away")
                log = self.start_log().until_seeded()
                self.assertEqual(len(log.seeds), 1)
                self.assert_current(log)
                self.finish(log)


class Http2(WireTest):
    def test_watch_is_reset(self):
        self.each(ERRORS, "rst {}")

    def test_watch_is_reset_at_open(self):
        self.each(ERRORS, "at Watch 1 rst {}", "end 14")

    def test_status_of_http(self):
        """What stands in front of etcd answers."""
        self.each((200, 204, 400, 401, 403, 404, 429, 502, 503), "at Watch 1 http {}", "end 14")

    def test_connection_ends(self):
        self.each(("close", "reset", r"raw \377\377\377\377\377\377\377\377\377"), "{}")

    def test_goes_away_and_stays(self):
        """What is under way goes on."""
        log = self.live()
        self.order("goaway 0")
        self.assert_current(log)
        self.assertEqual(log.reconnects, 0)

    def test_goes_away(self):
        log = self.live()
        self.order("goaway 0")
        self.order("close")
        self.assert_resumed(log, self.put("missed", "1"))

    def test_too_many_pings(self):
        log = self.live()
        self.order("goaway", ENHANCE_YOUR_CALM, "too_many_pings")
        self.order("close")
        self.assert_resumed(log, self.put("missed", "1"))

    def test_not_etcd(self):
        """Something else has its port for a while."""
        for greeting, error in {
                r"HTTP/1.1\040400\040Bad\040Request\015\012\015\012": "not etcd: it speaks HTTP/1",
                r"SSH-2.0-OpenSSH_9.2p1\015\012": "not etcd, or not without TLS",
                }.items():
            with self.subTest(greeting):
                log = self.live()
                self.order("greet", greeting)
                self.order("reset")
                log.until(lambda log, error=error: log.error == error, error)
                self.order("greet")
                self.assert_resumed(log, self.put("missed", "1"))
                self.finish(log)


class Tcp(WireTest):
    def setUp(self):
        super().setUp()
        self.proxy = Proxy(free_port(), self.fake.port)
        self.addCleanup(self.proxy.close)

    def live_behind(self, **options):
        return self.live(endpoints=self.proxy.endpoint, **options)

    def test_cut_anywhere(self):
        """In the prefix of a frame, in a message, between two, after it."""
        for count in (1, 5, 10, 100, 1000, 10_000, 20_000, 40_000):
            with self.subTest(count):
                log = self.live_behind()
                self.proxy.cut_after(count, "down")
                missed = [self.fake.fill(key("k"), 100, 100) for _ in range(4)]
                self.assert_resumed(log, *missed)
                self.finish(log)

    def test_cut_while_it_asks(self):
        """From the first byte of HTTP/2 to the opening of the watch."""
        self.put("key", "1")
        for count in (1, 24, 60, 120, 200, 300, 400):
            with self.subTest(count):
                log = self.live_behind()
                self.proxy.cut_after(count, "up")
                self.proxy.cut()
                missed = self.put("missed", str(count))
                self.assert_resumed(log, missed)
                self.finish(log)

    def test_one_way_stops(self):
        """For a moment, in which no ping is due."""
        log = self.live_behind()
        self.proxy.hold("up")
        heard = self.put("key", "1")
        log.until_at(heard)
        self.proxy.hold("down")
        self.proxy.flow("up")
        unheard = self.put("key", "2")
        self.assertEqual(self.told(log), [heard])
        self.proxy.flow("down")
        self.assert_current(log)
        self.assertEqual(self.told(log)[:-1], [heard, unheard])
        self.assertEqual(log.reconnects, 0)

    def test_far_away(self):
        self.proxy.delay(100)
        log = self.live_behind()
        revisions = [self.put("key", str(i)) for i in range(50)]
        log.until_at(revisions[-1])
        self.assertEqual(self.told(log), revisions)
        self.assertEqual(log.reconnects, 0)

    def test_dropped(self):
        """Nobody answers the connection: the next endpoint has its turn."""
        log = self.live(endpoints=f"{self.proxy.endpoint},{self.fake.endpoint}",
                        KEYSPACE_LOG_DIAL_MS="1000")
        self.proxy.blackhole()
        self.assert_current(log)
        self.assertEqual(len(log.seeds), 1)
        self.assertEqual(log.endpoint, self.fake.endpoint)

    def test_dropped_at_first(self):
        self.proxy.blackhole()
        log = self.live(endpoints=f"{self.proxy.endpoint},{self.fake.endpoint}",
                        KEYSPACE_LOG_DIAL_MS="2000")
        self.assert_current(log)
        self.assertEqual(log.endpoint, self.fake.endpoint)


class HalfOpen(FakeTest):
    def test_after_a_long_quiet(self):
        """No byte comes any more, and no reset either."""
        proxy = Proxy(free_port(), self.fake.port)
        self.addCleanup(proxy.close)
        self.order("hold Txn")  # the probe's answer would be a byte
        log = self.live(endpoints=proxy.endpoint, KEYSPACE_LOG_KEEPALIVE_MS="2000",
                        KEYSPACE_LOG_COMMAND_MS="60000")
        self.fake.until(lambda seen: seen("request", "Txn"), "the probe")
        pings = len(self.fake.did("pinged"))
        self.fake.until(lambda seen: len(seen("pinged")) >= pings + 3, "three pings")
        self.assertEqual(log.reconnects, 0)
        proxy.hold()
        log.until(lambda log: log.state == "reconnecting", "the silence noticed")
        self.assertEqual(log.error, "no answer to a ping")
        self.order("release Txn")
        proxy.flow()
        self.assert_current(log)
        self.assertEqual(len(log.seeds), 1)
        self.assert_reseeds(log)


class Slow(FakeTest):
    def test_nobody_listens(self):
        """The fake is not read from while nobody reads what the watch tells."""
        log = self.live()
        before = log.memory()
        with log.unread():
            self.fake.fill(key("k"), 100, 500, 1000)
            self.fake.until(lambda seen: seen("stalled"), "the fake is held up")
            self.assertLess(log.memory() - before, 24 << 20)
        self.assert_current(log)
        self.assertEqual([len(events) for _, events in log.batches], [100] * 1000 + [1])
        self.assert_reseeds(log)


if __name__ == "__main__":
    fake_case.main()
