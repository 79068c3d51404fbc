#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a file shows beside its value: attributes, xattrs, statfs, .etcdfs."""

import ctypes
import errno
import os
import pwd
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import case  # noqa: E402
import inotify  # noqa: E402

MODES = 0o444, 0o555  # of a file, of a directory


class Attributes(case.MountTest):
    def test_modes_and_owner(self):
        self.keys.put("d/f", "1")
        mount = self.mount()
        file, directory = os.stat(mount.join("d", "f")), os.stat(mount.join("d"))
        self.assertEqual(MODES, (file.st_mode & 0o7777, directory.st_mode & 0o7777))
        self.assertEqual(MODES[1], os.stat(mount.path).st_mode & 0o7777)
        for status in (file, directory, os.stat(mount.path)):
            self.assertEqual((os.geteuid(), os.getegid()), (status.st_uid, status.st_gid))

    def test_umask(self):
        self.keys.put("d/f", "1")
        mount = self.mount("-o", "umask=077")
        file, directory = os.stat(mount.join("d", "f")), os.stat(mount.join("d"))
        self.assertEqual([mode & ~0o077 for mode in MODES],
                         [file.st_mode & 0o7777, directory.st_mode & 0o7777])

    @case.privileged_only("a user's files are the user's")
    def test_uid_and_gid(self):
        self.keys.put("d/f", "1")
        mount = self.mount("-o", "uid=1234,gid=2345")
        for path in (mount.path, mount.join("d"), mount.join("d", "f")):
            self.assertEqual((1234, 2345), (os.stat(path).st_uid, os.stat(path).st_gid))

    @case.privileged_only("allow_other needs root or /etc/fuse.conf")
    def test_allow_other(self):
        os.chmod(self.directory, 0o755)
        self.keys.put("f", "1")
        for args, allowed in (((), False), (("-o", "allow_other"), True)):
            with self.subTest(args=args):
                mount = self.mount(*args)
                nobody = pwd.getpwnam("nobody").pw_uid
                result = subprocess.run(["cat", mount.join("f")], user=nobody, group=nobody,
                                        extra_groups=[], check=False, capture_output=True)
                self.assertEqual(b"1" if allowed else b"", result.stdout)
                self.assertEqual(0, mount.unmount().returncode)
                self.assertEqual(0, mount.wait_end())

    def test_size_and_links(self):
        for name, size in (("empty", 0), ("one", 1), ("d/page", 4096), ("d/e/more", 100000)):
            self.keys.put(name, b"x" * size)
        mount = self.mount()
        for name, size in (("empty", 0), ("one", 1), ("d/page", 4096), ("d/e/more", 100000)):
            status = os.stat(mount.join(name))
            self.assertEqual((size, 1, (size + 511) // 512),
                             (status.st_size, status.st_nlink, status.st_blocks), name)
        self.assertEqual((3, 2), (os.stat(mount.join("d")).st_nlink,
                                  os.stat(mount.join("d", "e")).st_nlink))
        self.keys.put("d/new/f", "1")
        mount.settle()
        self.assertEqual(4, os.stat(mount.join("d")).st_nlink)
        self.keys.delete("d/new/f")
        self.keys.delete("d/e/more")
        mount.settle()
        self.assertEqual(2, os.stat(mount.join("d")).st_nlink)

    def test_inodes(self):
        """Each revision of a file is an inode of its own; a directory stays."""
        self.keys.put("d/f", "0")
        mount = self.mount()
        directory = os.stat(mount.join("d")).st_ino
        seen = {directory, os.stat(mount.join("d", "f")).st_ino}
        for value in range(10):
            self.keys.put("d/f", str(value))
            self.keys.put(f"d/{value}", "")
            mount.settle()
            inode = os.stat(mount.join("d", "f")).st_ino
            self.assertNotIn(inode, seen)
            seen.add(inode)
            with os.scandir(mount.join("d")) as entries:
                for entry in entries:
                    self.assertEqual(os.stat(entry.path).st_ino, entry.inode(), entry.name)
        self.assertEqual(directory, os.stat(mount.join("d")).st_ino)

    def test_times(self):
        self.keys.put("d/f", "0")
        self.keys.put("d/g", "0")
        began = time.time_ns()
        mount = self.mount()
        seeded = os.stat(mount.join("d", "f"))
        self.assertTrue(began - 10**9 <= seeded.st_mtime_ns <= time.time_ns() + 10**9)
        self.assertEqual(seeded.st_mtime_ns, os.stat(mount.join("d", "g")).st_mtime_ns)
        directory = os.stat(mount.join("d")).st_mtime_ns
        last = seeded.st_mtime_ns
        for value in range(20):
            self.keys.put("d/f", str(value))
            mount.settle()
            status = os.stat(mount.join("d", "f"))
            self.assertGreater(status.st_mtime_ns, last)
            self.assertEqual(status.st_mtime_ns, status.st_ctime_ns)
            last = status.st_mtime_ns
        self.assertEqual(directory, os.stat(mount.join("d")).st_mtime_ns, "the same members")
        self.keys.put("d/h", "1")
        mount.settle()
        self.assertGreater(created := os.stat(mount.join("d")).st_mtime_ns, directory)
        self.keys.delete("d/h")
        mount.settle()
        self.assertGreater(os.stat(mount.join("d")).st_mtime_ns, created)
        self.assertEqual(seeded.st_mtime_ns, os.stat(mount.join("d", "g")).st_mtime_ns)

    def test_statfs(self):
        self.keys.put("a", b"x" * 10000)
        self.keys.put("d/b", b"x" * 10000)
        mount = self.mount()
        before = os.statvfs(mount.path)
        self.assertEqual((3, 255), (before.f_files, before.f_namemax))  # with the fixture's tick
        self.assertTrue(20000 <= before.f_blocks * before.f_frsize <= 40000, before)
        self.assertEqual((0, 0), (before.f_bfree, before.f_bavail))
        self.keys.txn({f"d/{i}": b"x" * 10000 for i in range(10)})
        mount.settle()
        after = os.statvfs(mount.path)
        self.assertEqual(13, after.f_files)
        self.assertTrue(120000 <= after.f_blocks * after.f_frsize <= 150000, after)


class ExtendedAttributes(case.MountTest):
    def numbers(self, path):
        return {name: os.getxattr(path, f"user.etcd.{name}").decode()
                for name in ("create_revision", "mod_revision", "version")}

    def test_of_a_file(self):
        created = self.keys.put("d/f", "1")
        mount = self.mount()
        path = mount.join("d", "f")
        self.assertEqual({"user.etcd.key", "user.etcd.create_revision", "user.etcd.mod_revision",
                          "user.etcd.version"}, set(os.listxattr(path)))
        self.assertEqual(self.keys.full("d/f"), os.getxattr(path, "user.etcd.key"))
        self.assertEqual({"create_revision": str(created), "mod_revision": str(created),
                          "version": "1"}, self.numbers(path))
        with open(path, "rb") as old:
            modified = self.keys.put("d/f", "2")
            mount.settle()
            self.assertEqual({"create_revision": str(created), "mod_revision": str(modified),
                              "version": "2"}, self.numbers(path))
            self.assertEqual(str(created).encode(),
                             os.getxattr(old.fileno(), "user.etcd.mod_revision"))

    def test_of_a_lease(self):
        lease = self.keys.etcd.grant(600)
        self.keys.put("f", "1", lease)
        mount = self.mount()
        self.assertEqual(f"{lease:x}", os.getxattr(mount.join("f"), "user.etcd.lease").decode())
        self.assertIn("user.etcd.lease", os.listxattr(mount.join("f")))
        self.keys.put("f", "2")
        mount.settle()
        self.assertNotIn("user.etcd.lease", os.listxattr(mount.join("f")))

    def test_of_a_directory(self):
        self.keys.put("d/e/f", "1")
        mount = self.mount()
        path = mount.join("d", "e")
        self.assertEqual(["user.etcd.prefix"], os.listxattr(path))
        self.assertEqual(self.keys.full("d/e/"), os.getxattr(path, "user.etcd.prefix"))

    def test_of_the_root(self):
        self.keys.put("f", "1")
        mount = self.mount()
        watcher = self.watcher()
        watcher.add(mount.path, inotify.CLOSE_WRITE)
        revision = self.keys.put("f", "2")
        watcher.until_closed("f")
        self.assertEqual({"user.etcd.prefix", "user.etcd.revision", "user.etcd.cluster_id",
                          "user.etcd.state"}, set(os.listxattr(mount.path)))
        self.assertEqual(self.keys.prefix, os.getxattr(mount.path, "user.etcd.prefix"))
        self.assertGreaterEqual(int(os.getxattr(mount.path, "user.etcd.revision")), revision)
        self.assertEqual(b"live", os.getxattr(mount.path, "user.etcd.state"))
        cluster = self.keys.etcd.header()["cluster_id"]
        self.assertEqual(f"{cluster:x}", os.getxattr(mount.path, "user.etcd.cluster_id").decode())

    def test_errors(self):
        self.keys.put("f", "1")
        path = self.mount().join("f")
        for name in ("user.etcd.nope", "user.nope", "security.selinux", "user.etcd.prefix"):
            with self.assertRaises(OSError) as caught:
                os.getxattr(path, name)
            self.assertIn(caught.exception.errno, (errno.ENODATA, errno.EOPNOTSUPP), name)
        libc = ctypes.CDLL(None, use_errno=True)
        small = ctypes.create_string_buffer(1)
        self.assertEqual(-1, libc.getxattr(os.fsencode(path), b"user.etcd.key", small, 1))
        self.assertEqual(errno.ERANGE, ctypes.get_errno())
        self.assertEqual(-1, libc.listxattr(os.fsencode(path), small, 1))
        self.assertEqual(errno.ERANGE, ctypes.get_errno())

    def test_getfattr(self):
        self.keys.put("f", "1")
        path = self.mount().join("f")
        said = subprocess.run(["getfattr", "--absolute-names", "--only-values",
                               "-n", "user.etcd.key", path], check=True, capture_output=True)
        self.assertEqual((self.keys.full("f"), b""), (said.stdout, said.stderr))


class Control(case.MountTest):
    """.etcdfs: found by name, never listed."""

    def test_it_is_not_listed(self):
        self.keys.put("f", "1")
        mount = self.mount()
        self.assertEqual(["f"], mount.list())
        self.assertTrue(os.path.isdir(mount.join(".etcdfs")))
        self.assertLessEqual({"status", "revision"}, set(os.listdir(mount.join(".etcdfs"))))
        self.assertEqual(["f"], mount.list())

    def test_revision(self):
        mount = self.mount()
        watcher = self.watcher()
        watcher.add(mount.path, inotify.CLOSE_WRITE)
        for value in range(20):
            revision = self.keys.put("f", str(value))
            watcher.until_closed("f")
            self.assertEqual(f"{revision}\n".encode(), mount.read(".etcdfs", "revision"))

    def test_status(self):
        revision = self.keys.put("f", "1")
        mount = self.mount()
        mount.settle()
        status = mount.wait_state("live")
        header = self.keys.etcd.header()
        self.assertGreater(status["revision"], revision)
        self.assertEqual(self.keys.etcd.endpoint, status["endpoint"])
        self.assertEqual(f"{header['cluster_id']:x}", status["cluster_id"])
        self.assertEqual(2, status["keys"])  # with the fixture's tick
        self.assertEqual(0, sum(status["reseeds"].values()))

    def test_a_descriptor_of_the_status_keeps_its_text(self):
        self.own_etcd()
        mount = self.mount(allow=[r"connect", r"lost", r"etcd"])
        with open(mount.join(".etcdfs", "status"), "rb") as status:
            size = os.fstat(status.fileno()).st_size
            self.etcd.kill()
            mount.wait_state("reconnecting")
            text = status.read()
            self.assertIn(b'"live"', text)
            self.assertEqual(size, len(text))

    def test_a_change_of_state_is_told(self):
        self.own_etcd()
        mount = self.mount(allow=[r"connect", r"lost", r"etcd"])
        watcher = self.watcher()
        watcher.add(mount.join(".etcdfs"), inotify.CLOSE_WRITE)
        self.etcd.kill()
        watcher.until_closed("status")
        self.assertNotEqual("live", mount.status()["state"])
        self.etcd.start()
        self.assertEqual("live", mount.wait_state("live")["state"])

    def test_no_state_changes_no_event(self):
        mount = self.mount()
        watcher = self.watcher()
        watcher.add(mount.join(".etcdfs"), inotify.CHANGES)
        for value in range(20):
            self.keys.put("f", str(value))
        mount.settle()
        watcher.add(mount.path, inotify.CREATE)
        self.keys.put("mark", "")
        self.assertEqual(["CREATE mark"], [str(watcher.next())])


if __name__ == "__main__":
    case.main()
