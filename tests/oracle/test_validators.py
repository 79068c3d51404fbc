#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The judge judged: what is right passes, and each wrong is seen by its validator."""

import copy
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import tap  # noqa: E402
from recorder import Epoch, Kv, stamp  # noqa: E402
from validators import (Batch, Changes, Event, File, Progress, Segment, Tree,  # noqa: E402
                        judge_inodes, judge_log, judge_reads, judge_told, judge_trees,
                        judge_unchanged, path_changes, violations)

PREFIX = b"/p/"
A, B, C, D = (PREFIX + name for name in (b"a", b"b", b"c", b"d"))
STATE = {A: Kv(b"a1", 5, 5, 1, 0), B: Kv(b"b1", 6, 9, 3, 0)}
CHANGES = {
    11: {A: Kv(b"a2", 5, 11, 2, 0)},
    13: {A: Kv(b"a3", 5, 13, 3, 0), B: None, C: Kv(b"c1", 13, 13, 1, 7)},
    14: {D: Kv(b"d1", 14, 14, 1, 0)},
    17: {C: None},
    18: {B: Kv(b"b2", 18, 18, 1, 0)},
}


def truth():
    """Revisions 10 to 20; 12, 15, 16, 19 and 20 are somebody else's."""
    epoch = Epoch(10, dict(STATE))
    for revision in range(11, 21):
        epoch.record(revision, CHANGES.get(revision, {}))
    return epoch


def batch(revision, epoch):
    return Batch(revision, [Event(key, kv, revision)
                            for key, kv in epoch.changes[revision].items()])


def log(epoch=None, seed=10, before=None):
    """A Segment from the revision SEED to the end of EPOCH, without a fault."""
    epoch, before = epoch or truth(), before or {}
    state = epoch.state_at(seed)
    told = {key: state.get(key) for key in before.keys() | state.keys()
            if before.get(key) != state.get(key)}
    segment = Segment(seed, before, told)
    segment.steps = [batch(revision, epoch) for revision, _ in epoch.between(seed, epoch.last)]
    segment.steps.append(Progress(epoch.last))
    return segment


class Log(unittest.TestCase):
    def assert_seen(self, segment, *validators):
        """Exactly these VALIDATORS complain of SEGMENT."""
        found = violations(segment, truth(), PREFIX)
        self.assertEqual(set(validators), {line.partition(":")[0] for line in found}, found)

    def setUp(self):
        self.segment = copy.deepcopy(log())
        self.steps = self.segment.steps  # at 11, 13, 14, 17, 18 and progress to 20

    def replace(self, step, event, **fields):
        events = self.steps[step].events
        events[event] = events[event]._replace(**fields)

    def replace_kv(self, step, event, **fields):
        kv = self.steps[step].events[event].kv
        self.replace(step, event, kv=kv._replace(**fields))

    def test_true(self):
        self.assert_seen(self.segment)
        self.assert_seen(log(seed=13, before=STATE))
        self.assert_seen(log(seed=20))
        self.steps.insert(3, Progress(16))
        self.assert_seen(self.segment)

    def test_lost_event(self):
        del self.steps[2]
        self.assert_seen(self.segment, "Reliable")

    def test_lost_first_event(self):
        del self.steps[0]
        self.assert_seen(self.segment, "Reliable", "Resumable", "PrevKV")

    def test_lost_part_of_a_revision(self):
        del self.steps[1].events[0]
        self.assert_seen(self.segment, "Reliable")

    def test_lost_deletion(self):
        del self.steps[3]
        self.assert_seen(self.segment, "Reliable")

    def test_lost_end(self):
        """A progress notification that came too early."""
        del self.steps[4]
        self.assert_seen(self.segment, "Reliable")

    def test_event_that_never_was(self):
        self.steps.insert(1, Batch(12, [Event(A, Kv(b"a2", 5, 12, 3, 0), 12)]))
        self.assert_seen(self.segment, "Reliable", "PrevKV")

    def test_other_value(self):
        self.replace_kv(2, 0, value=b"d2")
        self.assert_seen(self.segment, "Reliable")

    def test_other_lease(self):
        self.replace_kv(1, 2, lease=8)
        self.assert_seen(self.segment, "Reliable", "PrevKV")

    def test_other_version(self):
        self.replace_kv(0, 0, version=3)
        self.assert_seen(self.segment, "Reliable", "PrevKV")

    def test_beyond_the_end(self):
        self.steps[-1] = Progress(21)
        self.assert_seen(self.segment, "Reliable")

    def test_other_range(self):
        self.steps[2].events.append(Event(b"/q", Kv(b"", 14, 14, 1, 0), 14))
        self.assert_seen(self.segment, "Filter", "Reliable")

    def test_before_the_seed(self):
        self.steps.insert(0, Batch(9, [Event(B, STATE[B], 9)]))
        self.assert_seen(self.segment, "Filter", "Resumable", "Reliable", "Bookmarkable")

    def test_out_of_order(self):
        self.steps[2], self.steps[3] = self.steps[3], self.steps[2]
        self.assert_seen(self.segment, "Ordered", "PrevKV")

    def test_twice(self):
        self.steps.insert(3, self.steps[2])
        self.assert_seen(self.segment, "Unique", "Atomic", "IsCreate")

    def test_split_revision(self):
        events = self.steps[1].events
        self.steps[1:2] = [Batch(13, events[:1]), Batch(13, events[1:])]
        self.assert_seen(self.segment, "Atomic", "PrevKV")

    def test_joined_revisions(self):
        self.steps[1:3] = [Batch(13, self.steps[1].events + self.steps[2].events)]
        self.assert_seen(self.segment, "Atomic")

    def test_behind_progress(self):
        self.steps.insert(2, Progress(14))
        self.assert_seen(self.segment, "Bookmarkable")

    def test_progress_back(self):
        self.steps.insert(5, Progress(17))
        self.assert_seen(self.segment, "Bookmarkable")

    def test_creation_that_was_none(self):
        self.replace_kv(0, 0, create_revision=11)
        self.assert_seen(self.segment, "IsCreate", "Reliable", "PrevKV")

    def test_creation_that_was_one(self):
        self.replace_kv(4, 0, create_revision=6, version=4)
        self.assert_seen(self.segment, "IsCreate", "Reliable")

    def test_deletion_of_nothing(self):
        self.steps.insert(1, Batch(12, [Event(D, None, 12)]))
        self.assert_seen(self.segment, "PrevKV", "Reliable")

    def test_seed_without_a_key(self):
        del self.segment.told[B]
        self.assert_seen(self.segment, "Seeded", "PrevKV")

    def test_seed_with_an_old_value(self):
        segment = log(seed=13, before=STATE)
        segment.told[A] = CHANGES[11][A]
        self.assert_seen(segment, "Seeded")

    def test_seed_tells_what_did_not_change(self):
        segment = log(seed=11, before=STATE)
        segment.told[B] = STATE[B]
        self.assert_seen(segment, "Seeded")

    def test_seed_at_no_revision(self):
        segment = log(seed=20)
        segment.revision, segment.steps = 21, []
        self.assert_seen(segment, "Seeded", "Reliable")


class Epochs(unittest.TestCase):
    """etcd goes back to 12, and on to 15 in another way."""

    def setUp(self):
        self.first = truth()
        self.second = self.first.forked_at(12)
        for revision in (13, 14, 15):
            self.second.record(revision, {A: Kv(b"other %d" % revision, 5, revision,
                                                revision - 10, 0)})
        self.epochs = [self.first, self.second]

    def judge(self, *segments):
        return judge_log(segments, self.epochs, PREFIX)

    def cut(self, segment, last):
        segment.steps = [step for step in segment.steps if step.revision <= last]
        return segment

    def test_seeded_again(self):
        first = log(self.first)
        again = log(self.second, 14, self.first.state_at(20))
        self.assertEqual([], self.judge(first, again))

    def test_behind_the_fork(self):
        """Who had seen nothing that was undone goes on as if nothing had been."""
        self.assertEqual([], self.judge(log(self.second)))

    def test_both_pasts_in_one(self):
        segment = self.cut(log(self.first), 14)
        segment.steps.append(batch(15, self.second))
        self.assertNotEqual([], self.judge(segment))

    def test_back_to_the_first(self):
        second = log(self.second)
        self.assertNotEqual([], self.judge(
            second, log(self.first, 17, self.second.state_at(15))))

    def test_back_within_an_epoch(self):
        self.epochs.pop()
        first = log(self.first)
        self.assertNotEqual([], self.judge(first, log(self.first, 13, self.first.state_at(20))))

    def test_back_beyond_the_fork(self):
        """The second past is entered at 12 or later, or at what was reached before."""
        self.assertNotEqual([], self.judge(log(self.first),
                                           log(self.second, 11, self.first.state_at(20))))
        early = self.cut(log(self.first), 11)
        self.assertEqual([], self.judge(early, log(self.second, 11, self.first.state_at(11))))

    def test_reads(self):
        a2, a3 = CHANGES[11][A], CHANGES[13][A]
        other = self.second.changes[13][A]
        b1, b2 = STATE[B], CHANGES[18][B]
        for reads, right in (([STATE[A], a2, a3], True), ([a2, STATE[A]], False),
                             ([a3, other], True), ([other, a3], False), ([a3, a2], True),
                             ([a3, a2, a3], False),  # the second past had no such value
                             ([a2._replace(value=b"a2a3")], False),
                             ([a2._replace(version=7)], False)):
            with self.subTest(reads=reads):
                self.assertEqual(right, not judge_reads({A: reads}, self.epochs))
        self.assertEqual([], judge_reads({A: [a2], B: [b1, b2, b1]}, self.epochs))
        self.assertNotEqual([], judge_reads({A: [b1]}, self.epochs))

    def test_forgetting(self):
        late = self.second.since(14)
        self.assertEqual((14, 14, 15), (late.base, late.fork, late.last))
        self.assertEqual(self.second.state_at(15), late.state_at(15))


def tree(epoch, revision, **files):
    state = epoch.state_at(revision)
    shown = {key[len(PREFIX):]: File(key, kv, hash((key, kv)), kv.mod_revision)
             for key, kv in state.items()}
    shown.update((name.encode(), file) for name, file in files.items())
    return Tree(revision, {(name,): file for name, file in shown.items() if file})


class Mount(unittest.TestCase):
    def setUp(self):
        self.epoch = truth()

    def judge(self, *trees):
        return judge_trees(trees, [self.epoch], PREFIX)

    def test_true(self):
        self.assertEqual([], self.judge(tree(self.epoch, 10), tree(self.epoch, 12),
                                        tree(self.epoch, 20)))

    def test_missing_file(self):
        self.assertNotEqual([], self.judge(tree(self.epoch, 12, a=None)))

    def test_file_of_another_revision(self):
        old = tree(self.epoch, 10).files[(b"a",)]
        self.assertNotEqual([], self.judge(tree(self.epoch, 11, a=old)))

    def test_file_that_is_gone(self):
        old = tree(self.epoch, 10).files[(b"b",)]
        self.assertNotEqual([], self.judge(tree(self.epoch, 13, b=old)))

    def test_file_at_another_path(self):
        files = tree(self.epoch, 10).files
        files[(b"aa",)] = files.pop((b"a",))
        self.assertNotEqual([], self.judge(Tree(10, files)))

    def test_swapped_paths(self):
        files = tree(self.epoch, 10).files
        files[(b"a",)], files[(b"b",)] = files[(b"b",)], files[(b"a",)]
        self.assertNotEqual([], self.judge(Tree(10, files)))

    def test_back(self):
        self.assertNotEqual([], self.judge(tree(self.epoch, 12), tree(self.epoch, 11)))

    def test_unknown_revision(self):
        self.assertNotEqual([], self.judge(Tree(21, tree(self.epoch, 20).files)))

    def test_inodes(self):
        first, second = tree(self.epoch, 10), tree(self.epoch, 11)
        self.assertEqual([], judge_inodes([first, second]))
        changed = second.files[(b"a",)]._replace(ino=first.files[(b"a",)].ino)
        self.assertNotEqual([], judge_inodes([first, tree(self.epoch, 11, a=changed)]))

    def test_unchanged(self):
        epoch = truth()
        epoch.changes = {17: {C: None}, 18: epoch.changes[18]}
        first = tree(epoch, 10)
        self.assertEqual([], judge_unchanged([first, tree(epoch, 20)], [epoch], PREFIX))
        for field in ("ino", "mtime"):
            touched = first.files[(b"a",)]._replace(**{field: 1})
            self.assertNotEqual([], judge_unchanged([first, tree(epoch, 20, a=touched)],
                                                    [epoch], PREFIX))


class Told(unittest.TestCase):
    def test_changes(self):
        self.assertEqual({(b"a",): Changes(0, 2, 0), (b"b",): Changes(1, 1, 1),
                          (b"c",): Changes(1, 1, 1), (b"d",): Changes(1, 1, 0)},
                         path_changes([truth()], PREFIX))

    def test_file_that_turns(self):
        """Into a directory, and back."""
        epoch = Epoch(1, {A: Kv(b"", 1, 1, 1, 0)})
        epoch.record(2, {A + b"/x": Kv(b"", 2, 2, 1, 0)})
        epoch.record(3, {A + b"/x": None})
        self.assertEqual({(b"a",): Changes(1, 1, 1), (b"a", b".value"): Changes(1, 1, 1),
                          (b"a", b"x"): Changes(1, 1, 1)}, path_changes([epoch], PREFIX))

    def test_two_epochs(self):
        """From the end of the first to the fork, and on; the fork's past but once."""
        second = truth().forked_at(13)
        self.assertEqual({(b"b",): Changes(1, 1, 2), (b"c",): Changes(2, 2, 1),
                          (b"d",): Changes(1, 1, 1), (b"a",): Changes(0, 2, 0)},
                         path_changes([truth(), second], PREFIX))

    def test_told(self):
        def judge(**told):
            return judge_told({(name.encode(),): changes for name, changes in told.items()},
                              [truth()], PREFIX)
        self.assertEqual([], judge(a=Changes(0, 2, 0), b=Changes(0, 0, 1)))
        for wrong in (Changes(0, 3, 0), Changes(1, 1, 0), Changes(0, 1, 1)):
            self.assertNotEqual([], judge(a=wrong))
        self.assertNotEqual([], judge(never=Changes(0, 1, 0)))


class Stamp(unittest.TestCase):
    def test_long_values(self):
        self.assertEqual(b"short", stamp(b"short"))
        long = bytes(1 << 20)
        self.assertLess(len(stamp(long)), 200)
        self.assertNotEqual(stamp(long), stamp(long + b"\0"))
        self.assertNotEqual(stamp(long), stamp(b"x" + long[1:]))


if __name__ == "__main__":
    sys.exit(tap.run(sys.argv[1:]))
