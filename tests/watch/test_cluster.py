#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The watch against a real cluster whose members fail in every way they can.

Keys change all the time while they do.  Afterwards the log must have been told every
revision of etcd's own history since its seed, each once and in order.
"""

import contextlib
import itertools
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import network  # noqa: E402
import watch_case  # noqa: E402
from cluster import BOTH_WAYS, INWARD, OUTWARD, Cluster, GrpcProxy, endpoints, poll  # noqa: E402
from etcd import Etcd, free_port  # noqa: E402
from wait import LIMIT, SLOW, Deadline, times  # noqa: E402
from watch_case import PREFIX, WatchTest  # noqa: E402

NO_LEADER = "etcdserver: no leader"
# Of keyspace-log: a ping finds out within 7 s that a connection is dead, and a probe
# never does.
PINGS = {"KEYSPACE_LOG_KEEPALIVE_MS": "1000", "KEYSPACE_LOG_COMMAND_MS": "600000"}
# Nothing does.
PATIENT = {"KEYSPACE_LOG_KEEPALIVE_MS": "600000", "KEYSPACE_LOG_COMMAND_MS": "600000"}
# For the first contact, all endpoints together.
DIAL = {"KEYSPACE_LOG_DIAL_MS": "10000" if SLOW else "2000"}
# A leader keeps so many entries for members that are behind; any further behind gets
# a snapshot, if there is one.
CATCH_UP = 5000
SNAPSHOTS = "--snapshot-count=10"


class Writer:
    """Changes keys of CLUSTER until it is stopped, whatever happens meanwhile."""

    def __init__(self, cluster):
        self._cluster = cluster
        self._stopped = threading.Event()
        self._failure = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        try:
            for turn in itertools.count():
                if self._stopped.wait(0.01):
                    return
                self._write(PREFIX + b"k%d" % (turn % 10), turn)
        except Exception as error:  # told by stop(), where somebody hears it
            self._failure = error

    def _write(self, key, turn):
        """Twice does no harm, should nobody know whether it was done."""
        if turn % 7 == 6:
            self._cluster.delete(key)
        else:
            self._cluster.put(key, str(turn))

    def stop(self):
        self._stopped.set()
        self._thread.join()
        failure, self._failure = self._failure, None
        if failure:
            raise failure


class ClusterTest(WatchTest):
    def start_cluster(self, *args, size=3):
        self.etcd = self.cluster = Cluster(self.directory, *args, size=size)
        self.addCleanup(self.cluster.close)
        return self.cluster.start()

    def start_writer(self):
        self.writer = Writer(self.cluster)
        self.addCleanup(self.writer.stop)

    def start_log_on(self, *members, **options):
        """Live, on the first of MEMBERS, and free to go to the others."""
        log = self.start_log(endpoints(*members), **options).until_seeded()
        self.assertEqual(log.endpoint, members[0].endpoint)
        return log

    def start_log_at(self, member, **options):
        """As above; it may go to every member."""
        return self.start_log_on(member, *self.cluster.others(member), **options)

    def write_past_catch_up(self, member):
        """So much that MEMBER, which is away, will need a snapshot."""
        others = self.cluster.others(member)
        threads = [threading.Thread(target=self._write_many, args=(others[i % len(others)], i))
                   for i in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    @staticmethod
    def _write_many(member, i):
        for n in range(CATCH_UP // 16 + 30):
            member.put(PREFIX + b"many%d" % i, str(n) * 200)

    @staticmethod
    def until_elsewhere(log, *members):
        left = endpoints(*members)
        return log.until(lambda log: log.state == "live" and log.endpoint not in left,
                         f"a watch elsewhere than on {left}")

    @staticmethod
    def until_on(log, member):
        return log.until(lambda log: log.state == "live" and log.endpoint == member.endpoint,
                         f"a watch on {member.endpoint}")

    @staticmethod
    def until_reconnecting(log):
        return log.until(lambda log: log.state == "reconnecting", "the loss noticed")

    def assert_told(self, *logs):
        """Each of LOGS was told everything, and nothing else."""
        self.writer.stop()
        for log in logs:
            self.assert_current(log)
            self.assertEqual(len(log.seeds), 1, log.error)
            self.assertEqual(log.batches, self.cluster.history(PREFIX, log.seeds[0][0] + 1,
                                                               log.revision))
            self.assert_reseeds(log)


class CutOff(ClusterTest):
    """A member that answers every ping, and no longer belongs to the cluster."""

    def check_without_peers(self, member, ways=BOTH_WAYS):
        log = self.start_log_at(member)
        self.cluster.cut_peers(member, ways)
        log.until(lambda log: log.error == NO_LEADER, "the watch ended for want of a leader")
        self.until_elsewhere(log, member)
        self.cluster.heal()
        member.wait_ready()
        return log

    def test_from_peers(self):
        self.start_cluster()
        self.start_writer()
        self.assert_told(self.check_without_peers(self.cluster.leader()),
                         self.check_without_peers(self.cluster.follower()))

    def test_from_peers_one_way(self):
        self.start_cluster()
        self.start_writer()
        self.assert_told(self.check_without_peers(self.cluster.follower(), [INWARD]),
                         self.check_without_peers(self.cluster.follower(), [OUTWARD]))

    def test_from_clients(self):
        """The watch is as good as dead, and no reset says so; each way at once."""
        self.start_cluster(size=4)
        self.start_writer()
        *cut, left = self.cluster.members
        logs = [self.start_log_at(member, **PINGS) for member in cut]
        for member, ways in zip(cut, (BOTH_WAYS, [INWARD], [OUTWARD])):
            self.cluster.cut_clients(member, ways)
        for log in logs:
            self.until_on(log, left)
        self.cluster.heal()
        self.assert_told(*logs)


class Behind(ClusterTest):
    """The member comes back with a snapshot of the leader's."""

    def start_watched(self, **options):
        self.start_cluster(SNAPSHOTS)
        self.start_writer()
        self.member = self.cluster.follower()
        self.other = self.cluster.others(self.member)[0]
        self.log = self.start_log_on(self.member, self.other, **options)
        self.put("gone", "1")
        self.log.until_at(self.etcd.delete(PREFIX + b"gone"))

    def snapshots(self):
        """That the member was sent."""
        return self.member.metric("etcd_network_snapshot_receive_success")

    def test_watched_again(self):
        """The watch comes back to it as soon as it hears its peers again."""
        self.start_watched()
        self.cluster.cut_peers(self.member)
        self.until_elsewhere(self.log, self.member)
        self.write_past_catch_up(self.member)
        self.cluster.heal()
        self.other.kill()
        self.until_on(self.log, self.member)
        self.other.start()
        self.assert_told(self.log)
        self.assertGreater(self.snapshots(), 0, "the scenario did not happen")

    def test_watched_all_the_time(self):
        """Paused, it hardly misses its leader.  With the snapshot etcd 3.4 makes a
        watch begin again where it once began (etcd issue 15271)."""
        self.start_watched(**PATIENT)
        deadline = Deadline("a snapshot", 3 * LIMIT)
        while not self.snapshots():  # what the kernel still delivers may do without
            deadline.left()
            self.pause_past_catch_up()
        self.assert_told(self.log)

    def pause_past_catch_up(self):
        self.cluster.cut_peers(self.member)
        self.member.pause()
        self.write_past_catch_up(self.member)
        self.cluster.until_given_up(self.member)
        self.cluster.heal()
        self.member.unpause()
        self.member.wait_ready()


class Paused(ClusterTest):
    """SIGSTOP: connections stay, and nothing comes."""

    def test_watched(self):
        self.start_cluster()
        self.start_writer()
        member = self.cluster.follower()
        log = self.start_log_at(member, **PINGS)
        member.pause()
        self.until_elsewhere(log, member)
        member.unpause()
        self.assert_told(log)

    def test_woken_leader(self):
        """A leader that does not know that it is none any more answers for it, with an
        old revision (etcd issue 20418): that is no reason to go back to it."""
        self.start_cluster()
        self.start_writer()
        logs = []
        for _ in range(times(4, slow=2)):
            leader = self.cluster.leader()
            watched = self.cluster.follower()
            log = self.start_log_on(watched, leader)
            leader.pause()
            new = self.cluster.leader()
            log.until_at(new.put(PREFIX + b"since", "1"))
            watched.kill()
            self.until_reconnecting(log)
            leader.unpause()
            self.until_on(log, leader)
            watched.start()
            logs.append(log)
        self.assert_told(*logs)


class Outage(ClusterTest):
    """More than one member at a time."""

    def test_no_quorum(self):
        self.start_cluster()
        self.start_writer()
        member = self.cluster.follower()
        log = self.start_log_at(member)
        for other in self.cluster.others(member):
            other.kill()
        self.until_reconnecting(log)
        held = dict(log.keys)
        for error in ("connection refused", NO_LEADER):
            log.until(lambda log, error=error: log.error == error, f"an attempt: {error}")
            self.assertEqual(log.state, "reconnecting")
        self.assertEqual(log.keys, held)
        new = self.start_log(member.endpoint).until(lambda log: log.failed, "the failure")
        self.assertEqual(new.failed, f"etcd not reachable within 2 s: {member.endpoint}: "
                                     f"{NO_LEADER}")
        for other in self.cluster.others(member):
            other.launch()
        log.until(lambda log: log.state == "live", "live again")
        self.assert_told(log)

    def test_everybody(self):
        self.start_cluster()
        self.start_writer()
        log = self.start_log(self.cluster.endpoint).until_seeded()
        for member in self.cluster.members:
            member.kill()
        self.until_reconnecting(log)
        self.cluster.start()
        self.assert_told(log)

    def test_rolling_restart(self):
        self.start_cluster()
        self.start_writer()
        log = self.start_log(self.cluster.endpoint).until_seeded()
        for member in self.cluster.members * times(2, slow=1):
            member.stop()
            member.start()
        self.assert_told(log)

    def test_leadership_moves(self):
        self.start_cluster()
        self.start_writer()
        log = self.start_log(self.cluster.endpoint).until_seeded()
        for _ in range(times(20, slow=5)):
            self.cluster.move_leader(self.cluster.follower())
        self.assert_told(log)

    def test_restored(self):
        """Every member from an older snapshot, with the same ids: another past."""
        self.start_cluster()
        self.put("before", "1")
        snapshot = self.cluster.members[0].snapshot()
        for turn in range(20):
            self.put("since", f"{turn}")
        log = self.start_log(self.cluster.endpoint).until_seeded()
        cluster_id = self.cluster.header()["cluster_id"]
        self.cluster.restore(snapshot)
        self.cluster.start()
        self.assertEqual(self.cluster.header()["cluster_id"], cluster_id)
        log.until_reseeded()
        self.assertEqual(log.keys, {PREFIX + b"before": b"1"})
        self.assert_reseeds(log, history=1)
        self.assert_current(log)


class Membership(ClusterTest):
    def test_learner_first(self):
        """A learner serves no watch; once promoted it does."""
        self.start_cluster()
        self.start_writer()
        learner = self.cluster.add(learner=True)
        learner.launch()
        learner.wait_learning()
        member = self.cluster.members[0]
        log = self.start_log(endpoints(learner, member)).until_seeded()
        self.assertEqual(log.endpoint, member.endpoint)
        self.cluster.promote(learner)
        member.kill()
        self.until_on(log, learner)
        member.start()
        self.assert_told(log)

    def test_removed(self):
        self.start_cluster()
        self.start_writer()
        logs = []
        for member in (self.cluster.follower(), self.cluster.leader()):
            log = self.start_log_at(member)
            self.cluster.replace(member)
            self.until_elsewhere(log, member)
            member.start()
            logs.append(log)
        self.assert_told(*logs)

    def test_replaced(self):
        """The one endpoint leads to a new member, with another id and no past."""
        self.start_cluster()
        self.start_writer()
        member = self.cluster.follower()
        log = self.start_log_on(member)
        self.cluster.replace(member)
        self.until_reconnecting(log)
        member.start()
        self.until_on(log, member)
        self.assert_told(log)


class Endpoints(ClusterTest):
    def test_dead_ones_first(self):
        self.start_cluster()
        self.start_writer()
        member = self.cluster.members[0]
        place = self.cluster.network
        dead = [f"{place.black_hole()}:2379", f"{place.vacant()}:2379",
                f"127.0.0.1:{free_port()}", "no-such-host.invalid:2379"]
        log = self.start_log(endpoints(*dead, member), **DIAL).until_seeded()
        for _ in range(times(3, slow=1)):
            member.kill()
            self.until_reconnecting(log)
            member.start()
            self.until_on(log, member)
        self.assert_told(log)

    def test_forms(self):
        """Of one and the same server."""
        self.etcd = ManyFormsEtcd(self.directory).start()
        self.addCleanup(self.etcd.stop)
        for endpoint in self.etcd.forms():
            with self.subTest(endpoint):
                log = self.start_log(endpoint).until_seeded()
                self.assertEqual(log.endpoint, endpoint)
                self.etcd.kill()
                self.until_reconnecting(log)
                self.etcd.start()
                self.assert_current(log)


class ManyFormsEtcd(Etcd):
    """Listens on IPv6, too, and on a socket, whose name etcd wants to look like a
    host and a port, relative to its directory."""

    def command(self):
        urls = f"{self.url},http://[::1]:{self.port},unix://localhost:1"
        return ["env", f"--chdir={self.directory}", *super().command(),
                "--listen-client-urls", urls]

    def launch(self):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{self.directory}/localhost:1")  # left by one that was killed
        super().launch()

    def forms(self):
        return (f"[::1]:{self.port}", f"localhost:{self.port}",
                f"unix:{self.directory}/localhost:1")


class Proxied(ClusterTest):
    """Through the gRPC proxy of the etcd binary."""

    def start_proxied_log(self):
        self.start_cluster()
        self.proxy = GrpcProxy(self.directory, self.cluster).start()
        self.addCleanup(self.proxy.kill)
        return self.start_log(self.proxy.endpoint, **PINGS).until_seeded()

    def test_members_restart(self):
        log = self.start_proxied_log()
        self.start_writer()
        for member in self.cluster.members:
            member.kill()
            member.start()
        self.assert_told(log)

    def test_proxy_restarts(self):
        log = self.start_proxied_log()
        self.start_writer()
        for turn in range(3):
            log.until(lambda log, n=20 * turn: len(log.batches) > n, "events")
            self.proxy.kill()
            self.until_reconnecting(log)
            self.proxy.start()
        self.assert_told(log)

    def test_idle(self):
        """Nothing comes but pings, probes and their answers."""
        log = self.start_proxied_log()
        self.start_writer()
        self.writer.stop()
        log.until_at(self.put("first", "1"))
        before = self.requests()
        deadline = Deadline("two probes")
        while self.requests() < before + 2:
            poll(deadline)
        self.assert_told(log)
        self.assertEqual(log.reconnects, 0)

    def requests(self):
        """That any member was asked about keys."""
        return sum(member.metric("grpc_server_started_total", "etcdserverpb.KV")
                   for member in self.cluster.members)


if __name__ == "__main__":
    network.enter_or_skip()
    watch_case.main()
