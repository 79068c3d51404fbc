#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Issue items 2 and 3: the events of a local disk, each once, in order.

Every step below is done twice: on tmpfs by ordinary calls, and on the mount by
changing etcd.  The transcripts must be equal but for the differences that the
step lists with their reason.
"""

import os
import random
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import case  # noqa: E402
import comparison  # noqa: E402
import inotify  # noqa: E402
from comparison import END, Local, Remote, Step  # noqa: E402
from inotify import transcript  # noqa: E402
from wait import times  # noqa: E402

STEPS = [
    Step("create", {}, ["put f 1"], ["write f 1"], None),
    Step("modify", {"f": "1"}, ["put f 2"], ["write f 2"], "f"),
    Step("modify, three times", {"f": "1"}, ["put f 2", "put f 3", "put f 4"],
         ["write f 2", "write f 3", "write f 4"], "f"),
    Step("modify, the same bytes", {"f": "1"}, ["put f 1"], ["write f 1"], "f"),
    Step("delete", {"f": "1"}, ["delete f"], ["unlink f"], "f"),
    Step("modify, then delete", {"f": "1"}, ["put f 2", "delete f"],
         ["write f 2", "unlink f"], "f"),
    Step("delete, then create", {"f": "1"}, ["delete f", "put f 2"],
         ["unlink f", "write f 2"], "f"),
    Step("create, empty", {}, ["put f"], ["write f"], None, {
        # An announcement does not depend on the value: each put is one change.
        "MODIFY f": "a local program that writes no byte raises no MODIFY"}),
    Step("first key in a new directory", {}, ["put d/f 1"], ["mkdir d", "write d/f 1"], None),
    Step("first key, two directories down", {}, ["put d/e/f 1"],
         ["mkdir d", "mkdir d/e", "write d/e/f 1"], None),
    Step("second key in a directory", {"d/f": "1"}, ["put d/g 1"], ["write d/g 1"], "d"),
    Step("last key of a directory", {"d/f": "1"}, ["delete d/f"], ["unlink d/f", "rmdir d"], "d"),
    Step("last key, two directories down", {"d/e/f": "1"}, ["delete d/e/f"],
         ["unlink d/e/f", "rmdir d/e", "rmdir d"], "d"),
    Step("a key turns into a directory", {"a": "1"}, ["put a/b 1"],
         ["unlink a", "mkdir a", "write a/.value 1", "write a/b 1"], "a"),
    Step("and back", {"a": "1", "a/b": "1"}, ["delete a/b"],
         ["unlink a/b", "unlink a/.value", "rmdir a", "write a 1"], "a"),
    Step("a directory gets a value", {"a/b": "1"}, ["put a 1"], ["write a/.value 1"], "a"),
    Step("and loses it", {"a": "1", "a/b": "1"}, ["delete a"], ["unlink a/.value"], "a"),
]


class Comparison(comparison.Comparison):
    """Item 2, one way of watching a test."""

    def test_a_directory(self):
        def watch(world, _):
            watcher = self.watcher()
            watcher.add(world.path)
            return lambda: transcript(watcher.until_closed(END))
        self.compare(watch, STEPS)

    def test_the_thing_itself(self):
        """A watch on the file or directory that the step changes."""
        def watch(world, step):
            watcher = self.watcher()
            thing = watcher.add(os.path.join(world.path, step.target))
            watcher.add(world.path, inotify.CLOSE_WRITE)
            return lambda: transcript(event for event in watcher.until_closed(END)
                                      if event.wd == thing)
        self.compare(watch, [step for step in STEPS if step.target])

    def test_inotifywait_m(self):
        def watch(world, _):
            waiter = self.inotifywait(world.path, "-m")
            return lambda: waiter.until(f"CLOSE_WRITE {END}")
        self.compare(watch, STEPS)

    def test_inotifywait_m_of_a_file(self):
        def watch(world, step):
            end = os.path.join(world.path, END)
            waiter = self.inotifywait(os.path.join(world.path, step.target), "-m", end)
            return lambda: waiter.until(f"CLOSE_WRITE {end}")
        self.compare(watch, [step for step in STEPS if step.target])

    def test_inotifywait_m_r(self):
        """inotifywait watches a new directory when it hears of it.  What happens
        in there before that is lost, on any filesystem, and the listing by which
        it looks for directories inside raises events of its own."""
        def watch(world, _):
            waiter = self.inotifywait(world.path, "-m", "-r")
            return lambda: waiter.until(f"CLOSE_WRITE {END}")
        listing = r"(OPEN|ACCESS|CLOSE_NOWRITE),ISDIR .*"
        with_new = [step for step in STEPS if any("mkdir" in line for line in step.local)]
        without_new = [step for step in STEPS if step not in with_new]
        self.compare(watch, without_new, optional=[listing])
        self.compare(watch, with_new, optional=[listing, r"\S+ (d|d/e|a)/.*"])

    def test_inotifywait_m_r_follows_a_new_directory(self):
        """Whatever was lost at first: from some change on, it hears all."""
        remote = Remote(self.mounted, "new")
        remote.prepare({END: "1"})
        remote.settle()
        waiter = self.inotifywait(remote.path, "-m", "-r")
        remote.run("put d/first 1")
        for attempt in range(1000):
            remote.run(f"put d/again-{attempt} 1")
            remote.end()
            if f"CREATE d/again-{attempt}" in waiter.until(f"CLOSE_WRITE {END}"):
                break
        else:
            self.fail("inotifywait -r never heard of a file in the new directory")
        remote.run("put d/first 2")
        remote.end()
        self.assertEqual([f"{what} {name}" for name in ("d/first", END)
                          for what in ("OPEN", "MODIFY", "CLOSE_WRITE")],
                         waiter.until(f"CLOSE_WRITE {END}"))

    def test_inotifywait_in_a_loop(self):
        """while inotifywait -e close_write FILE; do ...; done"""
        step = Step("loop", {"f": "0"}, [], [], "f")
        for world, _ in self.worlds(step):
            for value in range(1, times(20) + 1):
                waiter = self.inotifywait(os.path.join(world.path, "f"), "-e", "close_write")
                world.run(f"{'write' if isinstance(world, Local) else 'put'} f {value}")
                self.assertEqual((["CLOSE_WRITE"], 0), waiter.finish())
                with open(os.path.join(world.path, "f"), encoding="utf-8") as file:
                    self.assertEqual(str(value), file.read())


class Updates(case.MountTest):
    """Item 3, and watches on inodes that have been replaced."""

    CHANGED = ["OPEN", "MODIFY", "CLOSE_WRITE"]

    def test_spaced_updates_of_one_file(self):
        """1,000 of them: exactly three events each at a watch on the file that is
        never renewed, at one on the directory, and at inotifywait."""
        count = times(1000)
        self.keys.put("d/f", "0")
        mount = self.mount()
        waiter = self.inotifywait(mount.join("d", "f"), "-m")
        watcher = self.watcher()
        of_file = watcher.add(mount.join("d", "f"))
        of_directory = watcher.add(mount.join("d"))
        seen = []
        for value in range(1, count + 1):
            self.keys.put("d/f", str(value))
            # Both watches have heard of this update before the next one.
            for _ in range(2):
                seen += watcher.until(lambda event: event.mask & inotify.CLOSE_WRITE)
        self.keys.delete("d/f")
        seen += watcher.until(lambda event: event.mask & inotify.DELETE and event.name == b"f")
        self.assertEqual(self.CHANGED * count,
                         transcript(event for event in seen if event.wd == of_file)[:3 * count])
        self.assertEqual([f"{what} f" for what in self.CHANGED] * count + ["DELETE f"],
                         transcript(event for event in seen if event.wd == of_directory))
        self.assertEqual(self.CHANGED * count, waiter.until("DELETE_SELF")[:3 * count])

    def test_watches_on_replaced_inodes(self):
        """On the current inode and on every one up to ten revisions old: each
        update, and the deletion, arrives as on the one inode of a local file."""
        self.keys.put("f", "0")
        mount = self.mount()
        watcher = self.watcher()
        ages = {}
        for revision in range(11):
            ages[watcher.add(mount.join("f"))] = 10 - revision
            if revision < 10:
                self.keys.put("f", str(revision + 1))
                mount.settle()
        self.assertEqual(11, len(ages), "each revision has an inode of its own")
        root = watcher.add(mount.path, inotify.CREATE)
        self.keys.put("mark-1", "")
        watcher.until(lambda event: event.wd == root)

        self.keys.put("f", "last")
        self.keys.put("mark-2", "")
        self.assertEqual({age: self.CHANGED for age in range(11)}, self.by_age(watcher, root, ages))
        self.keys.delete("f")
        self.keys.put("mark-3", "")
        self.assertEqual({age: ["ATTRIB", "DELETE_SELF", "IGNORED"] for age in range(11)},
                         self.by_age(watcher, root, ages))

    @staticmethod
    def by_age(watcher, root, ages):
        told = {age: [] for age in ages.values()}
        for event in watcher.until(lambda event: event.wd == root):
            if event.wd in ages:
                told[ages[event.wd]].append(str(event))
        return told

    def test_a_replaced_inode_is_deleted_and_nothing_follows(self):
        """A key that is created again is another file to who watched the first."""
        self.keys.put("f", "1")
        mount = self.mount()
        watcher = self.watcher()
        old = watcher.add(mount.join("f"))
        watcher.add(mount.path, inotify.CREATE)
        self.keys.delete("f")
        mount.settle()
        self.keys.put("f", "2")
        mount.settle()
        self.keys.put("f", "3")
        self.keys.put("mark", "")
        events = watcher.until(lambda event: event.name == b"mark")
        self.assertEqual(["ATTRIB", "DELETE_SELF", "IGNORED"],
                         transcript(event for event in events if event.wd == old))

    def test_what_nobody_knows_of_is_not_announced(self):
        """A directory that was never looked up has no watcher: no request is made
        for what changes in it."""
        self.keys.put("unseen/d/f", "1")
        mount = self.mount("-d")
        mount.settle()
        for value in range(10):
            self.keys.put("unseen/d/f", str(value))
            self.keys.put(f"unseen/d/new-{value}", "1")
            self.keys.put(f"unseen/new-{value}/f", "1")
        mount.settle()
        told = [line for line in mount.log.lines() if "fuse: " in line]
        self.assertTrue(any('"tick"' in line for line in told), "the log shows names")
        self.assertEqual([], [line for line in told if re.search(r'"(unseen|d|f|new-\d)"', line)])


class Order(case.MountTest):
    """Events come in etcd's order, a revision's after all of it."""

    def test_a_transaction_in_its_order(self):
        mount = self.mount()
        watcher = self.watcher()
        watcher.add(mount.path, inotify.CREATE | inotify.DELETE | inotify.CLOSE_WRITE)
        names = [f"k{i}" for i in range(20)]
        random.Random(4).shuffle(names)
        self.keys.txn(dict.fromkeys(names, "1"))
        self.assertEqual([f"{what} {name}" for name in names for what in ("CREATE", "CLOSE_WRITE")],
                         transcript(watcher.until_closed(names[-1])))
        self.keys.txn(dict.fromkeys(names[:10], "2"), names[10:])
        self.keys.put("mark", "1")
        self.assertEqual([f"CLOSE_WRITE {name}" for name in names[:10]] +
                         [f"DELETE {name}" for name in names[10:]] + ["CREATE mark"],
                         transcript(watcher.until_closed("mark"))[:-1])

    def test_revisions_in_their_order(self):
        mount = self.mount()
        watcher = self.watcher()
        watcher.add(mount.path, inotify.CLOSE_WRITE)
        names = [f"k{i}" for i in range(times(500))]
        for name in names:
            self.keys.put(name, "1")
        self.assertEqual([f"CLOSE_WRITE {name}" for name in names],
                         transcript(watcher.until_closed(names[-1])))

    def test_with_a_single_thread(self):
        """Which serves the announcer's requests as well."""
        mount = self.mount("-s")
        watcher = self.watcher()
        watcher.add(mount.path, inotify.CREATE | inotify.CLOSE_WRITE | inotify.DELETE)
        told = []
        for value in range(20):
            self.keys.put("f", str(value))
            told.append(str(watcher.next()))
            if value == 0:
                told.append(str(watcher.next()))
            self.assertEqual(str(value).encode(), mount.read("f"))
        self.keys.delete("f")
        told.append(str(watcher.next()))
        self.assertEqual(["CREATE f", *["CLOSE_WRITE f"] * 20, "DELETE f"], told)

    def test_a_lease_that_ends(self):
        lease = self.keys.etcd.grant(1)
        self.keys.put("leased", "1", lease)
        mount = self.mount()
        watcher = self.watcher()
        watcher.add(mount.path, inotify.DELETE)
        self.assertEqual(["DELETE leased"], transcript([watcher.next()]))
        self.assertEqual([], mount.list())


class Mirror(case.MountTest):
    """A program that only listens knows the tree, whatever happens how fast."""

    def test_names_known_from_events_alone(self):
        """Keys of one directory created, modified, deleted, turned into
        directories and back, unspaced: the events never contradict what came
        before them, and in the end they add up to the listing."""
        rng = random.Random(5)
        names = [f"k{i}" for i in range(8)]
        mount = self.mount()
        watcher = self.watcher()
        watcher.add(mount.path)
        for step in range(times(1500)):
            name = rng.choice(names)
            if rng.random() < 0.2:
                name += "/sub"
            if rng.random() < 0.5:
                self.keys.put(name, str(step))
            else:
                self.keys.delete(name)
        self.keys.put(END, "1")
        known = {}
        for event in watcher.until_closed(END):
            self.apply(known, event)
        del known[END]
        self.assertEqual({name: os.path.isdir(mount.join(name)) for name in mount.list()
                          if name != END}, known)

    def apply(self, known, event):
        name, is_directory = os.fsdecode(event.name), bool(event.mask & inotify.ISDIR)
        self.assertFalse(event.mask & inotify.Q_OVERFLOW)
        if event.mask & inotify.CREATE:
            self.assertNotIn(name, known, event)
            known[name] = is_directory
        else:
            self.assertEqual(known.get(name), is_directory, event)
            if event.mask & inotify.DELETE:
                del known[name]

    def test_the_last_event_is_after_the_last_value(self):
        """However far the events fall behind, the last one tells of the end."""
        mount = self.mount()
        watcher = self.watcher()
        watcher.add(mount.path, inotify.CLOSE_WRITE)
        last = times(5000)
        for value in range(last + 1):
            self.keys.put("f", str(value))
        self.keys.put(END, "1")
        told = transcript(watcher.until_closed(END))
        self.assertEqual(str(last).encode(), mount.read("f"))
        self.assertLessEqual(len(told), last + 2)
        self.assertEqual({"CLOSE_WRITE f"}, set(told[:-1]))


if __name__ == "__main__":
    case.main()
