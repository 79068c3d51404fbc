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
SCALES = (("one change applied, CPU", "µs"), ("first lookup of a name", "µs"),
          ("first readdir, per entry", "µs"))


def name(number):
    return f"d/{number:07}"


def changed(size):
    """Each key as often as all others, in no order."""
    for _ in range(max(1, CHANGES // size)):
        yield from random.sample(range(size), min(size, CHANGES))


def change(keys, mounted, size):
    """All wait for it at once, so it takes from etcd the same pieces each time."""
    mounted.settle()
    with stopped(mounted.process):
        keys.fill(((name(number), "v") for number in changed(size)), together=TOGETHER)
        before = cpu_seconds(mounted.process.pid)
    mounted.settle()
    return (cpu_seconds(mounted.process.pid) - before) / sum(1 for _ in changed(size))


def lookup(mounted, size):
    paths = [mounted.join(name(number)) for number in random.sample(range(size),
                                                                    min(size, LOOKUPS))]
    start = time.monotonic()
    for path in paths:
        os.stat(path)
    return (time.monotonic() - start) / len(paths)


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
        found = [change(keys, mounted, size), lookup(mounted, size)]
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
    for (what, unit), *of_sizes in zip(SCALES, *(zip(*found[size]) for size in sizes)):
        yield Growth(what, unit, [(size, statistics.median(costs))
                                  for size, costs in zip(sizes, of_sizes)])
        yield Row(f"{what}, at {sizes[-1]:,} keys", unit, list(of_sizes[-1]),
                  list(of_sizes[0]), ALLOWED, f"at {sizes[0]:,} keys")
