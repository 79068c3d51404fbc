# SPDX-License-Identifier: Apache-2.0
"""Whether what an observer of etcd saw is what a recorder knows to be true.

A log is judged by the nine validators of etcd's own robustness tests (Filter,
Ordered, Unique, Atomic, Bookmarkable, Resumable, IsCreate, Reliable, PrevKV), one
function each, and by Seeded, which is ours.  A log is a list of Segments: a seed,
and what was told after it until the next.

Where etcd went back to an older state there are several epochs.  A segment need be
right in one of them only, but not in an older one than the segment before: nobody
goes back to a past that is over.  The same holds for reads and trees.

Everything here returns a list of lines, one for each violation.
"""

import collections

from paths import paths
from recorder import apply

Event = collections.namedtuple("Event", "key kv mod_revision")  # kv: None for a deletion
Batch = collections.namedtuple("Batch", "revision events")
Progress = collections.namedtuple("Progress", "revision")
# A file as found: its key, its recorder.Kv, and what stat says of it.
File = collections.namedtuple("File", "key kv ino mtime")
Tree = collections.namedtuple("Tree", "revision files")  # {path: File}

MANY = 5  # violations of one kind, before the rest is only counted


class Segment:
    """A seed at REVISION, told as the changes TOLD to the state BEFORE, and `steps`:
    each Batch and Progress after it."""

    def __init__(self, revision, before, told):
        self.revision = revision
        self.before = before
        self.told = told
        self.steps = []

    def held(self):
        """The state that the log had once seeded."""
        state = dict(self.before)
        apply(state, self.told)
        return state

    def batches(self):
        return [step for step in self.steps if isinstance(step, Batch)]

    def events(self):
        return [event for batch in self.batches() for event in batch.events]

    def last(self):
        """The last revision it claims to have reached."""
        return self.steps[-1].revision if self.steps else self.revision


# One function for each validator: SEGMENT of a log, EPOCH that is true.

def seeded(segment, epoch, prefix):
    """A seed leads to exactly the state at its revision, and tells no change that
    is none."""
    if not epoch.covers(segment.revision):
        yield f"a seed at {segment.revision}, which is not in {epoch.base} to {epoch.last}"
        return
    yield from differences(epoch.state_at(segment.revision), segment.held())
    for key, kv in segment.told.items():
        if segment.before.get(key) == kv:
            yield f"{key} told as changed by the seed at {segment.revision}, and was not"


def filtered(segment, epoch, prefix):
    """Filter: only what was asked for, keys with the prefix above the seed's
    revision."""
    for event in segment.events():
        if not event.key.startswith(prefix):
            yield f"{event.key} is not in the range"
        if event.mod_revision <= segment.revision:
            yield f"{event.key} at {event.mod_revision}, the seed was at {segment.revision}"


def ordered(segment, epoch, prefix):
    """Ordered: revisions do not decrease."""
    events = segment.events()
    for before, event in zip(events, events[1:]):
        if event.mod_revision < before.mod_revision:
            yield f"{event.mod_revision} after {before.mod_revision}"


def unique(segment, epoch, prefix):
    """Unique: no revision of a key is told twice."""
    seen = collections.Counter((event.mod_revision, event.key) for event in segment.events())
    for (revision, key), count in seen.items():
        if count > 1:
            yield f"{key} at {revision} told {count} times"


def atomic(segment, epoch, prefix):
    """Atomic: a revision is one batch, and a batch one revision."""
    batches = segment.batches()
    for before, batch in zip(batches, batches[1:]):
        if batch.revision == before.revision:
            yield f"{batch.revision} in two batches"
    for batch in batches:
        if any(event.mod_revision != batch.revision for event in batch.events):
            yield f"the batch {batch.revision} has events of another revision"


def bookmarkable(segment, epoch, prefix):
    """Bookmarkable: what follows a progress notification is later than it, and it is
    not earlier than what came before."""
    reached = bookmark = segment.revision
    for step in segment.steps:
        if isinstance(step, Progress):
            if step.revision < reached:
                yield f"progress {step.revision} after {reached}"
            bookmark = step.revision
        elif step.revision <= bookmark:
            yield f"a batch {step.revision} after progress {bookmark}"
        reached = max(reached, step.revision)


def resumable(segment, epoch, prefix):
    """Resumable: the first event is the first there is after the seed.  etcd means
    each watch by this; a log has one for all the streams since the seed, and that
    nothing is missing between two of them is Reliable."""
    events = segment.events()
    if not events:
        return
    first = next((revision for revision, _ in epoch.between(segment.revision, epoch.last)), None)
    if first != events[0].mod_revision:
        yield f"the first event is of {events[0].mod_revision}, not of {first}"


def is_create(segment, epoch, prefix):
    """IsCreate: a put creates a key if and only if it was not there."""
    keys = set(segment.held())
    for event in segment.events():
        if event.kv is None:
            keys.discard(event.key)
            continue
        creates = event.kv.create_revision == event.kv.mod_revision
        if creates != (event.key not in keys) or creates != (event.kv.version == 1):
            yield (f"{event.key} at {event.mod_revision}: created at "
                   f"{event.kv.create_revision}, version {event.kv.version}, "
                   f"{'there' if event.key in keys else 'not there'} before")
        keys.add(event.key)


def reliable(segment, epoch, prefix):
    """Reliable: all that happened from the seed to the last revision reached, and
    nothing else, down to value, version and lease."""
    if segment.last() > epoch.last:
        yield f"at {segment.last()}, and etcd never went beyond {epoch.last}"
    truth = dict(epoch.between(segment.revision, segment.last()))
    told = {}
    for event in segment.events():
        told.setdefault(event.mod_revision, {})[event.key] = event.kv
    for revision in sorted(truth.keys() | told.keys()):
        if truth.get(revision) != told.get(revision):
            yield f"at {revision} {told.get(revision)}, truly {truth.get(revision)}"


def prev_kv(segment, epoch, prefix):
    """PrevKV: an event's previous value is that of the revision before.  We ask etcd
    for none; the log's own previous value is its mirror, so: what an event replaces
    or deletes is what the key was, and a deletion finds something to delete."""
    if not epoch.covers(segment.revision):
        return
    truth, mirror = epoch.state_at(segment.revision), segment.held()
    changes = dict(epoch.between(segment.revision, segment.last()))
    reached = segment.revision
    for batch in segment.batches():
        for revision in range(reached + 1, batch.revision):
            apply(truth, changes.get(revision, {}))
        for event in batch.events:
            if truth.get(event.key) != mirror.get(event.key):
                yield (f"{event.key} before {batch.revision} was {mirror.get(event.key)}, "
                       f"truly {truth.get(event.key)}")
            if event.kv is None and event.key not in mirror:
                yield f"{event.key} deleted at {batch.revision}, and was not there"
            apply(mirror, {event.key: event.kv})
        apply(truth, changes.get(batch.revision, {}))
        reached = max(reached, batch.revision)


VALIDATORS = {
    "Seeded": seeded,
    "Filter": filtered,
    "Ordered": ordered,
    "Unique": unique,
    "Atomic": atomic,
    "Bookmarkable": bookmarkable,
    "Resumable": resumable,
    "IsCreate": is_create,
    "Reliable": reliable,
    "PrevKV": prev_kv,
}


def violations(segment, epoch, prefix):
    found = []
    for name, validator in VALIDATORS.items():
        lines = list(validator(segment, epoch, prefix))
        found += [f"{name}: {line}" for line in lines[:MANY]]
        if len(lines) > MANY:
            found.append(f"{name}: and {len(lines) - MANY} more")
    return found


def differences(expected, found):
    """Lines about what is not as it should be in the {key: Kv} FOUND."""
    for key in sorted(expected.keys() | found.keys()):
        if expected.get(key) != found.get(key):
            yield f"{key} is {found.get(key)}, truly {expected.get(key)}"


class _Position:
    """How far an observer has come: in which of the epochs, and to which revision."""

    def __init__(self, epochs):
        self._epochs = epochs
        self._at = 0
        self._reached = 0

    def judge(self, revision, judge):
        """The observer goes on to REVISION: of the first epoch in which
        JUDGE(epoch, floor) finds nothing wrong; floor: it cannot have gone back
        further.  If there is none, returns the shortest list of complaints."""
        found, floor, reached = [], self._reached, self._reached
        self._reached = revision
        for i in range(self._at, len(self._epochs)):
            floor = reached if i == self._at else min(floor, self._epochs[i].fork)
            if revision > self._epochs[i].last:
                continue
            found.append(list(judge(self._epochs[i], floor)))
            if not found[-1]:
                self._at = i
                return []
        return min(found, key=len, default=["etcd never got so far"])


def _went_back(revision, floor):
    if revision < floor:
        yield f"back from {floor} or later"


def judge_log(segments, epochs, prefix):
    """The nine validators, on every segment of a log."""
    position, found = _Position(epochs), []
    for segment in segments:
        lines = position.judge(segment.last(), lambda epoch, floor: [
            *_went_back(segment.revision, floor), *violations(segment, epoch, prefix)])
        found += [f"seed {segment.revision} to {segment.last()}: {line}" for line in lines]
    return found


def judge_reads(reads, epochs):
    """READS, {key: each Kv that one reader found there, in that order}: each is what
    the key once was, to the last byte, and none is older than the one before."""
    puts = {epoch: _puts(epoch) for epoch in epochs}
    found = []
    for key, kvs in reads.items():
        position = _Position(epochs)
        for kv in kvs:
            lines = position.judge(kv.mod_revision, lambda epoch, floor: _read_faults(
                key, kv, puts[epoch], epoch, floor))
            found += [f"{key} was read as {kv}: {line}" for line in lines]
    return found


def _read_faults(key, kv, puts, epoch, floor):
    if (key, kv) not in puts:
        yield "it never was that"
    elif kv.mod_revision < floor and epoch.state_at(max(floor, epoch.base)).get(key) != kv:
        yield from _went_back(kv.mod_revision, floor)


def _puts(epoch):
    """Each (key, Kv) that there was."""
    puts = set(epoch.state.items())
    for changes in epoch.changes.values():
        puts.update(changes.items())
    return puts


def judge_trees(trees, epochs, prefix):
    """TREES, in the order in which they were found: each is the whole range at the
    revision that it claims, and every key has its path."""
    position, found = _Position(epochs), []
    for tree in trees:
        lines = position.judge(tree.revision, lambda epoch, floor: [
            *_went_back(tree.revision, floor), *_tree_faults(tree, epoch, prefix)])
        found += [f"tree at {tree.revision}: {line}" for line in lines[:MANY]]
    return found


def _tree_faults(tree, epoch, prefix):
    if tree.revision < epoch.base:
        yield f"before {epoch.base}, where all began"
        return
    state = epoch.state_at(tree.revision)
    shown = {file.key: file.kv for file in tree.files.values()}
    yield from differences(state, shown)
    expected = paths(key[len(prefix):] for key in state)
    for path, key in expected.items():
        file = tree.files.get(path)
        if file and file.key != prefix + key:
            yield f"{path} is {file.key}, not {prefix + key}"
        elif not file and prefix + key in shown:
            yield f"{prefix + key} is not at {path}"


def judge_inodes(trees):
    """An inode never changes: not its path's key, nor what it holds."""
    found, known = [], {}
    for tree in trees:
        for path, file in tree.files.items():
            before = known.setdefault(file.ino, file)
            if before != file:
                found.append(f"inode {file.ino} was {before}, is {file} at {path}")
    return found


def judge_unchanged(trees, epochs, prefix):
    """A file that never changed keeps its inode and its times."""
    changes = path_changes(epochs, prefix)
    found, known = [], {}
    for tree in trees:
        for path, file in tree.files.items():
            before = known.setdefault(path, file)
            if before != file and path not in changes:
                found.append(f"{path} was {before}, is {file}, and never changed")
    return found


Changes = collections.namedtuple("Changes", "created written deleted")
NEVER = Changes(0, 0, 0)


def path_changes(epochs, prefix):
    """{path: Changes}: how often at most a file is created, written and deleted by
    whoever shows these epochs, whichever states they skip."""
    counts = {}
    shown = None
    for now in _shown(epochs, prefix):
        for path in () if shown is None else shown.keys() | now.keys():
            if shown.get(path) != now.get(path):
                counts[path] = _counted(counts.get(path, NEVER), shown.get(path), now.get(path))
        shown = now
    return counts


def _shown(epochs, prefix):
    """{path: (key, Kv)} of each state that there was."""
    names = {}
    for state in _states(epochs):
        if names.keys() != state.keys():
            names = {prefix + key: path
                     for path, key in paths(key[len(prefix):] for key in state).items()}
        yield {names[key]: (key, kv) for key, kv in state.items()}


def _states(epochs):
    state = dict(epochs[0].state)
    yield state
    for epoch in epochs:
        if epoch is not epochs[0]:
            state = epoch.state_at(epoch.fork)
            yield state
        for _, changes in epoch.between(epoch.fork, epoch.last):
            apply(state, changes)
            yield state


def _creation(file):
    key, kv = file
    return key, kv.create_revision


def _counted(changes, before, now):
    another = not before or not now or _creation(before) != _creation(now)
    return Changes(changes.created + bool(now and another), changes.written + bool(now),
                   changes.deleted + bool(before and another))


def judge_told(told, epochs, prefix):
    """TOLD, {path: Changes} as inotify told them: no event without a change."""
    possible = path_changes(epochs, prefix)
    return [f"{path} was told {changes}, but changed {possible.get(path, NEVER)}"
            for path, changes in told.items()
            if any(a > b for a, b in zip(changes, possible.get(path, NEVER)))]
