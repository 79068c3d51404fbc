# SPDX-License-Identifier: Apache-2.0
"""A fake etcd (fake_etcd.py) under way: orders to it, and what its clients do."""

import collections
import os
import queue
import subprocess
import threading

from etcd import free_port, to_bytes
from keyspace_log import escape, unescape
from wait import ENDS_WITH_US, LIMIT, Deadline

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fake_etcd.py")

# Of "opened", "closed" and so on: what, and the words that follow.
Deed = collections.namedtuple("Deed", ("what", "words"))


class FakeEtcd:
    """Can stand where an Etcd does, as far as keys go."""

    def __init__(self):
        self.port = free_port()
        self.endpoint = f"127.0.0.1:{self.port}"
        self._deeds = []  # what clients did, protected by _told
        self._told = threading.Condition()
        self._answers = queue.Queue()
        self._process = subprocess.Popen(
            [*ENDS_WITH_US, "KILL", "/usr/bin/python3", PROGRAM, str(self.port)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        threading.Thread(target=self._read, daemon=True).start()
        self.until(lambda seen: seen("listening"), "the fake listens")

    def stop(self):
        self._process.stdin.close()
        if self._process.wait(timeout=LIMIT):
            raise RuntimeError(f"the fake ended with {self._process.returncode}")

    def order(self, *words):
        """Gives an order; returns the answer, bytes."""
        line = b" ".join(word if isinstance(word, bytes) else str(word).encode() for word in words)
        self._process.stdin.write(line + b"\n")
        self._process.stdin.flush()
        try:
            verdict, _, answer = self._answers.get(timeout=LIMIT).partition(b" ")
        except queue.Empty:
            raise TimeoutError(f"the fake does not answer: {line.decode()}") from None
        if verdict != b"ok":
            raise RuntimeError(f"{line.decode()}: {answer.decode()}")
        return answer

    # The keys.

    def put(self, key, value):
        return self.txn((key, value))

    def delete(self, key):
        return self.txn((key, None))

    def txn(self, *ops):
        """(key, value or None)...; returns the revision."""
        words = []
        for key, value in ops:
            words += ["delete" if value is None else "put", _word(key)]
            words += [] if value is None else [_word(value)]
        return int(self.order("txn", *words))

    def fill(self, prefix, keys, size, times=1):
        return int(self.order("fill", _word(prefix), keys, size, times))

    def keys(self, prefix):
        """{key: value} of every key that begins with PREFIX."""
        words = [unescape(word) for word in self.order("show", _word(prefix)).split(b" ")]
        return dict(zip(words[::2], words[1::2]))

    # What clients do.

    def did(self, what, method=None):
        """The Deeds called WHAT, of requests and calls those of METHOD."""
        self.order("sync")
        with self._told:
            return self._seen(what, method)

    def until(self, condition, what):
        """Waits until CONDITION(seen), where seen() is did(), asked after each Deed."""
        deadline = Deadline(what)
        with self._told:
            while not condition(self._seen):
                self._told.wait(deadline.left())

    def _seen(self, what, method=None):
        return [deed for deed in self._deeds
                if deed.what == what and (not method or deed.words[1] == method)]

    def _read(self):
        for line in self._process.stdout:
            word, _, rest = line.rstrip(b"\n").partition(b" ")
            if word in (b"ok", b"error"):
                self._answers.put(line.rstrip(b"\n"))
                continue
            with self._told:
                self._deeds.append(Deed(word.decode(), rest.decode().split(" ", 2)))
                self._told.notify_all()
        self._process.stdout.close()
        self._answers.put(b"error the fake has ended")


def _word(data):
    return escape(to_bytes(data))
