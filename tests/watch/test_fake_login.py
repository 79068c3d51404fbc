#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The watch against an etcd that wants to know who it is, and does not always believe it."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import fake_case  # noqa: E402
from fake_case import SOON, FakeTest, key, text  # noqa: E402

DENIED = {3: "etcdserver: user name is empty", 7: "etcdserver: permission denied",
          16: "etcdserver: invalid auth token"}
OLD = "etcdserver: revision of auth store is old"


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


if __name__ == "__main__":
    fake_case.main()
