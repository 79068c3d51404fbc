# SPDX-License-Identifier: Apache-2.0
"""How long a change keeps readers waiting, in process: see locks.c."""

import subprocess

from harness import Row

ALLOWED = 1000


def measured(world, keys, different):
    """In us, of each repetition: a reseed, a transaction, KEYS keys one after the other."""
    results = [subprocess.run([world.program("locks"), str(keys), str(different)], check=True, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
               for _ in range(world.repetitions)]
    return zip(*([float(figure) for figure in result.stdout.split()] for result in results),
               strict=True)


def row(what, figures, target):
    return Row(f"the longest that the tree is locked: {what}", "µs", list(figures),
               [ALLOWED] * len(figures), target, "what is allowed")


def rows(world, quick):
    keys = world.at_most(1000 if quick else 500000)
    growths = ()
    for different in (100,) if quick else sorted({100, min(10000, keys), keys}):
        reseeds, transactions, growth = measured(world, keys, different)
        growths += growth
        yield row(f"a reseed of {keys:,} keys, {different:,} of them changed", reseeds, 1)
        yield row(f"a transaction of {different:,} keys", transactions, None)
    yield row(f"{keys:,} new keys, one after the other", growths, 1)
