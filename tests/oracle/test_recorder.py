#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The recorder, against a watch on the same etcd and against the traffic itself."""

import os
import random
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import tap  # noqa: E402
from etcd import Etcd  # noqa: E402
from recorder import Kv, Recorder, stamp  # noqa: E402
from traffic import Traffic  # noqa: E402
from wait import times  # noqa: E402

PREFIX = b"/r/"


class Truth(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="etcdfs-recorder-")
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.etcd = Etcd(self.directory).start()
        self.addCleanup(self.etcd.stop)
        self.recorder = Recorder(self.etcd, PREFIX)
        self.addCleanup(self.recorder.stop)
        self.traffic = Traffic(self.etcd, PREFIX, random.Random(1))

    def state(self):
        return {key: Kv.of(kv) for key, kv in self.etcd.range(PREFIX).items()}

    def watched(self, last):
        return {revision: dict((key, None if value is None else stamp(value))
                               for key, value in events)
                for revision, events in self.etcd.history(PREFIX, 1, last)}

    def recorded(self, epoch):
        return {revision: {key: kv and kv.value for key, kv in changes.items()}
                for revision, changes in epoch.changes.items()}

    def write(self, count):
        """COUNT changes, after which nothing happens by itself."""
        self.traffic.write(count)
        self.traffic.end_leases()

    def assert_true(self):
        last = self.etcd.put(PREFIX + b"last", "")
        self.assertEqual(last, self.recorder.catch_up())
        epoch = self.recorder.epochs[-1]
        self.assertEqual(self.state(), epoch.state_at(last))
        self.assertEqual(self.watched(last), self.recorded(epoch))

    def test_every_revision(self):
        self.write(times(1000, slow=300))
        self.assert_true()

    def test_kill(self):
        self.write(100)
        self.etcd.kill()
        self.traffic.write(3)
        self.etcd.start()
        self.write(100)
        self.assert_true()

    def test_another_past(self):
        self.write(50)
        fork, snapshot = self.etcd.revision(), self.etcd.snapshot()
        self.write(50)
        with self.recorder.turning_over(fork):
            self.etcd.restore(snapshot)
            self.etcd.start()
        self.write(50)
        self.assert_true()
        first, second = self.recorder.epochs
        self.assertEqual(fork, second.fork)
        self.assertEqual(first.state_at(fork), second.state_at(fork))

    def test_no_past(self):
        self.write(50)
        with self.recorder.turning_over():
            self.etcd.wipe()
            self.etcd.start()
        self.assertEqual({}, self.recorder.epochs[-1].state)
        self.write(50)
        self.assert_true()

    def test_compacted(self):
        self.write(50)
        last = self.recorder.catch_up()
        self.etcd.compact(last)
        self.write(50)
        self.recorder.catch_up()
        self.recorder.forget_before(last)
        epoch, = self.recorder.epochs
        self.assertEqual(last, epoch.base)
        self.assertEqual(self.state(), epoch.state_at(epoch.last))


if __name__ == "__main__":
    sys.exit(tap.run(sys.argv[1:]))
