#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""mount(8) and /etc/fstab: the helpers that it calls, the README's line, who may mount.

Root's: in a mount namespace of its own, /sbin has the helpers as if they were
installed, and /etc/fstab is the test's."""

import json
import os
import pwd
import re
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import case  # noqa: E402
import libc  # noqa: E402
from etcd import free_port  # noqa: E402
from mount import daemons, find_mount, unmount_from_background, wait_mounts  # noqa: E402
from proxy import Proxy  # noqa: E402
from wait import Deadline  # noqa: E402

README = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "README.md")
HELPERS = {"etcdfs": "mount.etcdfs", "fuse.etcdfs": "mount.fuse.etcdfs"}
# What the sanitizers need to know.
KEPT = {name: os.environ[name] for name in ("ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS",
                                            "TSAN_OPTIONS", "G_SLICE") if name in os.environ}


def bind(source, target):
    libc.call("mount", os.fsencode(source), os.fsencode(target), None, libc.MS_BIND, None)


def install(directory, *names):
    """From here on DIRECTORY has links of these NAMES to the program, too."""
    directory = os.path.realpath(directory)
    real, shown = tempfile.mkdtemp(), tempfile.mkdtemp()
    bind(directory, real)
    for name in set(os.listdir(directory)) - set(names):
        os.symlink(os.path.join(real, name), os.path.join(shown, name))
    for name in names:
        os.symlink(case.MountTest.program(), os.path.join(shown, name))
    os.chmod(shown, 0o755)
    os.chmod(real, 0o755)
    bind(shown, directory)

    def uninstall():
        libc.call("umount2", os.fsencode(directory), libc.MNT_DETACH)
        libc.call("umount2", os.fsencode(real), libc.MNT_DETACH)
        os.rmdir(real)
        for name in os.listdir(shown):
            os.unlink(os.path.join(shown, name))
        os.rmdir(shown)
    return uninstall


class FstabTest(case.MountTest):
    helpers = tuple(HELPERS.values())

    def setUp(self):
        super().setUp()
        os.chmod(self.directory, 0o755)
        self.addCleanup(install("/sbin", *self.helpers))
        self.keys.put("f", "1")
        self.endpoint = self.keys.etcd.endpoint
        self.prefix = self.keys.prefix.decode()
        self.source = f"etcd://{self.endpoint}{self.prefix}"
        self.fstab = os.path.join(self.directory, "fstab")
        self.point = self.new_point("mnt")

    def new_point(self, name):
        point = os.path.join(self.directory, name)
        os.mkdir(point)
        self.addCleanup(self.unmount_rest, point)
        return point

    @staticmethod
    def unmount_rest(point):
        """What a test, or one that failed, has left."""
        while find_mount(point) is not None:
            unmount_from_background(point, "umount", point)
        for pid in daemons(point):
            os.kill(pid, signal.SIGKILL)

    def write_fstab(self, *lines):
        with open(self.fstab, "w", encoding="utf-8") as fstab:
            fstab.writelines(f"{line}\n" for line in lines)

    def run_command(self, *command, **options):
        return subprocess.run(command, check=False, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, **options)

    def run_mount(self, *args, **options):
        return self.run_command("mount", *args, **options)

    def assert_done(self, result):
        self.assertEqual((0, ""), (result.returncode, result.stderr))

    def assert_mounted(self, result, point=None, source=None):
        """As a line of findmnt shows it, too."""
        self.assert_done(result)
        shown = self.run_command("findmnt", "--json", "-t", "fuse.etcdfs", point or self.point)
        [shown] = json.loads(shown.stdout)["filesystems"]
        self.assertEqual(source or self.source, shown["source"])
        self.assertIn("ro", shown["options"].split(","))
        with open(os.path.join(point or self.point, "f"), encoding="ascii") as file:
            self.assertEqual("1", file.read())

    def assert_refused(self, result, status, says):
        self.assertEqual(status, result.returncode, result.stderr)
        self.assertRegex(result.stderr, f"\\Aetcdfs: .*{says}.*\n\\Z")
        self.assertIsNone(find_mount(self.point))


class ByHand(FstabTest):
    def test_both_types(self):
        for kind, helper in HELPERS.items():
            with self.subTest(kind):
                self.assert_mounted(self.run_mount("-t", kind, self.source, self.point,
                                                   "-o", "uid=5,noatime"))
                self.assertEqual(5, os.stat(os.path.join(self.point, "f")).st_uid)
                [daemon] = daemons(self.point)
                with open(f"/proc/{daemon}/cmdline", encoding="ascii") as arguments:
                    self.assertTrue(arguments.read().split("\0")[0].endswith(f"/{helper}"))
                with open(f"/proc/{daemon}/comm", encoding="ascii") as name:
                    self.assertEqual("etcdfs\n", name.read())
                unmount_from_background(self.point)

    def test_generic_options(self):
        self.assert_mounted(self.run_mount(
            "-t", "etcdfs", self.source, self.point, "-o",
            "rw,dev,suid,exec,_netdev,nofail,noauto,auto,user,users,owner,group,defaults,"
            "comment=x,x-systemd.automount,x-systemd.requires=network.target,X-mount.mkdir,"
            "relatime,lazytime,silent"))

    def test_fake(self):
        self.assert_done(self.run_mount("-f", "-t", "etcdfs", self.source, self.point))
        self.assertIsNone(find_mount(self.point))
        self.assert_refused(self.run_mount("-f", "-t", "etcdfs", self.source, self.point, "-o",
                                           "uid=x"), 2, "uid=x: not a numeric id")

    def test_other_letters(self):
        self.assert_mounted(self.run_mount("-n", "-v", "-r", "-s", "-t", "etcdfs", self.source,
                                           self.point, "-o", "nobody_knows=1"))

    def test_mistakes(self):
        mount = ["-t", "etcdfs", self.source, self.point, "-o"]
        self.assert_refused(self.run_mount(*mount, "frobnicate"), 2, "frobnicate.*--help")
        self.assert_refused(self.run_mount(*mount, "remount,ro"), 2, "remount .*mount again")
        self.assert_refused(self.run_mount(*mount, "dial_timeout=100ms,cacert=/none"), 2, "TLS")
        self.assert_refused(self.run_mount("-t", "etcdfs", "etcd://127.0.0.1:1/", self.point,
                                           "-o", "dial_timeout=100ms"), 1, "127.0.0.1:1")
        self.assert_refused(self.run_command("/sbin/mount.etcdfs", self.source, self.point, "-d"),
                            2, "unknown option -d")

    def test_remount(self):
        self.assert_mounted(self.run_mount("-t", "etcdfs", self.source, self.point))
        refused = self.run_mount("-o", "remount,ro", self.point)
        self.assertEqual((2, "etcdfs: -o remount is not possible: unmount and mount again\n"),
                         (refused.returncode, refused.stderr))
        self.assert_mounted(self.run_mount("-i", "-o", "remount,ro", self.point))


    def test_in_another_namespace(self):
        """mount -N; nobody in ours sees it."""
        with subprocess.Popen(["unshare", "--mount", "sh", "-c", "echo ready; read -r _"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE) as there:
            self.assertEqual(b"ready\n", there.stdout.readline())
            namespace = f"/proc/{there.pid}/ns/mnt"
            enter = "nsenter", f"--mount={namespace}"
            self.assert_done(self.run_mount("-N", namespace, "-t", "etcdfs", self.source,
                                            self.point))
            self.assertIsNone(find_mount(self.point))
            file = self.run_command(*enter, "cat", f"{self.point}/f")
            self.assertEqual("1", file.stdout, file.stderr)
            unmount_from_background(self.point, *enter, "umount", self.point)
            there.communicate(b"\n")


class WithoutOurHelpers(FstabTest):
    """mount.fuse3 looks for etcdfs where programs are."""

    helpers = ()

    def setUp(self):
        super().setUp()
        self.addCleanup(install("/usr/local/bin", "etcdfs"))

    def test_by_mount_fuse(self):
        self.assert_mounted(self.run_mount("-t", "fuse.etcdfs", self.source, self.point,
                                           "-o", "_netdev,nofail", env=KEPT))


class AtBoot(FstabTest):
    def test_the_line_of_the_readme(self):
        with open(README, encoding="utf-8") as text:
            block = re.search(r"<!-- example: fstab -->\n```fstab\n(.*?)\n```", text.read(),
                              re.DOTALL)
        line = re.sub(r"^etcd://[^/]+/app/ +/etc/app ",
                      f"etcd://{self.endpoint},127.0.0.1:1{self.prefix} {self.point} ", block[1])
        self.assertNotEqual(line, block[1])
        self.write_fstab(line)
        self.assert_mounted(self.run_mount("-T", self.fstab, "-a", env=KEPT),
                            source=line.split()[0])
        unmount_from_background(self.point)

    def test_each_line_once(self):
        """However often mount -a runs; without PATH and HOME, as systemd calls it."""
        self.keys.put("a b,%/f", "1")
        hosts = f"{self.endpoint},127.0.0.1:1"
        lines = {
            self.point: ("etcdfs", f"etcd://{hosts}{self.prefix}"),
            self.new_point("blank"): ("fuse.etcdfs", f"etcd://{hosts}{self.prefix}a b,%25/"),
            self.new_point("escaped"): ("etcdfs", f"etcd://{hosts}{self.prefix}a%20b%2C%25/"),
            self.new_point("a point"): ("etcdfs", self.source),
        }
        self.write_fstab(*(" ".join((source.replace(" ", "\\040"), point.replace(" ", "\\040"),
                                     kind, "defaults,_netdev,nofail 0 0"))
                           for point, (kind, source) in lines.items()))
        for _ in range(2):
            result = self.run_mount("-T", self.fstab, "-a", env=KEPT)
            for point, (_, source) in lines.items():
                self.assert_mounted(result, point, source)
                self.assertEqual(1, len(daemons(point)))
        for point in lines:
            unmount_from_background(point, "umount", point)
            self.assertIsNone(find_mount(point))

    def test_by_its_directory(self):
        """One that is not mounted at boot; and where an option says which etcd."""
        self.write_fstab(f"none {self.point} etcdfs noauto,x-systemd.automount,"
                         f"endpoints={self.endpoint}\\,127.0.0.1:1,prefix={self.prefix} 0 0")
        self.assert_done(self.run_mount("-T", self.fstab, "-a"))
        self.assertIsNone(find_mount(self.point))
        self.assert_mounted(self.run_mount("-T", self.fstab, self.point),
                            source=f"etcd://{self.endpoint},127.0.0.1:1{self.prefix}")


    def test_etcd_is_away(self):
        """As it may be at boot.  Twice: the second finds no mount, and tries, too."""
        proxy = Proxy(free_port(), self.keys.etcd.port)
        self.addCleanup(proxy.close)
        proxy.refuse()
        source = f"etcd://{proxy.endpoint}{self.prefix}"
        self.write_fstab(f"{source} {self.point} etcdfs bg,nofail,_netdev,dial_timeout=100ms 0 0")
        for tries in (1, 2):
            result = self.run_mount("-T", self.fstab, "-a", env=KEPT)
            self.assertRegex(result.stderr, "; trying again in the background\n\\Z")
            self.assertEqual((0, tries), (result.returncode, len(daemons(self.point))))
        proxy.accept()
        wait_mounts(lambda: find_mount(self.point) is not None, Deadline("one of them mounts"))
        deadline = Deadline("the other one ends")
        while len(daemons(self.point)) > 1:
            deadline.pause()
        self.assert_mounted(self.run_mount("-T", self.fstab, "-a", env=KEPT), source=source)


class AnOrdinaryUser(FstabTest):
    def setUp(self):
        super().setUp()
        program = self.run_command("sh", "-c", "command -v mount").stdout.strip()
        if not os.stat(program).st_mode & 0o4000:
            self.skipTest("mount is not set-uid here")
        self.write_fstab(f"{self.source} {self.point} etcdfs noauto,user 0 0")
        if not os.path.exists("/etc/fstab"):  # as in a container
            os.close(os.open("/etc/fstab", os.O_CREAT, 0o644))
            self.addCleanup(os.unlink, "/etc/fstab")
        bind(self.fstab, "/etc/fstab")
        self.addCleanup(libc.call, "umount2", b"/etc/fstab", libc.MNT_DETACH)

    def run_as(self, user, *command):
        return self.run_command("setpriv", f"--reuid={user}", "--regid=nogroup",
                                "--clear-groups", *command, env=KEPT | {"PATH": os.defpath})

    def test_mounts_and_unmounts(self):
        os.chown(self.point, pwd.getpwnam("nobody").pw_uid, -1)
        self.assert_done(self.run_as("nobody", "mount", self.point))
        self.assertIsNotNone(find_mount(self.point))
        self.assertEqual("1", self.run_as("nobody", "cat", f"{self.point}/f").stdout)
        other = self.run_as("daemon", "umount", self.point)
        self.assertNotEqual(0, other.returncode)
        [daemon] = daemons(self.point)
        self.assertEqual(pwd.getpwnam("nobody").pw_uid, os.stat(f"/proc/{daemon}").st_uid)
        unmount_from_background(self.point, "setpriv", "--reuid=nobody", "--regid=nogroup",
                                "--clear-groups", "umount", self.point)
        self.assertIsNone(find_mount(self.point))

    def test_on_a_directory_of_another(self):
        self.assert_refused(self.run_as("nobody", "mount", self.point), 1,
                            f"{self.point}: Permission denied.*directory of their own")


if __name__ == "__main__":
    case.main()
