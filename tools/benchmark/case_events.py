# SPDX-License-Identifier: Apache-2.0
"""What a change costs that etcd tells of, and how many a second can be told to watchers."""

import contextlib
import threading
import time

import alternative
import etcd
import inotify
from harness import Row, cpu_seconds, stopped
from wait import Deadline

KEYS = 100   # change again and again, for the CPU time, ...
RATE = 1000  # so often a second
# The last event of a change, of etcdfs and of a rename.
TOLD = inotify.CLOSE_WRITE | inotify.MOVED_TO
LEAST_TOLD = 15000


def until_shown(place, value):
    """Looks at one file alone: nobody looks at the others."""
    deadline = Deadline(f"end/end is {value}")
    while True:
        with contextlib.suppress(FileNotFoundError):
            with open(place.join("end", "end"), encoding="ascii") as file:
                if file.read() == value:
                    return
        deadline.pause()


def cpu_of_changes(world, keys, place, count):
    """Microseconds of PLACE's process for each of COUNT changes, each a revision."""
    before = cpu_seconds(place.process.pid)
    alternative.put(world, keys, "d/", count, "-workers", 4, "-keys", KEYS, "-rate", RATE)
    keys.put("end/end", str(count))
    until_shown(place, str(count))
    return (cpu_seconds(place.process.pid) - before) / count * 1e6


@contextlib.contextmanager
def watched(path):
    """By somebody who takes the events and does no more."""
    watcher = inotify.Watcher()
    watcher.add(path, TOLD)
    ended = threading.Event()

    def take():
        while not ended.is_set():
            if watcher.ready(0.1):
                watcher.queued()

    thread = threading.Thread(target=take)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        watcher.close()


def cpu_rows(world, keys, count):
    for who, target, around in (("nobody looking", 0.25, lambda path: contextlib.nullcontext()),
                                ("watched", 1.5, watched)):
        def measured(place, around=around):
            with around(place.join("d")):
                return cpu_of_changes(world, keys, place, count)

        def ours(measured=measured):
            with world.mount(keys) as mounted:
                return measured(mounted)

        def theirs(measured=measured):
            with alternative.mirror(world, keys) as mirror:
                return measured(mirror)

        yield Row(f"CPU per live event, {who}", "µs", *world.alternating(ours, theirs), target,
                  "mirror")


def told_after(place, change, last):
    """The seconds in which CHANGE(), which etcd has for it all at once, is told; LAST of
    how many events so far."""
    watcher = inotify.Watcher()
    watcher.add(place.join("d"), TOLD)
    with stopped(place.process):
        change()
        start = time.monotonic()
    told, deadline = 0, Deadline("everything is told")
    while not last(told):
        watcher.ready(deadline.left())
        events = watcher.queued()
        if any(event.mask & inotify.Q_OVERFLOW for event in events):
            raise AssertionError("more events than inotify keeps")
        told += len(events)
    watcher.close()
    return time.monotonic() - start


def several_told(keys, place, count):
    """Microseconds for each of COUNT changes, none of which can stand for another."""
    def change():
        keys.fill((f"d/{number}", str(time.monotonic())) for number in range(count))

    return told_after(place, change, lambda told: told == count) / count * 1e6


def one_told(keys, place, count):
    """The same, of one key: the last can stand for them all."""
    value = f"{time.monotonic()} "

    def last(told):
        if told == 0:
            return False
        with open(place.join("d", "0"), encoding="ascii") as file:
            return file.read() == f"{value}{count - 1}"

    def change():
        keys.fill((("d/0", f"{value}{number}") for number in range(count)), together=1)

    return told_after(place, change, last) / count * 1e6


def told_rows(world, keys, count):
    allowed = 1e6 / LEAST_TOLD
    for what, tell, changes in (("each of another key", several_told, count),
                                ("all of one key", one_told, max(count // 4, 1))):
        def ours(tell=tell, changes=changes):
            with world.mount(keys) as mounted:
                return tell(keys, mounted, changes)

        mine, allowance = world.alternating(ours, lambda: allowed)
        yield Row(f"time per change told, {what}", "µs", mine, allowance, 1,
                  f"{LEAST_TOLD:,} a second")


def rows(world, quick):
    keys = etcd.Keys(world.etcd, "/events/")
    keys.put("end/end", "0")
    keys.fill((f"d/{number}", "0") for number in range(KEYS))
    if not quick:
        yield from cpu_rows(world, keys, 10000)
    count = 100 if quick else 20000
    keys.fill((f"d/{number}", "0") for number in range(count))
    yield from told_rows(world, keys, count)
