# SPDX-License-Identifier: Apache-2.0
"""What inotify and fanotify have in common: a descriptor that gives events."""

import contextlib
import select

from wait import Deadline


class EventQueue:
    """Events that no wait has consumed stay queued.  Who inherits has `fd`, which does
    not block, and _read(), which queues what can be read by now."""

    WHAT = "an event"

    def __init__(self, fd):
        self.fd = fd
        self._queue = []

    def _poll(self, timeout_ms):
        poll = select.poll()
        poll.register(self.fd, select.POLLIN)
        return bool(poll.poll(timeout_ms))

    def ready(self, seconds):
        """Whether there is an event, or comes one within so many SECONDS."""
        return bool(self._queue) or self._poll(seconds * 1000)

    def next(self, deadline=None):
        """The next event."""
        deadline = deadline or Deadline(self.WHAT)
        while not self._queue:
            if self._poll(deadline.left_ms()):
                self._read()
            else:
                deadline.left()
        return self._queue.pop(0)

    def queued(self):
        """Every event that has been told by now; waits for none."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self._read()
        events, self._queue = self._queue, []
        return events
