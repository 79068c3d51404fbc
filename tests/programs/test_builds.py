#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Programs that compare what they see with what they saw: make, rsync, lsyncd.

make goes by the time of modification, rsync by that and the size.  rsync compares whole
seconds by default (--modify-window=0): on any disk it takes two values of one second and
one size for the same.
"""

import itertools
import os

import program
from inotify import CLOSE_WRITE
from wait import times

MAKEFILE = """
out: {mnt}/in {mnt}/d/also
	cat $^ >$@
	@echo made
"""

LSYNCD = """
settings {{ nodaemon = true, inotifyMode = "CloseWrite or Modify" }}
sync {{
    default.rsync, source = "{source}", target = "{target}", delay = 0,
    rsync = {{ archive = true, _extra = {{ "--modify-window=-1" }} }}
}}
"""


def contents(directory):
    """{path: bytes} of every file."""
    found = {}
    for where, _, names in os.walk(directory):
        for name in names:
            path = os.path.join(where, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, directory)] = file.read()
    return found


class Make(program.ProgramTest):
    def setUp(self):
        super().setUp()
        self.keys.txn({"in": "1", "d/also": "2", "d/other": "3"})
        self.mounted = self.mount()
        self.write("Makefile", MAKEFILE.format(mnt=self.mounted.path))

    def make(self):
        done = self.run_program("make", "--no-print-directory", "-s", cwd=self.directory)
        self.assertEqual(0, done.returncode, done.stdout)
        return done.stdout

    def touch(self, name):
        """Makes a file on the local disk; its time of modification."""
        path = os.path.join(self.directory, name)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT))
        return os.stat(path).st_mtime_ns

    def wait_for_the_disk(self):
        """The clock of a local disk goes by ticks, and lags behind by up to one: what is
        made in the tick of a change seems older than it, and is made once more."""
        newest = max(os.stat(self.mounted.join(name)).st_mtime_ns for name in ("in", "d/also"))
        numbers = itertools.count()
        self.eventually(True, lambda: self.touch(f"tick-{next(numbers)}") > newest, "a tick")

    def assert_made(self, content):
        self.wait_for_the_disk()
        self.assertEqual("made\n", self.make())
        with open(os.path.join(self.directory, "out"), encoding="ascii") as out:
            self.assertEqual(content, out.read())
        self.assertEqual("", self.make(), "made again without a reason")

    def test_it_makes_again_exactly_what_changed(self):
        self.assert_made("12")
        for key, value, content in (("in", "one", "one2"), ("d/also", "two", "onetwo"),
                                    ("in", "one", "onetwo")):
            self.keys.put(key, value)
            self.mounted.settle()
            self.assert_made(content)
        self.keys.put("d/other", "4")
        self.keys.put("d/new", "5")
        self.mounted.settle()
        self.assertEqual("", self.make())

    def test_a_key_that_comes_again(self):
        self.assert_made("12")
        self.keys.delete("d/also")
        self.mounted.settle()
        self.assertNotEqual(0, self.run_program("make", cwd=self.directory).returncode)
        self.keys.put("d/also", "2")
        self.mounted.settle()
        self.assert_made("12")

    def test_what_was_made_before_a_change_is_older(self):
        """However quick: no change is ever taken for one that was made already."""
        watcher = self.watcher()
        watcher.add(self.mounted.join("in"), CLOSE_WRITE)
        for i in range(times(100)):
            made = self.touch(f"out-{i}")
            self.keys.put("in", "x")
            watcher.until(lambda event: event.mask & CLOSE_WRITE)
            self.assertGreater(os.stat(self.mounted.join("in")).st_mtime_ns, made)


class Copies(program.ProgramTest):
    def setUp(self):
        super().setUp()
        self.keys.txn({"f": "1", "d/a": "a" * 5000, "d/e/b": "b", "empty": "", "two words": "n"})
        self.mounted = self.mount()
        self.copy = os.path.join(self.directory, "copy")

    def rsync(self):
        """Copies; [(what, name)...] as rsync itemizes it."""
        done = self.run_program("rsync", "-a", "--delete", "--itemize-changes",
                                "--modify-window=-1", f"{self.mounted.path}/", f"{self.copy}/")
        self.assertEqual(0, done.returncode, done.stdout)
        return [line.split(maxsplit=1) for line in done.stdout.splitlines()]

    def test_rsync_copies_everything_once(self):
        self.keys.txn({"new\nline": "1", b"\xff": "not UTF-8"})
        self.mounted.settle()
        self.assertLess(6, len(self.rsync()))
        self.assertEqual(contents(self.mounted.path), contents(self.copy))
        self.assertEqual([], self.rsync())

    def test_rsync_copies_what_changed(self):
        self.rsync()
        self.keys.put("d/a", "c" * 5000)  # the size is the same
        self.keys.delete("empty")
        self.keys.put("d/e/new", "")
        self.mounted.settle()
        files = {name: what for what, name in self.rsync() if not name.endswith("/")}
        self.assertEqual({"empty": "*deleting", "d/a": ">f..t......", "d/e/new": ">f+++++++++"},
                         {name: what for name, what in files.items() if "ticks" not in name})
        self.assertEqual(contents(self.mounted.path), contents(self.copy))
        self.assertEqual([], self.rsync())

    def test_lsyncd_keeps_a_copy(self):
        config = self.write("lsyncd.lua", LSYNCD.format(
            source=self.mounted.path, target=self.copy))
        self.need("rsync")
        lsyncd = self.start("lsyncd", config)
        lsyncd.until("Startup of")
        for change in (lambda: self.keys.put("f", "2"), lambda: self.keys.put("d/e/b", "2"),
                       lambda: self.keys.put("new", "1"), lambda: self.keys.delete("new"),
                       lambda: self.keys.txn({"x/y": "1", "x/z": "2"}),
                       lambda: self.keys.txn(deletes=["x/y", "x/z"])):
            change()
            self.mounted.settle()
            self.eventually(contents(self.mounted.path), lambda: contents(self.copy),
                            "the copy is the same")


if __name__ == "__main__":
    program.main()
