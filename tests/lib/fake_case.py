# SPDX-License-Identifier: Apache-2.0
"""What every test of the watch against a fake etcd has: the fake, logs, proxies."""

import importlib
import re
import sys

import tap
from etcd import to_bytes
from fake import FakeEtcd
from watch_case import PREFIX, WatchTest

# Makes the watch of a keyspace-log probe soon, and not ping.
SOON = {"KEYSPACE_LOG_KEEPALIVE_MS": "1000", "KEYSPACE_LOG_PING_MS": "10000"}


def key(name):
    return PREFIX + to_bytes(name)


def text(data):
    """DATA as a string of protobuf's text format."""
    return '"' + "".join(f"\\{c:03o}" for c in to_bytes(data)) + '"'


def put_event(name, value, create_revision, mod_revision, version):
    """An event in protobuf's text format."""
    return (f"events {{ kv {{ key: {text(key(name))} value: {text(value)} version: {version} "
            f"create_revision: {create_revision} mod_revision: {mod_revision} }} }}")


def delete_event(name, mod_revision):
    return (f"events {{ type: DELETE kv {{ key: {text(key(name))} "
            f"mod_revision: {mod_revision} }} }}")


class FakeTest(WatchTest):
    def setUp(self):
        super().setUp()
        self.etcd = self.fake = self.start_fake()

    def start_fake(self):
        fake = FakeEtcd()
        self.addCleanup(fake.stop)
        return fake

    def order(self, *words):
        return self.fake.order(*words)

    def delete(self, name):
        return self.fake.delete(key(name))

    def live(self, **options):
        """A log that has seeded itself."""
        return self.start_log(**options).until_seeded()

    def leave(self, log):
        """The watch of LOG ends, and what it asks the fake then waits for arrive()."""
        self.order("hold KV")
        self.order("end 14 away")
        log.until(lambda log: log.state == "reconnecting", "the loss noticed")

    def arrive(self):
        self.order("release KV")

    def start_revisions(self):
        """Of each watch so far."""
        return [int(re.search(r"start_revision: (\d+)", request.words[2])[1])
                for request in self.fake.did("request", "Watch")]

    def until_watched(self, count):
        """Waits for the COUNT-th watch."""
        self.fake.until(lambda seen: len(seen("request", "Watch")) >= count, f"{count} watches")

    def told(self, log):
        return [revision for revision, _ in log.batches]

    def assert_current(self, log):
        """LOG holds what the fake does, and got there without a fault."""
        log.until_at(self.put("last", "last"))
        self.assertEqual(log.keys, self.fake.keys(PREFIX))
        self.assertEqual(log.faults, [])


def main():
    for module in ("h2", "google.protobuf"):
        try:
            importlib.import_module(module)
        except ImportError as error:
            print(f"1..0 # SKIP {error}")
            sys.exit(0)
    sys.exit(tap.run(sys.argv[1:]))
