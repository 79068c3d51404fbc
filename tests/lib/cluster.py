# SPDX-License-Identifier: Apache-2.0
"""A real etcd cluster, each member on a host of its own, for every fault of one.

A member can be killed, stopped and started again, paused (SIGSTOP), cut off from
its peers or from its clients in either direction, removed, replaced and added; the
cluster's requests go to whichever member answers, so a writer goes on through all of
it.  Call network.enter_or_skip() before anything else.
"""

import contextlib
import http.client
import itertools
import os
import signal
import subprocess
import threading

from etcd import Client, Etcd, EtcdError, Unavailable, free_port
from network import Network
from wait import ENDS_WITH_US, SLOW, Deadline

HEARTBEAT_MS, ELECTION_MS = (100, 1000) if SLOW else (50, 500)

# Seen from the member.
INWARD, OUTWARD = "inward", "outward"
BOTH_WAYS = (INWARD, OUTWARD)

# Of one request; a paused or cut off member must not hold up who asks the next.
_TIMEOUT = 5.0 if SLOW else 1.5

# Why one request has no answer; the next may have one.
_MISSED = (OSError, http.client.HTTPException, Unavailable)

_pause = threading.Event()  # never set


def endpoints(*members):
    """Of all of them (Members, strings), as a list for a client."""
    return ",".join(getattr(member, "endpoint", member) for member in members)


def poll(deadline):
    """The bound of a poll of what nobody tells."""
    _pause.wait(min(0.05, deadline.left()))


class Member(Etcd):
    """One member, on its host.  Its address stays the same, whatever happens."""

    timeout = _TIMEOUT

    def __init__(self, directory, name, host, *args):
        self.name = name
        self.place = host
        self.peers = []  # what --initial-cluster names
        self.state = "new"
        self.paused = False
        os.mkdir(directory)
        # Strictly, no change of members comes within 5 s of a lost connection.
        super().__init__(directory, f"--heartbeat-interval={HEARTBEAT_MS}",
                         f"--election-timeout={ELECTION_MS}", "--strict-reconfig-check=false",
                         *args)

    def _take_ports(self):
        self.host, self.port, self.peer_port = self.place.address, 2379, 2380
        self._name_urls()

    def initial_cluster(self):
        return ",".join(f"{peer.name}={peer.peer_url}" for peer in self.peers)

    def command(self):
        return self.place.command(*super().command(), "--initial-cluster-state", self.state)

    def start(self):
        """Returns when it answers a linearizable read: there is a quorum."""
        self.launch()
        return self.wait_ready()

    def wait_ready(self):
        if not self._wait_ready(Deadline(f"{self.name} answers")):
            raise RuntimeError(f"{self.name} ended, see {self.log}")
        return self

    def pause(self):
        """It keeps its connections and its leadership, and does nothing."""
        self.process.send_signal(signal.SIGSTOP)
        self.paused = True

    def unpause(self):
        self.process.send_signal(signal.SIGCONT)
        self.paused = False

    def stop(self):
        if self.paused:
            self.unpause()
        super().stop()

    def kill(self):
        super().kill()
        self.paused = False

    def wait_end(self):
        """Until it ends by itself."""
        self.process.wait(Deadline(f"{self.name} ends").left())
        self.process = None

    def running(self):
        return self.process is not None and not self.paused

    def status(self):
        """Its own view, which needs no leader."""
        return self.call("maintenance/status", {})

    def wait_learning(self):
        """Until it answers as a learner does: it knows the cluster."""
        deadline = Deadline(f"{self.name} learns")
        while True:
            with contextlib.suppress(*_MISSED):
                if self.status().get("isLearner"):
                    return
            poll(deadline)


class GrpcProxy:
    """The proxy of the etcd binary, on the test's own host."""

    def __init__(self, directory, cluster):
        self.endpoint = f"127.0.0.1:{free_port()}"
        self._command = [*ENDS_WITH_US, "KILL", "etcd", "grpc-proxy", "start",
                         "--endpoints", cluster.endpoint, "--listen-addr", self.endpoint,
                         "--data-dir", os.path.join(directory, "proxy")]
        self._log = os.path.join(directory, "proxy.log")
        self._process = None

    def start(self):
        with open(self._log, "ab") as log:
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL,
                                             stdout=log, stderr=log)
        return self

    def kill(self):
        self._process.kill()
        self._process.wait()


class Cluster(Client):
    """Its requests go to whichever member answers."""

    def __init__(self, directory, *args, size=3):
        """ARGS: further flags of each member."""
        super().__init__(None, None)
        self.directory = directory
        self.network = Network()
        self.members = []
        self._args = args
        self._names = map("m{}".format, itertools.count())
        for _ in range(size):
            self._new_member()
        self._introduce_all()
        self._speaker = self.members[0]  # it answered last

    def _new_member(self):
        name = next(self._names)
        member = Member(os.path.join(self.directory, name), name, self.network.add_host(),
                        *self._args)
        self.members.append(member)
        return member

    def _introduce_all(self):
        for member in self.members:
            member.peers = list(self.members)

    def start(self):
        for member in self.members:
            member.launch()
        for member in self.members:
            member.wait_ready()
        return self

    def close(self):
        for member in self.members:
            if member.process:
                member.kill()
        self.network.close()

    @property
    def endpoint(self):
        """Of every member, as a list for a client."""
        return endpoints(*self.members)

    def command(self):
        """Of one member; the others' differ in name and address."""
        return self.members[0].command()

    def at(self, endpoint):
        """The member whose ENDPOINT it is."""
        return next(member for member in self.members if member.endpoint == endpoint)

    def others(self, *members):
        return [other for other in self.members if other not in members]

    def call(self, method, body):
        deadline = Deadline(f"a member answers {method}")
        while True:
            speaker = self._speaker
            try:
                return speaker.call(method, body)
            except _MISSED:
                self._speaker = self._after(speaker)
                poll(deadline)

    def history(self, prefix, first, last):
        self.revision()  # by somebody who is up to date
        return self._speaker.history(prefix, first, last)

    def _after(self, member):
        """The next one, in turn; MEMBER may have been removed."""
        later = self.members[self.members.index(member) + 1:] if member in self.members else []
        return (later or self.members)[0]

    # Faults.

    def cut_peers(self, member, ways=BOTH_WAYS):
        """MEMBER and its peers no longer hear each other; its clients do."""
        for peer in self.others(member):
            self._cut(member, peer.place, ways)

    def cut_clients(self, member, ways=BOTH_WAYS):
        """MEMBER and the test no longer hear each other; its peers do."""
        self._cut(member, self.network.here, ways)

    def _cut(self, member, other, ways):
        if OUTWARD in ways:
            self.network.cut(member.place, other)
        if INWARD in ways:
            self.network.cut(other, member.place)

    def heal(self):
        self.network.heal()

    def restore(self, snapshot):
        """Every member goes back to SNAPSHOT, and keeps its ids; none is started."""
        self._introduce_all()
        for member in self.members:
            member.restore(snapshot)

    # The leader.

    def leader(self):
        deadline = Deadline("a leader")
        while True:
            leaders = [(int(status["raftTerm"]), member) for member, status in self._statuses()
                       if status.get("leader") == status["header"]["member_id"]]
            if leaders:
                return max(leaders, key=lambda leader: leader[0])[1]
            poll(deadline)

    def _statuses(self):
        for member in self.members:
            with contextlib.suppress(*_MISSED):
                if member.running():
                    yield member, member.status()

    def until_given_up(self, member):
        """Until the leader has dropped its connection to MEMBER, which is away, and
        with it what was on its way."""
        remote = f'Remote="{int(self._number(member)):x}"'
        deadline = Deadline(f"the leader gives {member.name} up")
        while self.leader().metric("etcd_network_active_peers", remote):
            poll(deadline)

    def follower(self):
        return self.others(self.leader())[0]

    def move_leader(self, member):
        """MEMBER leads, whoever has done so far."""
        deadline = Deadline(f"{member.name} leads")
        while (leader := self.leader()) is not member:
            try:
                leader.call("maintenance/transfer-leadership", {"targetID": self._number(member)})
            except EtcdError:  # it has just ceased to lead
                poll(deadline)

    # Membership.

    def add(self, learner=False):
        """One more member, not started."""
        member = self._new_member()
        self._admit(member, learner)
        return member

    def remove(self, member):
        """MEMBER ends by itself, if it runs."""
        number = self._number(member)
        self.members.remove(member)
        self._change("cluster/member/remove", {"ID": number}, "member not found")

    def _change(self, method, body, done):
        """DONE is what etcd says to the second try when the first had no answer, and
        did it."""
        try:
            self.call(method, body)
        except EtcdError as error:
            if done not in str(error):
                raise

    def _number(self, member):
        """The id that the cluster has given MEMBER."""
        return next(found["ID"] for found in self.call("cluster/member/list", {})["members"]
                    if found["peerURLs"] == [member.peer_url])

    def replace(self, member):
        """MEMBER is removed; one of the same name and address, with a new id and no
        data, is added in its place, not started."""
        place = self.members.index(member)
        self.remove(member)
        member.wait_end()
        member.wipe()
        self.members.insert(place, member)
        self._admit(member)

    def promote(self, learner):
        """As soon as LEARNER has caught up."""
        number = self._number(learner)
        deadline = Deadline(f"{learner.name} is promoted")
        while True:
            try:
                return self.call("cluster/member/promote", {"ID": number})
            except EtcdError:
                poll(deadline)

    def _admit(self, member, learner=False):
        self._change("cluster/member/add",
                     {"peerURLs": [member.peer_url], "isLearner": learner},
                     "Peer URLs already exists")
        member.peers = list(self.members)
        member.state = "existing"
