#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The release that tools/package made, and what Debian thinks of the packages."""

import glob
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import case  # noqa: E402
from made import run, the_one  # noqa: E402


class Release(case.MountTest):
    def test_has_all_that_its_tests_need(self):
        """Its units' tests ran when the package was made of it; here is a mount's."""
        run("tar", "-C", self.directory, "-xJf", the_one("etcdfs-*.tar.xz"))
        run("dpkg-deb", "-x", the_one("etcdfs_*.deb"), os.path.join(self.directory, "built"))
        test, = glob.glob(f"{self.directory}/etcdfs-*/tests/mount/test_control.py")
        env = {**os.environ, "ETCDFS": f"{self.directory}/built/usr/bin/etcdfs"}
        run(sys.executable, "-B", test, env=env)

    def test_lintian(self):
        """Neither errors nor warnings; those that are overridden have their reasons."""
        run("lintian", "--allow-root", "--fail-on", "error,warning", the_one("etcdfs_*.changes"))


if __name__ == "__main__":
    case.main()
