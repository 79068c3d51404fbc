#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Ten thousand reconnects cost no memory, no descriptor and no thread.

    RECONNECTS names the program (tests/lib/reconnects.c).

The first tenth warms up: gRPC starts threads, tables grow.  From there to the end what
is allocated may grow by one block of fixed size, so that a few bytes lost each time
show.  That needs a malloc without caches of its own for each thread: what lies there
counts as allocated.  What gRPC has in hand in the moment of a look is not lost; so the
least of the last looks counts.
"""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import watch_case  # noqa: E402
from certs import Authority  # noqa: E402
from etcd import Auth, TlsEtcd  # noqa: E402
from wait import LIMIT, times  # noqa: E402
from watch_case import WatchTest  # noqa: E402

HERE = "127.0.0.1"
UNCACHED = {"GLIBC_TUNABLES": "glibc.malloc.tcache_count=0"}
# In the time that another test has for one step.
ROUNDS_IN_LIMIT = times(500)

# So many looks of ten are the last ones.
LAST = 3
# Another thread of gRPC's costs three of them.
BYTES_MAX = 32 * 1024
# Two connections that gRPC has not closed yet.
DESCRIPTORS_MAX = 2
# gRPC starts one more when a timer is due while the others are busy.
THREADS_MAX = 4


class Leaks(WatchTest):
    def lose(self, rounds, *args):
        """Loses etcd ROUNDS times, and compares what that costs."""
        command = [os.environ["RECONNECTS"], f"--rounds={rounds}", f"--every={rounds // 10}", *args]
        result = subprocess.run(command, env={**os.environ, **UNCACHED}, capture_output=True,
                                text=True, timeout=LIMIT * max(1, rounds / ROUNDS_IN_LIMIT),
                                check=False)
        self.assertEqual(result.returncode, 0, result.stderr)
        *costs, (_, reconnects, reseeds) = map(str.split, result.stdout.splitlines())
        self.assertGreaterEqual(int(reconnects), rounds - 1, result.stdout)
        self.assertEqual(int(reseeds), 0, result.stdout)
        looks = [list(map(int, line)) for line in costs]
        self.compare(looks[0], list(map(min, zip(*looks[-LAST:]))), result.stdout)

    def compare(self, first, last, told):
        grown = [end - start for start, end in zip(first, last)]
        self.assertLess(grown[1], BYTES_MAX, f"bytes\n{told}")
        self.assertLessEqual(grown[2], DESCRIPTORS_MAX, f"descriptors\n{told}")
        self.assertLessEqual(grown[3], THREADS_MAX, f"threads\n{told}")

    def start_tls(self, *args):
        """The options by which to reach it, and to be alice there."""
        ca = Authority(self.directory, "ca")
        client = ca.client("alice")
        self.etcd = TlsEtcd(self.directory, ca.server("server", HERE), *args, clients=ca)
        self.addCleanup(self.etcd.stop)
        self.etcd.start()
        return [f"--cacert={ca.cert}", f"--cert={client.cert}", f"--key={client.key}"]

    def test_plain(self):
        self.start_etcd()
        self.lose(times(10000), self.etcd.endpoint)

    def test_tls(self):
        options = self.start_tls()
        self.lose(times(2000), *options, self.etcd.tls_endpoint)

    def test_token(self):
        """A new one for each connection; the least that a hash of a password can cost."""
        self.start_etcd("--bcrypt-cost=4")
        Auth(self.etcd).enable()
        self.lose(times(2000), "--user=root", "--password=root", self.etcd.endpoint)


if __name__ == "__main__":
    watch_case.main()
