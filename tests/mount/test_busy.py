#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What makes the mount busy, and what becomes of it when it is unmounted all the same."""

import mmap
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import case  # noqa: E402
from mount import privileged  # noqa: E402
from place import PlaceTest, run  # noqa: E402
from wait import ENDS_WITH_US  # noqa: E402


class Busy(PlaceTest):
    """The user's own reasons, and nothing but them."""

    def setUp(self):
        super().setUp()
        shutil.copy("/bin/sleep", os.path.join(self.directory, "program"))
        with open("/bin/sleep", "rb") as program:
            self.keys.put("program", program.read())
        self.mounted = self.mount("-o", "umask=022")

    def assert_busy_while(self, hold):
        """HOLD() returns how to let go."""
        self.mounted.held = True
        let_go = hold()
        try:
            self.assertIn("busy", self.mounted.unmount().stderr)
            self.assertEqual(b"1", self.mounted.read("f"))
        finally:
            let_go()
        self.mounted.held = False
        self.assert_leaves(self.mounted)

    def test_an_open_file(self):
        def hold():
            fd = os.open(self.mounted.join("f"), os.O_RDONLY)
            return lambda: os.close(fd)
        self.assert_busy_while(hold)

    def test_an_open_directory(self):
        def hold():
            fd = os.open(self.mounted.join("d"), os.O_RDONLY)
            return lambda: os.close(fd)
        self.assert_busy_while(hold)

    def test_a_mapping(self):
        def hold():
            with open(self.mounted.join("f"), "rb") as file:
                return mmap.mmap(file.fileno(), 1, mmap.MAP_SHARED, mmap.PROT_READ).close
        self.assert_busy_while(hold)

    def test_a_working_directory(self):
        def hold():
            inside = subprocess.Popen([*ENDS_WITH_US, "KILL", "cat"], cwd=self.mounted.join("d"),
                                      stdin=subprocess.PIPE)
            return inside.communicate
        self.assert_busy_while(hold)

    @case.privileged_only("only root mounts a tmpfs")
    def test_a_mount_in_it(self):
        def hold():
            self.mount_at(self.mounted.join("d"), "-t", "tmpfs", "tmpfs")
            return lambda: run("umount", self.mounted.join("d"))
        self.assert_busy_while(hold)

    def test_watches_are_no_reason(self):
        watcher = self.watcher()
        for names in (("f",), ("d",), ("d", "g")):
            watcher.add(self.mounted.join(*names))
        self.assert_leaves(self.mounted)

    def unmount_lazily(self):
        command = ["umount", "-l"] if privileged() else ["fusermount3", "-u", "-z"]
        self.assertEqual(0, self.mounted.unmount(*command).returncode)

    def test_lazily_with_open_files(self):
        """They are served until they are closed; the daemon ends then."""
        fd = os.open(self.mounted.join("f"), os.O_RDONLY)
        directory = os.open(self.mounted.path, os.O_RDONLY)
        self.unmount_lazily()
        self.assertEqual([], os.listdir(self.mounted.path))
        self.assertEqual(b"1", os.read(fd, 1))
        # They even see what changes now.
        self.until_unmounted(self.mounted)
        self.assert_kept_up(f"/proc/self/fd/{directory}")
        self.assertIsNone(self.mounted.process.poll())
        os.close(fd)
        os.close(directory)
        self.assertEqual(0, self.mounted.wait_end())

    @case.privileged_only("umount is root's")
    def test_by_force(self):
        """umount -f: readers are cut off, the daemon ends well."""
        fd = os.open(self.mounted.join("f"), os.O_RDONLY)
        self.mounted.held = True
        result = self.mounted.unmount("umount", "-f")
        os.close(fd)
        self.mounted.held = False
        if result.returncode:
            self.assertIn("busy", result.stderr)
            subprocess.run(["umount", self.mounted.path], check=False, capture_output=True)
        self.assertEqual(0, self.mounted.wait_end())


if __name__ == "__main__":
    case.main()
