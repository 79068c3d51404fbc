#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The watch against an etcd that asks who it is, and changes its mind about it.

etcd checks the permission for a watch once, when it begins: what happens to it later is
found by a probe.
"""

import contextlib
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import watch_case  # noqa: E402
from etcd import Auth, Etcd  # noqa: E402
from wait import LIMIT  # noqa: E402
from watch_case import PREFIX, WatchTest  # noqa: E402

# From a probe to the next, a half more at random.
PROBE_MS = 2000
# The life of a token, in seconds; and of a probe that always finds it expired.
TTL, RARE_PROBE_MS = 3, 4000
# The longest wait between two attempts of who is denied is 30 s.
LONG = LIMIT + 30

DENIED = "etcdserver: permission denied"
NO_TOKEN = "etcdserver: user name is empty"
WRONG = "etcdserver: authentication failed, invalid user ID or password"

PASSWORD = "secret"


def simple_tokens(directory):
    """etcd forgets them in a restart; any use makes them live longer."""
    return [f"--auth-token-ttl={TTL}"]


def jwt_tokens(directory):
    """They outlive a restart, and end with each change of any user or role."""
    private, public = (os.path.join(directory, name) for name in ("private", "public"))
    subprocess.run(["openssl", "genrsa", "-out", private], check=True, capture_output=True)
    subprocess.run(["openssl", "rsa", "-in", private, "-pubout", "-out", public], check=True,
                   capture_output=True)
    return [f"--auth-token=jwt,pub-key={public},priv-key={private},sign-method=RS256,"
            f"ttl={TTL}s"]


KINDS_OF_TOKENS = (simple_tokens, jwt_tokens)


class Reader:
    """A user who may read the keys that begin with the user's name, the log that does,
    and every change that it must tell."""

    def __init__(self, test, etcd, name):
        self.test, self.etcd, self.auth, self.name = test, etcd, Auth(etcd), name
        self.prefix = f"/{name}/".encode()
        self.password_file = os.path.join(etcd.directory, f"{name}-password")
        self.changes = []
        self.auth.add_role(name)
        self.auth.grant_read(name, self.prefix)
        self.add_user()

    def add_user(self):
        self.auth.add_user(self.name, PASSWORD)
        self.auth.grant_role(self.name, self.name)

    def write_password(self, password):
        """As one should, in one step."""
        new = self.password_file + ".new"
        with open(new, "w", encoding="utf-8") as file:
            file.write(password + "\n")
        os.rename(new, self.password_file)

    def watch(self, endpoint=None, from_file=False, probe_ms=PROBE_MS):
        password = {"KEYSPACE_LOG_PASSWORD": PASSWORD}
        if from_file:
            self.write_password(PASSWORD)
            password = {"KEYSPACE_LOG_PASSWORD_FILE": self.password_file}
        self.etcd.put(self.prefix + b"a", "1")
        self.log = self.test.start_log(endpoint or self.etcd.endpoint, prefix=self.prefix,
                                       KEYSPACE_LOG_USER=self.name,
                                       KEYSPACE_LOG_KEEPALIVE_MS=str(probe_ms),
                                       KEYSPACE_LOG_PING_MS="10000", **password)
        self.log.until_seeded()
        return self

    def put(self, name, value):
        key = self.prefix + name.encode()
        self.changes.append((self.etcd.put(key, value), [(key, value.encode())]))

    def until(self, condition, what):
        try:
            self.log.until(condition, what, LONG)
        except TimeoutError as late:
            raise AssertionError(f"{self.name}: {late}; {self.log.states}: "
                                 f"{self.log.error}") from None

    def until_denied(self, error):
        self.until(lambda log: log.state == "denied" and log.error.endswith(error),
                   f"denied: {error}")

    def assert_told(self):
        """Every change, once, whatever happened."""
        self.put("last", "1")
        self.until(lambda log: log.revision >= self.changes[-1][0],
                   f"revision {self.changes[-1][0]}")
        self.test.assertEqual(self.log.batches, self.changes, self.name)
        self.test.assertEqual(len(self.log.seeds), 1, self.name)

    def assert_told_in(self, *states):
        """And the log was in these STATES, once it was live."""
        self.assert_told()
        self.test.assertEqual(self.log.states, ["seeding", "live", *states], self.name)


class AuthTest(WatchTest):
    def start_etcd(self, kind=simple_tokens):
        """Without authentication at first."""
        directory = os.path.join(self.directory, kind.__name__)
        os.mkdir(directory)
        # etcd's passwords are slow on purpose
        self.etcd = Etcd(directory, "--bcrypt-cost=4", *kind(directory)).start()
        self.addCleanup(self.etcd.stop)
        return self.etcd

    def start_asking(self, kind=simple_tokens):
        """With authentication."""
        etcd = self.start_etcd(kind)
        Auth(etcd).enable()
        return etcd

    def start_reader(self, etcd, name, **options):
        return Reader(self, etcd, name).watch(**options)

    def until_probe_granted(self):
        """One more of those that are made while live."""
        self.etcd.until_calls("Txn", "OK", self.etcd.calls("Txn")["OK"] + 1)


# Ways to take a reader's rights away, and to give them back; each yields what is said.


@contextlib.contextmanager
def role_revoked(reader):
    reader.auth.revoke_role(reader.name, reader.name)
    yield DENIED
    reader.auth.grant_role(reader.name, reader.name)


@contextlib.contextmanager
def role_deleted(reader):
    reader.auth.delete_role(reader.name)
    yield DENIED
    reader.auth.add_role(reader.name)
    reader.auth.grant_read(reader.name, reader.prefix)
    reader.auth.grant_role(reader.name, reader.name)


@contextlib.contextmanager
def range_revoked(reader):
    reader.auth.revoke_read(reader.name, reader.prefix)
    yield DENIED
    reader.auth.grant_read(reader.name, reader.prefix)


@contextlib.contextmanager
def range_narrowed(reader):
    """The first key can still be read."""
    part = reader.prefix, reader.prefix + b"b"
    reader.auth.revoke_read(reader.name, reader.prefix)
    reader.auth.grant_read(reader.name, *part)
    yield DENIED
    reader.auth.revoke_read(reader.name, *part)
    reader.auth.grant_read(reader.name, reader.prefix)


@contextlib.contextmanager
def user_deleted(reader):
    reader.auth.delete_user(reader.name)
    yield WRONG
    reader.add_user()


@contextlib.contextmanager
def password_changed(reader):
    reader.auth.set_password(reader.name, "another")
    yield WRONG
    reader.auth.set_password(reader.name, PASSWORD)


@contextlib.contextmanager
def password_changed_for_good(reader):
    reader.auth.set_password(reader.name, "another")
    yield WRONG
    reader.write_password("another")


WAYS = (role_revoked, role_deleted, range_revoked, range_narrowed, user_deleted,
        password_changed, password_changed_for_good)


class Rights(AuthTest):
    def test_taken_away_and_given_back(self):
        etcds = [self.start_asking(kind) for kind in KINDS_OF_TOKENS]
        taken = [(self.start_reader(etcd, way.__name__, from_file=True), way)
                 for etcd in etcds for way in WAYS]
        others = [self.start_reader(etcd, "other") for etcd in etcds]
        with contextlib.ExitStack() as given_back:
            said = [given_back.enter_context(way(reader)) for reader, way in taken]
            for (reader, _), error in zip(taken, said):
                reader.until_denied(error)
            held = [dict(reader.log.keys) for reader, _ in taken]
            for reader in [reader for reader, _ in taken] + others:
                reader.put("meanwhile", "1")
            self.assertEqual([reader.log.keys for reader, _ in taken], held)
            for reader, _ in taken:
                with self.subTest(reader.log.endpoint, user=reader.name):
                    states = reader.log.states
                    self.assertEqual(states[states.index("denied"):], ["denied"])
        for reader in [reader for reader, _ in taken] + others:
            reader.assert_told()
        for reader in others:
            self.assertNotIn("denied", reader.log.states)

    def test_narrowed_late(self):
        """Once the keys have been counted, which is rare, each probe still asks for all."""
        reader = self.start_reader(self.start_asking(), "reader")
        self.until_probe_granted()
        with range_narrowed(reader) as error:
            reader.until_denied(error)
        reader.assert_told_in("denied", "live")

    def test_password_file_written_first(self):
        """The order that leaves no gap."""
        reader = self.start_reader(self.start_asking(), "reader", from_file=True)
        reader.write_password("another")
        reader.auth.set_password(reader.name, "another")
        self.until_probe_granted()
        reader.assert_told_in()

    def test_password_file_gone(self):
        self.start_asking()
        proxy = self.start_proxy()
        reader = self.start_reader(self.etcd, "reader", endpoint=proxy.endpoint, from_file=True)
        os.remove(reader.password_file)
        for count in (1, 2):
            proxy.cut()
            reader.until(lambda log, count=count: (log.reconnects, log.state) == (count, "live"),
                         "the next watch")
        reader.assert_told_in("reconnecting", "live", "reconnecting", "live")
        _, errors = reader.log.stop()
        self.assertEqual(errors.count(f"--password-file {reader.password_file}: No such file"), 1,
                         errors)

    def test_etcd_is_spared(self):
        """Each attempt of who is denied costs etcd a hash of the password."""
        self.start_asking()
        proxy = self.start_proxy()
        well = self.start_reader(self.etcd, "well", probe_ms=10000)
        denied = [self.start_reader(self.etcd, f"denied{i}", endpoint=proxy.endpoint)
                  for i in range(4)]
        for reader in denied:
            reader.auth.set_password(reader.name, "another")
        proxy.cut()
        for reader in denied:
            reader.until_denied(WRONG)
        before = self.etcd.calls("Authenticate")["InvalidArgument"]
        self.until_probe_granted()  # of the one that is well
        count = self.etcd.calls("Authenticate")["InvalidArgument"] - before
        self.assertLess(count / len(denied), 50, "in 10 to 15 s")
        well.assert_told_in()


class Tokens(AuthTest):
    def test_expire(self):
        """Every probe finds its token expired."""
        still, moving = [], []
        for kind in KINDS_OF_TOKENS:
            etcd = self.start_asking(kind)
            still.append(self.start_reader(etcd, "still", probe_ms=RARE_PROBE_MS))
            proxy = self.start_proxy()
            moving.append((self.start_reader(etcd, "moving", endpoint=proxy.endpoint,
                                             probe_ms=RARE_PROBE_MS), proxy))
        for reader, proxy in moving:
            proxy.cut()
        for reader in still:
            reader.etcd.until_calls("Txn", "Unauthenticated", 4, LONG)
        for reader, proxy in moving:
            proxy.cut()
            reader.until(lambda log: log.reconnects == 2, "the next watch")
            reader.assert_told_in("reconnecting", "live", "reconnecting", "live")
        for reader in still:
            reader.assert_told_in()
            self.assertEqual(reader.log.reconnects, 0)

    def test_restart(self):
        for kind in KINDS_OF_TOKENS:
            etcd = self.start_asking(kind)
            reader = self.start_reader(etcd, "reader")
            for end in (etcd.kill, etcd.stop):
                end()
                reader.until(lambda log: log.state == "reconnecting", "the loss noticed")
                etcd.start()
                reader.put("since", "1")
                reader.until(lambda log: log.state == "live", "live again")
            reader.assert_told_in("reconnecting", "live", "reconnecting", "live")

    def test_switched_on_and_off(self):
        self.start_etcd()
        proxy = self.start_proxy()
        known = self.start_reader(self.etcd, "known", endpoint=proxy.endpoint)
        nobody = self.start_log(KEYSPACE_LOG_KEEPALIVE_MS=str(PROBE_MS),
                                KEYSPACE_LOG_PING_MS="10000").until_seeded()
        known.auth.enable()
        self.until_probe_granted()  # that of the one who is known
        nobody.until(lambda log: (log.state, log.error) == ("denied", NO_TOKEN), "denied")
        known.put("while-on", "1")
        known.auth.disable()
        proxy.cut()
        known.until(lambda log: log.reconnects == 1, "the next watch")
        known.assert_told_in("reconnecting", "live")
        nobody.until(lambda log: log.state == "live", "live again", LONG)
        self.assert_current(nobody)
        self.assertEqual(nobody.states, ["seeding", "live", "denied", "live"])


class Start(AuthTest):
    """What a person reads."""

    def failure(self, **env):
        """At once, not when time is up."""
        log = self.start_log(KEYSPACE_LOG_DIAL_MS="3600000", **env)
        log.until(lambda log: log.failed, "the failure")
        return log.failed

    def assert_refused(self, reason, **env):
        self.assertEqual(self.failure(**env), f"etcd at {self.etcd.endpoint} refused: {reason}")

    def test_refused(self):
        for kind in KINDS_OF_TOKENS:
            with self.subTest(kind.__name__):
                reader = Reader(self, self.start_asking(kind), "reader")
                known = {"KEYSPACE_LOG_USER": "reader", "KEYSPACE_LOG_PASSWORD": PASSWORD}
                self.assert_refused(NO_TOKEN)
                self.assert_refused(WRONG, KEYSPACE_LOG_USER="stranger",
                                    KEYSPACE_LOG_PASSWORD=PASSWORD)
                self.assert_refused(WRONG, KEYSPACE_LOG_USER="reader",
                                    KEYSPACE_LOG_PASSWORD="wrong")
                self.assert_refused(WRONG, KEYSPACE_LOG_USER="reader")
                self.assert_refused(DENIED, **known)
                reader.auth.grant_read("reader", PREFIX + b"part")
                self.assert_refused(DENIED, **known)

    def test_not_asked(self):
        """A user that etcd does not want to know."""
        self.start_etcd()
        self.start_log(KEYSPACE_LOG_USER="stranger", KEYSPACE_LOG_PASSWORD="x").until_seeded()

    def test_no_password_file(self):
        self.start_asking()
        self.assertEqual(self.failure(KEYSPACE_LOG_USER="reader",
                                      KEYSPACE_LOG_PASSWORD_FILE="/nowhere"),
                         "--password-file /nowhere: No such file or directory")


if __name__ == "__main__":
    watch_case.main()
