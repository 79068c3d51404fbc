# SPDX-License-Identifier: Apache-2.0
"""How long after etcd's reply to a put its bytes, and its event, are there."""

import statistics

import alternative
import etcd
from harness import Row

COUNT = 2000
# An event that comes before the reply comes at once.
LEAST = 1e-6


def percentiles(world, keys, place, what):
    """The median and the 99th of COUNT puts, in microseconds."""
    answer = alternative.ask(world, keys.etcd, "latency", "-for", what, COUNT,
                             keys.full("d/key").decode(), place.join("d", "key"))
    seconds = [max(LEAST, one) * 1e6 for one in answer["seconds"]]
    return statistics.median(seconds), statistics.quantiles(seconds, n=100)[98]


def rows(world, quick):
    if quick:
        return  # on both sides the loop is in Go
    keys = etcd.Keys(world.etcd, "/latency/")
    keys.put("d/key", "0")
    for what, said, target in (("bytes", "new bytes readable, the directory watched", 1),
                               ("event", "event received", 1.5)):
        def ours(what=what):
            with world.mount(keys) as mounted:
                return percentiles(world, keys, mounted, what)

        def theirs(what=what):
            with alternative.mirror(world, keys) as mirror:
                return percentiles(world, keys, mirror, what)

        mine, others = world.alternating(ours, theirs)
        for index, name in enumerate(("p50", "p99")):
            yield Row(f"put's reply to {said}, {name}", "µs", [one[index] for one in mine],
                      [one[index] for one in others], target, "mirror")
