# SPDX-License-Identifier: Apache-2.0
"""How each cost grows with the number of keys, as SVG."""

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot  # noqa: E402

matplotlib.rcParams["svg.fonttype"] = "none"  # text stays text


def draw(growths, path):
    """Each cost as a multiple of what it is with the fewest keys."""
    figure, axes = pyplot.subplots(figsize=(8, 5), layout="constrained")
    for growth in growths:
        keys, costs = zip(*growth.points)
        axes.plot(keys, [cost / costs[0] for cost in costs], marker="o",
                  label=f"{growth.what} ({costs[0]:.3g} {growth.unit} at {keys[0]:,} keys)")
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("keys")
    axes.set_ylabel("cost, as a multiple of the cost at the fewest keys")
    axes.grid(True, alpha=0.3)
    axes.legend()
    figure.savefig(path, metadata={"Date": None})
