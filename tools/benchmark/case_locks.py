# SPDX-License-Identifier: Apache-2.0
"""How long a change keeps readers waiting, in process: see locks.c."""

import os
import subprocess

from harness import Row

ALLOWED = 1000


def rows(world, quick):
    program = os.path.join(world.build, "tools", "benchmark", "locks")
    keys = 1000 if quick else 500000
    for different in (100,) if quick else (100, 10000, keys):
        reseeds, transactions = [], []
        for _ in range(world.repetitions):
            result = subprocess.run([program, str(keys), str(different)], check=True, text=True,
                                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
            for figures, figure in zip((reseeds, transactions), result.stdout.split(),
                                       strict=True):
                figures.append(float(figure))
        for what, figures, target in (
                (f"a reseed of {keys:,} keys, {different:,} of them changed", reseeds,
                 1),
                (f"a transaction of {different:,} keys", transactions, None)):
            yield Row(f"the longest that the tree is locked: {what}", "µs", figures,
                      [ALLOWED] * len(figures), target, "what is allowed")
