# SPDX-License-Identifier: Apache-2.0
"""What truly happened: every revision of a range, read from etcd itself.

The range is read at each revision, one after the other, and not watched: so what
watches are judged by has none of their faults.  Whoever compacts lets the recorder
catch up first; whoever gives etcd another past does so inside `turning_over`.

A history that went back, and then on in another way, is another Epoch.  Up to the
revision at which they part, two epochs are the same.
"""

import base64
import collections
import contextlib
import hashlib
import http.client
import threading

from etcd import KeyValue, Unavailable, prefix_end

# What a request raises while etcd is away.
AWAY = (OSError, http.client.HTTPException, Unavailable)

POLL = 0.05
LONG = 256


def stamp(value):
    """A value, or what stands for a long one."""
    if len(value) <= LONG:
        return value
    return b"%d bytes, SHA-256 %s" % (len(value), hashlib.sha256(value).hexdigest().encode())


class Kv(collections.namedtuple("Kv", "value create_revision mod_revision version lease")):
    """One revision of a key; the value is as `stamp` has it."""

    @classmethod
    def of(cls, kv):
        return cls(stamp(kv.value), kv.create_revision, kv.mod_revision, kv.version, kv.lease)


def apply(state, changes):
    """Does CHANGES, {key: Kv or None for a deletion}, to STATE, {key: Kv}."""
    for key, kv in changes.items():
        if kv is None:
            state.pop(key, None)
        else:
            state[key] = kv


class Epoch:
    """{key: Kv} at the revision `base`, and what each later one up to `last` changed;
    above `fork` it is not what the epoch before was."""

    def __init__(self, base, state):
        self.base = self.fork = self.last = base
        self.state = state  # at base
        self.changes = {}  # revision: {key: Kv or None}; without those that changed nothing

    def record(self, revision, changes):
        assert revision == self.last + 1, f"{revision} after {self.last}"
        if changes:
            self.changes[revision] = changes
        self.last = revision

    def covers(self, revision):
        return self.base <= revision <= self.last

    def between(self, after, last):
        """(revision, changes) above AFTER, up to LAST."""
        return [(revision, changes) for revision, changes in self.changes.items()
                if after < revision <= last]

    def state_at(self, revision):
        assert self.covers(revision), f"{revision} is not in {self.base} to {self.last}"
        state = dict(self.state)
        for _, changes in self.between(self.base, revision):
            apply(state, changes)
        return state

    def forked_at(self, revision):
        """The epoch that begins where etcd goes back to REVISION."""
        epoch = Epoch(self.base, self.state)
        epoch.changes = dict(self.between(self.base, revision))
        epoch.fork = epoch.last = revision
        return epoch

    def since(self, revision):
        """The same without what was before REVISION."""
        epoch = Epoch(revision, self.state_at(revision))
        epoch.changes = dict(self.between(revision, self.last))
        epoch.last = self.last
        return epoch


class Recorder:
    """Follows the keys of ETCD that begin with PREFIX from now on."""

    def __init__(self, etcd, prefix):
        self.etcd = etcd
        self._keys = {"key": base64.b64encode(prefix).decode(),
                      "range_end": base64.b64encode(prefix_end(prefix)).decode()}
        self._lock = threading.RLock()
        self._stop = threading.Event()
        self.epochs = [self._begun()]  # protected by _lock, and so all they hold
        self._current = dict(self.epochs[-1].state)
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def stop(self):
        self._stop.set()
        self._thread.join()

    def catch_up(self):
        """Records all that has happened; returns the revision."""
        with self._lock:
            epoch, latest = self.epochs[-1], self.etcd.revision()
            for revision in range(epoch.last + 1, latest + 1):
                changes = self._read(revision)
                epoch.record(revision, changes)
                apply(self._current, changes)
            return epoch.last

    @contextlib.contextmanager
    def turning_over(self, fork=None):
        """Inside, etcd gets another past: that up to the revision FORK, or none.  It
        answers when this begins and when this ends; nobody that is to be judged may
        reach it in the meantime."""
        with self._lock:
            self.catch_up()
            yield
            self.epochs.append(self._begun() if fork is None else
                               self.epochs[-1].forked_at(fork))
            self._current = self.epochs[-1].state_at(self.epochs[-1].last)
            self.catch_up()

    def forget_before(self, revision):
        """Keeps only what the last epoch says of REVISION and later."""
        with self._lock:
            self.epochs = [self.epochs[-1].since(revision)]

    def _follow(self):
        while not self._stop.wait(POLL):
            try:
                self.catch_up()
            except AWAY:
                pass

    def _begun(self):
        answer = self._range()
        revision = int(answer["header"]["revision"])
        kvs = map(KeyValue, self._range(revision=revision).get("kvs", []))
        return Epoch(revision, {kv.key: Kv.of(kv) for kv in kvs})

    def _range(self, **options):
        return self.etcd.call("range", {**self._keys, **options})

    def _read(self, revision):
        """What REVISION changed.  Deletions show in the count alone, which is of the
        whole range whatever is filtered out."""
        answer = self._range(revision=revision, min_mod_revision=revision)
        puts = {kv.key: Kv.of(kv) for kv in map(KeyValue, answer.get("kvs", []))}
        created = sum(key not in self._current for key in puts)
        if int(answer.get("count", 0)) == len(self._current) + created:
            return puts
        kvs = map(KeyValue, self._range(revision=revision, keys_only=True).get("kvs", []))
        return {**dict.fromkeys(self._current.keys() - {kv.key for kv in kvs}), **puts}
