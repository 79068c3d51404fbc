#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What else programs do with inotify, and with files that change under them: on tmpfs
and on the mount the same is seen, but for differences listed with their reason."""

import contextlib
import ctypes
import fcntl
import itertools
import os
import random
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import case  # noqa: E402
import inotify  # noqa: E402
from comparison import END, Comparison, Difference, Local, Remote  # noqa: E402
from inotify import transcript  # noqa: E402
from mount import privileged  # noqa: E402
from wait import Deadline, times  # noqa: E402

UPDATED = ["OPEN", "MODIFY", "CLOSE_WRITE"]
ENDED = ["ATTRIB", "DELETE_SELF", "IGNORED"]
REPLACED = "each revision is an inode of its own, an update replaces the file"


class Ears:
    """Watches with labels, which a transcript's lines begin with.  Order is kept within
    a label alone: an update is told on the directory and on older inodes in turn."""

    def __init__(self, test, world):
        self.world = world
        self.watcher = inotify.Watcher()
        self.labels = {}
        self._closing = contextlib.ExitStack()
        self._closing.callback(self.watcher.close)
        test.addCleanup(self.close)

    def close(self):
        """Early where there are many: a user may have 128.  A second time does nothing."""
        self._closing.close()

    def add(self, label, name="", mask=inotify.ALL):
        wd = self.watcher.add(self.world.join(name), mask)
        self.labels[wd] = label
        return wd

    def heard(self):
        """Everything told so far, and not asked for before."""
        self.world.settle()
        events = sorted(self.watcher.queued(), key=lambda event: self.labels[event.wd])
        return [f"{self.labels[event.wd]}: {event}" for event in events]


def outcome(call, *args):
    """What CALL returns, or how it fails."""
    try:
        return call(*args)
    except OSError as error:
        return error.__class__.__name__


def slurp(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


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


class Flags(Comparison):
    """How a watch can be added."""

    def test_oneshot(self):
        def script(world):
            ears = Ears(self, world)
            ears.add("file", "f", inotify.ALL | inotify.ONESHOT)
            ears.add("file, closed", "f2", inotify.CLOSE_WRITE | inotify.ONESHOT)
            ears.add("directory", "", inotify.DELETE | inotify.ONESHOT)
            for value in "123":
                world.put("f", value)
                world.put("f2", value)
                world.delete("f2")
            return ears.heard()
        self.same(script, {"f": "0", "f2": "0"})

    def excl_unlink(self, flag, change):
        def script(world):
            ears = Ears(self, world)
            ears.add("directory", "", inotify.ALL | flag)
            with open(world.join("f"), encoding="utf-8") as file:
                change(world)
                told = [*ears.heard(), "-- read", file.read(), *ears.heard(), "-- close"]
            return told + ears.heard()
        return script

    def test_excl_unlink(self):
        """A file deleted while it is open: with the flag the directory hears no more of it."""
        for flag in (0, inotify.EXCL_UNLINK):
            with self.subTest(flag=flag):
                self.same(self.excl_unlink(flag, lambda world: world.delete("f")), {"f": "1"})

    def test_excl_unlink_of_a_replaced_file(self):
        self.same(self.excl_unlink(0, lambda world: world.put("f", "2")), {"f": "1"},
                  [Difference("2", "1", REPLACED)])
        self.same(self.excl_unlink(inotify.EXCL_UNLINK, lambda world: world.put("f", "2")),
                  {"f": "1"}, [Difference("2", "1", REPLACED),
                               Difference("directory: ACCESS f", None, REPLACED),
                               Difference("directory: CLOSE_NOWRITE f", None, REPLACED)])

    def test_onlydir(self):
        def script(world):
            ears = Ears(self, world)
            told = [outcome(ears.add, "file", name, inotify.ALL | inotify.ONLYDIR)
                    for name in ("f", "none")]
            ears.add("directory", "d", inotify.ALL | inotify.ONLYDIR)
            world.put("d/f", "2")
            world.delete("d/f")
            return told + ears.heard()
        self.same(script, {"f": "1", "d/f": "1"})

    def test_dont_follow(self):
        """A link from elsewhere, since etcd has none."""
        def script(world):
            link = os.path.join(self.directory, f"link-{type(world).__name__}")
            os.symlink(world.join("f"), link)
            ears = Ears(self, world)
            ears.add("followed", link)
            ears.add("the link", link, inotify.ALL | inotify.DONT_FOLLOW)
            ears.add("no link", "g", inotify.ALL | inotify.DONT_FOLLOW)
            for name in ("f", "g"):
                world.put(name, "2")
            return ears.heard()
        self.same(script, {"f": "1", "g": "1"})

    def test_mask_add(self):
        def script(world):
            ears = Ears(self, world)
            for name in ("f", ""):
                ears.add(f"/{name}", name, inotify.MODIFY)
                ears.add(f"/{name}", name, inotify.CLOSE_WRITE | inotify.DELETE_SELF |
                         inotify.MASK_ADD)
            ears.add("/g", "g", inotify.MODIFY)
            ears.add("/g", "g", inotify.CLOSE_WRITE)
            for name in ("f", "g"):
                world.put(name, "2")
            world.delete("f")
            return ears.heard()
        self.same(script, {"f": "1", "g": "1"})

    def test_mask_create(self):
        def script(world):
            ears = Ears(self, world)
            told = []
            for name in ("f", "d", "none"):
                for _ in range(2):
                    told.append(outcome(lambda name=name: ears.add(
                        name, name, inotify.CHANGES | inotify.MASK_CREATE) and "added"))
            world.put("f", "2")
            told.append(str(outcome(ears.add, "f", "f", inotify.ALL | inotify.MASK_CREATE)))
            return told
        local, remote = map(script, self.both({"f": "1", "d/f": "1"}))
        self.assertEqual(local[:-1], remote[:-1])
        self.assertEqual(("FileExistsError", "3"), (local[-1], remote[-1]), REPLACED)


class Model:
    """What watches on every file and directory of a tree are to hear, by the rules of a
    local disk: {label: lines}.  A label belongs to one watch."""

    def __init__(self, keys):
        self.keys = set(keys)
        self.watches = {}  # path: the labels of watches on what is there
        self.told = {}

    def directories(self):
        return {""} | {name[:at] for name in self.keys for at, char in enumerate(name)
                       if char == "/"}

    def _tell(self, path, *events):
        for label in self.watches.get(path, ()):
            self.told.setdefault(label, []).extend(events)

    def _tell_both(self, path, what):
        self._tell(os.path.dirname(path), f"{what} {os.path.basename(path)}")
        self._tell(path, what)

    def put(self, name):
        before = self.directories()
        parent = os.path.dirname(name)
        new = name not in self.keys
        self.keys.add(name)
        for directory in sorted(self.directories() - before):
            self._tell(os.path.dirname(directory),
                       f"CREATE,ISDIR {os.path.basename(directory)}")
        if new:
            self._tell(parent, f"CREATE {os.path.basename(name)}")
        for what in UPDATED:
            self._tell_both(name, what)

    def delete(self, *names):
        """The directories that are left without any key go last."""
        before = self.directories()
        for name in names:
            self.keys.discard(name)
            self._end(name, "DELETE", ENDED)
        for directory in sorted(before - self.directories(), reverse=True):
            self._end(directory, "DELETE,ISDIR", ENDED[1:])

    def _end(self, path, what, self_events):
        self._tell(path, *self_events)
        self.watches.pop(path, None)
        self._tell(os.path.dirname(path), f"{what} {os.path.basename(path)}")

    def take(self):
        told, self.told = self.told, {}
        return told


class Everything(Comparison):
    """Every directory and file watched, at random: what is due, once, and nothing else."""

    NAMES = ["a", "b", "d/a", "d/b", "d/e/a", "d/e/b", "g/h/a", "g/i/a"]

    def setUp(self):
        super().setUp()
        self.rand = random.Random(6)

    def watch_all(self, ears, model):
        """What is new gets a watch; now and then what is watched already gets another,
        which on a local disk is the same one."""
        for path in sorted(model.keys | model.directories()):
            if path not in model.watches or self.rand.random() < 0.1:
                wd = ears.watcher.add(ears.world.join(path))
                ears.labels[wd] = wd
                model.watches.setdefault(path, set()).add(wd)

    def change(self, world, model):
        """One to three keys, in the order of one revision; returns how."""
        puts, deletes = [], []
        for name in self.rand.sample(self.NAMES, self.rand.choice((1, 1, 1, 2, 3))):
            deleted = name in model.keys and self.rand.random() < 0.5
            (deletes if deleted else puts).append(name)
        world.revision(dict.fromkeys(puts, str(self.rand.random())), deletes)
        for name in puts:
            model.put(name)
        model.delete(*deletes)
        return puts, deletes

    @staticmethod
    def in_any_order(lines):
        """LINES with directories that go one after the other in the order of names."""
        runs = itertools.groupby(lines, lambda line: line.startswith("DELETE,ISDIR"))
        return [line for is_run, run in runs for line in (sorted(run) if is_run else run)]

    def told(self, ears):
        told = {}
        for event in ears.watcher.queued():
            told.setdefault(event.wd, []).append(str(event))
        return told

    def test_all_and_no_more(self):
        for world in self.both(dict.fromkeys(self.NAMES, "1")):
            model = Model([*self.NAMES, END])
            ears = Ears(self, world)
            self.watch_all(ears, model)
            for step in range(times(300)):
                change = self.change(world, model)
                expected, told = ({label: self.in_any_order(lines)
                                   for label, lines in each.items()}
                                  for each in (model.take(), self.told(ears)))
                self.assertEqual(expected, told, (type(world).__name__, step, change))
                self.watch_all(ears, model)

    def test_silence(self):
        """What is not changed: no event, however it is looked at by the daemon."""
        mount = self.mounted
        world = Remote(mount, "quiet")
        world.prepare({"f": "1", "d/f": "1"})
        world.settle()
        ears = Ears(self, world)
        for name in ("", "f", "d", "d/f"):
            ears.add(f"/{name}", name)
        for value in range(times(100)):
            self.keys.put("loud/f", f"{value}")
            self.keys.put(f"loud/d{value}/f", "1")
            self.keys.put("quiet-too", f"{value}")
            self.keys.delete("quietly")
        self.assertEqual([], ears.heard())


class Unmounted(case.MountTest):
    """The end of a mount is told to every watch: as root compared with a tmpfs."""

    BEFORE = {"f": "1", "d/e/g": "1"}
    NAMES = ["", "f", "d", "d/e", "d/e/g"]

    def watch(self, path):
        """A watcher, and {watch: name}."""
        watcher = self.watcher()
        return watcher, {watcher.add(os.path.join(path, name)): name for name in self.NAMES}

    def told(self, watcher, watches):
        """{name: events} once each of WATCHES has ended; no other event follows."""
        ended = []

        def last(event):
            if event.mask & inotify.IGNORED:
                ended.append(event.wd)
            return len(ended) == len(watches)
        told = {}
        for event in watcher.until(last, f"the end of {watches}"):
            told.setdefault(watches[event.wd], []).append(str(event))
        return told

    def local(self, *command):
        """A tmpfs's end by COMMAND."""
        path = os.path.join(self.directory, "tmpfs")
        os.mkdir(path)
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", path], check=True)
        with contextlib.ExitStack() as stack:
            stack.callback(subprocess.run, ["umount", path], check=False, capture_output=True)
            Local(path).prepare(self.BEFORE)
            watcher, watches = self.watch(path)
            subprocess.run([*command, path], check=True)
            return self.told(watcher, watches)

    def remote(self, end):
        """A mount's end by END(mount)."""
        for name, value in self.BEFORE.items():
            self.keys.put(name, value)
        mount = self.mount()
        watcher, watches = self.watch(mount.path)
        for value in ("2", "3"):
            self.keys.put("f", value)
            mount.settle()
            watches[watcher.add(mount.join("f"))] = f"f, {value}"
        watches[watcher.add(mount.join(".etcdfs", "status"))] = "status"
        watcher.queued()
        end(mount)
        told = self.told(watcher, watches)
        self.assertEqual(0, mount.wait_end())
        self.assertEqual([], watcher.queued())
        return told

    def assert_told(self, end, command):
        """END of a mount is told as COMMAND's of a tmpfs."""
        expected = {name: ["UNMOUNT" if name.endswith(("f", "g")) else "UNMOUNT,ISDIR", "IGNORED"]
                    for name in self.NAMES}
        if privileged():
            self.assertEqual(expected, self.local(*command))
        for name in ("f, 2", "f, 3", "status"):
            expected[name] = expected["f"]
        self.assertEqual(expected, self.remote(end))

    @staticmethod
    def unmounted_by(*command):
        def end(mount):
            assert mount.unmount(*command).returncode == 0
        return end

    def test_umount(self):
        self.assert_told(self.unmounted_by(), ["umount"])

    def test_umount_lazily(self):
        command = ["umount", "-l"] if privileged() else ["fusermount3", "-u", "-z"]
        self.assert_told(self.unmounted_by(*command), ["umount", "-l"])

    def test_sigterm(self):
        self.assert_told(lambda mount: mount.terminate(signal.SIGTERM), ["umount"])


class Signals(Comparison):
    """What there was before inotify."""

    def setUp(self):
        super().setUp()
        self.signals = {signal.SIGRTMIN + number for number in range(1, 6)}
        awaited = self.signals | {signal.SIGIO}
        for signum in awaited:  # one that nobody took, after a failure
            self.addCleanup(signal.signal, signum, signal.signal(signum, signal.SIG_IGN))
        before = signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
        self.addCleanup(signal.pthread_sigmask, signal.SIG_SETMASK, before)

    def pending(self, signals):
        """How often each of SIGNALS came."""
        came = {}
        while info := signal.sigtimedwait(signals, 0):
            came[info.si_signo] = came.get(info.si_signo, 0) + 1
        return came

    def test_dnotify(self):
        """F_NOTIFY on a directory: a signal of its own for each kind of change."""
        kinds = dict(zip(("ACCESS", "MODIFY", "CREATE", "DELETE", "ATTRIB"),
                         sorted(self.signals)))

        def script(world):
            fds = []
            for kind, signum in kinds.items():
                fds.append(os.open(world.path, os.O_RDONLY | os.O_DIRECTORY))
                fcntl.fcntl(fds[-1], fcntl.F_SETSIG, signum)
                try:
                    fcntl.fcntl(fds[-1], fcntl.F_NOTIFY,
                                getattr(fcntl, f"DN_{kind}") | fcntl.DN_MULTISHOT)
                except OSError as error:
                    self.skipTest(f"no dnotify: {error}")
            told = []
            for verb, name, *value in (("put", "f", "1"), ("put", "f", "2"), ("put", "g", "1"),
                                       ("delete", "g"), ("put", "d/f", "1"), ("delete", "d/f"),
                                       ("delete", "f")):
                getattr(world, verb)(name, *value)
                world.settle()
                came = self.pending(self.signals)
                told.append(f"{verb} {name}: " + " ".join(
                    f"{kind} {came[signum]}" for kind, signum in kinds.items()
                    if signum in came))
            for fd in fds:
                os.close(fd)
            return told
        self.same(script, {})

    def test_a_lease(self):
        """Its holder is told of a writer.  A local one waits for the end of the lease, or
        is refused; the announcer neither waits nor is refused, but all it can tell of the
        leased revision is MODIFY."""
        def script(world):
            ears = Ears(self, world)
            ears.add("file", "f")
            fd = os.open(world.join("f"), os.O_RDONLY)
            fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
            ears.heard()
            leased = []
            for value in "23":
                if isinstance(world, Remote):
                    world.put("f", value)
                else:
                    self.assertRaises(BlockingIOError, os.open, world.join("f"),
                                      os.O_WRONLY | os.O_NONBLOCK)
                leased += ears.heard()
            came = self.pending({signal.SIGIO})
            fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
            world.put("f", "4")
            os.close(fd)
            return leased, [came, ears.heard()]
        local, remote = map(script, self.both({"f": "1"}))
        self.assertEqual(([], ["file: MODIFY"] * 2), (local[0], remote[0]))
        self.assertEqual(local[1], remote[1])


if __name__ == "__main__":
    case.main()
