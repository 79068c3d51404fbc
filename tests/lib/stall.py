# SPDX-License-Identifier: Apache-2.0
"""Stops the world at a chosen place, so that a race has only one way to go.

A Gate keeps everybody out who wants to change a directory; a Freeze leaves requests
unanswered.  Whether somebody has got to where he waits is read off /proc.
"""

import ctypes
import mmap
import os
import signal
import threading

from wait import LIMIT, Deadline

PAGE = mmap.PAGESIZE
# getdents64 of glibc, ptrace: both let go of the interpreter's lock.
_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = _libc.mmap.restype = ctypes.c_long
PR_SET_DUMPABLE = 4
PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 17, 0x4206, 0x4207
WALL = 0x40000000


def _show_ourselves():
    """Who was root has no right to look into /proc/self."""
    _libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)


def _proc(tid, name, pid="self"):
    with open(f"/proc/{pid}/task/{tid}/{name}", encoding="ascii", errors="replace") as file:
        return file.read().strip()


def state(tid, pid="self"):
    """R: runs, S: waits, D: waits and heeds no signal (for a lock of the kernel's)."""
    return _proc(tid, "stat", pid).rpartition(")")[2].split()[0]


def thread_named(pid, name):
    for tid in os.listdir(f"/proc/{pid}/task"):
        if _proc(tid, "comm", pid) == name:
            return int(tid)
    raise LookupError(name)


def until(condition, what):
    deadline = Deadline(what)
    while not condition():
        deadline.pause()


def _waits_for_answer(tid, pid="self"):
    # The call is not that for a lock in the process, the interpreter's for example.
    return state(tid, pid) != "R" and (
        _proc(tid, "syscall", pid).split()[0] not in ("running", str(_FUTEX)))


def until_asked(tid, pid):
    """Until the thread waits for an answer, which is not given."""
    until(lambda: _waits_for_answer(tid, pid), f"{tid} waits for an answer")


class Doing(threading.Thread):
    """FUNCTION(*ARGS) in a thread, and what came of it."""

    def __init__(self, function, *args):
        super().__init__(daemon=True)  # one that never ends must not keep the test
        self._call = function, args
        self._result = self._error = None
        _show_ourselves()
        self.start()

    def run(self):
        function, args = self._call
        try:
            self._result = function(*args)
        except OSError as error:
            self._error = error

    def result(self):
        self.join(LIMIT)
        if self.is_alive():
            raise TimeoutError(f"{self._call} waits in {_proc(self.native_id, 'wchan')}")
        if self._error:
            raise self._error
        return self._result

    def until_locked_out(self):
        """Until it waits for a lock of the kernel's."""
        self._until(lambda: state(self.native_id) == "D", "waits for a lock")

    def until_asked(self):
        """Until it waits for an answer, which is not given."""
        self._until(lambda: _waits_for_answer(self.native_id), "waits for an answer")

    def _until(self, condition, what):
        try:
            until(condition, f"{self._call} {what}")
        except FileNotFoundError:
            raise AssertionError(f"{self._call}: {self.result()}, and it never {what}") from None


class Gate:
    """While it is closed, whoever wants to change the directory waits, the announcer's
    invalidations included; and after him in the queue whoever looks up a name in it
    that the kernel has not seen.

    A listing holds the directory, because it is read into memory that does not come:
    a page of a file on the mount SLOW, whose daemon is stopped meanwhile.
    """

    KEY, VALUE = "page", bytes(PAGE)  # what SLOW must show

    def __init__(self, slow):
        self._slow = slow
        self._listing = None

    def close(self, path):
        pid = self._slow.process.pid
        page = self._map()
        fd = self._open(path)
        os.kill(pid, signal.SIGSTOP)
        until(lambda: state(pid, pid) == "T", "it stops")
        self._listing = Doing(self._list, fd, page)
        self._listing.until_asked()

    def open(self):
        if self._listing:
            os.kill(self._slow.process.pid, signal.SIGCONT)
            self._listing.result()
            self._listing = None

    def _map(self):
        with open(self._slow.join(self.KEY), "rb") as file:
            page = _libc.mmap(None, PAGE, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE,
                              file.fileno(), 0)
            # The kernel keeps pages; of another revision it has none.
            self._slow.keys.put(self.KEY, self.VALUE)
            self._slow.settle()
            return page

    @staticmethod
    def _open(path):
        """Of a listing that does not begin at the beginning the kernel keeps the entries alone."""
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        os.lseek(fd, 2, os.SEEK_SET)
        return fd

    @staticmethod
    def _list(fd, page):
        length = _libc.getdents64(fd, ctypes.c_void_p(page), PAGE)
        os.close(fd)
        _libc.munmap(ctypes.c_void_p(page), PAGE)
        return length


class Freeze:
    """Stops those threads of a daemon that wait for requests, and no others; or TIDS."""

    def __init__(self, mount, tids=()):
        self._pid = mount.process.pid
        self._tids = tids
        self._stopped = []

    def close(self):
        if not self._tids:
            until(self._readers, "request threads")
        for tid in self._tids or self._readers():
            self._stop(tid)

    def close_all(self):
        """Also those that answer one just now, and those that they start meanwhile."""
        while new := set(self._workers()) - set(self._stopped):
            for tid in new:
                self._stop(tid)

    def _stop(self, tid):
        self._ptrace(PTRACE_SEIZE, tid)
        self._stopped.append(tid)
        self._ptrace(PTRACE_INTERRUPT, tid)
        os.waitpid(tid, WALL)

    def open(self):
        while self._stopped:
            self._ptrace(PTRACE_DETACH, self._stopped.pop())

    def until_killed(self):
        """They are gone, one and all, with their process."""
        def gone(tid):
            try:
                return os.waitpid(tid, WALL | os.WNOHANG)[0] == tid and not os.path.exists(
                    f"/proc/{self._pid}/task/{tid}")
            except ChildProcessError:
                return True
        while self._stopped:
            tid = self._stopped.pop()
            until(lambda tid=tid: gone(tid), f"{tid} is killed")

    def _workers(self):
        """All other threads have names of their own."""
        name = _proc(self._pid, "comm", self._pid)
        return [tid for tid in map(int, os.listdir(f"/proc/{self._pid}/task"))
                if tid != self._pid and _proc(tid, "comm", self._pid) == name]

    def _readers(self):
        return [tid for tid in map(int, os.listdir(f"/proc/{self._pid}/task"))
                if self._reads_requests(tid)]

    def _reads_requests(self, tid):
        call = _proc(tid, "syscall", self._pid).split()
        try:
            return os.readlink(f"/proc/{self._pid}/fd/{int(call[1], 16)}") == "/dev/fuse"
        except (IndexError, OSError):
            return False

    @staticmethod
    def _ptrace(request, tid):
        if _libc.ptrace(request, tid, None, None) < 0:
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error))


def _futex():
    """The number of the call in which a thread waits for a lock."""
    lock = threading.Lock()
    with lock:
        waiter = threading.Thread(target=lock.acquire)
        waiter.start()
        deadline = Deadline("a thread waits")
        while state(waiter.native_id) != "S":
            deadline.pause()
        number = int(_proc(waiter.native_id, "syscall").split()[0])
    waiter.join()
    return number


_FUTEX = _futex()
