#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every way to read a value, each beside the same bytes in a file on tmpfs: what is
read, how the end looks, and which error there is instead."""

import mmap
import os
import random
import stat
import struct
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import case  # noqa: E402
from etcd import EtcdError  # noqa: E402
from libc import PAGE, call, tried  # noqa: E402
from ways import WAYS, brief, up_to_page, walk  # noqa: E402

SIZES = (0, 1, 4095, 4096, 4097, (64 << 10) + 1)
REQUEST_LIMIT = 3 << 19  # of etcd, as long as nobody says otherwise
READER_32 = os.environ.get("READING32")
if READER_32:  # before we are somebody who may not reach it
    with open(READER_32, "rb") as program:
        READER_32 = program.read()
OPENAT2 = 437


def has_one(seen, errors):
    """Whether one of ERRORS is somewhere in what was SEEN."""
    if isinstance(seen, list):
        return any(has_one(each, errors) for each in seen)
    return seen in errors


def read_directly(path, size):
    """(offset, what is there), by O_DIRECT."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECT)
    try:
        with mmap.mmap(-1, up_to_page(size) + 2 * PAGE) as buffer, memoryview(buffer) as memory:
            for offset in (0, 1, 511, 512, 4096, size // 2, size - 1, size, size + 1):
                for shift in (0, 1, 512):
                    with memory[shift:shift + size + 1] as part:
                        length = os.preadv(fd, [part], max(0, offset))
                        yield max(0, offset), bytes(part[:length])
    finally:
        os.close(fd)


# ---- opened ----

def opened(path, flags, dir_fd=None):
    """The value's beginning, or why it cannot be had."""
    fd = os.open(path, flags, 0o644, dir_fd=dir_fd)
    try:
        return tried(os.read, fd, 100)
    finally:
        os.close(fd)


def brief_stat(status):
    """What is the same on every filesystem."""
    return (stat.filemode(status.st_mode)[0], status.st_nlink,
            status.st_size if stat.S_ISREG(status.st_mode) else None)


def by_path_descriptor(path):
    """O_PATH gives no right to read, but leads to the file again."""
    fd = os.open(path, os.O_PATH)
    try:
        return (tried(os.read, fd, 100), tried(os.pread, fd, 100, 0),
                tried(opened, f"/proc/self/fd/{fd}", os.O_RDONLY),
                tried(opened, f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_NOFOLLOW),
                brief_stat(os.fstat(fd)))
    finally:
        os.close(fd)


def openat2(directory, name, flags, resolve):
    """Opens NAME in DIRECTORY; gives the value's beginning."""
    dir_fd = os.open(directory, os.O_PATH | os.O_DIRECTORY)
    how = struct.pack("QQQ", flags, 0, resolve)
    try:
        fd = call("syscall", OPENAT2, dir_fd, os.fsencode(name), how, len(how))
    finally:
        os.close(dir_fd)
    try:
        return tried(os.read, fd, 100)
    finally:
        os.close(fd)


FLAGS = {"": 0, "O_NOATIME": os.O_NOATIME, "O_NONBLOCK": os.O_NONBLOCK, "O_SYNC": os.O_SYNC,
         "O_NOFOLLOW": os.O_NOFOLLOW, "O_DIRECTORY": os.O_DIRECTORY, "O_APPEND": os.O_APPEND,
         "O_DSYNC": os.O_DSYNC, "O_RSYNC": os.O_RSYNC, "O_NOCTTY": os.O_NOCTTY,
         "O_ASYNC": os.O_ASYNC, "O_EXCL": os.O_EXCL, "O_CREAT": os.O_CREAT,
         "O_CREAT|O_EXCL": os.O_CREAT | os.O_EXCL,
         "O_CREAT|O_DIRECTORY": os.O_CREAT | os.O_DIRECTORY}

PATHS = ("f", "./f", "d/../f", "d/f", "d//f", "f/", "f/.", "f/..", "f/x", "d", "d/", "d/.", ".",
         "d/x", "x", "x/", "x/y", "d/f/x", "n" * 255, "n" * 256, "d/" + "n" * 256, "n/" * 2000, "")

RESOLVE = {"": 0, "NO_XDEV": 1, "NO_MAGICLINKS": 2, "NO_SYMLINKS": 4, "BENEATH": 8, "IN_ROOT": 16}
RESOLVE_CACHED = 32

# Programs that read in ways of their own, with their output.
COMMANDS = ("cat f", "cat < f", "head -c 10 f", "tail -c 10 f", "tail -n 2 f", "wc f", "cmp f f",
            "sha256sum f", "dd if=f bs=7 2>/dev/null", "dd if=f bs=4096 skip=1 2>/dev/null",
            "cp f $OUT/f && cat $OUT/f", "cp --sparse=always f $OUT/f && cat $OUT/f",
            "cp --reflink=auto f $OUT/f && cat $OUT/f", "tar -c f | tar -xO", "tac f", "sort f",
            "tar -cS f | tar -xO", "gzip -c f | gzip -dc",
            "split -b 5000 f $OUT/x && cat $OUT/x*",
            "cp -a d $OUT/d && ls $OUT/d && cat $OUT/d/f", "ls", "ls d", "ls -A . d",
            "find . -type f | sort", "grep -c . f", "grep -rl . . | sort", "od -c f | tail",
            "sed -n '$=' f", "awk 'END {print NR}' f", "install -m 600 f $OUT/f && cat $OUT/f",
            "test -r f", "test -s f", "test -d f", "test -x d",
            'while read -r line; do echo "$line"; done < f',
            "mapfile -t lines < f; echo ${#lines[@]}", ". ./script", "diff -r . .", "du -b f",
            "stat -c '%s %F %h' f", "stat -c '%F %h' d", "cat f d")


class ReadingTest(case.MountTest):
    """Has the same values on the mount and on tmpfs."""

    def setUp(self):
        super().setUp()
        self.local = self.tmpfs()

    def put(self, name, value):
        """Before the mount."""
        self.keys.put(name, value)
        path = os.path.join(self.local, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(value)

    def places(self, name):
        """It on tmpfs, and on the mount."""
        return os.path.join(self.local, name), self.mounted.join(name)


class Value(ReadingTest):
    def setUp(self):
        super().setUp()
        self.sizes = {}
        for size in SIZES:
            self.put_bytes(f"v{size}", size)
        self.put_largest()
        self.mounted = self.mount()

    def put_bytes(self, name, size):
        self.put(name, random.Random(size).randbytes(size))
        self.sizes[name] = size

    def put_largest(self):
        """The greatest that etcd takes; the key and some bytes come to it."""
        size = REQUEST_LIMIT - len(self.keys.full("largest")) - 16
        while "largest" not in self.sizes:
            try:
                self.put_bytes("largest", size)
            except EtcdError as error:
                self.assertIn("too large", str(error))
                size -= 1

    def assert_same(self, name, way, value):
        local, remote = (walk(way, path, self.sizes[value]) for path in self.places(value))
        if way.remote and local != remote:
            self.assertTrue(has_one(remote, way.remote), remote)
        else:
            self.assertEqual(local, remote, name)

    def test_each_way(self):
        for name, way in WAYS.items():
            for value in self.sizes:
                with self.subTest(way=name, value=value):
                    self.assert_same(name, way, value)

    def test_direct(self):
        """O_DIRECT goes to the daemon at each read, from any offset into any buffer."""
        for name, size in self.sizes.items():
            local, remote = self.places(name)
            with self.subTest(name), open(local, "rb") as file:
                value = file.read()
                for at, read in read_directly(remote, size):
                    self.assertEqual(brief(value[at:at + len(read)]), brief(read))
                    self.assertTrue(read or at >= size)
                for block in ("4096", "1M"):
                    copied = subprocess.run(["dd", f"if={remote}", f"bs={block}", "iflag=direct",
                                             "status=none"], check=True, capture_output=True)
                    self.assertEqual(brief(value), brief(copied.stdout), block)


class Opened(ReadingTest):
    def setUp(self):
        super().setUp()
        for name, value in {
                "f": "".join(f"line {i}\n" for i in range(2000)), "d/f": "deeper", "d/e/g": "",
                "script": "echo $((6 * 7))\n", "only/one": "1"}.items():
            self.put(f"tree/{name}", value.encode())
        self.mounted = self.mount()

    def assert_same(self, do, name="tree"):
        local, remote = (brief(tried(do, path)) for path in self.places(name))
        self.assertEqual(local, remote)

    def test_each_flag(self):
        for path in ("tree/f", "tree/d", "tree/only/one"):
            for name, flags in FLAGS.items():
                with self.subTest(path=path, flags=name):
                    self.assert_same(lambda place: opened(place, flags), path)

    def test_each_path(self):
        for path in PATHS:
            with self.subTest(path[:20]):
                self.assert_same(lambda place: opened(f"{place}/{path}", os.O_RDONLY))

    def test_a_descriptor_of_the_path(self):
        self.assert_same(by_path_descriptor, "tree/f")
        self.assert_same(by_path_descriptor, "tree/d")

    def test_each_way_of_resolving(self):
        for path in (*PATHS, "../tree/f", "/f", "d/../../tree/f"):
            for name, resolve in RESOLVE.items():
                with self.subTest(path=path[:20], resolve=name):
                    self.assert_same(lambda place: openat2(place, path, os.O_RDONLY, resolve))

    def test_resolving_from_what_is_cached(self):
        """The kernel may say that it does not know, but nothing else."""
        for path in PATHS:
            local, remote = (tried(openat2, place, path, os.O_RDONLY, 0)
                             for place in self.places("tree"))
            cached = tried(openat2, self.mounted.join("tree"), path, os.O_RDONLY, RESOLVE_CACHED)
            self.assertEqual(local, remote)
            self.assertIn(cached, (local, "EAGAIN"), path[:20])

    def test_each_program(self):
        for command in COMMANDS:
            with self.subTest(command):
                self.assert_same(lambda place: self.output(command, place))

    @unittest.skipUnless(READER_32, "no compiler for 32 bits")
    def test_a_program_of_32_bits(self):
        """Whatever it asks for fits into its numbers."""
        program = os.path.join(self.directory, "reading32")
        with open(program, "wb") as file:
            file.write(READER_32)
        os.chmod(program, 0o755)
        for name in ("f", "script"):
            self.assert_same(lambda place: self.output(f"{program} . {name}", place))

    def output(self, command, place):
        """What it says, run in PLACE, and how it ends."""
        out = tempfile.mkdtemp(dir=self.directory)
        result = subprocess.run(["bash", "-c", command], cwd=place, check=False,
                                stdin=subprocess.DEVNULL, capture_output=True,
                                env={**os.environ, "LC_ALL": "C", "OUT": out})
        return [result.returncode,
                *(text.replace(os.fsencode(out), b"OUT")
                  for text in (result.stdout, result.stderr))]


if __name__ == "__main__":
    case.main()
