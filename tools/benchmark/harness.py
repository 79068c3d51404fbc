# SPDX-License-Identifier: Apache-2.0
"""What every case of tools/bench has: a world to measure in, and the form of its results.

A case is a file case_NAME.py here, with

    def rows(world, quick):

that yields a Row, or a Growth, as soon as it has one.  QUICK: so small that the whole run
takes seconds; then only what is built with etcdfs itself is there."""

import contextlib
import dataclasses
import importlib
import os
import shutil
import signal
import subprocess
import tempfile
import time

import etcd
import mount

HERE = os.path.dirname(os.path.abspath(__file__))


@dataclasses.dataclass
class Row:
    """Two ways to do the same, measured in turn: the ratio is of each repetition."""

    what: str
    unit: str
    ours: list
    theirs: list
    target: float  # of the ratio, at most; None: none was set
    theirs_name: str
    note: str = ""

    def ratios(self):
        return sorted(a / b for a, b in zip(self.ours, self.theirs, strict=True))


@dataclasses.dataclass
class Growth:
    """How a cost grows: [(keys, cost), ...]."""

    what: str
    unit: str
    points: list


def case_names():
    return sorted(name[len("case_"):-len(".py")] for name in os.listdir(HERE)
                  if name.startswith("case_") and name.endswith(".py"))


def case(name):
    return importlib.import_module(f"case_{name}")


class World:
    """An etcd whose data is in memory, so that no disk is measured, and directories there.

    .etcd         it is running
    .etcdfs       the program
    .program()    the path of one of our programs here
    .go           the alternative in Go; built when it is first asked for
    .tmpdir       of a tmpfs
    .repetitions  of each measurement
    .idle_minutes of a mount that nothing happens to
    .at_most()    as many keys as the user lets a case have"""

    def __init__(self, build, quick, repetitions, idle_minutes=1, keys=None):
        self.etcdfs = os.path.join(build, "fs", "etcdfs")
        self.build = build
        self.quick = quick
        self.repetitions = repetitions
        self.idle_minutes = idle_minutes
        self._keys = keys
        self.tmpdir = None
        self.etcd = None
        self._go = None
        self._stack = contextlib.ExitStack()

    def __enter__(self):
        self.tmpdir = tempfile.mkdtemp(prefix="etcdfs-bench-", dir="/dev/shm")
        self._stack.callback(shutil.rmtree, self.tmpdir, ignore_errors=True)
        self.etcd = self._stack.enter_context(self.own_etcd())
        return self

    def __exit__(self, *what):
        self._stack.close()

    @property
    def go(self):
        if self._go is None:
            self._go = os.path.join(self.build, "alternative")
            subprocess.run([os.path.join(HERE, "alternative", "build"), self._go], check=True,
                           stdin=subprocess.DEVNULL)
        return self._go

    def program(self, name):
        return os.path.join(self.build, "tools", "benchmark", name)

    def at_most(self, count):
        return min(count, self._keys or count)

    def directory(self):
        return tempfile.mkdtemp(dir=self.tmpdir)

    @contextlib.contextmanager
    def own_etcd(self, *args):
        """Another one, for a case that fills or disturbs it."""
        server = etcd.Etcd(self.directory(), "--quota-backend-bytes=8589934592",
                           "--snapshot-count=10000", *args)
        try:
            yield server.start()
        finally:
            server.stop()
            shutil.rmtree(server.directory)

    @contextlib.contextmanager
    def mount(self, keys, *args, **options):
        """Of KEYS (an etcd.Keys), as tests/lib/mount.py has it."""
        mounted = mount.Mount(self.etcdfs, keys, self.directory(), args, **options)
        try:
            yield mounted.start()
        finally:
            mounted.finish()

    def alternating(self, ours, theirs):
        """What the two return, each as often as there are repetitions, in turn.  Once
        before that for nothing: caches, frequencies."""
        ours()
        theirs()
        pairs = [(ours(), theirs()) for _ in range(self.repetitions)]
        return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


@contextlib.contextmanager
def stopped(process):
    """What happens in the body is all there when PROCESS goes on."""
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def cpu_seconds(pid):
    """User's and system's of a process so far, all its threads' and to the nanosecond."""
    return time.clock_gettime(~pid << 3 | 2)  # what clock_getcpuclockid(3) gives for it


def status_bytes(pid, field):
    """VmRSS, VmHWM."""
    with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))


class Peak:
    """The most that is resident of a process in the body, from what is at its begin."""

    def __init__(self, pid):
        with open(f"/proc/{pid}/clear_refs", "w", encoding="ascii") as refs:
            refs.write("5")  # resets the high water mark
        self._pid = pid

    def bytes(self):
        return status_bytes(self._pid, "VmHWM")
