# SPDX-License-Identifier: Apache-2.0
"""What goes wrong, one thing after the other or two at once.  Which, when and how
badly comes from the seed alone.

A fault is a context: it begins, lasts, and ends with everything as it should be
again, so that whoever does not recover afterwards has no excuse.
"""

import contextlib
import itertools
import signal

from cluster import BOTH_WAYS, INWARD, OUTWARD
from etcd import EtcdError
from proxy import DOWN, UP
from recorder import AWAY
from wait import Deadline

# What a fault may use; two at the same time have nothing in common.
LINKS, SERVER, CLIENTS = "links", "server", "clients"


def _of(*uses):
    def mark(fault):
        fault.uses = set(uses)
        return fault
    return mark


class Faults:
    """Of a world.World; FAULTS names them with their weights."""

    def __init__(self, world, rng):
        self.world = world
        self.rng = rng

    def schedule(self):
        """Again and again the one or two faults that are to strike together."""
        while True:
            names = [self._choose()]
            second = self._choose()
            if self.rng.random() < 0.3 and not self._uses(names[0]) & self._uses(second):
                names.append(second)
            yield names

    def strike(self, names):
        """Until the faults NAMES have begun, lasted and ended."""
        with contextlib.ExitStack() as stack:
            for name in names:
                stack.enter_context(getattr(self, name)())
                self._last()
        self._last()

    def _choose(self):
        return self.rng.choices(list(self.FAULTS), list(self.FAULTS.values()))[0]

    def _uses(self, name):
        return getattr(self, name).uses

    def _last(self):
        """Mostly short; now and then long enough for every timer of a client."""
        mean = 4 if self.rng.random() < 0.08 else 0.4
        self.world.pause(min(self.rng.expovariate(1 / mean), 15))

    def _ways(self):
        return self.rng.choice(((UP,), (DOWN,), (UP, DOWN)))


class LinkFaults(Faults):
    """Between each observer and each member stands a proxy."""

    def _all_links(self):
        return list(itertools.chain(*self.world.links))

    def _links(self):
        """Those that are hit: one, those of one observer, or all."""
        links = self._all_links()
        return self.rng.choice(([self.rng.choice(links)], self.rng.choice(self.world.links), links))

    @_of(LINKS)
    @contextlib.contextmanager
    def cut(self):
        for link in self._links():
            link.cut()
        yield

    @_of(LINKS)
    @contextlib.contextmanager
    def flap(self):
        for link in self._links() * self.rng.randint(2, 8):
            link.cut()
            self.world.pause(self.rng.uniform(0, 0.1))
        yield

    @_of(LINKS)
    @contextlib.contextmanager
    def refuse(self):
        links = self._links()
        for link in links:
            link.refuse()
        yield
        for link in links:
            link.accept()

    @_of(LINKS)
    @contextlib.contextmanager
    def blackhole(self):
        links = self._links()
        for link in links:
            link.blackhole()
        yield
        for link in links:
            link.accept()

    @_of(LINKS)
    @contextlib.contextmanager
    def freeze(self):
        """And then every byte arrives, late; or none does."""
        links, ways, lost = self._links(), self._ways(), self.rng.random() < 0.5
        for link in links:
            link.hold(*ways)
        yield
        for link in links:
            if lost:
                link.cut()
            link.flow(*ways)

    @_of(LINKS)
    @contextlib.contextmanager
    def delay(self):
        links, ways = self._links(), self._ways()
        for link in links:
            link.delay(self.rng.choice((5, 50, 300)), *ways)
        yield
        for link in links:
            link.delay(0, *ways)

    @_of(LINKS)
    @contextlib.contextmanager
    def cut_after(self):
        """In the middle of whatever is being said then."""
        for link in self._links():
            link.cut_after(self.rng.choice((1, 100, 3000, 30000)) + self.rng.randint(0, 2000),
                           self.rng.choice((UP, DOWN)))
        yield


class ClientFaults(Faults):
    @_of(CLIENTS)
    @contextlib.contextmanager
    def pause_client(self):
        """It wakes up in another time."""
        send = self.rng.choice((self.world.log.signal, self.world.mount.terminate))
        send(signal.SIGSTOP)
        try:
            yield
        finally:
            send(signal.SIGCONT)


class StoreFaults(LinkFaults, ClientFaults):
    """What happens to the history that etcd keeps."""

    @_of(SERVER)
    @contextlib.contextmanager
    def compact(self):
        self._compact(self.rng.choice((0, 1, 10, 1000)))
        yield

    @_of(SERVER, LINKS)
    @contextlib.contextmanager
    def compact_unseen(self):
        """Of what an observer has not seen yet."""
        links, kept = self._links(), self.rng.choice((0, 1, 10))
        for link in links:
            link.refuse()
        yield
        self._compact(kept)
        for link in links:
            link.accept()

    def _compact(self, kept):
        """All but the last KEPT revisions."""
        revision = self.world.recorder.catch_up() - kept
        with contextlib.suppress(EtcdError):  # so much was compacted before
            self.world.etcd.compact(revision)

    @_of(SERVER, LINKS)
    @contextlib.contextmanager
    def restore(self):
        """A backup, taken before, takes the place of all that has come since."""
        snapshot, fork = self._snapshot()
        yield
        with self._another_past(fork):
            self.world.etcd.restore(snapshot)

    @_of(SERVER, LINKS)
    @contextlib.contextmanager
    def rewind(self):
        """A backup since when nothing has happened to our keys: only progress tells
        the past that is undone from the one that comes."""
        yield
        with self.world.traffic.paused():
            self.world.traffic.end_leases()
            snapshot, fork = self._snapshot()
            self.world.traffic.write_elsewhere(self.rng.randint(1, 50))
            self._last()
            with self._another_past(fork):
                self.world.etcd.restore(snapshot)

    @_of(SERVER, LINKS)
    @contextlib.contextmanager
    def wipe(self):
        yield
        with self._another_past(None):
            for member in self.world.members:
                member.wipe()

    def _snapshot(self):
        """A backup, and the revision at which it was taken."""
        member, deadline = self.world.members[0], Deadline("a backup")
        while True:
            with self.world.traffic.paused(), contextlib.suppress(*AWAY):
                before, snapshot, after = member.revision(), member.snapshot(), member.revision()
                if before == after:  # no lease expired meanwhile
                    return snapshot, before
            deadline.left()

    @contextlib.contextmanager
    def _another_past(self, fork):
        """etcd crashes; what the disk has of it is recorded while nobody else can reach
        it; then the body changes the disk; it may get further than before until
        somebody sees it."""
        count = self.rng.choice((0, 0, 1, 30, 300))
        with self.world.traffic.paused():
            self._kill_all()
            for link in self._all_links():
                link.refuse()
            self.world.etcd.start()
            with self.world.recorder.turning_over(fork):
                self._kill_all()
                yield
                self.world.etcd.start()
            self.world.traffic.write(count)
            for link in self._all_links():
                link.accept()

    def _kill_all(self):
        for member in self.world.members:
            member.kill()


class ServerFaults(StoreFaults):
    """Of one etcd."""

    FAULTS = {"cut": 10, "flap": 4, "refuse": 6, "blackhole": 3, "freeze": 8, "delay": 6,
              "cut_after": 10, "pause_client": 5, "kill": 7, "stop": 5, "compact": 8,
              "compact_unseen": 8, "restore": 8, "rewind": 4, "wipe": 2}

    @_of(SERVER)
    @contextlib.contextmanager
    def kill(self):
        self.world.etcd.kill()
        yield
        self.world.etcd.start()

    @_of(SERVER)
    @contextlib.contextmanager
    def stop(self):
        self.world.etcd.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.world.etcd.process.send_signal(signal.SIGCONT)


class ClusterFaults(StoreFaults):
    """Of several members."""

    FAULTS = {"cut": 5, "refuse": 6, "blackhole": 4, "freeze": 6, "delay": 3, "cut_after": 5,
              "pause_client": 3, "kill": 8, "pause": 8, "isolate": 10, "cut_off": 4, "lead": 6,
              "crash": 3, "compact": 6, "compact_unseen": 6, "restore": 4, "rewind": 2,
              "wipe": 1}

    def _member(self):
        return self.rng.choice(self.world.members)

    @_of(SERVER)
    @contextlib.contextmanager
    def kill(self):
        member = self._member()
        member.kill()
        yield
        member.start()

    @_of(SERVER)
    @contextlib.contextmanager
    def pause(self):
        member = self._member()
        member.pause()
        try:
            yield
        finally:
            member.unpause()

    @_of(SERVER)
    @contextlib.contextmanager
    def isolate(self):
        """From its peers."""
        self.world.etcd.cut_peers(self._member(), self._directions())
        yield
        self.world.etcd.heal()

    @_of(SERVER)
    @contextlib.contextmanager
    def cut_off(self):
        """From everybody but its peers."""
        self.world.etcd.cut_clients(self._member(), self._directions())
        yield
        self.world.etcd.heal()

    def _directions(self):
        return self.rng.choice(((INWARD,), (OUTWARD,), BOTH_WAYS))

    @_of(SERVER)
    @contextlib.contextmanager
    def lead(self):
        with contextlib.suppress(*AWAY):  # who has just been isolated cannot lead
            self.world.etcd.move_leader(self._member())
        yield

    @_of(SERVER)
    @contextlib.contextmanager
    def crash(self):
        """Of them all."""
        self._kill_all()
        yield
        self.world.etcd.start()
