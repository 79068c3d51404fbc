# SPDX-License-Identifier: Apache-2.0
"""Watches with labels, and what is told of a file in a word each."""

import contextlib

import inotify

UPDATED = ["OPEN", "MODIFY", "CLOSE_WRITE"]
ENDED = ["ATTRIB", "DELETE_SELF", "IGNORED"]
REPLACED = "each revision is an inode of its own, an update replaces the file"


class Ears:
    """Watches with labels, which a transcript's lines begin with.  Order is kept within
    a label alone: an update is told on the directory and on older inodes in turn."""

    def __init__(self, test, world):
        self.world = world
        self.watcher = inotify.Watcher()
        self.labels = {}
        self._closing = contextlib.ExitStack()
        self._closing.callback(self.watcher.close)
        test.addCleanup(self.close)

    def close(self):
        """Early where there are many: a user may have 128.  A second time does nothing."""
        self._closing.close()

    def add(self, label, name="", mask=inotify.ALL):
        wd = self.watcher.add(self.world.join(name), mask)
        self.labels[wd] = label
        return wd

    def heard(self):
        """Everything told so far, and not asked for before."""
        self.world.settle()
        events = sorted(self.watcher.queued(), key=lambda event: self.labels[event.wd])
        return [f"{self.labels[event.wd]}: {event}" for event in events]


def outcome(call, *args):
    """What CALL returns, or how it fails."""
    try:
        return call(*args)
    except OSError as error:
        return error.__class__.__name__


def slurp(path):
    with open(path, encoding="utf-8") as file:
        return file.read()
