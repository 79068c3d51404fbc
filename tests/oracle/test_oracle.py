#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The oracle: whatever happens to the network and to etcd, what is shown is what was.

    test_oracle.py [--user] [--seed N] [--minutes M] [CLASS.METHOD...]
    test_oracle.py [--user] --soak M

A recorder keeps the truth (tests/lib/recorder.py), traffic changes it (traffic.py),
faults strike (faults.py), observers look on (observers.py), and every few faults what
they saw is judged (world.py, tests/lib/validators.py): for M minutes in each class.
Traffic and faults come from the seed; a failing run names it.  --soak goes on for M
minutes with one seed after the other, until one fails.

ETCDFS and KEYSPACE_LOG name the programs; ORACLE_SEED and ORACLE_MINUTES stand in for
the flags.
"""

import argparse
import os
import random
import shlex
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import case  # noqa: E402
import network  # noqa: E402
from cluster import Cluster  # noqa: E402
from etcd import Keys  # noqa: E402
from faults import ClusterFaults, ServerFaults  # noqa: E402
from wait import SLOW  # noqa: E402
from world import PREFIX, World, chance  # noqa: E402

SOAK_MINUTES = 2  # of one seed, in each class
PROGRAMS = ("ETCDFS", "KEYSPACE_LOG")

settings = argparse.Namespace()  # seed, minutes: set once by main


class Oracle(case.MountTest):
    def run_world(self, faults, etcd, members):
        print(f"# seed {settings.seed}; again with\n#   {self.replay()}", flush=True)
        self.keys = Keys(etcd, PREFIX)
        world = World(self, settings.seed, faults, etcd, members)
        world.begin()
        world.run(settings.minutes)

    @staticmethod
    def etcd_args():
        """Server's settings, which chance decides as well."""
        rng = chance(settings.seed, "etcd")
        return (f"--snapshot-count={rng.choice((10, 100, 100000))}",
                "--experimental-watch-progress-notify-interval="
                f"{rng.choice(('100ms', '1s', '10m'))}",
                f"--experimental-compaction-batch-limit={rng.choice((5, 1000))}")

    def replay(self):
        user = ["--user"] if not case.privileged() else []
        return shlex.join([*(f"{name}={os.environ[name]}" for name in PROGRAMS),
                           os.path.realpath(__file__), *user, "--seed", str(settings.seed),
                           "--minutes", f"{settings.minutes:g}", self.name])


class OneMember(Oracle):
    def test(self):
        etcd = self.own_etcd("--heartbeat-interval=50", "--election-timeout=500",
                             *self.etcd_args())
        self.run_world(ServerFaults, etcd, [etcd])


class ThreeMembers(Oracle):
    @case.privileged_only("only root has a network of its own")
    def test(self):
        directory = os.path.join(self.directory, "etcd")
        os.mkdir(directory)
        self.etcd = Cluster(directory, *self.etcd_args())
        self.addCleanup(self.etcd.close)
        self.run_world(ClusterFaults, self.etcd.start(), self.etcd.members)


def soak(minutes, args):
    """Seeds in turn, in a process each, until the time is over or one fails."""
    end, seeds = time.monotonic() + 60 * minutes, 0
    while (left := (end - time.monotonic()) / 60) > 0:
        status = subprocess.run([sys.executable, os.path.abspath(__file__), *args, "--seed",
                                 str(new_seed()), "--minutes", str(min(left, SOAK_MINUTES))],
                                check=False).returncode
        if status:
            return status
        seeds += 1
        print(f"# {seeds} seeds, {left:.0f} minutes left", flush=True)
    return 0


def new_seed():
    return random.SystemRandom().randrange(1 << 32)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=os.environ.get("ORACLE_SEED") or new_seed())
    parser.add_argument("--minutes", type=float,
                        default=os.environ.get("ORACLE_MINUTES") or (0.2 if SLOW else 0.5))
    parser.add_argument("--soak", type=float)
    _, rest = parser.parse_known_args(namespace=settings)
    if settings.soak:
        sys.exit(soak(settings.soak, rest))
    sys.argv[1:] = rest
    if case.privileged():
        network.enter_or_skip()
    case.main()


if __name__ == "__main__":
    main()
