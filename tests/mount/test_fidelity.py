#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What else programs do with inotify, and with files that change under them: on tmpfs
and on the mount the same is seen, but for differences listed with their reason."""

import ctypes
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import case  # noqa: E402
from comparison import Comparison, Remote  # noqa: E402
from ears import ENDED, REPLACED, UPDATED, Ears, outcome, slurp  # noqa: E402
from wait import Deadline  # noqa: E402


class Trees(Comparison):
    """Watches on directories."""

    PREPARED = {"a": "1", "d/b": "1", "d/e/c": "1", "d/e/g/h": "1", "x/y": "1"}
    DIRECTORIES = ["", "d", "d/e", "d/e/g", "x"]
    CHANGES = [("update", "put", each) for each in PREPARED] + [
        ("create", "put", "new"), ("create", "put", "d/new"), ("create", "put", "d/e/new"),
        ("create", "put", "d/e/g/new"), ("update", "put", "d/e/g/new"),
        ("a directory", "put", "d/e/g/i/j"), ("two directories", "put", "x/p/q/r"),
        ("delete", "delete", "new"), ("delete", "delete", "d/e/new"),
        ("a directory goes", "delete", "d/e/g/i/j"), ("two go", "delete", "x/p/q/r"),
        ("delete", "delete", "d/e/g/new"), ("a watched one goes", "delete", "d/e/g/h"),
        ("and comes", "put", "d/e/g/h"), ("another goes", "delete", "x/y"),
        ("one stays", "delete", "d/e/c"), ("two watched ones", "delete", "d/e/g/h"),
        ("the last of d", "delete", "d/b"), ("and the last but it", "delete", "d/new"),
        ("come all", "put", "d/e/g/h")]

    def test_every_directory_of_a_tree(self):
        """As a program that watches recursively does it by itself."""
        def script(world):
            ears = Ears(self, world)
            for directory in self.DIRECTORIES:
                ears.add(f"/{directory}", directory)
            told = []
            for number, (what, verb, name) in enumerate(self.CHANGES):
                getattr(world, verb)(name, *([f"{number}"] if verb == "put" else []))
                told += [f"-- {what}: {verb} {name}", *ears.heard()]
            return told
        self.same(script, self.PREPARED)

    def test_a_directory_that_comes_and_goes(self):
        def script(world):
            ears = Ears(self, world)
            ears.add("parent")
            for value in "1234":
                world.put("d/f", value)
                ears.add(f"time {value}", "d")
                world.put("d/g", value)
                world.delete("d/f")
                world.delete("d/g")
            return ears.heard()
        self.same(script, {})

    def test_it_is_open_meanwhile(self):
        """Its watch ends when the descriptor is closed."""
        def script(world):
            ears = Ears(self, world)
            ears.add("parent")
            told = []
            for value in "123":
                world.put("d/f", value)
                ears.add(f"time {value}", "d")
                fd = os.open(world.join("d"), os.O_RDONLY | os.O_DIRECTORY)
                world.delete("d/f")
                world.put("d/h", value)
                told += [*ears.heard(), str(outcome(os.listdir, fd))]
                os.close(fd)
                told += ["-- closed", *ears.heard()]
                world.delete("d/h")
            return told + ears.heard()
        self.same(script, {})


class Readers(Comparison):
    """What those who read tell each other."""

    COMMANDS = [["cat", "f"], ["cp", "f", "/dev/null"], ["ls", "-laR", "."], ["stat", "f", "d"],
                ["find", ".", "-type", "f"], ["grep", "-r", "1", "."], ["test", "-w", "f"],
                ["tar", "-cf-", "."], ["head", "-c1", "d/f"]]

    def test_their_events(self):
        def script(world):
            ears = Ears(self, world)
            for name in ("", "f", "d", "d/f", "d/e", "d/e/f"):
                ears.add(f"/{name}", name)
            told = []
            for command in self.COMMANDS:
                subprocess.run(command, cwd=world.path, check=False, capture_output=True)
                # Filesystems list names in an order of their own.
                told += [f"-- {' '.join(command)}", *sorted(ears.heard())]
            return told
        self.same(script, {"f": "1", "d/f": "1", "d/e/f": "1"})


class WorkingDirectory(Comparison):
    """A directory in which somebody works."""

    def setUp(self):
        super().setUp()
        self.addCleanup(os.chdir, os.getcwd())

    @staticmethod
    def around(world):
        """What there is to see from the working directory."""
        link = os.readlink("/proc/self/cwd").replace(world.path, "WORLD")
        return [f"{what}: {value}" for what, value in (
            ("getcwd", str(outcome(os.getcwd)).replace(world.path, "WORLD")), ("link", link),
            (".", outcome(lambda: sorted(os.listdir(".")))), ("f", outcome(slurp, "f")),
            ("./f", outcome(slurp, "./f")), ("../x", outcome(slurp, "../x")),
            ("links", outcome(lambda: os.stat(".").st_nlink)),
            ("is the one of that name", outcome(os.path.samefile, ".", world.join("d"))))]

    def test_at_each_stage(self):
        """Keys in it change, the last goes, it comes again; it is watched, too."""
        def script(world):
            os.chdir(world.join("d"))
            ears = Ears(self, world)
            ears.add("parent")
            ears.add("here", world.join("d"))
            told = self.around(world)
            for what, *args in ((world.put, "d/f", "2"), (world.put, "d/g", "2"),
                                (world.delete, "d/f"), (world.delete, "d/g"),
                                (world.put, "x", "2"), (world.put, "d/f", "3"),
                                (world.delete, "d/f")):
                what(*args)
                told += [f"-- {what.__name__} {' '.join(args)}", *ears.heard(),
                         *self.around(world), *ears.heard()]
            os.chdir("/")
            return told + ["-- left", *ears.heard()]
        self.same(script, {"d/f": "1", "x": "1"})

    def test_two_down(self):
        """Its parent goes with it."""
        def script(world):
            os.chdir(world.join("o", "d"))
            ears = Ears(self, world)
            for label, name in (("top", ""), ("parent", "o"), ("here", "o/d")):
                ears.add(label, name)
            world.delete("o/d/f")
            told = [*ears.heard(), *self.around(world)]
            told += [f"../..: {outcome(slurp, '../../x')}", f"..: {outcome(os.listdir, '..')}"]
            world.put("o/d/f", "2")
            told += [*ears.heard(), *self.around(world), f"../d/f: {outcome(slurp, '../d/f')}"]
            os.chdir("/")
            return told + ["-- left", *ears.heard()]
        self.same(script, {"o/d/f": "1", "x": "1"})


class Files(Comparison):
    """Watches on a file."""

    def test_deleted_and_created_again(self):
        """Whoever adds the watch again, by name, when it has ended."""
        def script(world):
            ears = Ears(self, world)
            told = []
            for value in "1234":
                ears.add(f"watch {value}", "f")
                world.put("f", f"{value} new")
                world.delete("f")
                told += [*ears.heard(), str(outcome(ears.add, "none", "f"))]
                world.put("f", value)
                told += ears.heard()
            return told
        self.same(script, {"f": "0"})

    def old(self, age, hold, then):
        """A watch AGE revisions old, with what HOLD opens of it, when THEN happens."""
        def script(world):
            ears = Ears(self, world)
            ears.add("file", "f")
            fd = hold(world.join("f"))
            for value in range(age):
                world.put("f", f"{value}")
            told = ears.heard()
            for verb, *value in then:
                getattr(world, verb)("f", *value)
                told += [f"-- {verb}", *ears.heard()]
            if fd is not None:
                os.close(fd)
                told += ["-- closed", *ears.heard()]
            ears.close()
            return told
        return script

    THEN = {"changed": [("put", "a"), ("put", "b")],
            "deleted": [("put", "a"), ("delete",)],
            "deleted, created, changed": [("delete",), ("put", "a"), ("put", "b")],
            "all of it twice": [("delete",), ("put", "a"), ("put", "b"), ("delete",),
                                ("put", "c"), ("put", "d")]}
    HOLD = {"alone": lambda path: None,
            "open": lambda path: os.open(path, os.O_RDONLY),
            "as a path": lambda path: os.open(path, os.O_PATH)}

    @staticmethod
    def ended_at_once(lines):
        """LINES with the end of the watch where the file is deleted."""
        end = ["file: DELETE_SELF", "file: IGNORED"]
        lines = [line for line in lines if line not in (*end, "file: CLOSE_NOWRITE")]
        at = lines.index("file: ATTRIB") + 1
        return [*lines[:at], *end, *lines[at:]]

    def test_a_watch_some_revisions_old(self):
        """A descriptor held open has a name of its own in the kernel, which keeps the
        deletion of the file from being told only on a local disk."""
        for age in (0, 1, 2, 10):
            for then, steps in self.THEN.items():
                for how, hold in self.HOLD.items():
                    with self.subTest(age=age, then=then, how=how):
                        local, remote = map(self.old(age, hold, steps), self.both({"f": "1"}))
                        if ("delete",) in steps and how != "alone":
                            self.assertNotEqual(local, remote, "a difference that is none")
                            local = self.ended_at_once(local)
                        self.assertEqual(local, remote)

    def test_added_again_after_each_change(self):
        """A watch by name is one on the revision that is there now."""
        def script(world):
            ears = Ears(self, world)
            for value in range(3):
                ears.add("file", "f")
                world.put("f", f"{value}")
            return ears.heard()
        local, remote = map(script, self.both({"f": "x"}))
        lines = [f"file: {event}" for event in UPDATED]
        self.assertEqual(lines * 3, local, "it was one watch throughout")
        self.assertEqual(lines * (1 + 2 + 3), remote, REPLACED)

    def test_added_again_and_the_old_one_removed(self):
        """As tail -F does."""
        def script(world):
            ears = Ears(self, world)
            wd = ears.add("file", "f")
            told = []
            for value in range(3):
                world.put("f", f"{value}")
                told += ears.heard()
                again = ears.add("file", "f")
                if again != wd:
                    ears.watcher.remove(wd)
                    self.assertEqual(["file: IGNORED"], ears.heard())
                wd = again
            return told
        self.same(script, {"f": "x"})

    def until_all_told(self):
        """Also to those of many older inodes that are told when there is time."""
        self.mounted.settle()
        deadline = Deadline("nothing left to tell")
        while self.mounted.status()["announcements"]["pending"]:
            deadline.pause()

    def heard_by_each(self, watcher, watches):
        """What each of WATCHES has heard, without repetition."""
        self.until_all_told()
        told = {wd: [] for wd in watches}
        for event in watcher.queued():
            told[event.wd].append(str(event))
        return sorted({" ".join(lines) for lines in told.values()})

    def test_fifty_watches_hear_the_same(self):
        """Of two instances, on one file, made in the course of 25 revisions."""
        def script(world):
            pairs = [(self.watcher(), set()) for _ in range(2)]
            for value in range(25):
                for watcher, watches in pairs:
                    watches.add(watcher.add(world.join("f")))
                world.put("f", f"{value}")
            self.until_all_told()
            for watcher, watches in pairs:
                self.assertEqual(25 if isinstance(world, Remote) else 1, len(watches))
                watcher.queued()
            world.put("f", "last")
            changed = [self.heard_by_each(*pair) for pair in pairs]
            world.delete("f")
            return changed, [self.heard_by_each(*pair) for pair in pairs]
        local, remote = map(script, self.both({"f": "x"}))
        self.assertEqual(([[" ".join(UPDATED)]] * 2, [[" ".join(ENDED)]] * 2), local)
        self.assertEqual(local, remote)


class Forgotten(Comparison):
    """The kernel keeps what is watched, and under memory pressure forgets the way to it."""

    FSPICK, FSCONFIG, RECONFIGURE = 433, 431, 7  # numbers that all architectures share

    def forget(self):
        """As if memory were short on this filesystem alone, since a remount with nothing
        changed drops what nobody uses."""
        libc = ctypes.CDLL(None, use_errno=True)
        fd = libc.syscall(self.FSPICK, -1, os.fsencode(self.mounted.path), 0)
        if fd < 0 or libc.syscall(self.FSCONFIG, fd, self.RECONFIGURE, None, None, 0) < 0:
            self.skipTest(f"no fsconfig: {os.strerror(ctypes.get_errno())}")
        os.close(fd)

    @case.privileged_only("a remount is root's")
    def test_the_directory_of_what_is_watched(self):
        """And of that one, of some and of all: changes and ends are told all the same."""
        for names in (["c/d/f"], ["c/d"], ["c/d", "c/d/f"], ["c"], ["c/d/f", "c/g"]):
            def script(world, names=names):
                ears = Ears(self, world)
                told = []
                for verb, *args in (("put", "c/d/f", "2"), ("put", "c/d/f", "3"),
                                    ("put", "c/d/h", "1"), ("delete", "c/d/h"),
                                    ("delete", "c/d/f"), ("delete", "c/g")):
                    if not told:
                        for name in names:
                            ears.add(name, name)
                    self.forget()
                    getattr(world, verb)(*args)
                    told += [f"-- {verb} {args}", *ears.heard()]
                return told
            with self.subTest(names=names):
                self.same(script, {"c/d/f": "1", "c/g": "1"})


if __name__ == "__main__":
    case.main()
