# SPDX-License-Identifier: Apache-2.0
"""What the kernel can do and Python's os cannot: libc itself, and mappings that may
end anywhere.

    call("flock", fd, LOCK_EX)     an OSError where C has -1 and errno
"""

import ctypes
import errno
import os

PROT_NONE, PROT_READ, PROT_WRITE, PROT_EXEC = 0, 1, 2, 4
MAP_SHARED, MAP_PRIVATE, MAP_POPULATE = 1, 2, 0x8000
CLONE_NEWNS = 0x20000
MS_REC, MS_BIND, MS_PRIVATE = 0x4000, 0x1000, 0x40000
MNT_DETACH = 2
PAGE = os.sysconf("SC_PAGE_SIZE")

_libc = ctypes.CDLL(None, use_errno=True)
# Those that return more than an int holds.
_LONG = {"getxattr", "listxattr", "mmap", "pathconf", "readahead", "splice", "syscall", "tee",
         "vmsplice"}


def call(name, *args):
    """Each of ARGS is a number, bytes, None, or anything of ctypes."""
    function = getattr(_libc, name)
    function.restype = ctypes.c_long if name in _LONG else ctypes.c_int
    # By itself ctypes would cut a number to an int.
    result = function(*(ctypes.c_long(arg) if isinstance(arg, int) else arg for arg in args))
    if result == -1:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


def tried(do, *args):
    """What DO gives, or the name of its error."""
    try:
        return do(*args)
    except OSError as error:
        return errno.errorcode[error.errno]


class Mapping:
    """LENGTH bytes of FD from OFFSET, of which there may be fewer in the file."""

    def __init__(self, fd, length, prot=PROT_READ, flags=MAP_SHARED, offset=0):
        self.length = length
        self.address = call("mmap", None, length, prot, flags, fd, offset)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        call("munmap", self.address, self.length)

    def read(self, start, length):
        return ctypes.string_at(self.address + start, length)

    def write(self, start, data):
        ctypes.memmove(self.address + start, data, len(data))

    def advise(self, advice):
        return call("madvise", self.address, self.length, advice)

    def resident(self):
        """Whether each page is in memory, as mincore says."""
        pages = ctypes.create_string_buffer(-(-self.length // PAGE))
        call("mincore", self.address, self.length, pages)
        return [byte & 1 for byte in pages.raw]
