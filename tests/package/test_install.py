#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""meson install and ninja uninstall, into a directory that stands for /.

BUILD names the build.
"""

import json
import os
import re
import shlex
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import case  # noqa: E402
from made import run  # noqa: E402

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
# All of it, below the prefix.  Whoever installs more writes it here, too.
FILES = """\
{bindir}/etcdfs
{bindir}/etcdfs-wait
{datadir}/bash-completion/completions/etcdfs
{datadir}/bash-completion/completions/etcdfs-wait
{datadir}/doc/etcdfs/LICENSE
{datadir}/doc/etcdfs/README.md
{datadir}/doc/etcdfs/README.prometheus.md
{datadir}/doc/etcdfs/examples/app-changed.path
{datadir}/doc/etcdfs/examples/app-changed.service
{datadir}/doc/etcdfs/examples/etc-app.mount
{datadir}/doc/etcdfs/examples/example.conf
{datadir}/etcdfs/grafana/etcdfs.json
{datadir}/etcdfs/prometheus/etcdfs.rules.test.yml
{datadir}/etcdfs/prometheus/etcdfs.rules.yml
{datadir}/fish/vendor_completions.d/etcdfs-wait.fish
{datadir}/fish/vendor_completions.d/etcdfs.fish
{datadir}/zsh/site-functions/_etcdfs
{datadir}/zsh/site-functions/_etcdfs-wait
{sbindir}/mount.etcdfs
{sbindir}/mount.fuse.etcdfs
{sysconfdir}/etcdfs
{systemd_unit_dir}/etcdfs@.service
"""
# What is made only where rst2man is, which tools/deps brings along.
PAGES = """\
{mandir}/man1/etcdfs-wait.1
{mandir}/man8/etcdfs.8
{mandir}/man8/mount.etcdfs.8
{mandir}/man8/mount.fuse.etcdfs.8
"""


class Install(case.MountTest):
    def setUp(self):
        super().setUp()
        self.build = os.environ["BUILD"]
        options = json.loads(run("meson", "introspect", "--buildoptions", self.build))
        self.option = {option["name"]: option["value"] for option in options}
        self.option["systemd_unit_dir"] = self.option["systemd_unit_dir"] or "lib/systemd/system"
        self.root = os.path.join(self.directory, "root")
        self.environment = {**os.environ, "DESTDIR": self.root}
        self.keep_what_is_known()
        run("meson", "install", "-C", self.build, "--no-rebuild", env=self.environment)

    def keep_what_is_known(self):
        """Of an earlier installation, by which a person will uninstall it."""
        log = os.path.join(self.build, "meson-logs", "install-log.txt")
        kept = os.path.join(self.directory, "install-log.txt")
        if os.path.exists(log):
            shutil.copy2(log, kept)
            self.addCleanup(shutil.copy2, kept, log)

    def installed(self):
        """All files, and directories with nothing in them."""
        found = set()
        for where, folders, names in os.walk(self.root):
            found.update(os.path.join(where, name) for name in names)
            if not folders + names:
                found.add(where)
        return {path[len(self.root):] for path in found}

    def at(self, *names):
        """Where the file of these NAMES is, one of the directories of the build first."""
        return self.root + os.path.join(self.option["prefix"], self.option[names[0]], *names[1:])

    def test_install(self):
        self.assert_every_file_and_no_other()
        self.assert_helpers_are_the_program()
        self.assert_unit_names_what_is_there()
        version = json.loads(run("meson", "introspect", "--projectinfo", self.build))["version"]
        said = run(self.at("bindir", "etcdfs"), "--version")
        self.assertIn(f"etcdfs {version}\n", said)

    def test_uninstall_leaves_nothing(self):
        run("ninja", "-C", self.build, "uninstall", env=self.environment)
        self.assertFalse(os.path.exists(self.root))

    def assert_every_file_and_no_other(self):
        pages = PAGES if shutil.which("rst2man") or shutil.which("rst2man.py") else ""
        wanted = (FILES + pages).format_map(self.option).splitlines()
        self.assertEqual(sorted(os.path.join(self.option["prefix"], name) for name in wanted),
                         sorted(self.installed()))

    def assert_helpers_are_the_program(self):
        for name in "mount.etcdfs", "mount.fuse.etcdfs":
            link = os.path.join(self.option["prefix"], self.option["sbindir"], name)
            to = os.path.join(os.path.dirname(link), os.readlink(self.root + link))
            self.assertEqual(self.at("bindir", "etcdfs"), self.root + os.path.normpath(to))

    def assert_unit_names_what_is_there(self):
        with open(self.at("systemd_unit_dir", "etcdfs@.service"), encoding="utf-8") as unit:
            program, *options = re.search("^ExecStart=(.*)", unit.read(), re.MULTILINE)[1].split()
        self.assertEqual(self.at("bindir", "etcdfs"), self.root + program)
        self.assertIn(f"--config-file={self.at('sysconfdir', 'etcdfs', '%i.conf')}",
                      [option.replace("=", f"={self.root}") for option in options])


class Packages(case.MountTest):
    """What is written in two places."""

    def test_packages_to_build_with(self):
        """Those of tools/deps and of debian/control."""
        with open(os.path.join(SOURCE, "tools", "deps"), encoding="utf-8") as deps:
            ours = re.search(r"^build_packages=\((.*?)\)", deps.read(), re.MULTILINE | re.DOTALL)[1]
        with open(os.path.join(SOURCE, "tools", "debian", "control"), encoding="utf-8") as control:
            debians = re.search(r"^Build-Depends:\n((?: .*\n)+)", control.read(), re.MULTILINE)[1]
        # Debian has the compiler and meson's ninja in any case.
        taken = {"gcc", "libc6-dev", "ninja-build"}
        self.assertEqual(set(), set(shlex.split(ours)) - taken - set(re.findall(r"^ ([\w.+-]+)", debians,
                                                                               re.MULTILINE)))


if __name__ == "__main__":
    case.main()
