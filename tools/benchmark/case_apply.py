# SPDX-License-Identifier: Apache-2.0
"""Events that nobody looks at, in process: see apply.c."""

import statistics
import subprocess

from harness import Growth, Row

SIZES = (1000, 10000, 100000, 1000000)


def rows(world, quick):
    program = world.program("apply")
    points = []
    sizes = {world.at_most(keys) for keys in ((1000,) if quick else SIZES)}
    for keys in sorted(sizes):
        ours, theirs = [], []
        for _ in range(world.repetitions):
            result = subprocess.run([program, str(keys), str(1000 if quick else 500000)],
                                    check=True, text=True, stdin=subprocess.DEVNULL,
                                    stdout=subprocess.PIPE)
            for figures, figure in zip((ours, theirs), result.stdout.split(), strict=True):
                figures.append(float(figure))
        yield Row(f"an event that nobody looks at, in process, {keys:,} keys", "ns", ours, theirs,
                  None, "hash table", f"{1e9 / statistics.median(ours):,.0f} a second")
        points.append((keys, statistics.median(ours)))
    yield Growth("event applied, in process", "ns", points)
