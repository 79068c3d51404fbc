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


def cells(row):
    ratios = row.ratios()
    ratio = statistics.median(ratios)
    return (row.what + (f" ({row.note})" if row.note else ""),
            f"{figure(statistics.median(row.ours))} {row.unit}",
            f"{figure(statistics.median(row.theirs))} {row.unit} ({row.theirs_name})",
            f"{ratio:.2f}", f"{ratios[0]:.2f} to {ratios[-1]:.2f}",
            "" if row.target is None else f"{row.target:g}",
            "" if row.target is None else "met" if ratio <= row.target else "not met")


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        model = next((line.partition(":")[2].strip() for line in lines
                      if line.startswith("model name")), "unknown")
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} x {model}, Linux {os.uname().release}, load {load:.2f}"


class Results:
    def __init__(self, directory):
        self.directory = directory
        self.results = []
        os.makedirs(directory, exist_ok=True)
        print(f"{machine()}\n", "| " + " | ".join(COLUMNS) + " |",
              "|---" * len(COLUMNS) + "|", sep="\n", flush=True)

    def add(self, case, result):
        self.results.append((case, result))
        if isinstance(result, Row):
            print("| " + " | ".join(cells(result)) + " |", flush=True)

    def finish(self, plot):
        """The file; with PLOT also a picture of what grows."""
        path = os.path.join(self.directory, "results.json")
        with open(path, "w", encoding="utf-8") as out:
            json.dump([{"case": case, "kind": type(result).__name__.lower(),
                        **dataclasses.asdict(result)} for case, result in self.results],
                      out, indent=1)
        growths = [result for _, result in self.results if isinstance(result, Growth)]
        if plot and growths:
            import plot as picture  # not before it is known that matplotlib is there
            picture.draw(growths, os.path.join(self.directory, "growth.svg"))
