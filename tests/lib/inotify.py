# SPDX-License-Identifier: Apache-2.0
"""inotify as the kernel gives it, and inotifywait as people use it.

A transcript is a list of lines such as `OPEN f`, `CREATE,ISDIR d`; events of the
watched object itself have no name: `MODIFY`.
"""

import ctypes
import os
import select
import struct
import subprocess
from collections import namedtuple

from event_queue import EventQueue
from wait import ENDS_WITH_US, Deadline

ACCESS, MODIFY, ATTRIB, CLOSE_WRITE, CLOSE_NOWRITE, OPEN = 1, 2, 4, 8, 16, 32
MOVED_FROM, MOVED_TO, CREATE, DELETE, DELETE_SELF, MOVE_SELF = 64, 128, 256, 512, 1024, 2048
UNMOUNT, Q_OVERFLOW, IGNORED, ISDIR = 0x2000, 0x4000, 0x8000, 0x40000000
ALL = 0xFFF
# Without the events that a reader's own stat, open, read and list raise.
CHANGES = ALL & ~(ACCESS | CLOSE_NOWRITE | OPEN)

NAMES = {bit: name for name, bit in list(globals().items())
         if name.isupper() and isinstance(bit, int) and bit & (bit - 1) == 0}

# How a watch is added; no event has these.
ONLYDIR, DONT_FOLLOW, EXCL_UNLINK = 0x01000000, 0x02000000, 0x04000000
MASK_CREATE, MASK_ADD, ONESHOT = 0x10000000, 0x20000000, 0x80000000

_libc = ctypes.CDLL(None, use_errno=True)
_HEADER = struct.Struct("iIII")


def _checked(result):
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


class Event(namedtuple("Event", "wd mask cookie name")):
    def __str__(self):
        what = ",".join(name for bit, name in NAMES.items() if self.mask & bit)
        return f"{what} {os.fsdecode(self.name)}" if self.name else what


def transcript(events):
    return [str(event) for event in events]


class Watcher(EventQueue):
    """One inotify descriptor."""

    def __init__(self):
        super().__init__(_checked(_libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)))

    def add(self, path, mask=ALL):
        """Watches PATH; returns the watch descriptor of its events."""
        return _checked(_libc.inotify_add_watch(self.fd, os.fsencode(path), mask))

    def remove(self, wd):
        _checked(_libc.inotify_rm_watch(self.fd, wd))

    def close(self):
        os.close(self.fd)

    def _read(self):
        data = os.read(self.fd, 1 << 16)
        while data:
            wd, mask, cookie, length = _HEADER.unpack_from(data)
            name = data[_HEADER.size:_HEADER.size + length].rstrip(b"\0")
            self._queue.append(Event(wd, mask, cookie, name))
            data = data[_HEADER.size + length:]

    def until(self, last, what="an event"):
        """Every event up to and with the first for which LAST(event) is true."""
        deadline = Deadline(what)
        events = []
        try:
            while not events or not last(events[-1]):
                events.append(self.next(deadline))
        except TimeoutError as error:
            raise TimeoutError(f"{error}; seen: {transcript(events)[-50:]}") from None
        return events

    def until_closed(self, name, count=1):
        """Every event up to and with the COUNTth CLOSE_WRITE of NAME."""
        name = os.fsencode(name)
        seen = []

        def last(event):
            if event.mask & CLOSE_WRITE and event.name == name:
                seen.append(event)
            return len(seen) == count
        return self.until(last, f"CLOSE_WRITE {os.fsdecode(name)}")


class InotifyWait:
    """An inotifywait process; `lines` are its events as a transcript."""

    def __init__(self, path, *args, program="inotifywait"):
        """ARGS as the user would give them, -m and -r among them."""
        self.path = os.fsdecode(path)
        self.process = subprocess.Popen(
            [*ENDS_WITH_US, "TERM", program, "--format", "%e %w%f", *args, self.path],
            bufsize=0, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self._buffer = {self.process.stdout: b"", self.process.stderr: b""}
        deadline = Deadline(f"{program}: Watches established")
        said = []
        while not said or "established" not in said[-1]:
            try:
                said.append(self._line(self.process.stderr, deadline))
            except EOFError:
                raise RuntimeError(f"{program}: {said}") from None

    def _line(self, stream, deadline):
        poll = select.poll()
        poll.register(stream, select.POLLIN)
        while b"\n" not in self._buffer[stream]:
            if not poll.poll(deadline.left_ms()):
                deadline.left()
            elif data := os.read(stream.fileno(), 1 << 16):
                self._buffer[stream] += data
            else:
                raise EOFError
        line, _, self._buffer[stream] = self._buffer[stream].partition(b"\n")
        return os.fsdecode(line)

    def _event(self, deadline):
        what, _, path = self._line(self.process.stdout, deadline).partition(" ")
        if path == self.path or path.startswith(f"{self.path}/"):
            path = path[len(self.path):].lstrip("/")
        what = what.replace("CLOSE_WRITE,CLOSE", "CLOSE_WRITE")
        what = what.replace("CLOSE_NOWRITE,CLOSE", "CLOSE_NOWRITE")
        return f"{what} {path}" if path else what

    def until(self, last):
        """Every line up to and with LAST."""
        return self.until_any(lambda line: line == last, f"inotifywait says {last}")

    def until_any(self, is_last, what):
        """Every line up to and with the first for which IS_LAST(line) is true."""
        deadline = Deadline(what)
        lines = []
        try:
            while not lines or not is_last(lines[-1]):
                lines.append(self._event(deadline))
        except TimeoutError as error:
            raise TimeoutError(f"{error}; seen: {lines[-50:]}") from None
        return lines

    def finish(self):
        """Waits for a one-shot inotifywait; its lines and its exit status."""
        deadline = Deadline("inotifywait ends")
        lines = []
        try:
            while True:
                lines.append(self._event(deadline))
        except EOFError:
            return lines, self.process.wait(deadline.left())

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()
