# SPDX-License-Identifier: Apache-2.0
"""Programs that others wrote, as a test runs them.

None of them knows etcdfs.  Where one does not say that it is ready, the kernel says
which inodes it watches (/proc/PID/fdinfo).
"""

import glob
import os
import re
import select
import shutil
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import case  # noqa: E402
from wait import ENDS_WITH_US, Deadline  # noqa: E402

ENVIRONMENT = {**os.environ, "LC_ALL": "C", "ETCDCTL_API": "3",
               "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
main, privileged_only = case.main, case.privileged_only
_WATCH = re.compile(r"^inotify wd:\S+ ino:(\w+) sdev:(\w+)", re.MULTILINE)


def find(name):
    """The path of a program, daemons' among them; None if there is none."""
    return shutil.which(name, path=ENVIRONMENT["PATH"])


def _watched(pid):
    """(inode, device) of all that a process has an inotify watch on."""
    watched = set()
    for info in glob.glob(f"/proc/{pid}/fdinfo/*"):
        try:
            with open(info, encoding="ascii") as lines:
                found = _WATCH.findall(lines.read())
        except OSError:  # closed meanwhile
            continue
        watched |= {(int(inode, 16), int(device, 16)) for inode, device in found}
    return watched


def _identity(path):
    """PATH as _watched names it."""
    status = os.stat(path)
    return status.st_ino, os.major(status.st_dev) << 20 | os.minor(status.st_dev)


class Program:
    """A process and its children; what they say on both streams, line by line."""

    def __init__(self, *command, **options):
        """OPTIONS are subprocess.Popen's."""
        self.name = os.path.basename(command[0])
        options = {"stdin": subprocess.DEVNULL, "env": ENVIRONMENT, **options}
        self.process = subprocess.Popen(
            [*ENDS_WITH_US, "TERM", *command], bufsize=0, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
        self.said = []  # every line that a wait has consumed
        self._buffer = b""

    @property
    def pid(self):
        return self.process.pid

    def _read(self, deadline):
        """More of what it says; False at its end."""
        poll = select.poll()
        poll.register(self.process.stdout, select.POLLIN)
        if not poll.poll(deadline.left_ms()):
            deadline.left()
        data = os.read(self.process.stdout.fileno(), 1 << 16)
        self._buffer += data
        return bool(data)

    def line(self, deadline=None):
        """The next line, also one without an end."""
        deadline = deadline or Deadline(f"a line of {self.name}")
        try:
            while b"\n" not in self._buffer and self._read(deadline):
                pass
        except TimeoutError as error:
            raise TimeoutError(f"{error}; said: {self._all()}") from None
        if not self._buffer:
            raise EOFError(f"{self.name} has ended; said: {self._all()}")
        line, _, self._buffer = self._buffer.partition(b"\n")
        self.said.append(os.fsdecode(line))
        return self.said[-1]

    def _all(self):
        return [*self.said[-50:], os.fsdecode(self._buffer)]

    def until(self, last):
        """Every line up to and with the first that contains LAST."""
        deadline = Deadline(f"{self.name} says {last}")
        lines = [self.line(deadline)]
        while last not in lines[-1]:
            lines.append(self.line(deadline))
        return lines

    def expect(self, text):
        """Waits until it has said TEXT next, exactly this, lines or not."""
        deadline = Deadline(f"{self.name} says {text!r}")
        wanted = text.encode()
        while len(self._buffer) < len(wanted) and wanted.startswith(self._buffer):
            try:
                if not self._read(deadline):
                    break
            except TimeoutError as error:
                raise TimeoutError(f"{error}; said: {self._all()}") from None
        if not self._buffer.startswith(wanted):
            raise AssertionError(f"{self.name} should say {text!r}, said {self._all()}")
        self._buffer = self._buffer[len(wanted):]

    def has_said(self):
        """Whether it has said something that nobody has read."""
        poll = select.poll()
        poll.register(self.process.stdout, select.POLLIN)
        return bool(self._buffer or poll.poll(0))

    def rest(self):
        """What it said since, having ended."""
        deadline = Deadline(f"{self.name} ends")
        while self._read(deadline):
            pass
        rest, self._buffer = os.fsdecode(self._buffer), b""
        return rest

    def wait_watching(self, *paths, pid=None):
        """Returns when it, or its child PID, watches each of PATHS."""
        deadline = Deadline(f"{self.name} watches {paths}")
        while not {_identity(path) for path in paths} <= _watched(pid or self.pid):
            if self.process.poll() is not None:
                raise AssertionError(f"{self.name} ended with {self.process.returncode}: "
                                     f"{self.rest()}")
            deadline.pause()

    def stop(self, signum=signal.SIGTERM):
        """Ends it and its children; returns its exit status."""
        try:
            os.killpg(self.pid, signum)
        except ProcessLookupError:
            pass
        return self.process.wait(Deadline(f"{self.name} ends").left())

    def close(self):
        try:
            self.stop()
        except TimeoutError:
            os.killpg(self.pid, signal.SIGKILL)
            self.process.wait()
        self.process.stdout.close()


class ProgramTest(case.MountTest):
    def need(self, name):
        """The path of a program; without it, the test is skipped."""
        path = find(name)
        if path is None:
            self.skipTest(f"no {name}")
        return path

    def start(self, name, *args, **options):
        """The program NAME, until the test ends."""
        self.need(name)
        program = Program(name, *args, **options)
        self.addCleanup(program.close)
        return program

    def script(self, text, *args):
        """A person's shell script, its pipelines included, until the test ends."""
        return self.start("sh", "-c", f"trap 'trap - TERM; kill 0' TERM\n{{ {text}\n}} &\nwait",
                          "sh", *args)

    def run_program(self, name, *args, **options):
        """The program NAME, to its end; what it says, and its status."""
        self.need(name)
        return subprocess.run([name, *args], check=False, text=True, timeout=30,
                              env=ENVIRONMENT, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)

    def write(self, name, text):
        """A file of the test's own directory; its path."""
        path = os.path.join(self.directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def eventually(self, expected, look, what):
        """Waits until LOOK(), which nobody tells about, returns EXPECTED."""
        deadline = Deadline(what)
        while (seen := look()) != expected:
            try:
                deadline.pause()
            except TimeoutError as error:
                raise TimeoutError(f"{error}; last: {seen!r}") from None
