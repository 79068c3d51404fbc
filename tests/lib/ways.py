# SPDX-License-Identifier: Apache-2.0
"""Every way to read a file, as far as it is open: WAYS.

A way is a function of a descriptor and the file's size, and gives all that it saw;
what a call that failed saw is its errno.  What on a mount is not as on tmpfs is in the
table, with the reason.
"""

import ctypes
import hashlib
import os
import random
import resource
import signal
import socket
import struct
from collections import namedtuple

import libc
from libc import PAGE, Mapping, call, tried

CHUNK = 32 << 10  # always fits into an empty pipe


def brief(seen):
    """SEEN, as text that a person can compare."""
    if isinstance(seen, (list, tuple)):
        return [brief(each) for each in seen]
    if isinstance(seen, (bytes, bytearray)) and len(seen) > 40:
        return f"{len(seen)} bytes, {hashlib.sha256(seen).hexdigest()}"
    return seen


def up_to_page(size):
    return -(-size // PAGE) * PAGE


def edges(size):
    """Offsets at which something is different."""
    return sorted({-1, 0, 1, size // 2, size - 1, size, size + 1, 4095, 4096, 1 << 40,
                   (1 << 63) - 1})


# ---- into a buffer ----

def by_read(fd, size):
    for piece in (1, 511, 4096, 100000, size + 1):
        if size // piece < 5000:
            os.lseek(fd, 0, os.SEEK_SET)
            yield b"".join(iter(lambda: os.read(fd, piece), b""))
            yield os.read(fd, piece)
            yield os.lseek(fd, 0, os.SEEK_CUR)


def by_pread(fd, size):
    for offset in edges(size):
        for length in (0, 1, 4096, size, size + 1):
            yield tried(os.pread, fd, length, offset)


def by_pread_anywhere(fd, size):
    rng = random.Random(size)
    for _ in range(50):
        yield os.pread(fd, rng.randrange(size + 10), rng.randrange(size + 10))


def buffers(size):
    return [bytearray(length) for length in (0, 1, 4095, size, 0, 4097)]


def by_readv(fd, size):
    for _ in range(2):
        vector = buffers(size)
        yield os.readv(fd, vector)
        yield vector


def by_preadv(fd, size):
    for offset in edges(size):
        vector = buffers(size)
        yield tried(os.preadv, fd, vector, offset)
        yield vector


def by_preadv2(flags):
    def way(fd, size):
        os.pread(fd, size, 0)  # so that nothing has to be waited for
        vector = [bytearray(size + 1)]
        yield tried(os.preadv, fd, vector, 0, flags)
        yield vector
    return way


def by_readahead(fd, size):
    for offset in edges(size):
        yield tried(call, "readahead", fd, offset, size)
    yield os.pread(fd, size, 0)


def by_fadvise(fd, size):
    for advice in (os.POSIX_FADV_NORMAL, os.POSIX_FADV_RANDOM, os.POSIX_FADV_SEQUENTIAL,
                   os.POSIX_FADV_WILLNEED, os.POSIX_FADV_NOREUSE, os.POSIX_FADV_DONTNEED, 77):
        yield tried(os.posix_fadvise, fd, 0, size, advice)
        yield tried(os.posix_fadvise, fd, 1, 0, advice)
        yield os.pread(fd, size + 1, 0)


class Ring:
    """io_uring, one request at a time."""

    SETUP, ENTER, SUBMISSIONS, READ = 425, 426, 0x10000000, 22

    def __enter__(self):
        both = libc.PROT_READ | libc.PROT_WRITE
        parameters = ctypes.create_string_buffer(120)
        self.fd = call("syscall", self.SETUP, 1, parameters)
        submission = struct.unpack_from("7I", parameters, 40)
        completion = struct.unpack_from("6I", parameters, 80)
        self.tail, self.array = submission[1], submission[6]
        self.done, self.results = completion[0], completion[5]
        self.entries, = struct.unpack_from("I", parameters, 4)
        end = max(self.array + 4, self.results + 16 * self.entries)
        self.rings = Mapping(self.fd, end, both)
        self.requests = Mapping(self.fd, 64, both, offset=self.SUBMISSIONS)
        return self

    def __exit__(self, *_):
        self.requests.__exit__()
        self.rings.__exit__()
        os.close(self.fd)

    def read(self, fd, buffer, length, offset):
        """What pread gives, or the negative error."""
        self.requests.write(0, struct.pack("BBHiQQI28x", self.READ, 0, 0, fd, offset,
                                           ctypes.addressof(buffer), length))
        count, = struct.unpack("I", self.rings.read(self.done, 4))
        self.rings.write(self.array, struct.pack("I", 0))
        self.rings.write(self.tail, struct.pack("I", count + 1))
        call("syscall", self.ENTER, self.fd, 1, 1, 1, None, 0)
        at = self.results + count % self.entries * 16
        result, = struct.unpack("8xi4x", self.rings.read(at, 16))
        self.rings.write(self.done, struct.pack("I", count + 1))
        return result


def by_ring(fd, size):
    try:
        with Ring() as ring:
            for offset in (0, size // 2, max(0, size - 1), size, size + 1):
                buffer = ctypes.create_string_buffer(size + 2)
                yield ring.read(fd, buffer, size + 1, offset)
                yield buffer.raw
    except PermissionError:
        yield "forbidden on this machine"


def by_seek(fd, size):
    for whence in (os.SEEK_SET, os.SEEK_CUR, os.SEEK_END, os.SEEK_DATA, os.SEEK_HOLE, 77):
        for offset in edges(size):
            yield tried(os.lseek, fd, offset, whence)
            yield os.lseek(fd, 0, os.SEEK_CUR)
            yield tried(os.read, fd, 10)


# ---- elsewhere, by the kernel ----

def pumped(move, take):
    """All that MOVE() moves, a piece each time, and TAKE(length) finds there."""
    moved = b""
    while length := move(len(moved)):
        while length:
            piece = take(length)
            moved += piece
            length -= len(piece)
    return moved


def with_pipe(use):
    reader, writer = os.pipe()
    try:
        return use(reader, writer)
    finally:
        os.close(reader)
        os.close(writer)


def sent_to_pipe(fd, _):
    return with_pipe(lambda reader, writer: pumped(
        lambda at: os.sendfile(writer, fd, at, CHUNK), lambda length: os.read(reader, length)))


def sent_to_socket(fd, _):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        return pumped(lambda at: os.sendfile(ours.fileno(), fd, at, CHUNK), theirs.recv)


def in_a_file(write):
    """What WRITE(descriptor) leaves in a local file."""
    fd = os.memfd_create("target")
    try:
        seen = write(fd)
        return seen, os.pread(fd, os.fstat(fd).st_size, 0)
    finally:
        os.close(fd)


def sent_to_file(fd, size):
    return in_a_file(lambda target: [os.sendfile(target, fd, at, size)
                                     for at in (0, size // 2, size, size + 1)])


def sent_from_where_it_is(fd, size):
    os.lseek(fd, size // 3, os.SEEK_SET)
    yield in_a_file(lambda target: os.sendfile(target, fd, None, size))
    yield os.lseek(fd, 0, os.SEEK_CUR)


def copied_by_range(fd, size):
    for offset in (0, size // 2, size, size + 1):
        yield in_a_file(lambda target: tried(os.copy_file_range, fd, target, size, offset, 0))


def spliced(fd, _):
    return with_pipe(lambda reader, writer: pumped(
        lambda at: os.splice(fd, writer, CHUNK, offset_src=at),
        lambda length: os.read(reader, length)))


def teed(fd, size):
    """Spliced into one pipe, and read from another that shares its pages."""
    def use(reader, writer):
        moved = os.splice(fd, writer, CHUNK, offset_src=size // 2)
        def again(reader2, writer2):
            copied = call("tee", reader, writer2, CHUNK, 0) if moved else 0
            return os.read(reader2, copied)
        return with_pipe(again), os.read(reader, moved)
    return with_pipe(use)


def vmspliced(fd, size):
    """From a mapping, by its pages."""
    if not size:
        return None
    with Mapping(fd, size) as mapping:
        vector = struct.pack("PN", mapping.address, min(size, CHUNK))
        def use(reader, writer):
            return os.read(reader, call("vmsplice", writer, vector, 1, 0))
        return with_pipe(use)


# ---- mapped ----

def killed_by(do):
    """What a child that does it dies of."""
    child = os.fork()
    if not child:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        do()
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    return signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else None


def mapped(flags):
    """To the end of the last page, and beyond."""
    def way(fd, size):
        end = up_to_page(size)
        with Mapping(fd, end + PAGE, flags=flags) as mapping:
            yield mapping.read(0, end)
            yield killed_by(lambda: mapping.read(end, 1))
            yield mapping.read(0, end)
    return way


def mapped_from_the_middle(fd, size):
    for offset in {0, size // 2 // PAGE * PAGE, size // PAGE * PAGE}:
        length = up_to_page(size) - offset
        if length:
            with Mapping(fd, length, offset=offset) as mapping:
                yield mapping.read(0, length)
    yield tried(Mapping, fd, 0)
    yield tried(lambda: Mapping(fd, PAGE, offset=1))


def mapped_privately_and_written(fd, size):
    """The file and other mappings stay as they are."""
    end = up_to_page(size)
    if not end:
        return
    writable = libc.PROT_READ | libc.PROT_WRITE
    with Mapping(fd, end) as before, Mapping(fd, end, writable, libc.MAP_PRIVATE) as mapping:
        for offset in {0, size - 1, end - 1}:
            mapping.write(offset, b"\xaa")
        yield mapping.read(0, end)
        yield before.read(0, end)
        yield os.pread(fd, end, 0)
        with Mapping(fd, end) as after:
            yield after.read(0, end)


def mapped_and_not_written(fd, _):
    """A shared mapping cannot be made writable, in any way."""
    writable = libc.PROT_READ | libc.PROT_WRITE
    yield tried(Mapping, fd, PAGE, writable, libc.MAP_SHARED)
    yield tried(Mapping, fd, PAGE, libc.PROT_WRITE, libc.MAP_SHARED)
    with Mapping(fd, PAGE) as mapping:
        yield tried(call, "mprotect", mapping.address, PAGE, writable)
        yield killed_by(lambda: mapping.write(0, b"\xaa"))


ADVICE = {"NORMAL": 0, "RANDOM": 1, "SEQUENTIAL": 2, "WILLNEED": 3, "DONTNEED": 4, "FREE": 8,
          "REMOVE": 9, "DONTFORK": 10, "DOFORK": 11, "COLD": 20, "PAGEOUT": 21,
          "POPULATE_READ": 22, "POPULATE_WRITE": 23, "unknown": 77}


def mapped_with_advice(fd, size):
    end = up_to_page(size)
    if not end:
        return
    for flags in (libc.MAP_SHARED, libc.MAP_PRIVATE):
        with Mapping(fd, end, flags=flags) as mapping:
            for name, advice in ADVICE.items():
                yield name, tried(mapping.advise, advice), mapping.read(0, end)


def mapped_and_locked(fd, size):
    end = up_to_page(size)
    if not end:
        return
    with Mapping(fd, end) as mapping:
        yield (locked := tried(call, "mlock", mapping.address, end))
        if locked == 0:  # an ordinary user may not have that much
            yield mapping.resident()
        yield mapping.read(0, end)
        yield tried(call, "munlock", mapping.address, end)


# What differs from tmpfs is REMOTE on the mount, any of them, for the REASON.
Way = namedtuple("Way", "do remote reason", defaults=[None, None])

WAYS = {
    "read": Way(by_read),
    "pread": Way(by_pread),
    "pread, anywhere": Way(by_pread_anywhere),
    "readv": Way(by_readv),
    "preadv": Way(by_preadv),
    "preadv2 RWF_HIPRI": Way(by_preadv2(os.RWF_HIPRI)),
    "preadv2 RWF_NOWAIT": Way(
        by_preadv2(os.RWF_NOWAIT), ("ENOTSUP", "EAGAIN"),
        "the kernel does not offer it for FUSE; who tries it is used to trying again"),
    "io_uring": Way(by_ring),
    "readahead": Way(by_readahead),
    "posix_fadvise": Way(by_fadvise),
    "lseek": Way(by_seek),
    "sendfile to a pipe": Way(sent_to_pipe),
    "sendfile to a socket": Way(sent_to_socket),
    "sendfile to a file": Way(sent_to_file),
    "sendfile from where it is": Way(sent_from_where_it_is),
    "copy_file_range": Way(
        copied_by_range, ("EXDEV",), "as from any filesystem to one of another kind"),
    "splice": Way(spliced),
    "tee": Way(teed),
    "vmsplice": Way(vmspliced),
    "mmap, shared": Way(mapped(libc.MAP_SHARED)),
    "mmap, private": Way(mapped(libc.MAP_PRIVATE)),
    "mmap, populated": Way(mapped(libc.MAP_SHARED | libc.MAP_POPULATE)),
    "mmap of a part": Way(mapped_from_the_middle),
    "mmap, private and written": Way(mapped_privately_and_written),
    "mmap, writable": Way(mapped_and_not_written),
    "madvise": Way(mapped_with_advice),
    "mlock, mincore": Way(mapped_and_locked),
}


def walk(way, path, size):
    """All that the way sees of PATH, which is not in memory before."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        seen = way.do(fd, size)
        return brief(list(seen) if hasattr(seen, "__next__") else [seen])
    finally:
        os.close(fd)
