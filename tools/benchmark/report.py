# SPDX-License-Identifier: Apache-2.0
"""Results as a table for people, and as a file."""

import dataclasses
import json
import os
import statistics

from harness import Growth, Row

COLUMNS = ("what", "etcdfs", "beside it", "ratio", "spread", "target", "")


def figure(number):
    return f"{number:.3g}" if abs(number) < 1000 else f"{number:,.0f}"


def times(ratio):
    return f"{ratio:.2f}" if ratio >= 0.1 else f"{ratio:.2g}"


def verdict(row, ratio):
    if row.target is None:
        return ""
    return "met" if ratio <= row.target else "not met"


def cells(row, judged):
    ratios = row.ratios()
    ratio = statistics.median(ratios)
    return (row.what + (f" ({row.note})" if row.note else ""),
            f"{figure(statistics.median(row.ours))} {row.unit}",
            f"{figure(statistics.median(row.theirs))} {row.unit} ({row.theirs_name})",
            times(ratio), f"{times(ratios[0])} to {times(ratios[-1])}",
            "" if row.target is None else f"{row.target:g}",
            verdict(row, ratio) if judged else "")


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        model = next((line.partition(":")[2].strip() for line in lines
                      if line.startswith("model name")), "unknown")
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} x {model}, Linux {os.uname().release}, load {load:.2f}"


class Results:
    """JUDGED: they are worth a verdict."""

    def __init__(self, directory, judged):
        self.directory = directory
        self.judged = judged
        self.results = []
        os.makedirs(directory, exist_ok=True)
        print(f"{machine()}\n", "| " + " | ".join(COLUMNS) + " |",
              "|---" * len(COLUMNS) + "|", sep="\n", flush=True)

    def add(self, case, result):
        self.results.append((case, result))
        if isinstance(result, Row):
            print("| " + " | ".join(cells(result, self.judged)) + " |", flush=True)

    def finish(self):
        """The file, and a picture of what grows.  The load at the end tells whether
        somebody else came meanwhile."""
        print(f"\n{machine()}", flush=True)
        path = os.path.join(self.directory, "results.json")
        with open(path, "w", encoding="utf-8") as out:
            json.dump({"machine": machine(),
                       "results": [{"case": case, "kind": type(result).__name__.lower(),
                                    **dataclasses.asdict(result)}
                                   for case, result in self.results]}, out, indent=1)
        growths = [result for _, result in self.results if isinstance(result, Growth)]
        if self.judged and growths:
            import plot  # what it needs is there only now
            plot.draw(growths, os.path.join(self.directory, "growth.svg"))
