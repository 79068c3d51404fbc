# SPDX-License-Identifier: Apache-2.0
"""One watch: where it stands in the store, and what it has yet to send."""

import collections

from etcd_messages import pb

# As etcd: a response with more bytes is sent in fragments to who can take them,
FRAGMENT_BYTES = 2 << 20
# and one that catches up holds so many revisions at most.
BATCH = 1000


class Pace:
    """How watches send, as told by orders; one for all."""

    def __init__(self):
        self.left = None  # responses with events until they fall silent; None: no end
        self.batch = BATCH
        self.cuts = None  # events in each piece of the next response; None: by bytes

    @property
    def silent(self):
        return self.left == 0

    def spend(self):
        if self.left:
            self.left -= 1

    def take_cuts(self):
        cuts, self.cuts = self.cuts, None
        return cuts


def _by_bytes(events):
    """How many of EVENTS go into each fragment."""
    counts, size = [0], 0
    for event in events:
        size += event.ByteSize()
        if counts[-1] and size > FRAGMENT_BYTES:
            counts.append(0)
            size = event.ByteSize()
        counts[-1] += 1
    return counts


class Watch:
    def __init__(self, stream, create, watch_id, store, pace):
        self.stream = stream
        self.id = watch_id
        self.next = create.start_revision or store.revision + 1
        self._create = create
        self._store = store
        self._pace = pace
        self._unsent = collections.deque()

    @property
    def synced(self):
        return self.next > self._store.revision and not self._unsent

    @property
    def compacted(self):
        """etcd has no event any more that comes next."""
        return self.next < self._store.compacted and not self._unsent

    def skip(self):
        """Goes on with what is yet to happen: a gap, of which nothing is said."""
        self.next = max(self.next, self._store.revision + 1)
        self._unsent.clear()

    def pump(self, header):
        """Sends what has happened, as far as pace and client let it."""
        while not self._pace.silent and not self.stream.blocked:
            if not self._unsent:
                self._unsent.extend(self._pieces(self._collect(), header))
            if not self._unsent:
                return
            self._pace.spend()
            self.stream.send(self._unsent.popleft().SerializeToString())

    def _collect(self):
        """The events of the next revisions that have some."""
        events, revisions = [], 0
        while self.next <= self._store.revision and revisions < self._pace.batch:
            more = self._store.events(self.next, self._create.key, self._create.range_end)
            events += more
            revisions += bool(more)
            self.next += 1
        return events

    def _pieces(self, events, header):
        """One response, or the fragments of one."""
        if not events:
            return
        counts = self._pace.take_cuts()
        if counts is None:
            counts = _by_bytes(events) if self._create.fragment else []
        while events:
            count = counts.pop(0) if counts else len(events)
            piece, events = events[:count], events[count:]
            yield pb.WatchResponse(header=header, watch_id=self.id, events=piece,
                                   fragment=bool(events))
