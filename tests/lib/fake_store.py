# SPDX-License-Identifier: Apache-2.0
"""A keyspace with revisions, as etcd's: what the fake tells when it does not lie."""

import bisect

from etcd_messages import pb

COMPACTED = "etcdserver: mvcc: required revision has been compacted"
FUTURE = "etcdserver: mvcc: required revision is a future revision"
OUT_OF_RANGE = 11


class Refusal(Exception):
    """A status of gRPC's other than OK."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code = code
        self.text = text


def in_range(key, start, end):
    """END as etcd has it: empty for the one key, NUL for all that follow."""
    if not end:
        return key == start
    return start <= key and (end == b"\0" or key < end)


class Store:
    """Nothing is ever forgotten: a compaction is a number."""

    def __init__(self):
        self.revision = 1
        self.compacted = 0
        self._events = {}  # revision: [Event...]
        self._kvs = {}  # key: [KeyValue...], each mod_revision once; version 0: deleted
        self._sorted = []

    def write(self, ops):
        """All of OPS, (key, value or None to delete), in one revision."""
        self.revision += 1
        self._events[self.revision] = [self._write(key, value) for key, value in ops]
        return self.revision

    def _write(self, key, value):
        old = self._newest(key)
        if value is None:
            event = pb.Event(type=pb.Event.DELETE,
                             kv=pb.KeyValue(key=key, mod_revision=self.revision))
        else:
            event = pb.Event(kv=pb.KeyValue(
                key=key, value=value, mod_revision=self.revision,
                version=old.version + 1 if old else 1,
                create_revision=old.create_revision if old else self.revision))
        if key not in self._kvs:
            self._kvs[key] = []
            bisect.insort(self._sorted, key)
        self._kvs[key].append(event.kv)
        return event

    def _newest(self, key, revision=None):
        """What KEY was at REVISION; None: absent."""
        for kv in reversed(self._kvs.get(key, ())):
            if revision is None or kv.mod_revision <= revision:
                return kv if kv.version else None
        return None

    def compact(self, revision):
        self.compacted = revision

    def rewind(self, revision):
        """As restored from a backup of REVISION."""
        for later in range(revision + 1, self.revision + 1):
            for event in self._events.pop(later):
                self._kvs[event.kv.key].remove(event.kv)
        self.revision = revision

    def range(self, start, end, revision=0):
        """The kvs from START to END, as they were at REVISION; 0: as they are."""
        at = revision or self.revision
        if at > self.revision:
            raise Refusal(OUT_OF_RANGE, FUTURE)
        if at < self.compacted:
            raise Refusal(OUT_OF_RANGE, COMPACTED)
        kvs = []
        for key in self._sorted[bisect.bisect_left(self._sorted, start):]:
            if not in_range(key, start, end):
                break
            if kv := self._newest(key, at):
                kvs.append(kv)
        return kvs

    def events(self, revision, start, end):
        return [event for event in self._events.get(revision, ())
                if in_range(event.kv.key, start, end)]
