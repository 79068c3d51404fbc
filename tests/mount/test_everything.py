#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Everything is watched, and at each of some hundred revisions exactly what a model of
inotify expects is told: nothing twice, and nothing of a key that did not change."""

import itertools
import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import case  # noqa: E402
from comparison import END, Comparison, Remote  # noqa: E402
from ears import ENDED, UPDATED, Ears  # noqa: E402
from wait import times  # noqa: E402


class Model:
    """What watches on every file and directory of a tree are to hear, by the rules of a
    local disk: {label: lines}.  A label belongs to one watch."""

    def __init__(self, keys):
        self.keys = set(keys)
        self.watches = {}  # path: the labels of watches on what is there
        self.told = {}

    def directories(self):
        return {""} | {name[:at] for name in self.keys for at, char in enumerate(name)
                       if char == "/"}

    def _tell(self, path, *events):
        for label in self.watches.get(path, ()):
            self.told.setdefault(label, []).extend(events)

    def _tell_both(self, path, what):
        self._tell(os.path.dirname(path), f"{what} {os.path.basename(path)}")
        self._tell(path, what)

    def put(self, name):
        before = self.directories()
        parent = os.path.dirname(name)
        new = name not in self.keys
        self.keys.add(name)
        for directory in sorted(self.directories() - before):
            self._tell(os.path.dirname(directory),
                       f"CREATE,ISDIR {os.path.basename(directory)}")
        if new:
            self._tell(parent, f"CREATE {os.path.basename(name)}")
        for what in UPDATED:
            self._tell_both(name, what)

    def delete(self, *names):
        """The directories that are left without any key go last."""
        before = self.directories()
        for name in names:
            self.keys.discard(name)
            self._end(name, "DELETE", ENDED)
        for directory in sorted(before - self.directories(), reverse=True):
            self._end(directory, "DELETE,ISDIR", ENDED[1:])

    def _end(self, path, what, self_events):
        self._tell(path, *self_events)
        self.watches.pop(path, None)
        self._tell(os.path.dirname(path), f"{what} {os.path.basename(path)}")

    def take(self):
        told, self.told = self.told, {}
        return told


class Everything(Comparison):
    """Every directory and file watched, at random: what is due, once, and nothing else."""

    NAMES = ["a", "b", "d/a", "d/b", "d/e/a", "d/e/b", "g/h/a", "g/i/a"]

    def setUp(self):
        super().setUp()
        self.rand = random.Random(6)

    def watch_all(self, ears, model):
        """What is new gets a watch; now and then what is watched already gets another,
        which on a local disk is the same one."""
        for path in sorted(model.keys | model.directories()):
            if path not in model.watches or self.rand.random() < 0.1:
                wd = ears.watcher.add(ears.world.join(path))
                ears.labels[wd] = wd
                model.watches.setdefault(path, set()).add(wd)

    def change(self, world, model):
        """One to three keys, in the order of one revision; returns how."""
        puts, deletes = [], []
        for name in self.rand.sample(self.NAMES, self.rand.choice((1, 1, 1, 2, 3))):
            deleted = name in model.keys and self.rand.random() < 0.5
            (deletes if deleted else puts).append(name)
        world.revision(dict.fromkeys(puts, str(self.rand.random())), deletes)
        for name in puts:
            model.put(name)
        model.delete(*deletes)
        return puts, deletes

    @staticmethod
    def in_any_order(lines):
        """LINES with directories that go one after the other in the order of names."""
        runs = itertools.groupby(lines, lambda line: line.startswith("DELETE,ISDIR"))
        return [line for is_run, run in runs for line in (sorted(run) if is_run else run)]

    def told(self, ears):
        told = {}
        for event in ears.watcher.queued():
            told.setdefault(event.wd, []).append(str(event))
        return told

    def test_all_and_no_more(self):
        for world in self.both(dict.fromkeys(self.NAMES, "1")):
            model = Model([*self.NAMES, END])
            ears = Ears(self, world)
            self.watch_all(ears, model)
            for step in range(times(300)):
                change = self.change(world, model)
                expected, told = ({label: self.in_any_order(lines)
                                   for label, lines in each.items()}
                                  for each in (model.take(), self.told(ears)))
                self.assertEqual(expected, told, (type(world).__name__, step, change))
                self.watch_all(ears, model)

    def test_silence(self):
        """What is not changed: no event, however it is looked at by the daemon."""
        mount = self.mounted
        world = Remote(mount, "quiet")
        world.prepare({"f": "1", "d/f": "1"})
        world.settle()
        ears = Ears(self, world)
        for name in ("", "f", "d", "d/f"):
            ears.add(f"/{name}", name)
        for value in range(times(100)):
            self.keys.put("loud/f", f"{value}")
            self.keys.put(f"loud/d{value}/f", "1")
            self.keys.put("quiet-too", f"{value}")
            self.keys.delete("quietly")
        self.assertEqual([], ears.heard())


if __name__ == "__main__":
    case.main()
