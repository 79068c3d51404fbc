# SPDX-License-Identifier: Apache-2.0
"""A reseed: how long it takes beside the seed, and whether readers notice."""

import os
import subprocess
import sys

import many
from harness import Row, stopped
from wait import Deadline

DIFFERENCES = 100
WATCHERS = "etcd_debugging_mvcc_watcher_total"
# Until etcd gives up a client that answers no ping, and with it the watch.
PING = ("--grpc-keepalive-interval=1s", "--grpc-keepalive-timeout=2s")
# Opens, reads and closes each of the files whose names it is given, over and over; at
# the end of its input it prints the longest time that one took.
READER = """
import os, select, sys, time
print(flush=True)
paths = sys.stdin.readline().split()
longest = 0
while not longest or not select.select([sys.stdin], [], [], 0)[0]:
    for path in paths:
        start = time.monotonic()
        fd = os.open(path, os.O_RDONLY)
        os.read(fd, 4096)
        os.close(fd)
        longest = max(longest, time.monotonic() - start)
print(longest)
"""


class Reader:
    """Reads nothing before it is told to."""

    def __init__(self, paths):
        self._paths = paths
        self._process = subprocess.Popen([sys.executable, "-c", READER], text=True,
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._process.stdout.readline()

    def begin(self):
        self._process.stdin.write(" ".join(self._paths) + "\n")
        self._process.stdin.flush()

    def longest(self):
        """In seconds; it reads no more."""
        return float(self._process.communicate()[0])


def until(what, condition):
    deadline = Deadline(what)
    while not condition():
        deadline.pause()


def change_and_compact(keys, count, mark):
    """Once nobody watches; how it came to be is forgotten."""
    until("etcd gives up the watch", lambda: keys.etcd.metric(WATCHERS) == 0)
    keys.fill((many.name(number), mark) for number in range(0, count, count // DIFFERENCES))
    keys.etcd.compact(keys.put(many.name(0), mark))


def reseeded(world, keys, count, mark, begin, end):
    """The milliseconds of the seed and of the reseed; BEGIN(mounted) and END() are called
    before it and after it."""
    with world.mount(keys, allow=["lost contact", "compacted"]) as mounted:
        seed = mounted.status()["seeds"]["last_ms"]
        with stopped(mounted.process):
            change_and_compact(keys, count, mark)
        begin(mounted)
        until("it has read everything again",
              lambda: mounted.status()["seeds"]["complete"] == 2)
        end()
        reseed = mounted.status()["seeds"]["last_ms"]
        if mounted.read(many.name(0)) != mark.encode():
            raise AssertionError("it reads the old value after the reseed")
    return seed, reseed


def longest_reads(world, keys, count, mark):
    """In milliseconds, during a reseed: there, and of a tmpfs's files at the same time.  What
    is read has been seen by nobody before."""
    seen = [many.name(number) for number in range(1, count, max(count // 10000, 2))]
    local = world.directory()
    for number, _ in enumerate(seen):
        with open(os.path.join(local, str(number)), "wb") as file:
            file.write(many.VALUE)
    readers, found = [], []

    def begin(mounted):
        readers.extend((Reader([mounted.join(name) for name in seen]),
                        Reader([os.path.join(local, name) for name in os.listdir(local)])))
        for reader in readers:
            reader.begin()

    reseeded(world, keys, count, mark, begin,
             lambda: found.extend(reader.longest() * 1e3 for reader in readers))
    return found


def rows(world, quick):
    count = world.at_most(1000 if quick else 500000)
    with world.own_etcd(*PING) as server:
        keys = many.fill(server, "/reseed/", count)
        # Readers take the processors from what is timed, so they come by themselves.
        times = [reseeded(world, keys, count, f"{repetition}", lambda _: None, lambda: None)
                 for repetition in range(world.repetitions)]
        reads = [longest_reads(world, keys, count, f"again {repetition}")
                 for repetition in range(world.repetitions)]
    yield Row(f"reseed of {count:,} keys, {DIFFERENCES} of them changed", "ms",
              [reseed for _, reseed in times], [seed for seed, _ in times], 1.3, "seed")
    yield Row("the longest open, read and close meanwhile", "ms",
              [ours for ours, _ in reads], [theirs for _, theirs in reads], None,
              "tmpfs, at the same time")
