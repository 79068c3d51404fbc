# SPDX-License-Identifier: Apache-2.0
"""Many threads that each do one thing again and again, and an eye on all of them.

None may stand still: each has to get round again and again within the limit of a
wait.  When one does not, it is said where everybody is waiting, in the daemons, too.
"""

import contextlib
import os
import threading
import time

import inotify
from wait import LIMIT, Deadline


_KINDS = {None: "not there", False: "a file", True: "a directory"}


def _read(path):
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read().strip()
    except OSError as error:
        return f"({os.strerror(error.errno)})"


def whereabouts(pid):
    """A line for each thread of the process: where in the kernel it waits."""
    for tid in sorted(os.listdir(f"/proc/{pid}/task"), key=int):
        task = f"/proc/{pid}/task/{tid}"
        stack = " < ".join(line.split()[-1] for line in _read(f"{task}/stack").splitlines())
        yield (f"{pid}/{tid} {_read(f'{task}/comm')}: {_read(f'{task}/wchan')}, "
               f"call {_read(f'{task}/syscall')}, {stack}")


class _Member(threading.Thread):
    def __init__(self, crowd, function, args):
        super().__init__(daemon=True)  # one that is stuck must not keep the test
        self.rounds = 0
        self.what = f"{function.__qualname__}"
        self._crowd = crowd
        self._call = function, args

    def run(self):
        function, args = self._call
        try:
            while not self._crowd.ended.is_set():
                function(*args)
                self.rounds += 1
        except Exception as error:  # pylint: disable=broad-except
            self._crowd.complain(f"{self.what}, round {self.rounds}: {error!r}")


class Crowd:
    def __init__(self, pids):
        """PIDS: of the daemons."""
        self.ended = threading.Event()
        self.trouble = []
        self._pids = pids
        self.members = []
        self._guard = threading.Thread(target=self._watch, daemon=True)

    def forever(self, function, *args):
        self.members.append(_Member(self, function, args))

    def complain(self, trouble):
        self.trouble.append(trouble)
        self.ended.set()

    def start(self):
        for thread in (*self.members, self._guard):
            thread.start()

    def stop(self):
        """Returns what went wrong."""
        self.ended.set()
        deadline = Deadline("the crowd goes")
        with contextlib.suppress(TimeoutError):
            for thread in (*self.members, self._guard):
                thread.join(deadline.left())
        if stuck := [member.what for member in self.members if member.is_alive()]:
            self._report_stuck(stuck)
        idle = [member.what for member in self.members if member.rounds == 0]
        return self.trouble + [f"{what} never got round" for what in idle]

    def _watch(self):
        """Until the end, or until one of them has not moved for too long."""
        now = time.monotonic()
        moved = {member: (0, now) for member in self.members}
        while not self.ended.wait(0.5):
            now = time.monotonic()
            for member, (rounds, _) in moved.items():
                if member.rounds != rounds:
                    moved[member] = member.rounds, now
            stuck = [member.what for member, (_, when) in moved.items() if now - when > LIMIT]
            if stuck:
                self._report_stuck(stuck)

    def _report_stuck(self, stuck):
        for pid in (*self._pids, os.getpid()):
            with contextlib.suppress(OSError):
                print("\n".join(f"# {line}" for line in whereabouts(pid)), flush=True)
        self.complain(f"stand still: {stuck}")


class Ledger:
    """What a directory that stays holds, going by its events alone: whether each of
    them is possible, and in the end what has come of them."""

    def __init__(self, path):
        self.names = {}  # name: whether it is a directory
        self._path = path
        self._watcher = inotify.Watcher()
        self._watcher.add(path, inotify.CREATE | inotify.DELETE | inotify.MODIFY |
                          inotify.CLOSE_WRITE)
        self.names = self.listed()

    def listed(self):
        with os.scandir(self._path) as entries:
            return {os.fsencode(entry.name): entry.is_dir() for entry in entries}

    def close(self):
        self._watcher.close()

    def read(self):
        """Takes some of what has come; waits for a moment if that is nothing."""
        for _ in range(100):
            if not self._watcher.ready(0.1):
                return
            self._take(self._watcher.next())

    def read_to(self, mark):
        """Takes everything up to the last event of the put of MARK."""
        for event in self._watcher.until_closed(mark):
            self._take(event)

    def _take(self, event):
        if event.mask & inotify.Q_OVERFLOW:
            raise AssertionError("the queue of events is full")
        is_dir = bool(event.mask & inotify.ISDIR)
        before = self.names.get(event.name)
        if event.mask & inotify.CREATE:
            possible = before is None
        else:  # whoever met what was not announced yet is told of its end
            possible = before == is_dir or (before is None and event.mask & inotify.DELETE)
        if not possible:
            raise AssertionError(f"{event}, but it was {_KINDS[before]}")
        if event.mask & inotify.CREATE:
            self.names[event.name] = is_dir
        elif event.mask & inotify.DELETE:
            self.names.pop(event.name, None)
