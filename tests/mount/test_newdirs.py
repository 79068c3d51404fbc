#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The first keys of a new directory, and who hears of them.

A recursive watcher watches a new directory when it hears of it.  It gets a chance to
hear of what was in there from the start; nobody else hears of it, and nobody waits."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import case  # noqa: E402
import inotify  # noqa: E402
from inotify import transcript  # noqa: E402
from wait import times  # noqa: E402

FIRST = ["CREATE first", "OPEN first", "MODIFY first", "CLOSE_WRITE first"]


class Recursive(case.MountTest):
    def test_inotifywait_r(self):
        """Most of them, on a machine with time to spare; here, some."""
        mount = self.mount()
        waiter = self.inotifywait(mount.path, "-m", "-r")
        count = times(50)
        for number in range(count):
            self.keys.put(f"d{number}/e/first", "1")
            mount.settle()
        self.keys.put("end", "1")
        heard = waiter.until("CLOSE_WRITE end")
        first = [line for line in heard if line.endswith("/e/first") and "CLOSE_WRITE" in line]
        print(f"# inotifywait -r heard of {len(first)} of {count} first keys", flush=True)
        self.assertEqual(len(first), len(set(first)))
        self.assertLess(0, len(first))

    def test_who_lists_and_watches_hears_each_once(self):
        """One that is quick, as often as it takes until it was quick enough."""
        mount = self.mount()
        parent = self.watcher()
        parent.add(mount.path, inotify.CREATE)
        for number in range(1000):
            self.keys.put(f"d{number}/first", "1")
            parent.until(lambda event: event.mask & inotify.ISDIR)
            watcher = inotify.Watcher()
            watcher.add(mount.join(f"d{number}"))
            os.listdir(mount.join(f"d{number}"))
            mount.settle()
            self.keys.put(f"d{number}/end", "1")
            told = [line for line in transcript(watcher.until_closed("end"))
                    if line.endswith(" first")]
            watcher.close()
            self.assertIn(told, ([], FIRST))
            if told:
                return
        self.fail("who watched a new directory at once never heard of its first key")


class Others(case.MountTest):
    def test_who_comes_to_watch_and_does_not_list(self):
        """Hears of what changes from then on, and of nothing before."""
        mount = self.mount()
        mount.settle()
        for number in range(times(50)):
            self.keys.put(f"d{number}/first", "1")
            while not os.path.exists(mount.join(f"d{number}")):
                pass
            watcher = inotify.Watcher()
            watcher.add(mount.join(f"d{number}"))
            mount.settle()
            self.keys.put(f"d{number}/second", "1")
            self.assertEqual([line.replace("first", "second") for line in FIRST],
                             transcript(watcher.until_closed("second")))
            watcher.close()

    def test_nobody_comes(self):
        """Then what is in there is never asked for."""
        mount = self.mount("-d")
        mount.settle()
        self.keys.txn({"d/first": "1", "d/e/first": "1"})
        mount.settle()
        said = [line for line in mount.log.lines() if "fuse: " in line]
        self.assertTrue(any('mkdir parent=1 name="d"' in line for line in said), said)
        self.assertEqual([], [line for line in said if '"first"' in line or '"e"' in line])

    def test_what_changed_or_went_meanwhile(self):
        """Is told as that, and not as new again."""
        mount = self.mount()
        parent = self.watcher()
        parent.add(mount.path, inotify.CREATE)
        self.keys.txn({"d/first": "1", "d/goes": "1"})
        parent.next()
        self.assertEqual({"first", "goes"}, set(os.listdir(mount.join("d"))))
        self.keys.put("d/first", "2")
        self.keys.delete("d/goes")
        mount.settle()
        watcher = self.watcher()
        watcher.add(mount.join("d"))
        self.keys.put("d/first", "3")
        self.assertEqual(FIRST[1:], transcript(watcher.until_closed("first")))


if __name__ == "__main__":
    case.main()
