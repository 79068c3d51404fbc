#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""tools/bench tells how it is used, and what was wrong, before it installs or builds."""

import os
import re
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..")
sys.path[:0] = [os.path.join(HERE, "..", "lib")]
import tap  # noqa: E402


def bench(*args):
    return subprocess.run([sys.executable, os.path.join(ROOT, "tools", "bench"), *args],
                          check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True)


class Bench(unittest.TestCase):
    def test_help(self):
        result = bench("--help")
        self.assertEqual((0, ""), (result.returncode, result.stderr))
        for option in ("--quick", "--repetitions", "--keys", "--idle", "--only", "--build",
                       "--output"):
            self.assertIn(f"\n  {option}", result.stdout)

    def test_help_names_the_cases(self):
        folder = os.path.join(ROOT, "tools", "benchmark")
        cases = re.findall(r"\bcase_(\w+)\.py", " ".join(sorted(os.listdir(folder))))
        self.assertGreater(len(cases), 3)
        self.assertIn(", ".join(cases), re.sub(r"\s+", " ", bench("--help").stdout))

    def test_wrong_usage(self):
        for args in (["--fast"], ["quick"], ["--only", "nothing"], ["--only"],
                     ["--repetitions", "0"], ["--repetitions", "many"], ["--keys", "999"]):
            with self.subTest(args):
                result = bench(*args)
                self.assertEqual((2, ""), (result.returncode, result.stdout))
                self.assertIn("usage: tools/bench", result.stderr)


if __name__ == "__main__":
    sys.exit(tap.run(sys.argv[1:]))
