# SPDX-License-Identifier: Apache-2.0
"""The places where a log is collected, in this test's own view of /run and /dev: a
test plays journald and syslogd there.

    hide()                before the first of them; root's, in a mount namespace of its own
    Journal()             what it gets, field by field
    Syslog()              lines
"""

import array
import os
import re
import select
import socket
import struct
import tempfile

import libc
from wait import Deadline

JOURNAL = "/run/systemd/journal/socket"
JOURNAL_STREAM = "/run/systemd/journal/stdout"
SYSLOG = "/dev/log"

# All that the programs of these tests want of /dev.
_DEVICES = ("null", "zero", "full", "random", "urandom", "fuse", "tty")
_DIRECTORIES = ("shm", "pts")


def _mount(source, target, kind, flags=0):
    libc.call("mount", os.fsencode(source), os.fsencode(target), kind, flags, None)


def _new_dev():
    dev = tempfile.mkdtemp()
    _mount("tmpfs", dev, b"tmpfs")
    for name in _DEVICES + _DIRECTORIES:
        source, target = os.path.join("/dev", name), os.path.join(dev, name)
        if os.path.isdir(source):
            os.mkdir(target)
        elif os.path.exists(source):
            os.close(os.open(target, os.O_CREAT))
        else:
            continue
        _mount(source, target, None, libc.MS_BIND)
    os.symlink("/proc/self/fd", os.path.join(dev, "fd"))
    _mount(dev, "/dev", None, libc.MS_BIND | libc.MS_REC)
    libc.call("umount2", os.fsencode(dev), libc.MNT_DETACH)
    os.rmdir(dev)


def hide():
    """The machine's own journal and syslog."""
    _mount("tmpfs", "/run", b"tmpfs")
    _new_dev()
    os.makedirs(os.path.dirname(JOURNAL))


class _Collector:
    def __init__(self, path):
        self.path = path
        self.raw = b""  # all of it
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.socket.bind(path)

    def close(self):
        self.socket.close()
        if os.path.exists(self.path):
            os.unlink(self.path)

    def _receive(self, deadline):
        """A datagram, and the process that sent it."""
        self.socket.settimeout(deadline.left())
        data, ancillary, _, _ = self.socket.recvmsg(1 << 20, 1 << 10)
        pid = None
        for level, kind, payload in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
                pid = struct.unpack("3i", payload)[0]
            elif (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                data += _contents(payload)
        self.raw += data
        return data, pid

    def until(self, pattern):
        """The next one with such a message."""
        deadline = Deadline(f"the log says {pattern}")
        while True:
            entry = self.next(deadline)
            if re.search(pattern, entry["MESSAGE"]):
                return entry

    def next(self, deadline=None):
        raise NotImplementedError

    def queued(self):
        """Those that are there already."""
        entries = []
        while select.select([self.socket], [], [], 0)[0]:
            entries.append(self.next())
        return entries


def _contents(rights):
    """Of the file in which a large entry comes."""
    fds = array.array("i")
    fds.frombytes(rights)
    with open(fds[0], "rb") as file:
        file.seek(0)
        return file.read()


class Journal(_Collector):
    def __init__(self):
        super().__init__(JOURNAL)

    def next(self, deadline=None):
        """{field: text}, and as _PID who sent it."""
        data, pid = self._receive(deadline or Deadline("an entry of the journal"))
        fields = {"_PID": pid}
        while data:
            line, _, data = data.partition(b"\n")
            key, equals, value = line.partition(b"=")
            if not equals:  # a value with newlines: its length, then it
                length = int.from_bytes(data[:8], "little")
                value, data = data[8:8 + length], data[8 + length + 1:]
            assert key.decode() not in fields, f"{key} twice"
            fields[key.decode()] = value.decode(errors="surrogateescape")
        return fields


class Syslog(_Collector):
    def __init__(self):
        super().__init__(SYSLOG)

    def next(self, deadline=None):
        """As Journal, with the fields that a line of syslog(3) has."""
        data, pid = self._receive(deadline or Deadline("a line of syslog"))
        found = re.fullmatch(r"<(\d+)>\w+ +\d+ [\d:]+ ([^\[]+)\[(\d+)\]: (.*)", data.decode())
        return {"PRIORITY": str(int(found[1]) % 8), "SYSLOG_FACILITY": str(int(found[1]) // 8),
                "SYSLOG_IDENTIFIER": found[2], "SYSLOG_PID": int(found[3]), "_PID": pid,
                "MESSAGE": found[4]}


class JournalStream:
    """What systemd makes a service's standard error: a stream to journald."""

    def __init__(self):
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(JOURNAL_STREAM)
        self._listener.listen()
        self.service = socket.socket(socket.AF_UNIX)
        self.service.connect(JOURNAL_STREAM)
        self._journal, _ = self._listener.accept()

    def close(self):
        for end in (self.service, self._journal, self._listener):
            end.close()
        os.unlink(JOURNAL_STREAM)

    def said(self):
        """What has come as plain lines, once nobody else holds the service's end."""
        self.service.close()
        with self._journal.makefile("rb") as lines:
            return lines.read()
