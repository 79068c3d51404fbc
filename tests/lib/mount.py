# SPDX-License-Identifier: Apache-2.0
"""etcdfs in the foreground on a directory of its own, its log under watch.

Two ways of mounting are tested: privileged (root: the visible mount is read-only,
the daemon acts on a clone) and as an ordinary user through fusermount3.

ETCDFS names the program, ETCDFS_WRAPPER a command to run it under (valgrind ...).
"""

import itertools
import json
import os
import re
import select
import shlex
import signal
import subprocess

import inotify
from wait import ENDS_WITH_US, Deadline

# A kept directory for keys that only say "everything before me has arrived".
TICKS = "~ticks"

_COMPLAINT = re.compile(r"\b(warning|error|critical)\b", re.IGNORECASE)
_DEBUG = re.compile(r"\bdebug\b", re.IGNORECASE)
_REPORT = re.compile(r"Sanitizer|runtime error:|ERROR SUMMARY: [1-9]|lost: [1-9]")


def privileged():
    return os.geteuid() == 0


def wrapper():
    return shlex.split(os.environ.get("ETCDFS_WRAPPER", ""))


def mounts():
    """(mount point, options, type) of everything mounted."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as lines:
        for line in lines:
            left, _, right = line.partition(" - ")
            fields = left.split()
            point = re.sub(r"\\(\d{3})", lambda octal: chr(int(octal[1], 8)), fields[4])
            yield point, fields[5].split(","), right.split()[0]


def find_mount(directory):
    """The options of the etcdfs mounted on DIRECTORY, None when there is none."""
    for point, options, kind in mounts():
        if point == directory and kind == "fuse.etcdfs":
            return options
    return None


def wait_mounts(condition, deadline, process=None):
    """Waits until CONDITION(), which looks at the mounts, or PROCESS's end."""
    ended = os.pidfd_open(process.pid) if process else None
    try:
        with open("/proc/self/mountinfo", "rb") as changes:
            poll = select.poll()
            poll.register(changes, select.POLLPRI)
            if ended is not None:
                poll.register(ended, select.POLLIN)
            while not condition():
                if process and process.poll() is not None:
                    return False
                changes.seek(0)
                changes.read()
                if condition():  # it may have changed before this reading
                    return True
                poll.poll(deadline.left_ms())
        return True
    finally:
        if ended is not None:
            os.close(ended)


def unmount_command(directory):
    return ["umount", directory] if privileged() else ["fusermount3", "-u", directory]


def unmount(point, *command, held=False):
    """What a person does at POINT (or COMMAND); returns how it ended.  Root succeeds at the
    first try.  An ordinary user's announcer acts through the visible mount, and while it does
    the mount is busy: there, a few tries may be needed, unless it is HELD by the test."""
    deadline = Deadline("the mount is not busy")
    while True:
        result = subprocess.run([*command, point] if command else unmount_command(point),
                                check=False, text=True, stdin=subprocess.DEVNULL,
                                capture_output=True)
        if privileged() or held or "busy" not in result.stderr:
            return result
        deadline.left()


def daemons(point):
    """The processes that have POINT, where one is or will be mounted, as an argument."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as arguments:
                if os.fsencode(point) in arguments.read().split(b"\0"):
                    found.append(int(pid))
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found


def unmount_from_background(point, *command):
    """Returns when the daemon is gone, too.  COMMAND: instead of what a person does."""
    ends = [os.pidfd_open(pid) for pid in daemons(point)]
    if command:
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    elif (result := unmount(point)).returncode:
        raise AssertionError(f"{point}: {result.stderr.strip()}")
    for end in ends:
        if not select.select([end], [], [], Deadline("the daemon ends").left())[0]:
            raise AssertionError(f"{point} is unmounted, and the daemon has not ended")
        os.close(end)


class Log:
    """What a daemon says, in the file it writes to."""

    def __init__(self, path, allow=()):
        """ALLOW: patterns of the complaints that the test provokes."""
        self.path = path
        self.allow = [re.compile(pattern) for pattern in allow]

    def lines(self):
        with open(self.path, encoding="utf-8", errors="replace") as lines:
            return lines.read().splitlines()

    def since(self, start):
        """The bytes from START on."""
        with open(self.path, "rb") as log:
            log.seek(start)
            return log.read()

    def complaints(self):
        return [line for line in self.lines() if self._complains(line)]

    def _complains(self, line):
        if _REPORT.search(line):
            return True
        if _DEBUG.search(line) or not _COMPLAINT.search(line):
            return False
        return not any(pattern.search(line) for pattern in self.allow)


class Mount:
    def __init__(self, program, keys, directory, args=(), source=None, allow=(), endpoint=None,
                 early=False):
        """KEYS (an etcd.Keys) is what shows in DIRECTORY/mnt; ENDPOINT stands in
        for etcd's own (a proxy); SOURCE replaces the whole URL.  EARLY: it counts as
        ready as soon as it shows among the mounts."""
        self.early = early
        self.keys = keys
        self.path = os.path.join(directory, "mnt")
        os.makedirs(self.path, exist_ok=True)
        self.log = Log(os.path.join(directory, "etcdfs.log"), allow)
        endpoint = endpoint or keys.etcd.endpoint
        self.source = source or f"etcd://{endpoint}{keys.prefix.decode()}"
        self.command = [*wrapper(), program, self.source, self.path, "-f", *args]
        self.process = None
        self.held = False  # the test itself keeps the mount busy
        self._ticks = itertools.count(1)
        self._ticker = None

    def start(self):
        """Returns once the tree is there."""
        self.keys.put(f"{TICKS}/tick", "0")
        with open(self.log.path, "ab") as log:
            said = log.tell()
            self.process = subprocess.Popen([*ENDS_WITH_US, "TERM", *self.command],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        if not (self._wait_shown() if self.early else self._wait_said(said)):
            raise RuntimeError(f"etcdfs ended with {self.process.returncode}: {self.log.lines()}")
        return self

    def _wait_shown(self):
        return wait_mounts(lambda: find_mount(self.path) is not None,
                           Deadline("etcdfs mounts"), self.process)

    def _wait_said(self, start):
        """Waits until its log, from START on, says that it is mounted, or for its end."""
        deadline = Deadline("etcdfs says that it is mounted")
        watcher = inotify.Watcher()
        watcher.add(self.log.path, inotify.MODIFY)
        ended = os.pidfd_open(self.process.pid)
        poll = select.poll()
        poll.register(watcher.fd, select.POLLIN)
        poll.register(ended, select.POLLIN)
        try:
            while b" is mounted on " not in self.log.since(start):
                if self.process.poll() is not None:
                    return False
                poll.poll(deadline.left_ms())
                watcher.queued()
            return True
        finally:
            watcher.close()
            os.close(ended)

    def join(self, *names):
        """A path in the mount, of the type of its last name."""
        if names and isinstance(names[-1], bytes):
            return os.path.join(os.fsencode(self.path), *map(os.fsencode, names))
        return os.path.join(self.path, *names)

    def read(self, *names):
        with open(self.join(*names), "rb") as file:
            return file.read()

    def list(self, *names):
        """The sorted names in a directory, without this fixture's own."""
        return sorted(name for name in os.listdir(self.join(*names)) if name != TICKS)

    def shown(self):
        """{key: (value, create_revision, mod_revision, version)} of every file, the
        prefix taken off the key."""
        found = {}
        for directory, _, names in os.walk(self.path):
            for name in names:
                with open(os.path.join(directory, name), "rb") as file:
                    key, *numbers = (os.getxattr(file.fileno(), f"user.etcd.{name}") for name in
                                     ("key", "create_revision", "mod_revision", "version"))
                    found[key.removeprefix(self.keys.prefix)] = (file.read(), *map(int, numbers))
        return found

    def status(self):
        return json.loads(self.read(".etcdfs", "status"))

    def process_status(self, field):
        """A number of the daemon's /proc/PID/status: Threads, VmRSS (in KiB)..."""
        with open(f"/proc/{self.process.pid}/status", encoding="utf-8") as lines:
            return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))

    def settle(self):
        """Returns when every change made so far has been applied and told."""
        if self._ticker is None:
            self._ticker = inotify.Watcher()
            self._ticker.add(self.join(TICKS), inotify.CLOSE_WRITE)
        revision = self.keys.put(f"{TICKS}/tick", str(next(self._ticks)))
        self._ticker.until_closed("tick")
        while self.status()["revision"] < revision:  # that was for another mount of these keys
            self._ticker.until_closed("tick")
        # What came with a new directory is told a moment after everything else.
        deadline = Deadline("nothing is left to tell")
        while self.status()["announcements"]["pending"]:
            deadline.left()

    def wait_state(self, *states):
        """Waits until the connection is in one of STATES; returns the status."""
        watcher = inotify.Watcher()
        try:
            while True:
                # On the file: it is another inode at each change of state.
                watcher.add(self.join(".etcdfs", "status"), inotify.CLOSE_WRITE)
                status = self.status()
                if status["state"] in states:
                    return status
                watcher.until(lambda event: event.mask & inotify.CLOSE_WRITE,
                              f"state {' or '.join(states)}, last {status}")
        finally:
            watcher.close()

    def unmount(self, *command):
        return unmount(self.path, *command, held=self.held)

    def terminate(self, signum=signal.SIGTERM):
        """To the daemon, which a wrapper may have started for us or become."""
        self.process.send_signal(signum)

    def wait_end(self):
        """The daemon's exit status, once it and its mount are gone."""
        status = self.process.wait(Deadline("etcdfs ends").left())
        self.process = None
        if find_mount(self.path) is not None:
            subprocess.run(unmount_command(self.path), check=False, capture_output=True)
            raise AssertionError(f"etcdfs ended with {status} and left its mount on {self.path}")
        return status

    def finish(self):
        """Unmounts, if the test has not; checks the end and the log."""
        problems = []
        if self._ticker:
            self._ticker.close()
        if self.process and self.process.poll() is None:
            result = self.unmount()
            if result.returncode:
                problems.append(f"unmount: {result.stderr.strip()}")
                self.process.kill()
                subprocess.run(["umount" if privileged() else "fusermount3",
                                *(["-l"] if privileged() else ["-u", "-z"]), self.path],
                               check=False, capture_output=True)
        if self.process:
            try:
                if status := self.wait_end():
                    problems.append(f"exit status {status}")
            except (subprocess.TimeoutExpired, AssertionError) as error:
                problems.append(str(error))
                if self.process:
                    self.process.kill()
                    self.process.wait()
        if os.path.exists(self.log.path):
            problems += self.log.complaints()
        if problems:
            raise AssertionError("etcdfs: " + "\n".join(problems))
