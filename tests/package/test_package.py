#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The .deb that tools/package made, in a Debian with nothing else in it."""

import glob
import os
import re
import shlex
import shutil
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import case  # noqa: E402
from clean_root import CleanRoot  # noqa: E402
from etcd import to_bytes  # noqa: E402
from made import run, the_one  # noqa: E402
from wait import LIMIT, Deadline  # noqa: E402

TOOLS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools")
POINT = "/etc/app"
UNIT = "/lib/systemd/system/etcdfs@.service"
# What apt and dpkg remember of what they did, and what the loader found.
MEMORIES = ("/etc/ld.so.cache", "/var/cache/", "/var/lib/apt/", "/var/lib/dpkg/", "/var/log/")


class Package(case.MountTest):
    """Each test begins with the package installed, and with what it depends on."""

    @classmethod
    def setUpClass(cls):
        cls.root = CleanRoot()
        cls.addClassCleanup(cls.root.close)
        cls.before = cls.root.files()
        cls.deb = the_one("etcdfs_*.deb")
        with open(cls.deb, "rb") as source, open(cls.root.inside("/tmp/etcdfs.deb"), "wb") as copy:
            copy.write(source.read())
        # apt finds what it depends on, or fails.
        cls.root.run("apt-get", "install", "-y", "--no-install-recommends", "/tmp/etcdfs.deb")
        cls.root.run("mkdir", "-p", POINT)

    def setUp(self):
        super().setUp()
        self.keys.put("key", "one")
        self.source = f"etcd://{self.keys.etcd.endpoint}{self.keys.prefix.decode()}"
        self.root.run("dpkg", "-i", "/tmp/etcdfs.deb")

    def write(self, path, text):
        """A file of its administrator's."""
        path = self.root.inside(path)
        with open(path, "wb") as file:
            file.write(to_bytes(text))
        self.addCleanup(os.unlink, path)

    def read(self):
        return self.root.run("cat", f"{POINT}/key")

    def mount(self):
        self.root.run("etcdfs", self.source, POINT)
        self.addCleanup(self.unmount)

    def unmount(self):
        if POINT in self.root.run("cat", "/proc/mounts"):
            self.root.run("umount", POINT)

    def assert_shows(self, value):
        """VALUE, put now, appears."""
        self.keys.put("key", value)
        deadline = Deadline(f"{value} shows")
        while self.read() != value:
            deadline.pause()

    def programs(self):
        files = self.root.run("dpkg", "-L", "etcdfs").splitlines()
        return [os.path.basename(file) for file in files if re.match(r"/usr/s?bin/.", file)]

    def test_programs_and_their_pages(self):
        self.assertIn("etcdfs", self.programs())
        self.assertIn("etcdfs-wait", self.programs())
        for name in self.programs():
            pages = glob.glob(self.root.inside(f"/usr/share/man/man*/{name}.[18].gz"))
            self.assertEqual(1, len(pages), name)
        version = self.root.run("dpkg-query", "-Wf${Version}", "etcdfs").partition("-")[0]
        self.assertEqual(f"etcdfs {version}", self.root.run("etcdfs", "--version").splitlines()[0])
        self.assertEqual("", self.root.run("dpkg", "--verify", "etcdfs"))

    def test_line_of_fstab(self):
        self.write("/etc/fstab", f"{self.source} {POINT} etcdfs _netdev,nofail 0 0\n")
        self.root.run("mount", POINT)
        self.addCleanup(self.unmount)
        self.assertEqual("one", self.read())
        self.assert_shows("two")

    def test_ordinary_user(self):
        """Who needs fusermount3."""
        nobody = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
        self.root.run(*nobody, "mkdir", "/tmp/mnt")
        self.addCleanup(self.root.run, "rmdir", "/tmp/mnt")
        self.root.run(*nobody, "etcdfs", self.source, "/tmp/mnt")
        self.addCleanup(self.root.run, "umount", "/tmp/mnt")
        self.assertEqual("one", self.root.run(*nobody, "cat", "/tmp/mnt/key"))

    def copy(self, source, path):
        with open(source, "rb") as file:
            self.write(path, file.read())
        os.chmod(self.root.inside(path), 0o755)

    def test_smoke(self):
        """The package's own test, which waits with etcdfs-wait, with the etcd that there is."""
        self.copy(shutil.which("etcdctl"), "/usr/local/bin/etcdctl")
        self.copy(os.path.join(TOOLS, "debian", "tests", "smoke"), "/usr/local/bin/smoke")
        self.root.run("smoke", ETCDCTL_ENDPOINTS=self.keys.etcd.endpoint)

    def unit(self):
        """What etcdfs@app.service runs, as systemd would read it."""
        with open(self.root.inside(UNIT), encoding="utf-8") as unit:
            command = re.search(r"^ExecStart=[-@:+!]*(.*)$", unit.read(), re.MULTILINE)[1]
        self.assertEqual({"%i"}, set(re.findall("%.", command)), command)
        # where it shows is this root, which is nobody's mount namespace
        return [word for word in shlex.split(command.replace("%i", "app"))
                if not word.startswith("--mount-namespace=")]

    def test_command_of_the_unit(self):
        self.write("/etc/etcdfs/app.conf",
                   f"[etcdfs]\nsource={self.source}\nmountpoint={POINT}\n")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
            notified.bind(self.root.inside("/tmp/notify"))
            self.addCleanup(os.unlink, self.root.inside("/tmp/notify"))
            daemon = self.root.start(*self.unit(), NOTIFY_SOCKET="/tmp/notify")
            self.addCleanup(daemon.wait, LIMIT)
            self.addCleanup(self.unmount)
            notified.settimeout(Deadline("it is ready").left())
            while b"READY=1" not in notified.recv(4096):
                pass
        self.assertEqual("one", self.read())
        self.assert_shows("two")

    def next_version(self):
        """The same package, but newer."""
        tree = os.path.join(self.directory, "next")
        run("dpkg-deb", "-R", self.deb, tree)
        run("sed", "-i", r"s/^Version: .*/&+next/", f"{tree}/DEBIAN/control")
        run("dpkg-deb", "-Znone", "--root-owner-group", "-b", tree, self.root.inside("/tmp/next.deb"))

    def test_upgrade_while_mounted(self):
        self.next_version()
        self.mount()
        self.root.run("dpkg", "-i", "/tmp/next.deb")
        self.assertTrue(self.root.run("dpkg-query", "-Wf${Version}", "etcdfs").endswith("+next"))
        self.assert_shows("two")
        self.root.run("umount", POINT)
        self.mount()
        self.assertEqual("two", self.read())

    def test_removal_while_mounted(self):
        self.mount()
        self.root.run("apt-get", "purge", "-y", "etcdfs")
        self.assert_shows("two")
        self.root.run("umount", POINT)
        self.assert_nothing_left()

    def assert_nothing_left(self):
        left = {path for path in self.root.files() - self.before - {POINT}
                if not path.startswith(MEMORIES)}
        for listed in glob.glob(self.root.inside("/var/lib/dpkg/info/*.list")):
            with open(listed, encoding="utf-8") as paths:
                left -= {self.root.real(path) for path in paths.read().splitlines()}
        self.assertEqual(set(), left)


if __name__ == "__main__":
    case.main()
