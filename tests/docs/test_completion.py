#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Each shell proposes the options of --help, and the values where they are known."""

import os
import shutil
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "lib")]
import documented  # noqa: E402
import shells  # noqa: E402
import tap  # noqa: E402


class Common:
    """What is the same in all shells."""

    maxDiff = None
    shell = None

    @classmethod
    def setUpClass(cls):
        cls.asked = cls.shell(os.environ["COMPLETIONS"])
        cls.options = documented.help_options(documented.programs()["etcdfs"])

    @classmethod
    def tearDownClass(cls):
        cls.asked.close()

    def proposed(self, line):
        """Without the = that asks for a value."""
        return {word.rstrip("=") for word in self.asked.proposes(line)}

    def values(self, line):
        """Without the flag in front of them."""
        return {word.rpartition("=")[2].rstrip(",") for word in self.asked.proposes(line)}

    def test_flags(self):
        for command, program in documented.programs().items():
            with self.subTest(command):
                self.assertEqual(set(documented.help_options(program)),
                                 self.proposed(f"{command} --"))

    def test_letters(self):
        letters = {letter for letter, _ in self.options.values() if letter}
        self.assertEqual(letters | {"-o"}, {word for word in self.proposed("etcdfs -")
                                            if not word.startswith("--")})

    def test_mount_options(self):
        ours = {flag[2:].replace("-", "_") for flag in self.options} - {"help", "version"}
        others = {name.rstrip("=") for name in documented.mount_options()["PASSED"]}
        proposed = {word.partition("=")[0] for word in self.proposed("etcdfs -o ")}
        self.assertEqual(ours | others, proposed)

    def test_more_mount_options(self):
        """Behind a comma, and behind a colon, at which readline begins a new word."""
        for before in ("uid=33,", "endpoints=[::1]:2379,"):
            with self.subTest(before):
                words = {word.rpartition(",")[2] for word in
                         (word.rstrip(",") for word in self.asked.proposes(f"etcdfs -o {before}allow_o"))}
                self.assertEqual({"allow_other"}, words)

    def test_words(self):
        levels = {"debug", "info", "warning", "error"}
        for line, words in (("etcdfs --log-level=", levels), ("etcdfs --log-level ", levels),
                            ("etcdfs --log-level=w", {"warning"}),
                            ("etcdfs --stale-policy=", {"serve", "fail"})):
            with self.subTest(line):
                self.assertEqual(words, self.values(line))

    def test_words_of_mount_options(self):
        for line, words in (("etcdfs -o log_level=d", {"debug"}),
                            ("etcdfs -o uid=1,stale_policy=f", {"fail"})):
            with self.subTest(line):
                self.assertEqual(words, self.values(line))

    def test_files(self):
        directory = tempfile.mkdtemp(prefix="etcdfs-test-")
        self.addCleanup(shutil.rmtree, directory)
        os.mkdir(os.path.join(directory, "certificates"))
        for name in ("ca.pem", "cert.pem"):
            with open(os.path.join(directory, name), "w", encoding="utf-8"):
                pass
        for flag in [flag for flag, (_, value) in self.options.items() if value == "FILE"]:
            with self.subTest(flag):
                words = {os.path.basename(word)
                         for word in self.values(f"etcdfs {flag}={directory}/ca")}
                self.assertEqual({"ca.pem"}, words)
        words = {os.path.basename(word.rstrip("/"))
                 for word in self.asked.proposes(f"etcdfs {directory}/c")}
        self.assertEqual({"certificates"}, words)


class Bash(Common, unittest.TestCase):
    shell = shells.Bash


class Zsh(Common, unittest.TestCase):
    shell = shells.Zsh


class Fish(Common, unittest.TestCase):
    shell = shells.Fish


if __name__ == "__main__":
    sys.exit(tap.run(sys.argv[1:]))
