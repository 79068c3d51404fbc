#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""--help, the man pages and the sources say the same."""

import os
import re
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "lib")]
import documented  # noqa: E402
import tap  # noqa: E402


class Page(unittest.TestCase):
    maxDiff = None

    def test_it_has_the_options(self):
        """Each with its letter, and the same word for its value."""
        for command, program in documented.programs().items():
            with self.subTest(command):
                options = documented.help_options(program)
                self.assertGreater(len(options), 3)
                self.assertEqual(options, documented.page_options(command))

    def test_help_fits_a_terminal(self):
        for command, program in documented.programs().items():
            with self.subTest(command):
                text = subprocess.run([program, "--help"], check=True, capture_output=True,
                                      text=True).stdout
                self.assertEqual([], [line for line in text.splitlines() if len(line) > 80])

    def test_it_has_the_groups(self):
        text = subprocess.run([documented.programs()["etcdfs"], "--help"], check=True,
                              capture_output=True, text=True).stdout
        groups = re.findall(r"^(\w[^\n]*):\n  (?=-|  )", text, re.MULTILINE)
        self.assertGreater(len(groups), 3)
        titles = re.findall(r"^ {3}(\w.*)$", documented.page_section("etcdfs", "OPTIONS"),
                            re.MULTILINE)
        self.assertEqual(groups, [title for title in titles if title != "Mount options"])

    def test_it_has_the_mount_options(self):
        fates = documented.mount_options()
        passed, tolerated, refused = documented.page_mount_options()
        self.assertEqual(fates["PASSED"], passed)
        self.assertEqual(fates["TOLERATED"], tolerated)
        self.assertEqual(fates["REFUSED"], refused)

    def test_it_has_the_variables(self):
        said = re.findall(r"ETCDCTL_\w+", documented.page_section("etcdfs", "ENVIRONMENT"))
        self.assertEqual(sorted(documented.variables()), sorted(said))

    def test_it_has_what_is_taken_for_etcdctls_sake(self):
        text = documented.page_section("etcdfs", "OPTIONS")
        for flag in documented.hidden_options():
            self.assertIn(flag, text)

    def test_groff_has_no_complaint(self):
        for command, section in documented.SECTIONS.items():
            page = os.path.join(os.environ["MAN_PAGES"], f"{command}.{section}")
            done = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", page],
                                  check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                  text=True)
            self.assertEqual("", done.stderr, command)

    def test_the_sections_are_there(self):
        for command, wanted in (
                ("etcdfs", ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "MOUNTING AT BOOT",
                            "EXIT STATUS", "SIGNALS", "FILES", "ENVIRONMENT", "NOTES", "EXAMPLES",
                            "SEE ALSO"]),
                ("etcdfs-wait", ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS",
                                 "EXAMPLES", "SEE ALSO"])):
            sections = re.findall(r"^([A-Z][A-Z ]+)$", documented.page_text(command), re.MULTILINE)
            self.assertEqual(wanted, [name for name in sections if name in wanted], command)

    def test_mount_helpers_have_it_too(self):
        for name in ("mount.etcdfs.8", "mount.fuse.etcdfs.8"):
            with open(os.path.join(documented.MAN, name), encoding="utf-8") as file:
                self.assertEqual(".so man8/etcdfs.8\n", file.read())


if __name__ == "__main__":
    sys.exit(tap.run(sys.argv[1:]))
