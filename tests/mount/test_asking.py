#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What else a reader may ask of a file, and what is to be done with a descriptor
besides reading: each answer is a local file's, or listed here with the reason."""

import ctypes
import fcntl
import os
import select
import signal
import stat
import struct
import subprocess
import sys
from collections import namedtuple

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import case  # noqa: E402
from libc import call, tried  # noqa: E402
from mount import privileged  # noqa: E402
from wait import Deadline  # noqa: E402

AT_FDCWD, AT_SYMLINK_NOFOLLOW, AT_EACCESS, AT_EMPTY_PATH = -100, 0x100, 0x200, 0x1000
VALUE = "x" * 10000


def opened(path, flags=os.O_RDONLY):
    return os.open(path, flags)


class AskingTest(case.MountTest):
    """The file f, the directory d with a file g: on the mount, and on tmpfs with the
    permissions that the mount shows."""

    def setUp(self):
        super().setUp()
        self.local = self.tmpfs()
        os.mkdir(os.path.join(self.local, "d"))
        for name in ("f", "d/g"):
            self.keys.put(name, VALUE)
            path = os.path.join(self.local, name)
            with open(path, "w", encoding="ascii") as file:
                file.write(VALUE)
            os.chmod(path, 0o444)
        self.mounted = self.mount()

    def answers(self, do, name):
        """DO(path) on tmpfs, and on the mount."""
        return [tried(do, os.path.join(place, name)) for place in (self.local, self.mounted.path)]

    def by_descriptor(self, do, name):
        """DO(descriptor) on tmpfs, and on the mount."""
        def use(path):
            fd = os.open(path, os.O_RDONLY)
            try:
                return do(fd)
            finally:
                os.close(fd)
        return self.answers(use, name)

    def assert_same(self, local, remote, *message):
        self.assertEqual(local, remote, message)


# ---- attributes ----

STATX = struct.Struct("=IIQIIIHxxQQQQqI4xqI4xqI4xqI4x")
Statx = namedtuple("Statx", "mask blksize attributes nlink uid gid mode ino size blocks "
                   "attributes_mask atime atime_ns btime btime_ns ctime ctime_ns mtime mtime_ns")
BASIC, BTIME, MNT_ID = 0x7ff, 0x800, 0x1000
ATTR_MOUNT_ROOT = 0x2000
FORCE_SYNC, DONT_SYNC = 0x2000, 0x4000


def statx(path, mask=BASIC, flags=0):
    buffer = ctypes.create_string_buffer(256)
    call("statx", AT_FDCWD, os.fsencode(path), flags, mask, buffer)
    return Statx(*STATX.unpack_from(buffer))


class Attributes(AskingTest):
    def test_each_way_to_stat(self):
        """All give the same, of whatever kind the descriptor is."""
        for name in ("f", "d", "d/g", ""):
            path = self.mounted.join(name)
            expected = os.stat(path)
            by_path, plain = os.open(path, os.O_PATH), os.open(path, os.O_RDONLY)
            directory = os.open(os.path.dirname(path), os.O_PATH)
            for got in (os.lstat(path), os.fstat(by_path), os.fstat(plain), os.stat(by_path),
                        os.stat(os.path.basename(path) or ".", dir_fd=directory),
                        os.stat(f"/proc/self/fd/{by_path}")):
                self.assertEqual(expected, got)
            for fd in (by_path, plain, directory):
                os.close(fd)

    def test_what_is_shown(self):
        for name in ("f", "d", "d/g"):
            local, remote = self.answers(os.stat, name)
            self.assertEqual(stat.S_IFMT(local.st_mode), stat.S_IFMT(remote.st_mode))
            self.assertEqual((local.st_uid, local.st_gid, local.st_nlink),
                             (remote.st_uid, remote.st_gid, remote.st_nlink))
            self.assertEqual(remote.st_dev, os.stat(self.mounted.path).st_dev)
            self.assertEqual(remote.st_mtime_ns, remote.st_ctime_ns)
            if stat.S_ISREG(remote.st_mode):
                self.assertEqual((local.st_size, 0o444),
                                 (remote.st_size, stat.S_IMODE(remote.st_mode)))
                self.assertEqual(-(-remote.st_size // 512), remote.st_blocks)

    def test_statx(self):
        for name in ("f", "d", ""):
            path = self.mounted.join(name)
            expected = os.stat(path)
            for flags in (0, AT_SYMLINK_NOFOLLOW, FORCE_SYNC, DONT_SYNC):
                for mask in (0, BASIC, BASIC | BTIME | MNT_ID, *(1 << bit for bit in range(16))):
                    got = statx(path, mask, flags)
                    self.assertEqual((expected.st_ino, expected.st_size, expected.st_mode,
                                      expected.st_nlink, expected.st_uid, expected.st_mtime_ns),
                                     (got.ino, got.size, got.mode, got.nlink, got.uid,
                                      got.mtime * 10**9 + got.mtime_ns))
                    self.assertEqual(BASIC, got.mask & BASIC, (flags, mask))
                    # etcd does not know when a key was created, and libfuse 3.14
                    # could not say it.
                    self.assertEqual(0, got.mask & BTIME)
            self.assertEqual(name == "", bool(statx(path).attributes & ATTR_MOUNT_ROOT))

    def test_access(self):
        """Who may read reads, nobody writes, and a file is no program."""
        modes = [os.F_OK, os.R_OK, os.X_OK, os.W_OK, os.R_OK | os.X_OK, os.R_OK | os.W_OK, 7, 8]
        for name in ("f", "d", "d/g", "nope", "f/x"):
            for flags in (0, AT_EACCESS, AT_SYMLINK_NOFOLLOW, AT_EACCESS | AT_SYMLINK_NOFOLLOW):
                for mode in modes:
                    with self.subTest(name=name, flags=flags, mode=mode):
                        local, remote = self.answers(lambda path: call(
                            "faccessat", AT_FDCWD, os.fsencode(path), mode, flags), name)
                        if name in ("f", "d", "d/g") and mode < 8 and mode & os.W_OK:
                            self.assertIn(remote, {local, "EROFS"} - {0})
                        else:
                            self.assertEqual(local, remote)

    def test_euidaccess(self):
        for name in ("f", "d"):
            for mode in (os.F_OK, os.R_OK, os.X_OK):
                local, remote = self.answers(
                    lambda path: call("euidaccess", os.fsencode(path), mode), name)
                self.assertEqual(local, remote, (name, mode))

    def test_by_descriptor(self):
        """AT_EMPTY_PATH: what was opened, which may have been replaced since."""
        fd = os.open(self.mounted.join("f"), os.O_PATH)
        self.addCleanup(os.close, fd)
        self.keys.put("f", "new")
        self.mounted.settle()
        for mode, result in ((os.R_OK, 0), (os.X_OK, "EACCES"), (os.W_OK, "EROFS")):
            self.assertEqual(result, tried(call, "faccessat", fd, b"", mode, AT_EMPTY_PATH))
        self.assertEqual(len(VALUE), os.fstat(fd).st_size)

    def test_limits(self):
        """pathconf"""
        for name in ("f", "d"):
            # Those two are what statvfs counts in: values are not kept in pages.
            for limit in os.pathconf_names.keys() - {"PC_ALLOC_SIZE_MIN", "PC_REC_XFER_ALIGN"}:
                for local, remote in (
                        self.answers(lambda path: os.pathconf(path, limit), name),
                        self.by_descriptor(lambda fd: os.fpathconf(fd, limit), name)):
                    self.assertEqual(local, remote, limit)

    def test_what_is_no_link_and_no_directory(self):
        for do in (os.readlink, os.listdir, os.chdir):
            for name in ("f", "f/x", "nope"):
                self.assert_same(*self.answers(do, name))


# ---- extended attributes ----

def sized(what, path, name, size):
    """getxattr or listxattr into SIZE bytes: its result, and what it wrote."""
    buffer = ctypes.create_string_buffer(max(size, 1))
    args = [os.fsencode(path), *([name] if name is not None else []), buffer, size]
    length = call(what, *args)
    return length, buffer.raw[:length] if size else b""


class ExtendedAttributes(AskingTest):
    # What programs probe for, unasked.
    PROBES = (b"security.capability", b"security.selinux", b"security.ima", b"security.evm",
              b"system.posix_acl_access", b"system.posix_acl_default", b"system.nfs4_acl",
              b"trusted.overlay.opaque", b"user.nope", b"user.etcd.nope", b"user.etcd", b"nope")

    def test_each_size(self):
        """The length, or all of it, or ERANGE."""
        for name in ("f", "d", ""):
            path = self.mounted.join(name)
            names = b"".join(os.fsencode(each) + b"\0" for each in os.listxattr(path))
            values = [("listxattr", None, names), *(
                ("getxattr", os.fsencode(each), os.getxattr(path, each))
                for each in os.listxattr(path))]
            for what, attribute, value in values:
                length = len(value)
                self.assertEqual((length, b""), sized(what, path, attribute, 0))
                for size in (length, length + 1, length + 5000, 65536):
                    self.assertEqual((length, value), sized(what, path, attribute, size))
                for size in {1, length // 2, length - 1} - {0, length}:
                    self.assertEqual("ERANGE", tried(sized, what, path, attribute, size))

    def test_what_programs_probe(self):
        for name in ("f", "d", ""):
            for probe in self.PROBES:
                self.assertIn(tried(sized, "getxattr", self.mounted.join(name), probe, 100),
                              ("ENODATA", "ENOTSUP"), probe)
            for probe in (b"", b"user." + b"x" * 251):
                self.assertEqual("ERANGE",
                                 tried(sized, "getxattr", self.mounted.join(name), probe, 100))

    def test_programs_that_show_them_are_quiet(self):
        for command in ("ls -lR", "ls -lZ f", "getfattr -R -d -m - .", "cp -a f $OUT",
                        "cp --preserve=all -r d $OUT", "tar --xattrs --acls -cf - . | tar -t"):
            with self.subTest(command):
                result = subprocess.run(
                    ["bash", "-o", "pipefail", "-c", command], cwd=self.mounted.path, check=False,
                    stdin=subprocess.DEVNULL, capture_output=True, text=True,
                    env={**os.environ, "LC_ALL": "C", "OUT": self.directory})
                self.assertEqual((0, ""), (result.returncode, result.stderr))
                if command == "ls -lR":  # no mark of an ACL behind the mode
                    self.assertRegex(result.stdout, r"\n-r--r--r-- 1 .* f\n")


# ---- what is done with a descriptor ----

FIONREAD, FIGETBSZ, FIBMAP, FIEMAP, TCGETS = 0x541B, 2, 1, 0xC020660B, 0x5401
GETFLAGS, FSGETXATTR, GETVERSION, BLKGETSIZE64 = 0x80086601, 0x801C581F, 0x80087601, 0x80081272
OFD_GETLK, OFD_SETLK = 36, 37
LOCK = struct.Struct("hhqqi4x")


def asked(fd, request):
    buffer = bytearray(256)
    fcntl.ioctl(fd, request, buffer)
    return bytes(buffer[:8])


def locked(kind, start=0, length=0):
    return LOCK.pack(kind, os.SEEK_SET, start, length, 0)


class Descriptors(AskingTest):
    def test_ioctl(self):
        for name in ("f", "d"):
            for request in (FIONREAD, FIGETBSZ, TCGETS, BLKGETSIZE64, 0x1234):
                local, remote = self.by_descriptor(lambda fd: asked(fd, request), name)
                self.assert_same(local, remote, hex(request))
            # Local filesystems have the first three, or some of them; we have no flags.
            for request in (GETFLAGS, FSGETXATTR, GETVERSION, FIEMAP):
                _, remote = self.by_descriptor(lambda fd: asked(fd, request), name)
                self.assertIn(remote, ("ENOTTY", "ENOTSUP"), hex(request))

    def test_what_there_is_to_read(self):
        with open(self.mounted.join("f"), "rb", buffering=0) as file:
            for _ in range(3):
                left, = struct.unpack_from("i", asked(file.fileno(), FIONREAD))
                self.assertEqual(len(VALUE) - file.tell(), left)
                file.read(4000)

    def test_nothing_to_synchronize(self):
        for name in ("f", "d"):
            for do in (os.fsync, os.fdatasync, lambda fd: call("syncfs", fd),
                       lambda fd: call("sync_file_range", fd, 0, 0, 7)):
                for _ in range(2):
                    local, remote = self.by_descriptor(do, name)
                    self.assertEqual(local, remote)

    def test_waiting(self):
        def readiness(fd):
            poll = select.poll()
            poll.register(fd, select.POLLIN | select.POLLPRI | select.POLLOUT)
            return ([event for _, event in poll.poll(0)],
                    [len(ready) for ready in select.select([fd], [fd], [fd], 0)])
        for name in ("f", "d"):
            self.assert_same(*self.by_descriptor(readiness, name), name)

    def test_waiting_with_epoll(self):
        """A local file refuses it.  FUSE's may be of a device, so there it is taken;
        to us nobody says so, and the file is always ready."""
        def readiness(fd):
            with select.epoll() as epoll:
                epoll.register(fd, select.EPOLLIN)
                return [event for _, event in epoll.poll(0)]
        for name in ("f", "d"):
            local, remote = self.by_descriptor(readiness, name)
            self.assertEqual("EPERM", local)
            self.assertIn(remote, ("EPERM", [select.EPOLLIN]), name)

    def test_flags(self):
        def change(fd):
            yield fcntl.fcntl(fd, fcntl.F_GETFL)
            for flag in (os.O_NONBLOCK, os.O_APPEND, os.O_NOATIME, os.O_ASYNC, os.O_DIRECT, 0):
                yield tried(fcntl.fcntl, fd, fcntl.F_SETFL, flag)
                yield fcntl.fcntl(fd, fcntl.F_GETFL) & ~os.O_DIRECT
                yield os.pread(fd, 10, 5)
            for command in (fcntl.F_GETOWN, fcntl.F_GETPIPE_SZ, fcntl.F_SETPIPE_SZ):
                yield tried(fcntl.fcntl, fd, command)
        self.assert_same(*self.by_descriptor(lambda fd: list(change(fd)), "f"))

    def test_locks_of_a_file(self):
        """flock, between two descriptors."""
        def contend(path):
            one, other = opened(path), opened(path)
            try:
                for kind in (fcntl.LOCK_SH, fcntl.LOCK_EX, fcntl.LOCK_UN):
                    yield tried(fcntl.flock, one, kind | fcntl.LOCK_NB)
                    for again in (fcntl.LOCK_SH, fcntl.LOCK_EX, fcntl.LOCK_UN):
                        yield tried(fcntl.flock, other, again | fcntl.LOCK_NB)
            finally:
                os.close(one)
                os.close(other)
        for name in ("f", "d"):
            self.assert_same(*self.answers(lambda path: list(contend(path)), name), name)

    def test_locks_of_a_range(self):
        """Whoever cannot write may lock to read alone; the other process is a child."""
        def contend(path):
            fd = opened(path)
            try:
                for command in (fcntl.F_SETLK, OFD_SETLK):
                    for kind in (fcntl.F_RDLCK, fcntl.F_WRLCK):
                        yield tried(fcntl.fcntl, fd, command, locked(kind, 10, 5))
                        yield self.in_child(lambda: tried(
                            fcntl.fcntl, opened(path), OFD_SETLK, locked(fcntl.F_RDLCK)))
                        yield self.in_child(lambda: self.conflict(opened(path)))
                    yield tried(fcntl.fcntl, fd, command, locked(fcntl.F_UNLCK))
            finally:
                os.close(fd)
        self.assert_same(*self.answers(lambda path: list(contend(path)), "f"))

    @staticmethod
    def conflict(fd):
        """What somebody else's lock for writing would meet: its kind and place."""
        return LOCK.unpack(fcntl.fcntl(fd, OFD_GETLK, locked(fcntl.F_WRLCK)))[:4]

    @staticmethod
    def in_child(do):
        """What DO gives in another process, as text."""
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            os.write(writer, repr(do()).encode())
            os._exit(0)
        os.close(writer)
        os.waitpid(child, 0)
        with os.fdopen(reader, "r") as said:
            return said.read()

    def test_a_lock_is_of_one_revision(self):
        """As of any file that is replaced: who opens the new one meets no lock."""
        old = opened(self.mounted.join("f"))
        self.addCleanup(os.close, old)
        fcntl.flock(old, fcntl.LOCK_EX)
        self.keys.put("f", "new")
        self.mounted.settle()
        new = opened(self.mounted.join("f"))
        self.addCleanup(os.close, new)
        fcntl.flock(new, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def test_a_lease_holds_up_nobody(self):
        """A reader's, on the revision that was and on those that are."""
        path = self.mounted.join("f")
        for value in ("1", "2", "3"):
            fd = opened(path)
            self.addCleanup(os.close, fd)
            fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGWINCH)  # which nobody minds
            fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
            self.keys.put("f", value)
            self.mounted.settle()
            self.assertEqual(value.encode(), self.mounted.read("f"))


# ---- the filesystem ----

class Filesystem(AskingTest):
    def assert_totals(self, shown):
        """Keys as inodes, bytes as blocks; nothing is free."""
        values = [kv.value for kv in self.keys.all().values()]
        blocks = -(-sum(map(len, values)) // shown.f_frsize)
        self.assertEqual((len(values), 0, 0), (shown.f_files, shown.f_ffree, shown.f_favail))
        self.assertEqual((blocks, 0, 0), (shown.f_blocks, shown.f_bfree, shown.f_bavail))

    def test_totals(self):
        shown = os.statvfs(self.mounted.path)
        self.assert_totals(shown)
        for name in ("f", "d", ".etcdfs"):
            self.assertEqual(shown, os.statvfs(self.mounted.join(name)))
        self.assertEqual(255, shown.f_namemax)
        # An ordinary user's mount is read-only by our answers alone.
        self.assertEqual(privileged(), bool(shown.f_flag & os.ST_RDONLY))
        self.assertTrue(shown.f_flag & os.ST_NOSUID)

    def test_totals_change(self):
        fd = opened(self.mounted.join("f"))
        self.addCleanup(os.close, fd)
        for puts, deletes in (({"new1": "x" * 512, "new2": ""}, []), ({"f": ""}, ["d/g"]),
                              ({}, ["f", "new1", "new2"])):
            self.keys.txn(puts, deletes)
            self.mounted.settle()
            self.assert_totals(os.statvfs(fd))

    def test_df(self):
        for args, numbers in ((["-B512"], "f_blocks"), (["-i"], "f_files")):
            shown = subprocess.run(["df", *args, self.mounted.path], check=True, text=True,
                                   stdin=subprocess.DEVNULL, capture_output=True)
            self.assertEqual("", shown.stderr)
            total = getattr(os.statvfs(self.mounted.path), numbers)
            fields = shown.stdout.splitlines()[-1].split()
            self.assertEqual([self.mounted.source, str(total), str(total), "0", "100%",
                              self.mounted.path], fields)


# ---- handles ----

class Handle:
    """A file's name for whoever may open it by number (open_by_handle_at)."""

    SIZE = 128

    def __init__(self, path, flags=0):
        self.buffer = ctypes.create_string_buffer(8 + self.SIZE)
        struct.pack_into("Ii", self.buffer, 0, self.SIZE, 0)
        mount_id = ctypes.c_int()
        call("name_to_handle_at", AT_FDCWD, os.fsencode(path), self.buffer,
             ctypes.byref(mount_id), flags)

    def open(self, mount, flags=os.O_RDONLY):
        """The file behind it, on the filesystem of the path MOUNT."""
        directory = os.open(mount, os.O_RDONLY)
        try:
            return call("open_by_handle_at", directory, self.buffer, flags)
        finally:
            os.close(directory)

    def read(self, mount):
        fd = self.open(mount)
        try:
            return os.read(fd, 100)
        finally:
            os.close(fd)

    def bytes(self):
        length, kind = struct.unpack_from("Ii", self.buffer)
        return kind, self.buffer.raw[8:8 + length]

    def changed(self, at):
        """Another, that differs in one byte."""
        other = Handle.__new__(Handle)
        other.buffer = ctypes.create_string_buffer(self.buffer.raw, len(self.buffer))
        other.buffer[8 + at] = bytes([other.buffer.raw[8 + at] ^ 0x55])
        return other


class Handles(case.MountTest):
    def setUp(self):
        super().setUp()
        self.keys.txn({"f": "old", "d/e/g": "1", "other": "2"})
        self.mounted = self.mount()

    def hold(self, name):
        """So that the kernel cannot forget it by itself; gives its handle."""
        fd = os.open(self.mounted.join(name), os.O_RDONLY)
        self.addCleanup(os.close, fd)
        return Handle(self.mounted.join(name))

    def until_forgotten(self, handle):
        deadline = Deadline("the inode is forgotten")
        while (answer := tried(handle.read, self.mounted.path)) != "ESTALE":
            self.assertEqual(b"old", answer)
            deadline.pause()

    def test_each_has_one(self):
        names = ("f", "d", "d/e", "d/e/g", "")
        handles = [Handle(self.mounted.join(name)).bytes() for name in names]
        self.assertEqual(len(names), len(set(handles)))
        self.assertEqual(handles, [Handle(self.mounted.join(name)).bytes() for name in names])

    @case.user_only("root may")
    def test_not_for_ordinary_users(self):
        self.assertEqual("EPERM", tried(Handle(self.mounted.join("f")).read, self.mounted.path))

    @case.privileged_only("handles are root's")
    def test_what_the_kernel_knows(self):
        self.assertEqual(b"1", self.hold("d/e/g").read(self.mounted.path))
        for name in ("", "d", "d/e"):
            fd = self.hold(name).open(self.mounted.path, os.O_DIRECTORY)
            self.assertEqual(os.listdir(self.mounted.join(name)), os.listdir(fd))
            self.assertEqual(os.path.normpath(self.mounted.join(name)),
                             os.readlink(f"/proc/self/fd/{fd}"))
            os.close(fd)
        self.assertEqual("EROFS", tried(self.hold("f").open, self.mounted.path, os.O_WRONLY))

    @case.privileged_only("handles are root's")
    def test_an_older_revision(self):
        """Its bytes as long as somebody holds it, and then nothing."""
        path = self.mounted.join("f")
        old, held = Handle(path), os.open(path, os.O_RDONLY)
        self.keys.put("f", "new")
        self.mounted.settle()
        self.assertEqual(b"old", old.read(self.mounted.path))
        self.assertEqual(b"new", self.hold("f").read(self.mounted.path))
        os.close(held)
        self.until_forgotten(old)
        self.keys.put("f", "newer")
        self.mounted.settle()
        self.assertEqual("ESTALE", tried(old.read, self.mounted.path))
        self.assertEqual(b"newer", self.hold("f").read(self.mounted.path))

    @case.privileged_only("handles are root's")
    def test_a_deleted_key(self):
        path = self.mounted.join("f")
        old, held = Handle(path), os.open(path, os.O_RDONLY)
        self.keys.delete("f")
        self.mounted.settle()
        self.assertEqual(b"old", old.read(self.mounted.path))
        self.assertEqual(0, os.fstat(held).st_nlink)
        os.close(held)
        self.until_forgotten(old)

    @case.privileged_only("handles are root's")
    def test_what_was_never_given(self):
        """Each number of a handle changed; the mount goes on."""
        handle = self.hold("f")
        for at in range(len(handle.bytes()[1])):
            self.assertIn(tried(handle.changed(at).read, self.mounted.path), ("ESTALE", "EISDIR"))
        self.assertEqual(b"old", handle.read(self.mounted.path))

    @case.privileged_only("handles are root's")
    def test_of_another_mount(self):
        """Its numbers begin again, and are never taken for those of the last one."""
        names = ("f", "other", "d/e/g")
        handles = [Handle(self.mounted.join(name)) for name in names]
        self.keys.delete("f")
        self.keys.put("new", "")
        self.assertEqual(0, self.mounted.unmount().returncode)
        self.assertEqual(0, self.mounted.wait_end())
        self.mounted.start()
        for name in ("d/e/g", "other", "new"):
            self.hold(name)
        for handle in handles:
            self.assertEqual("ESTALE", tried(handle.read, self.mounted.path))


if __name__ == "__main__":
    case.main()
