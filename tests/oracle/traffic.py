# SPDX-License-Identifier: Apache-2.0
"""Random changes to etcd.  What is tried, and in which order, comes from the seed
alone; whether etcd is there to do it does not matter."""

import contextlib
import random
import threading

from etcd import EtcdError, delete_op, put_op
from recorder import AWAY

# Below this, nothing is changed after the start: there is nothing to tell.
STILL = [b"still/%d" % i for i in range(5)]
PLAIN = [b"k%02d" % i for i in range(40)]
DEEP = [b"d%d/%s" % (i, name) for i in range(6) for name in (b"a", b"b", b"c", b"sub/a", b"sub/b")]
# Each is a file, a directory, or both.
TURNING = [name for i in range(4) for name in (b"t%d" % i, b"t%d/x" % i, b"t%d/y/z" % i)]
HOSTILE = [b"", b"/", b"//", b".", b"..", b".value", b".etcdfs", b".etcdfs/status", b"%", b"%2F",
           b"/k00", b"d0/", b"d0//a", b"d0/./a", b"d0/.value", b"n\0ul", b"n\nl", b"\xff\xfe",
           b"sp ace", b"back\\slash", b"L" * 255, b"\xc3\xa9"]
NAMES = PLAIN + DEEP + TURNING + HOSTILE
PREFIXES = [b"d%d/" % i for i in range(6)] + [b"t1/", b"k1", b"d"]

PACE = 0.006  # seconds between two changes, on average
LEASE_SECONDS = (2, 3)


class Traffic:
    def __init__(self, etcd, prefix, rng):
        self.etcd = etcd
        self.prefix = prefix
        self._rng = rng
        self._pace = random.Random(rng.random())  # apart: it follows the clock
        self._turn = threading.RLock()  # held for each change
        self._stop = threading.Event()
        self._leases = []
        self._count = 0
        self._burst = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.etcd.txn(*(put_op(prefix + name, b"still") for name in STILL))
        self.etcd.txn(*(put_op(prefix + name, self._value()) for name in NAMES[::2]))

    def start(self):
        self._thread.start()

    def stop(self):
        self._stop.set()
        self._thread.join()

    @contextlib.contextmanager
    def paused(self):
        with self._turn:
            yield

    def end_leases(self):
        """None is left that would expire; only while paused."""
        leases, self._leases = self._leases, []
        for lease in leases:
            with contextlib.suppress(EtcdError):  # it has expired, or is of another past
                self.etcd.call("lease/revoke", {"ID": str(lease)})

    def write(self, count):
        """COUNT changes at once; only while paused."""
        for _ in range(count):
            self._change()

    def write_elsewhere(self, count):
        """COUNT revisions in which nothing happens to our keys; only while paused."""
        for _ in range(count):
            self._elsewhere()()

    def _run(self):
        while not self._stop.is_set():
            with self._turn:
                self._change()
            if self._burst:
                self._burst -= 1
            else:
                self._stop.wait(self._pace.expovariate(1 / PACE))

    def _change(self):
        kinds = {self._put: 40, self._again: 3, self._delete: 12, self._transaction: 12,
                 self._delete_prefix: 3, self._leased: 4, self._large: 0.3, self._turning: 10,
                 self._elsewhere: 12, self._begin_burst: 0.5}
        kind, = self._rng.choices(list(kinds), list(kinds.values()))
        request = kind()
        with contextlib.suppress(EtcdError, *AWAY):
            request()

    # Each kind takes its chances first and returns the request.

    def _name(self):
        return self.prefix + self._rng.choice(NAMES)

    def _value(self):
        self._count += 1
        return b"" if self._rng.random() < 0.03 else b"value %d" % self._count

    def _put(self, name=None):
        name, value = name or self._name(), self._value()
        return lambda: self.etcd.put(name, value)

    def _again(self):
        """Bytes that the key may have already."""
        name = self._name()
        return lambda: self.etcd.put(name, b"again")

    def _large(self):
        name, size = self._name(), self._rng.choice((100_000, 500_000, 1 << 20))
        value = self._value().ljust(size, b".")
        return lambda: self.etcd.put(name, value)

    def _delete(self):
        name = self._name()
        return lambda: self.etcd.delete(name)

    def _delete_prefix(self):
        prefix = self.prefix + self._rng.choice(PREFIXES)
        return lambda: self.etcd.delete_prefix(prefix)

    def _turning(self):
        name = self.prefix + self._rng.choice(TURNING)
        return self._put(name) if self._rng.random() < 0.5 else lambda: self.etcd.delete(name)

    def _elsewhere(self):
        """Revisions that are not ours."""
        value = self._value()
        return lambda: self.etcd.put(b"/elsewhere", value)

    def _transaction(self):
        ops = [put_op(self.prefix + name, self._value()) if self._rng.random() < 0.7 else
               delete_op(self.prefix + name)
               for name in self._rng.sample(NAMES, self._rng.randint(2, 12))]
        return lambda: self.etcd.txn(*ops)

    def _leased(self):
        seconds = self._rng.choice(LEASE_SECONDS)
        puts = [(self.prefix + name, self._value())
                for name in self._rng.sample(NAMES, self._rng.randint(1, 5))]

        def request():
            lease = self.etcd.grant(seconds)
            self._leases.append(lease)
            self.etcd.txn(*(put_op(name, value, lease) for name, value in puts))
        return request

    def _begin_burst(self):
        self._burst = self._rng.randint(50, 400)
        return self._put()
