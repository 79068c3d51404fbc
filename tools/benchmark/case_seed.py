# SPDX-License-Identifier: Apache-2.0
"""What it costs to have all keys: time, memory, and what etcd has to do for it."""

import statistics
import time

import alternative
import many
from harness import Row, cpu_seconds, status_bytes

# Keys in each request; 0: one for everything.
PAGES = (0, 1000, 10000, 50000, 100000)
LIMIT = 160


def seeded(world, keys):
    """The same of etcdfs as alternative.ranged has of the other."""
    start = time.monotonic()
    with world.mount(keys) as mounted:
        return {"seconds": time.monotonic() - start,
                "peak_kib": status_bytes(mounted.process.pid, "VmHWM") / 1024}


def with_etcd(server, read):
    """What READ() returns, and the CPU time that it cost etcd."""
    before = cpu_seconds(server.process.pid)
    result = read()
    return {**result, "etcd": cpu_seconds(server.process.pid) - before}


def seed_rows(world, keys, count):
    page = alternative.fastest_page(world, keys, PAGES)
    name = f"Go client, {f'pages of {page:,}' if page else 'one request'}"
    ours, theirs = world.alternating(
        lambda: with_etcd(keys.etcd, lambda: seeded(world, keys)),
        lambda: with_etcd(keys.etcd, lambda: alternative.ranged(world, keys, page)))

    def row(what, unit, field, target, scale=1):
        return Row(what, unit, [one[field] * scale for one in ours],
                   [one[field] * scale for one in theirs], target, name)

    yield row(f"seed of {count:,} keys, start to mounted", "s", "seconds", 1)
    yield row("its peak memory", "MiB", "peak_kib", 0.6, 1 / 1024)
    yield row("etcd's CPU for it", "s", "etcd", None)


def etcd_peak(server, read):
    """What READ() adds, at most, to the memory of an etcd that has just started."""
    server.stop()
    server.start()
    before = status_bytes(server.process.pid, "VmRSS")
    read()
    return (status_bytes(server.process.pid, "VmHWM") - before) / 2**20


def etcd_rows(world, keys, count):
    """Beside each size of page: in time, in etcd's CPU and in etcd's memory."""
    for page in PAGES:
        name = f"pages of {page:,}" if page else "one request"
        ours, theirs = world.alternating(
            lambda: etcd_peak(keys.etcd, lambda: seeded(world, keys)),
            lambda page=page: etcd_peak(keys.etcd,
                                        lambda: alternative.ranged(world, keys, page)))
        yield Row(f"etcd's memory for a seed of {count:,} keys", "MiB", ours, theirs, None, name)


def memory_row(world, count):
    """At rest: a little later than at the peak, when all is given back."""
    with world.own_etcd() as server:
        keys = many.fill(server, "/memory/", count)

        def resident(counted):
            with world.mount(counted) as mounted:
                mounted.settle()
                return status_bytes(mounted.process.pid, "VmRSS")

        nothing = statistics.median(resident(many.fill(server, "/nothing/", 0))
                                    for _ in range(3))
        ours = [(resident(keys) - nothing) / count - many.NEEDED
                for _ in range(min(world.repetitions, 3))]
    return Row(f"resident memory at {count:,} keys, beyond a key's last component and value",
               "bytes a key", ours, [LIMIT] * len(ours), 1, "what is allowed")


def rows(world, quick):
    count = world.at_most(1000 if quick else 500000)
    with world.own_etcd() as server:
        keys = many.fill(server, "/seed/", count)
        if quick:
            with_etcd(server, lambda: seeded(world, keys))
        else:
            yield from seed_rows(world, keys, count)
            yield from etcd_rows(world, keys, count)
    yield memory_row(world, world.at_most(1000 if quick else 1000000))
