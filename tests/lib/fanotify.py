# SPDX-License-Identifier: Apache-2.0
"""fanotify as the kernel gives it, to a listener with CAP_SYS_ADMIN.

Three things can be marked: an inode, one mount, a whole filesystem.  An event has a
descriptor of its object, or with REPORT_DFID_NAME the directory's handle and a name.
"""

import ctypes
import os
import struct
from collections import namedtuple

from event_queue import EventQueue

ACCESS, MODIFY, ATTRIB, CLOSE_WRITE, CLOSE_NOWRITE, OPEN = 1, 2, 4, 8, 16, 32
CREATE, DELETE, DELETE_SELF = 0x100, 0x200, 0x400
OPEN_PERM, ACCESS_PERM = 0x10000, 0x20000
EVENT_ON_CHILD, ONDIR = 0x08000000, 0x40000000

# What is marked.
INODE, MOUNT, FILESYSTEM = 0, 0x10, 0x100
_MARK_ADD, _AT_FDCWD = 1, -100

# What an event says, and whether somebody waits for the answer.
CONTENT = 4  # a class: who must answer
REPORT_FID, REPORT_DIR_FID, REPORT_NAME = 0x200, 0x400, 0x800
REPORT_DFID_NAME = REPORT_DIR_FID | REPORT_NAME
_NONBLOCK, _CLOEXEC = 2, 1
ALLOW, DENY = 1, 2

NAMES = {ACCESS: "ACCESS", MODIFY: "MODIFY", ATTRIB: "ATTRIB", CLOSE_WRITE: "CLOSE_WRITE",
         CLOSE_NOWRITE: "CLOSE_NOWRITE", OPEN: "OPEN", CREATE: "CREATE", DELETE: "DELETE",
         DELETE_SELF: "DELETE_SELF", OPEN_PERM: "OPEN_PERM", ACCESS_PERM: "ACCESS_PERM",
         ONDIR: "ONDIR"}

_METADATA = struct.Struct("=IBBHQii")
_INFO = struct.Struct("=BBH")
_RESPONSE = struct.Struct("=iI")
# After the header: fsid, then a file handle, whose bytes come after their count and kind.
_HANDLE = struct.Struct("=8sIi")

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result):
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


class Event(namedtuple("Event", "mask fd pid name")):
    """FD is of the object, -1 without one; NAME is None unless it is reported."""

    def __str__(self):
        what = ",".join(name for bit, name in NAMES.items() if self.mask & bit)
        return what if self.name is None else f"{what} {os.fsdecode(self.name)}"


class Listener(EventQueue):
    """One fanotify descriptor.  The descriptors that come with events are its own."""

    WHAT = "a fanotify event"

    def __init__(self, flags=0, open_flags=os.O_RDONLY):
        """FLAGS: CONTENT, REPORT_...; OPEN_FLAGS: how events' descriptors are opened."""
        super().__init__(_checked(_libc.fanotify_init(flags | _NONBLOCK | _CLOEXEC,
                                                      open_flags | os.O_CLOEXEC)))
        self._fds = []

    def mark(self, what, path, mask):
        _checked(_libc.fanotify_mark(self.fd, ctypes.c_uint(_MARK_ADD | what),
                                     ctypes.c_uint64(mask), _AT_FDCWD, os.fsencode(path)))

    def answer(self, event, response):
        """Ends the wait of who caused a permission EVENT."""
        os.write(self.fd, _RESPONSE.pack(event.fd, response))

    def close(self):
        """Whoever waits for an answer gets on.  A second time does nothing."""
        fds, self._fds, self.fd = [*self._fds, self.fd], [], -1
        for fd in fds:
            if fd >= 0:
                os.close(fd)

    def _read(self):
        data = os.read(self.fd, 1 << 16)
        while data:
            length, _, _, header, mask, fd, pid = _METADATA.unpack_from(data)
            if fd >= 0:
                self._fds.append(fd)
            self._queue.append(Event(mask, fd, pid, _name(data[header:length])))
            data = data[length:]


def _name(info):
    """The name in an event's first record, if it has one."""
    if not info:
        return None
    _, _, length = _INFO.unpack_from(info)
    _, count, _ = _HANDLE.unpack_from(info, _INFO.size)
    name = info[_INFO.size + _HANDLE.size + count:length].split(b"\0")[0]
    return name or None
