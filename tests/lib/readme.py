# SPDX-License-Identifier: Apache-2.0
"""The README, as far as tests hold it to what it says."""

import os
import re

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


def readme():
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as text:
        return text.read()


def section(title):
    return readme().split(f"\n## {title}\n")[1].split("\n## ")[0]


def example(name):
    """[(command, [line of its output...])...] of an example."""
    block = re.search(rf"<!-- example: {name} -->\n```console\n(.*?)```", readme(), re.DOTALL)
    steps = []
    for line in block[1].splitlines():
        if line.startswith("$ "):
            steps.append((line[2:], []))
        else:
            steps[-1][1].append(line)
    return steps
