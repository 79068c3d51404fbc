# SPDX-License-Identifier: Apache-2.0
"""How costs grow with the keys, which are all in one directory."""

import os
import random
import statistics
import time

import etcd
from harness import Growth, Row, cpu_seconds, stopped

SIZES = (1000, 10000, 100000, 1000000)
ALLOWED = 1.3
TOGETHER = 100  # changes in a revision, which has each key once
CHANGES = 20000
LOOKUPS = 1000
LIVE_CHANGES = 2000
# Of many changes at once only how often the processor's caches miss is left.
SCALES = (("CPU of one live change", "µs", ALLOWED),
          ("CPU of each of many changes at once", "µs", None),
          ("first lookup of a name", "µs", ALLOWED),
          ("first readdir, per entry", "µs", ALLOWED))


def name(number):
    return f"d/{number:07}"


def change_live(keys, mounted, size):
    """Seconds for each; etcd is told the next when it has answered."""
    mounted.settle()
    before = cpu_seconds(mounted.process.pid)
    keys.fill(((name(random.randrange(size)), "v") for _ in range(LIVE_CHANGES)), together=1)
    mounted.settle()
    return (cpu_seconds(mounted.process.pid) - before) / LIVE_CHANGES


def shuffled(size):
    """Each key as often as all others, in no order."""
    for _ in range(max(1, CHANGES // size)):
        yield from random.sample(range(size), min(size, CHANGES))


def change_at_once(keys, mounted, size):
    """All wait for it, so it takes the same pieces from etcd each time."""
    mounted.settle()
    with stopped(mounted.process):
        keys.fill(((name(number), "v") for number in shuffled(size)), together=TOGETHER)
        before = cpu_seconds(mounted.process.pid)
    mounted.settle()
    return (cpu_seconds(mounted.process.pid) - before) / sum(1 for _ in shuffled(size))


def lookup(mounted, size):
    """Each name once: the kernel asks."""
    found = []
    for number in random.sample(range(size), min(size, LOOKUPS)):
        path = mounted.join(name(number))
        start = time.monotonic()
        os.stat(path)
        found.append(time.monotonic() - start)
    return statistics.median(found)


def readdir(mounted, size):
    start = time.monotonic()
    count = len(os.listdir(mounted.join("d")))
    seconds = time.monotonic() - start
    if count != size:
        raise AssertionError(f"{count} entries of {size}")
    return seconds / size


def costs(world, keys, size):
    """In the order of SCALES."""
    with world.mount(keys) as mounted:
        found = [change_live(keys, mounted, size), change_at_once(keys, mounted, size),
                 lookup(mounted, size)]
    # Now the kernel knows no name.
    with world.mount(keys) as mounted:
        found.append(readdir(mounted, size))
    return [seconds * 1e6 for seconds in found]


def rows(world, quick):
    sizes = sorted({world.at_most(size)
                    for size in ((TOGETHER, 10 * TOGETHER) if quick else SIZES)})
    found = {size: [] for size in sizes}
    with world.own_etcd() as server:
        trees = {size: etcd.Keys(server, f"/{size}/") for size in sizes}
        for size, keys in trees.items():
            keys.fill((name(number), "v" * 100) for number in range(size))
        for _ in range(world.repetitions):
            for size, keys in trees.items():
                found[size].append(costs(world, keys, size))
    for (what, unit, target), *of_sizes in zip(SCALES, *(zip(*found[size]) for size in sizes)):
        yield Growth(what, unit, [(size, statistics.median(costs))
                                  for size, costs in zip(sizes, of_sizes)])
        yield Row(f"{what}, at {sizes[-1]:,} keys", unit, list(of_sizes[-1]),
                  list(of_sizes[0]), target, f"at {sizes[0]:,} keys")
