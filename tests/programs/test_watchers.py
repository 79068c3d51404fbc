#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Programs whose only purpose is to watch files, each told to do so as people do it.

Every test has the same changes, made one at a time: what follows at once may be told as
one.  A list of what a program says is the whole of it, unless a comment says why not.
"""

import csv
import importlib.util
import io
import os
import queue
import re
import signal
import unittest

import program
from wait import Deadline

NODE = """
const fs = require('fs'), directory = process.argv[1], file = directory + '/f'
const show = (what, kind) => console.log(what, kind, fs.existsSync(file) ?
    fs.readFileSync(file, 'utf8') : 'gone')
fs.watch(directory, (kind, name) => console.log('directory', kind, name))
fs.watch(file, kind => show('file', kind))
"""

DIREVENT = """
foreground yes;
watcher {{
    path {path} recursive;
    event (create, write, delete);
    command "echo $genev_name $file >>{seen}";
    option (shell, wait);
}}
"""

INCRON = """
system_table_dir = {directory}/tables
user_table_dir = {directory}/none
lockfile_dir = {directory}
lockfile_name = incrond
"""


class WatcherTest(program.ProgramTest):
    def setUp(self):
        super().setUp()
        self.keys.txn({"f": "1", "d/a": "1", "d/b": "1"})
        self.mounted = self.mount()
        self.path = self.mounted.path
        self.seen = self.write("seen", "")

    def put_new_directory(self):
        self.keys.put("e/first", "1")

    def directories(self):
        return [self.path, self.mounted.join("d")]

    def lines(self):
        """What commands have written to the file `seen`."""
        with open(self.seen, encoding="utf-8") as seen:
            return seen.read().splitlines()

    def assert_seen(self, *lines):
        """These and no others since the last time."""
        self.expected = getattr(self, "expected", []) + list(lines)
        self.eventually(self.expected, self.lines, "the commands have run")


class InotifyTools(WatcherTest):
    EVENTS = ("-e", "modify,create,delete,close_write")

    def csv(self, waiter, last):
        """[(directory, events, name)...] up to and with the event LAST."""
        line = io.StringIO()
        csv.writer(line).writerow((os.path.join(self.path, last[0], ""), *last[1:]))
        said = waiter.until(line.getvalue().strip().replace("/./", "/"))
        return [(os.path.relpath(where, self.path), what, name)
                for where, what, name in csv.reader(said)]

    def test_inotifywait_csv(self):
        waiter = self.start("inotifywait", "--monitor", "--recursive", "--csv", *self.EVENTS,
                            self.path)
        waiter.until("Watches established")
        written = [("MODIFY",), ("CLOSE_WRITE,CLOSE",)]
        for key, directory, name, events in (
                ("f", ".", "f", written), ("f", ".", "f", written),
                ("new", ".", "new", [("CREATE",), *written]),
                ("d/a", "d", "a", written), ("d/c", "d", "c", [("CREATE",), *written])):
            self.keys.put(key, "2")
            self.assertEqual([(directory, what, name) for what, in events],
                             self.csv(waiter, (directory, "CLOSE_WRITE,CLOSE", name)))
        self.keys.delete("d/c")
        self.assertEqual([("d", "DELETE", "c")], self.csv(waiter, ("d", "DELETE", "c")))

    def test_inotifywait_in_a_new_directory(self):
        waiter = self.start("inotifywait", "-m", "-r", "--csv", *self.EVENTS, self.path)
        waiter.until("Watches established")
        self.put_new_directory()
        self.assertEqual([(".", "CREATE,ISDIR", "e")],
                         self.csv(waiter, (".", "CREATE,ISDIR", "e")))
        waiter.wait_watching(self.mounted.join("e"))
        self.keys.put("e/second", "1")
        said = self.csv(waiter, ("e", "CLOSE_WRITE,CLOSE", "second"))
        # Of the first file as much as came after the watch.
        self.assertEqual(["CREATE", "MODIFY", "CLOSE_WRITE,CLOSE"],
                         [what for where, what, name in said if name == "second"])

    def test_inotifywait_once(self):
        """As scripts use it: wait, then read."""
        for value in ("2", "2", "3"):
            waiter = self.inotifywait(self.mounted.join("f"), "-e", "close_write")
            self.keys.put("f", value)
            self.assertEqual((["CLOSE_WRITE"], 0), waiter.finish())
            self.assertEqual(value.encode(), self.mounted.read("f"))

    def test_inotifywatch(self):
        """It counts; SIGUSR1 makes it say how far it is."""
        self.need("inotifywatch")
        counter = self.start("stdbuf", "-oL", "inotifywatch", "-r", *self.EVENTS, self.path)
        counter.until("Finished establishing watches")
        for _ in range(3):
            self.keys.put("d/a", "2")
            self.mounted.settle()
        self.keys.put("d/c", "2")
        self.mounted.settle()
        self.keys.delete("d/c")
        self.mounted.settle()
        # MODIFY and CLOSE_WRITE of a put, 3 of a new key, 1 of a deletion.
        self.eventually({"total": 10, "modify": 4, "close_write": 4, "create": 1, "delete": 1},
                        lambda: self.counts(counter), "inotifywatch has counted")

    def counts(self, counter):
        """{event: number} of the directory d."""
        counter.process.send_signal(signal.SIGUSR1)
        fields = counter.line().split()[:-1]
        while fields and fields[0] == "total":
            *numbers, path = counter.line().split()
            if path == self.mounted.join("d") + "/":
                return dict(zip(fields, map(int, numbers)))
        return {}  # nothing yet

    @program.privileged_only("fanotify is root's")
    def test_fsnotifywait(self):
        """The same events by the other interface; it may say several as one."""
        waiter = self.start("fsnotifywait", "-m", "-r", *self.EVENTS, self.path)
        said = waiter.until("")
        while "established" not in said[-1]:
            if "No such device" in said[-1] or "not implemented" in said[-1]:
                self.skipTest(f"this kernel's fanotify cannot watch FUSE: {said[-1]}")
            said.append(waiter.line())
        for key, where in (("f", self.path), ("d/a", self.mounted.join("d")),
                           ("d/c", self.mounted.join("d"))):
            self.keys.put(key, "2")
            said = waiter.until("CLOSE_WRITE")
            self.assertTrue(any(re.match(f"{re.escape(where)}/ .*MODIFY", line)
                                for line in said), said)
        self.keys.delete("d/c")
        waiter.until(f"{self.mounted.join('d')}/ DELETE c")


class Fswatch(WatcherTest):
    FLAGS = ("-r", "-x", "-l", "0.1", "--event", "Created", "--event", "Updated",
             "--event", "Removed")

    def test_it_watches(self):
        watch = self.start("fswatch", *self.FLAGS, self.path)
        watch.wait_watching(*self.directories())
        for change, key, told in ((lambda: self.keys.put("f", "2"), "f", "Updated"),
                                  (lambda: self.keys.put("d/c", "2"), "d/c", "Created"),
                                  (lambda: self.keys.put("d/c", "3"), "d/c", "Updated"),
                                  (lambda: self.keys.delete("d/c"), "d/c", "Removed")):
            change()
            self.mounted.settle()
            watch.until(f"{self.mounted.join(key)} {told}")

    def test_it_polls(self):
        watch = self.start("fswatch", "-m", "poll_monitor", *self.FLAGS, self.path)
        # It says nothing when it has looked for the first time.
        self.eventually(True, lambda: self.says_something(watch), "fswatch sees a change")
        for change, key, told in ((lambda: self.keys.put("d/b", "2"), "d/b", "Updated"),
                                  (lambda: self.keys.put("d/c", "2"), "d/c", "Created"),
                                  (lambda: self.keys.delete("d/c"), "d/c", "Removed")):
            change()
            watch.until(f"{self.mounted.join(key)} {told}")

    def says_something(self, watch):
        self.keys.put("f", "2")
        self.mounted.settle()
        return watch.has_said()


class Direvent(WatcherTest):
    def test_it_runs_a_command(self):
        config = self.write("direvent.conf", DIREVENT.format(path=self.path, seen=self.seen))
        direvent = self.start("direvent", config)
        direvent.wait_watching(*self.directories())
        for _ in range(2):
            self.keys.put("f", "2")
            self.assert_seen("write f", "write f")  # MODIFY and CLOSE_WRITE
        self.keys.put("d/c", "1")
        self.assert_seen("create c", "write c", "write c")
        self.keys.delete("d/c")
        self.assert_seen("delete c")
        self.keys.put("e/first", "1")
        self.eventually(True, lambda: "create e" in self.lines(), "the directory is seen")
        direvent.wait_watching(self.mounted.join("e"))
        self.keys.put("e/second", "1")
        self.eventually(True, lambda: "create second" in self.lines(), "the file is seen")


class Incron(WatcherTest):
    @program.privileged_only("incrond wants to be root")
    def test_it_runs_commands(self):
        script = self.write("script", f"#!/bin/sh\necho \"$@\" >>{self.seen}\n")
        os.chmod(script, 0o755)
        self.write("tables/etcd", f"{self.mounted.join('f')} IN_CLOSE_WRITE {script} $@ $%\n"
                   f"{self.mounted.join('d')} IN_CLOSE_WRITE,IN_CREATE,IN_DELETE {script} $# $%\n")
        os.mkdir(os.path.join(self.directory, "none"))
        incrond = self.start("incrond", "-n", "-f",
                             self.write("incron.conf", INCRON.format(directory=self.directory)))
        incrond.wait_watching(self.mounted.join("f"), self.mounted.join("d"))
        for value in ("2", "2", "3"):
            self.keys.put("f", value)
            self.assert_seen(f"{self.mounted.join('f')} IN_CLOSE_WRITE")
        self.keys.put("d/a", "2")
        self.assert_seen("a IN_CLOSE_WRITE")
        # Commands run side by side.
        self.keys.put("d/c", "2")
        self.eventually(["c IN_CLOSE_WRITE", "c IN_CREATE"], lambda: sorted(self.lines()[4:]),
                        "both commands have run")
        self.keys.delete("d/c")
        self.eventually("c IN_DELETE", lambda: self.lines()[-1], "the command has run")


class Entr(WatcherTest):
    """On any disk entr takes what changes within milliseconds after a run for the command's
    own doing, so these tests put a value until it has been seen."""

    def entr(self, names, *args):
        """entr with ARGS, told NAMES as `ls MNT/*` would."""
        names = self.write("names", "".join(f"{self.mounted.join(name)}\n" for name in names))
        with open(names, "rb") as stdin:
            return self.start("entr", "-n", *args, stdin=stdin)

    def put_until(self, key, value, entr, shown):
        deadline = Deadline(f"entr shows {shown}")
        while True:
            self.keys.put(key, value)
            deadline.pause()
            while entr.has_said():
                if entr.line() == shown:
                    return

    def test_it_runs_a_command(self):
        entr = self.entr(["f", "d/a"], "-s",
                         f"echo $(cat {self.mounted.join('f')} {self.mounted.join('d/a')})")
        entr.until("11")
        for key, value, shown in (("f", "2", "21"), ("d/a", "3", "23"), ("f", "4", "43")):
            self.put_until(key, value, entr, shown)

    def test_it_ends_when_a_file_is_added(self):
        """entr -d; one starts it again in a loop."""
        entr = self.entr(["d/a", "d/b"], "-d", "-p", "-s", f"cat {self.mounted.join('d/a')}; echo")
        entr.wait_watching(self.mounted.join("d"), self.mounted.join("d/b"))
        self.put_until("d/a", "new", entr, "new")
        deadline = Deadline("entr ends")
        while entr.process.poll() is None:
            self.keys.put(f"d/{deadline.left()}", "1")
            deadline.pause()
        self.assertIn("directory altered", entr.rest())
        self.assertEqual(2, entr.process.wait())

    def test_it_starts_a_server_again(self):
        entr = self.entr(["f"], "-r", "sh", "-c", "echo $(cat \"$1\"); exec tail -f /dev/null",
                         "sh", self.mounted.join("f"))
        entr.until("1")
        for value in ("2", "3"):
            self.put_until("f", value, entr, value)


@unittest.skipUnless(importlib.util.find_spec("watchdog"), "no python3-watchdog")
class Watchdog(WatcherTest):
    def observe(self, observer):
        """Its events arrive in self.events as (type, path)."""
        from watchdog.events import FileSystemEventHandler

        events = self.events = queue.Queue()
        path = self.path

        class Handler(FileSystemEventHandler):
            def on_any_event(self, event):
                if not event.is_directory:
                    events.put((event.event_type, os.path.relpath(event.src_path, path)))

        observer.schedule(Handler(), self.path, recursive=True)
        observer.start()
        self.addCleanup(observer.join)
        self.addCleanup(observer.stop)

    def told(self, last):
        """Every event of the mount's files up to and with LAST."""
        deadline = Deadline(f"watchdog says {last}")
        said = []
        while not said or said[-1] != last:
            try:
                said.append(self.events.get(timeout=deadline.left()))
            except (queue.Empty, TimeoutError):
                raise TimeoutError(f"no {last}; said {said}") from None
        return said

    def test_observer(self):
        from watchdog.observers import Observer

        self.observe(Observer())  # returns when it watches
        for key, before in (("f", []), ("f", []), ("d/a", []), ("d/c", ["created"])):
            self.keys.put(key, "2")
            self.assertEqual([(what, key) for what in (*before, "modified", "closed")],
                             self.told(("closed", key)))
        self.keys.delete("d/c")
        self.assertEqual([("deleted", "d/c")], self.told(("deleted", "d/c")))
        self.put_new_directory()
        self.told(("created", "e/first"))

    def test_polling_observer(self):
        """A replaced file is another inode: it went and came."""
        from watchdog.observers.polling import PollingObserver

        self.observe(PollingObserver(timeout=0.05))
        self.keys.put("d/c", "1")
        self.assertEqual([("created", "d/c")], self.told(("created", "d/c")))
        self.keys.put("f", "2")
        self.assertEqual([("deleted", "f"), ("created", "f")], self.told(("created", "f")))
        self.keys.delete("d/c")
        self.assertEqual([("deleted", "d/c")], self.told(("deleted", "d/c")))

    def test_watchmedo(self):
        watchmedo = self.start("watchmedo", "shell-command", "--recursive", "--wait",
                               "--ignore-directories", "--command",
                               "echo $watch_event_type $watch_src_path", self.path)
        watchmedo.wait_watching(*self.directories())
        self.keys.put("d/a", "2")
        self.assertEqual([f"{what} {self.mounted.join('d/a')}" for what in ("modified", "closed")],
                         watchmedo.until("closed"))
        self.keys.delete("d/a")
        self.assertEqual([f"deleted {self.mounted.join('d/a')}"], watchmedo.until("deleted"))


class Node(WatcherTest):
    def test_fs_watch(self):
        node = self.start("node", "-e", NODE, self.path)
        node.wait_watching(self.path, self.mounted.join("f"))
        for value in ("2", "3", "3"):
            self.keys.put("f", value)
            said = {node.line(), node.line()}
            self.assertEqual({"directory change f", f"file change {value}"}, said)
        self.keys.put("new", "1")
        self.assertEqual(["directory rename new", "directory change new"],
                         node.until("directory change new"))
        self.keys.delete("f")
        node.until("directory rename f")


if __name__ == "__main__":
    program.main()
