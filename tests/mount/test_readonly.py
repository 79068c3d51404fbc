#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Issue item 9: nobody writes, root and the owner included, and nobody who
watches hears of the attempt."""

import ctypes
import errno
import os
import shutil
import stat
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import case  # noqa: E402
import inotify  # noqa: E402
from inotify import transcript  # noqa: E402
from mount import find_mount, privileged  # noqa: E402
from wait import times  # noqa: E402

libc = ctypes.CDLL(None, use_errno=True)
RENAME_EXCHANGE = 2


def rename_exchange(one, other):
    if libc.renameat2(-100, os.fsencode(one), -100, os.fsencode(other), RENAME_EXCHANGE):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def opened(path, flags):
    fd = os.open(path, flags, 0o644)
    os.close(fd)


def system_calls(mount):
    """(name, call) of every way to change the file f, the directory d with its
    file g, or the names around them."""
    f, d, g, new = mount.join("f"), mount.join("d"), mount.join("d", "g"), mount.join("new")
    return (
        ("open O_WRONLY", lambda: opened(f, os.O_WRONLY)),
        ("open O_RDWR", lambda: opened(f, os.O_RDWR)),
        ("open O_RDONLY|O_TRUNC", lambda: opened(f, os.O_RDONLY | os.O_TRUNC)),
        ("open O_WRONLY|O_TRUNC", lambda: opened(f, os.O_WRONLY | os.O_TRUNC)),
        ("open O_WRONLY|O_APPEND", lambda: opened(f, os.O_WRONLY | os.O_APPEND)),
        ("open O_CREAT, there", lambda: opened(f, os.O_WRONLY | os.O_CREAT)),
        ("open O_CREAT, new", lambda: opened(new, os.O_WRONLY | os.O_CREAT)),
        ("open O_CREAT|O_EXCL, new", lambda: opened(new, os.O_RDWR | os.O_CREAT | os.O_EXCL)),
        ("open O_TMPFILE", lambda: opened(d, os.O_RDWR | os.O_TMPFILE)),
        ("truncate", lambda: os.truncate(f, 0)),
        ("truncate to its size", lambda: os.truncate(f, 1)),
        ("unlink", lambda: os.unlink(f)),
        ("unlink, last of a directory", lambda: os.unlink(g)),
        ("mkdir", lambda: os.mkdir(new)),
        ("rmdir", lambda: os.rmdir(d)),
        ("rename", lambda: os.rename(f, new)),
        ("rename over another", lambda: os.rename(f, g)),
        ("rename a directory", lambda: os.rename(d, new)),
        ("rename exchange", lambda: rename_exchange(f, d)),
        ("link", lambda: os.link(f, new)),
        ("symlink", lambda: os.symlink("f", new)),
        ("mknod a file", lambda: os.mknod(new, stat.S_IFREG | 0o644)),
        ("mknod a fifo", lambda: os.mknod(new, stat.S_IFIFO | 0o644)),
        ("chmod", lambda: os.chmod(f, 0o666)),
        ("chmod a directory", lambda: os.chmod(d, 0o777)),
        ("chown", lambda: os.chown(f, os.geteuid(), os.getegid())),
        ("utime now", lambda: os.utime(f)),
        ("utime", lambda: os.utime(f, (1, 1))),
        ("utime of a directory", lambda: os.utime(d)),
        ("setxattr", lambda: os.setxattr(f, "user.new", b"1")),
        ("setxattr of ours", lambda: os.setxattr(f, "user.etcd.key", b"1")),
        ("setxattr of a directory", lambda: os.setxattr(d, "user.new", b"1")),
        ("removexattr", lambda: os.removexattr(f, "user.etcd.key")),
        ("write to the status", lambda: opened(mount.join(".etcdfs", "status"), os.O_WRONLY)),
        ("mkdir in the control directory", lambda: os.mkdir(mount.join(".etcdfs", "new"))),
        ("unlink in the control directory", lambda: os.unlink(mount.join(".etcdfs", "status"))),
    )


SHELL = [": > f", ": >> f", ": > new", "rm -f f", "rm -rf d", "mkdir new", "mkdir -p d/new/deeper",
         "rmdir d", "mv f new", "mv f d/g", "mv d new", "cp f new", "cp f d/g", "touch f",
         "touch new", "chmod 600 f", "chown $(id -u) f", "setfattr -n user.x -v 1 f",
         "truncate -s 0 f", "truncate -s 10 f", "fallocate -l 10 f", "ln f new",
         "ln -s f new", "mkfifo new", "sed -i s/1/2/ f", "echo 1 | tee f",
         "dd if=/dev/zero of=f count=1"]


class ReadOnly(case.MountTest):
    def setUp(self):
        super().setUp()
        self.keys.put("f", "1")
        self.keys.put("d/g", "1")
        self.mounted = self.mount()
        # Everything that happens, but for what a reader raises too.
        self.heard = self.watcher()
        for path in (self.mounted.path, self.mounted.join("f"), self.mounted.join("d"),
                     self.mounted.join("d", "g")):
            self.heard.add(path, inotify.CHANGES)

    def assert_nothing_happened(self):
        """No event but that of a new key; the tree is what it was."""
        self.keys.put("mark", "")
        events = transcript(self.heard.until_closed("mark"))
        self.assertEqual(["CREATE mark", "MODIFY mark", "CLOSE_WRITE mark"], events)
        self.assertEqual(["d", "f", "mark"], self.mounted.list())
        self.assertEqual(b"1", self.mounted.read("f"))
        self.assertEqual(b"1", self.mounted.read("d", "g"))

    def test_system_calls(self):
        for name, call in system_calls(self.mounted):
            with self.subTest(name):
                with self.assertRaises(OSError) as caught:
                    call()
                # A filesystem without O_TMPFILE may say so first.
                allowed = [errno.EROFS, errno.EOPNOTSUPP] if "TMPFILE" in name else [errno.EROFS]
                self.assertIn(caught.exception.errno, allowed, caught.exception)
        self.assert_nothing_happened()

    def test_the_announcers_own_names(self):
        """What it reaches inodes by is nobody else's."""
        inode = os.stat(self.mounted.join("f")).st_ino
        for names in ((".etcdfs", "inode", str(inode)), (".etcdfs", "inode", "1")):
            self.assertFalse(os.path.lexists(self.mounted.join(*names)), names)

    def test_opening_raises_no_event_at_all(self):
        """A refused open is not even an OPEN."""
        watcher = self.watcher()
        watcher.add(self.mounted.path)
        watcher.add(self.mounted.join("f"))
        ways = [os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_TRUNC, os.O_RDWR | os.O_TRUNC,
                os.O_WRONLY | os.O_APPEND, os.O_WRONLY | os.O_CREAT]
        if privileged():  # else it is a reader to us, until the kernel asks to truncate
            ways.append(os.O_RDONLY | os.O_TRUNC)
        for flags in ways:
            with self.assertRaises(OSError):
                opened(self.mounted.join("f"), flags)
        self.keys.put("mark", "")
        self.assertEqual(["CREATE mark", "OPEN mark", "MODIFY mark", "CLOSE_WRITE mark"],
                         transcript(watcher.until_closed("mark")))

    def test_a_descriptor_that_was_open_before(self):
        """A reader's descriptor gives no right that its owner did not have."""
        fd = os.open(self.mounted.join("f"), os.O_RDONLY)
        self.addCleanup(os.close, fd)
        for name, call in (("write", lambda: os.write(fd, b"2")),
                           ("ftruncate", lambda: os.ftruncate(fd, 0)),
                           ("fallocate", lambda: os.posix_fallocate(fd, 0, 10))):
            with self.subTest(name):
                with self.assertRaises(OSError) as caught:
                    call()
                self.assertIn(caught.exception.errno, (errno.EBADF, errno.EINVAL, errno.EROFS))
        for name, call in (("fchmod", lambda: os.fchmod(fd, 0o666)),
                           ("fchown", lambda: os.fchown(fd, os.geteuid(), -1)),
                           ("futimens", lambda: os.utime(fd)),
                           ("fsetxattr", lambda: os.setxattr(fd, "user.x", b"1")),
                           ("reopen", lambda: opened(f"/proc/self/fd/{fd}", os.O_WRONLY))):
            with self.subTest(name):
                with self.assertRaises(OSError) as caught:
                    call()
                self.assertEqual(errno.EROFS, caught.exception.errno, caught.exception)
        self.assert_nothing_happened()

    def test_a_shell(self):
        for line in SHELL:
            with self.subTest(line):
                if missing := [word for word in line.split()[:1]
                               if word.isalpha() and not shutil.which(word)]:
                    self.skipTest(f"no {missing}")
                result = subprocess.run(["sh", "-c", line], cwd=self.mounted.path, check=False,
                                        env={**os.environ, "LC_ALL": "C"}, text=True,
                                        stdin=subprocess.DEVNULL, capture_output=True)
                if "|" not in line:
                    self.assertNotEqual(0, result.returncode)
                self.assertRegex(result.stderr, "(?i)read-only file system")
        self.assert_nothing_happened()

    def test_an_editor_beside_the_announcer(self):
        """While changes are announced, by the calls that are refused to others."""
        refused = []
        stop = threading.Event()

        def attack():
            while not stop.is_set():
                for call in (lambda: opened(self.mounted.join("f"), os.O_WRONLY),
                             lambda: os.unlink(self.mounted.join("f")),
                             lambda: os.mkdir(self.mounted.join("new")),
                             lambda: os.mknod(self.mounted.join("h"), stat.S_IFREG | 0o644)):
                    try:
                        call()
                        refused.append(0)
                    except OSError as error:
                        refused.append(error.errno)
        attacker = threading.Thread(target=attack)
        attacker.start()
        for value in range(times(300)):
            self.keys.put("f", str(value))
            if value % 3 == 0:
                self.keys.put("h", "1")
            elif value % 3 == 1:
                self.keys.delete("h")
        self.mounted.settle()
        stop.set()
        attacker.join()
        # EEXIST: h was there.  ENOENT: f was being replaced, which no reader sees.
        self.assertLessEqual({errno.EROFS}, set(refused))
        self.assertLessEqual(set(refused), {errno.EROFS, errno.EEXIST})

    @case.privileged_only("an ordinary user's mount is read-only by our answers")
    def test_the_mount_says_so(self):
        self.assertIn("ro", find_mount(self.mounted.path))


if __name__ == "__main__":
    case.main()
