#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The seed alone decides what is tried: the same again, and not the same with another."""

import itertools
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import tap  # noqa: E402
from faults import ClusterFaults, ServerFaults  # noqa: E402
from traffic import Traffic  # noqa: E402
from world import chance  # noqa: E402


class Etcd:
    """Writes down what it is asked for; is away whenever AWAY says so."""

    def __init__(self, away=lambda count: False):
        self.asked = []
        self._away = away

    def __getattr__(self, request):
        def ask(*args):
            self.asked.append((request, args))
            if self._away(len(self.asked)):
                raise ConnectionRefusedError
            return 1
        return ask


class Seed(unittest.TestCase):
    def traffic(self, seed, etcd):
        Traffic(etcd, b"/s/", chance(seed, "traffic")).write(2000)
        return etcd.asked

    def test_traffic(self):
        asked = self.traffic(1, Etcd())
        self.assertEqual(asked, self.traffic(1, Etcd()))
        self.assertNotEqual(asked, self.traffic(2, Etcd()))

    def test_traffic_while_etcd_is_away(self):
        """Only what would come second in a change that fails is not asked for."""
        asked = self.traffic(1, Etcd())
        rarely = self.traffic(1, Etcd(lambda count: count > 2 and count % 3 == 0))
        self.assertEqual([one for one in asked if one[0] in ("put", "delete")],
                         [one for one in rarely if one[0] in ("put", "delete")])

    def test_faults(self):
        def schedule(faults, seed):
            return list(itertools.islice(faults(None, chance(seed, "faults")).schedule(), 500))
        for faults in (ServerFaults, ClusterFaults):
            struck = schedule(faults, 1)
            self.assertEqual(struck, schedule(faults, 1))
            self.assertNotEqual(struck, schedule(faults, 2))
            self.assertEqual(set(faults.FAULTS), set(itertools.chain(*struck)))


if __name__ == "__main__":
    sys.exit(tap.run(sys.argv[1:]))
