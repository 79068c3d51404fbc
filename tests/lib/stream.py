# SPDX-License-Identifier: Apache-2.0
"""Directory streams as the kernel gives them: getdents64 with a buffer of any size."""

import collections
import ctypes
import itertools
import os
import stat
import struct

import case

# What one revision may hold in an etcd of our own.
TXN = 5000

Entry = collections.namedtuple("Entry", "name ino offset kind")

KINDS = {stat.S_IFDIR: 4, stat.S_IFREG: 8}

_libc = ctypes.CDLL(None, use_errno=True)
_DIRENT = struct.Struct("=QqHB")


class Stream:
    """An open directory, read by the system call itself.  No offset comes twice, so no
    stream is without end."""

    def __init__(self, path):
        self.fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        self._seen = set()

    def close(self):
        os.close(self.fd)

    def some(self, size=1024):
        """The entries that SIZE bytes can hold; none at the end."""
        buffer = ctypes.create_string_buffer(size)
        length = _libc.getdents64(self.fd, buffer, ctypes.c_size_t(size))
        if length < 0:
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error))
        data = buffer[:length]
        found = []
        at = 0
        while at < length:
            ino, offset, reclen, kind = _DIRENT.unpack_from(data, at)
            name = data[at + _DIRENT.size:at + reclen].split(b"\0", 1)[0]
            found.append(Entry(os.fsdecode(name), ino, offset, kind))
            assert offset not in self._seen, found[-1]
            self._seen.add(offset)
            at += reclen
        return found

    def rest(self, size=1024):
        return list(itertools.chain.from_iterable(iter(lambda: self.some(size), [])))

    def seek(self, offset):
        os.lseek(self.fd, offset, os.SEEK_SET)
        self._seen.clear()


def read_stream(path, size):
    stream = Stream(path)
    try:
        return stream.rest(size)
    finally:
        stream.close()


def names(entries):
    """Without what every directory has, which is there once."""
    found = [entry.name for entry in entries]
    for name in (".", ".."):
        assert found.count(name) == 1, f"{name}: {found.count(name)} times"
        found.remove(name)
    return found


def repeated(found):
    return [name for name, count in collections.Counter(found).items() if count > 1]


class ListingTest(case.MountTest):
    def fill(self, pattern, count):
        """Puts PATTERN, which has a number in it, so many times; returns the names."""
        found = [pattern.format(number) for number in range(count)]
        at_once = TXN if self.etcd else 100
        for start in range(0, count, at_once):
            self.keys.txn(dict.fromkeys(found[start:start + at_once], ""))
        return [os.path.basename(name) for name in found]

    def stream(self, path):
        stream = Stream(path)
        self.addCleanup(stream.close)
        return stream

    def assert_lasting_once(self, lasting, listed):
        """Each name of LASTING is once in LISTED, and nothing twice."""
        self.assertEqual([], repeated(listed))
        missing = set(lasting).difference(listed)
        self.assertEqual([], sorted(missing)[:5], f"{len(missing)} of {len(lasting)} missing")

    def assert_entries_are_true(self, path, entries):
        """Each names what stat finds, and its offset is above the one before."""
        offsets = [entry.offset for entry in entries]
        self.assertEqual(sorted(set(offsets)), offsets)
        for entry in entries:
            found = os.lstat(os.path.join(path, entry.name))
            self.assertEqual((found.st_ino, KINDS[stat.S_IFMT(found.st_mode)]),
                             (entry.ino, entry.kind), entry)
