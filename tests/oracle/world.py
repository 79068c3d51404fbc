# SPDX-License-Identifier: Apache-2.0
"""An etcd, what happens to it, who sees it, and the judgement on what they saw."""

import itertools
import os
import random
import threading
import time

from etcd import free_port
from observers import Auditor, EventLog, Evidence, FileFollower, Follower, Reader
from proxy import Proxy
from recorder import Recorder
from traffic import Traffic
from validators import (differences, judge_inodes, judge_log, judge_reads, judge_told,
                        judge_trees, judge_unchanged)

PREFIX = b"/o/"
MARK = b"~mark"
READERS = 2
FAULTS_A_ROUND = 6
SHOWN = 60  # violations, and
WIDTH = 500  # characters of each

# What etcdfs may say while etcd is away, or another.
SAID = [r"connect", r"lost", r"etcd", r"history", r"revision", r"compact", r"watch"]
# Found half-open within a round.
KEEPALIVE = ["--keepalive-time=6s", "--keepalive-timeout=2s"]


def chance(seed, of):
    """What happens by chance, apart for each thing that SEED decides."""
    return random.Random(f"{seed}/{of}")


class World:
    """TEST (a case.MountTest) has the fixtures; chance comes from SEED."""

    def __init__(self, test, seed, faults, etcd, members):
        """FAULTS: the class of faults.py that strikes here; ETCD: a running server, or
        a cluster of MEMBERS."""
        self.test = test
        self.seed = seed
        self.etcd = etcd
        self.members = members
        # Of each observer.
        self.links = [[self._link(member) for member in members] for _ in ("log", "mount")]
        self.faults = faults(self, self.rng("faults"))
        self.diary = self._evidence("diary")
        self._never = threading.Event()
        self._marks = itertools.count(1)
        self.log = self.mount = self.recorder = self.traffic = None

    def rng(self, of):
        return chance(self.seed, of)

    def pause(self, seconds):
        """Until something else is to happen: chance decides when."""
        self._never.wait(seconds)

    def begin(self):
        """Everything, but the faults."""
        test = self.test
        endpoints = [",".join(link.endpoint for link in links) for links in self.links]
        self.recorder = Recorder(self.etcd, PREFIX)
        test.addCleanup(self.recorder.stop)
        self.traffic = Traffic(self.etcd, PREFIX, self.rng("traffic"))
        self.log = EventLog(endpoints[0], PREFIX, self._evidence("events"),
                            KEYSPACE_LOG_KEEPALIVE_MS="2000").until_seeded()
        test.addCleanup(self._end_log)
        self.mount = test.mount(*KEEPALIVE, endpoint=endpoints[1], allow=SAID)
        self.readers = [Reader(self.mount, self.rng(f"reader {i}")) for i in range(READERS)]
        self.auditor = Auditor(self.mount)
        self.file_follower = FileFollower(self.mount)
        self.follower = Follower(self.mount, self._evidence("inotify"))
        for observer in self._observers():
            test.addCleanup(observer.start().stop)
        self.traffic.start()
        test.addCleanup(self.traffic.stop)

    def run(self, minutes):
        schedule = self.faults.schedule()
        end = time.monotonic() + 60 * minutes
        while time.monotonic() < end:
            for names in itertools.islice(schedule, FAULTS_A_ROUND):
                self.diary.say(" and ".join(names))
                self.faults.strike(names)
            self.check()

    def check(self):
        """Everybody comes to rest, and what they saw is judged."""
        self.diary.say("check")
        with self.traffic.paused():
            revision = self._settle()
            found = self._judge()
            self.recorder.forget_before(revision)
        if found:
            self.diary.say("\n".join(found))
            more = [f"and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
            raise AssertionError("\n".join([line[:WIDTH] for line in found[:SHOWN]] + more))

    def _observers(self):
        return [*self.readers, self.auditor, self.follower, self.file_follower]

    def _link(self, member):
        link = Proxy(free_port(), member.endpoint)
        self.test.addCleanup(link.close)
        return link

    def _evidence(self, name):
        evidence = Evidence(os.path.join(self.test.directory, name))
        self.test.addCleanup(evidence.close)
        return evidence

    def _end_log(self):
        status, errors = self.log.stop()
        self.test.assertEqual(0, status, errors)

    def _settle(self):
        """All are at the same revision, which is returned, and nothing will change.
        Twice: with the first mark may come, in one announcement, what sorts after it."""
        self.traffic.end_leases()
        self._mark()
        revision = self._mark()
        self.log.until(lambda log: log.state == "live", "the log is live")
        self.mount.wait_state("live")
        return revision

    def _mark(self):
        value = b"mark %d" % next(self._marks)
        revision = self.etcd.put(PREFIX + MARK, value)
        try:
            self.log.until(lambda log: log.keys.get(PREFIX + MARK) == value, f"{value} in the log")
            self.follower.until(lambda files: (MARK,) in files and
                                files[(MARK,)].kv.value == value, f"{value} told by inotify")
        except TimeoutError as error:
            raise AssertionError(f"{error} (revision {revision}); log {self.log.state} at "
                                 f"{self.log.revision}: {self.log.error}; "
                                 f"mount {self.mount.status()}") from None
        return revision

    def _judge(self):
        """Lines about what was seen since the last time and is not so."""
        self.recorder.catch_up()
        epochs = self.recorder.epochs
        trees = self.auditor.cut()
        self.diary.say(f"judging {len(epochs)} epochs up to {epochs[-1].last}, {len(trees)} trees; "
                       f"log: {self.log.reseeds}; mount: {self.mount.status()}")
        found = {
            "log": self._judge_log(epochs),
            "read": itertools.chain(*(judge_reads(reader.cut(), epochs)
                                      for reader in self.readers)),
            "mount": (*judge_trees(trees, epochs, PREFIX), *judge_inodes(trees),
                      *judge_unchanged(trees, epochs, PREFIX)),
            "inotify": self._judge_inotify(trees[-1].files, epochs),
            "observer": itertools.chain(*(observer.complaints for observer in self._observers())),
        }
        return [f"{who}: {line}" for who, lines in found.items() for line in lines]

    def _judge_log(self, epochs):
        segments = self.log.cut()
        return [*judge_log(segments, epochs, PREFIX), *self.log.faults,
                *differences(epochs[-1].state_at(epochs[-1].last), self.log.held)]

    def _judge_inotify(self, files, epochs):
        """Who was told of each last change has read the FILES that there are."""
        known, told = self.follower.cut()
        watched = self.file_follower.cut()
        return [*judge_told(told, epochs, PREFIX), *differences(files, known),
                *(f"watched itself, {line}" for line in
                  differences({path: files.get(path) for path in watched}, watched))]
