# SPDX-License-Identifier: Apache-2.0
"""A keyspace-log (keyspace-log.c) under way, and what its lines say.

    KEYSPACE_LOG names the program.
"""

import contextlib
import os
import re
import subprocess
import threading

from wait import LIMIT, Deadline

REASONS = ("compacted", "canceled", "history", "event_lost", "behind")


def unescape(text):
    return re.sub(rb"\\([0-7]{3})", lambda match: bytes([int(match[1], 8)]), text)


def escape(data):
    """As keyspace-log prints bytes."""
    return re.sub(rb"[^!-\[\]-~]", lambda match: b"\\%03o" % match[0][0], data)


class Log:
    """A keyspace-log, and the state of etcd as its lines alone tell it."""

    def __init__(self, endpoints, prefix, **env):
        self.keys = {}
        self.revision = 0
        self.batches = []  # (revision, [(key, value or None)...])
        self.seeds = []  # (revision, keys, changed)
        self.progress = 0
        self.state = self.endpoint = self.reconnects = self.replays_dropped = None
        self.error = self.failed = None
        self.states = []  # that it was in, in turn
        self.reseeds = dict.fromkeys(REASONS, 0)
        self.lost = 0
        self.faults = []
        self._diff = {}
        self._told = threading.Condition()
        self._process = subprocess.Popen(
            [os.environ["KEYSPACE_LOG"], endpoints, os.fsdecode(prefix)],
            env={**os.environ, **env}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        threading.Thread(target=self._read, daemon=True).start()

    def until(self, condition, what, limit=LIMIT):
        """Waits until CONDITION(self), asked after each line."""
        deadline = Deadline(what, limit)
        with self._told:
            while not condition(self):
                self._told.wait(deadline.left())
        return self

    def until_seeded(self):
        return self.until(lambda log: log.seeds and log.state == "live", "live")

    def until_reseeded(self):
        return self.until(lambda log: len(log.seeds) == 2 and log.state == "live", "the reseed")

    def until_at(self, revision):
        return self.until(lambda log: log.revision >= revision, f"revision {revision}")

    @contextlib.contextmanager
    def unread(self):
        """What it says stays in the pipe."""
        with self._told:
            yield

    def memory(self):
        """Resident, in bytes."""
        with open(f"/proc/{self._process.pid}/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def signal(self, number):
        self._process.send_signal(number)

    def stop(self):
        """Ends the program; returns its status and what it said on stderr."""
        if not self._process.stdin.closed:
            self._process.stdin.close()
            self._errors = self._process.stderr.read().decode()
            self._process.stderr.close()
        return self._process.wait(timeout=LIMIT), self._errors

    def _read(self):
        for line in self._process.stdout:
            with self._told:
                self._take(line.rstrip(b"\n").split(b" "))
                self._told.notify_all()
        self._process.stdout.close()

    def _take(self, words):
        getattr(self, "_on_" + words[0].decode())(*map(unescape, words[1:]))

    def _on_begin(self, revision):
        self._diff = {}

    def _on_diff(self, key, value=None, *numbers):
        self._diff[key] = value

    def _on_end(self, revision, keys, changed):
        for key, value in self._diff.items():
            self._set(key, value)
        self.revision = int(revision)
        self.seeds.append((int(revision), int(keys), int(changed)))

    def _on_batch(self, revision, events):
        if int(revision) <= self.revision:
            self.faults.append(f"batch {revision} after {self.revision}")
        self.batches.append((int(revision), []))
        self._left = int(events)

    def _on_put(self, key, value, *numbers):
        self._set(key, value)
        self._on_event(key, value)

    def _on_delete(self, key, mod_revision):
        self._set(key, None)
        self._on_event(key, None)

    def _on_event(self, key, value):
        revision, events = self.batches[-1]
        events.append((key, value))
        if len(events) == self._left:
            self.revision = revision

    def _set(self, key, value):
        if value is None:
            self.keys.pop(key, None)
        else:
            self.keys[key] = value

    def _on_lost(self, revision):
        self.lost += 1

    def _on_progress(self, revision):
        if int(revision) <= self.revision:
            self.faults.append(f"progress {revision} after {self.revision}")
        self.progress = self.revision = int(revision)

    def _on_state(self, name, endpoint, reconnects, replays_dropped, *rest):
        self.state, self.endpoint = name.decode(), endpoint.decode()
        self.reconnects, self.replays_dropped = int(reconnects), int(replays_dropped)
        if self.states[-1:] != [self.state]:
            self.states.append(self.state)
        self.reseeds = dict(zip(REASONS, map(int, rest)))
        self.error = b" ".join(rest[len(REASONS):]).decode()

    def _on_failed(self, *words):
        self.failed = b" ".join(words).decode()

    def _on_stopped(self):
        pass
