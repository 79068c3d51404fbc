# SPDX-License-Identifier: Apache-2.0
"""What every test of the watch without a mount has: an etcd, proxies, logs."""

import shutil
import sys
import tempfile
import unittest

import tap
from etcd import Etcd, free_port
from keyspace_log import REASONS, Log
from proxy import Proxy

PREFIX = b"/w/"


class WatchTest(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="etcdfs-watch-")
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)

    def start_etcd(self, *args):
        self.etcd = Etcd(self.directory, *args).start()
        self.addCleanup(self.etcd.stop)
        return self.etcd

    def start_proxy(self):
        proxy = Proxy(free_port(), self.etcd.port)
        self.addCleanup(proxy.close)
        return proxy

    def start_log(self, endpoints=None, **options):
        log = Log(endpoints or self.etcd.endpoint, options.pop("prefix", PREFIX), **options)
        self.addCleanup(self.finish, log)
        return log

    def finish(self, log):
        """A report of a sanitizer ends the program with a status of its own."""
        status, errors = log.stop()
        self.assertEqual(status, 1 if log.failed else 0, errors)

    def put(self, name, value):
        return self.etcd.put(PREFIX + name.encode(), value)

    def assert_current(self, log):
        """LOG holds what etcd does, and got there without a fault."""
        log.until_at(self.put("last", "last"))
        self.assertEqual(log.keys, {key: kv.value for key, kv in self.etcd.range(PREFIX).items()})
        self.assertEqual(log.faults, [])

    def assert_reseeds(self, log, **expected):
        self.assertEqual(log.reseeds, {**dict.fromkeys(REASONS, 0), **expected}, log.error)


def main():
    if not shutil.which("etcd"):
        print("1..0 # SKIP no etcd")
        sys.exit(0)
    sys.exit(tap.run(sys.argv[1:]))
