#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""tail -F on a key: every replacement, the end, and the new beginning.

tail asks statfs(2) what it follows, and polls what is neither a local disk nor known to
tell: also a FUSE mount.  It looks for a replaced file every fifth time only."""

import program

QUICK = ("-F", "-s", "0.05", "--max-unchanged-stats=1")


class Tail(program.ProgramTest):
    def setUp(self):
        super().setUp()
        if "GNU coreutils" not in self.run_program("tail", "--version").stdout:
            self.skipTest("another tail than coreutils'")
        self.keys.put("log", "one\n")
        self.mounted = self.mount()
        self.path = self.mounted.join("log")

    def follow(self, *args):
        tail = self.start("tail", *args, self.path)
        tail.expect("one\n")
        for value in ("two\n", "two\n", "three\nand more\n", "short\n"):
            self.keys.put("log", value)
            tail.expect(f"tail: '{self.path}' has been replaced;  following new file\n{value}")
        self.keys.delete("log")
        tail.expect(f"tail: '{self.path}' has become inaccessible: No such file or directory\n")
        self.keys.put("log", "again\n")
        tail.expect(f"tail: '{self.path}' has appeared;  following new file\nagain\n")
        tail.stop()
        self.assertEqual("", tail.rest())

    def test_it_follows(self):
        self.follow(*QUICK)

    def test_it_follows_without_inotify(self):
        self.follow("---disable-inotify", *QUICK)

    def test_as_people_call_it(self):
        """Every fifth second it looks for a replaced file, and finds it."""
        tail = self.start("tail", "-F", self.path)
        tail.expect("one\n")
        self.keys.put("log", "two\n")
        tail.expect(f"tail: '{self.path}' has been replaced;  following new file\ntwo\n")

    def test_a_file_that_is_not_there_yet(self):
        path = self.mounted.join("later")
        tail = self.start("tail", *QUICK, path)
        tail.expect(f"tail: cannot open '{path}' for reading: No such file or directory\n")
        self.keys.put("later", "here\n")
        tail.expect(f"tail: '{path}' has appeared;  following new file\nhere\n")


if __name__ == "__main__":
    program.main()
