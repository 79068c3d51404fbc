# SPDX-License-Identifier: Apache-2.0
"""Those who look on while faults strike: a keyspace-log, and on a mount programs that
read files, one that reads the whole tree, and two that live on inotify alone.

Each keeps what it saw until the next `cut`, and judges nothing.
"""

import contextlib
import os
import select
import stat
import threading
import time
import traceback

import inotify
import keyspace_log
from recorder import Kv, apply, stamp
from validators import NEVER, Batch, Event, File, Progress, Segment, Tree
from wait import Deadline

READ_PAUSE = 0.002
TREE_PAUSE = 0.2
_STOP_POLL = 0.2

# A path that has just gone, or turned from file to directory or back.
GONE = (FileNotFoundError, NotADirectoryError)


class Evidence:
    """A file of lines with times, for whoever looks into a failure: PATH since the last
    cut, PATH.before between the last two."""

    def __init__(self, path):
        self._path = path
        self._open()

    def _open(self):
        self._file = open(self._path, "w", encoding="utf-8", errors="backslashreplace")

    def say(self, line):
        print(f"{time.time():.3f} {line}", file=self._file, flush=True)

    def cut(self):
        self._file.close()
        os.rename(self._path, f"{self._path}.before")
        self._open()

    def close(self):
        self._file.close()


class EventLog(keyspace_log.Log):
    """A keyspace-log, in Segments."""

    def __init__(self, endpoints, prefix, evidence, **env):
        self.held = {}  # {key: Kv}
        self.segments = []
        self._changes = {}  # of the seed under way
        self._evidence = evidence
        super().__init__(endpoints, prefix, **env)

    def cut(self):
        """The Segments since the last cut, at a time when nothing is told."""
        with self._told:
            segments, self.segments = self.segments, [Segment(self.revision, dict(self.held), {})]
            self.batches.clear()
            self._evidence.cut()
        return segments

    def _take(self, words):
        self._evidence.say(" ".join(os.fsdecode(word[:80]) for word in words))
        super()._take(words)

    def _on_begin(self, revision):
        super()._on_begin(revision)
        self._changes = {}

    def _on_diff(self, key, value=None, *numbers):
        super()._on_diff(key, value)
        self._changes[key] = None if value is None else Kv(stamp(value), *map(int, numbers))

    def _on_end(self, revision, keys, changed):
        super()._on_end(revision, keys, changed)
        self.segments.append(Segment(int(revision), dict(self.held), self._changes))
        apply(self.held, self._changes)

    def _on_batch(self, revision, events):
        super()._on_batch(revision, events)
        self.segments[-1].steps.append(Batch(int(revision), []))

    def _on_put(self, key, value, *numbers):
        super()._on_put(key, value)
        kv = Kv(stamp(value), *map(int, numbers))
        self._event(Event(key, kv, kv.mod_revision))

    def _on_delete(self, key, mod_revision):
        super()._on_delete(key, mod_revision)
        self._event(Event(key, None, int(mod_revision)))

    def _event(self, event):
        self.segments[-1].steps[-1].events.append(event)
        apply(self.held, {event.key: event.kv})

    def _on_progress(self, revision):
        super()._on_progress(revision)
        self.segments[-1].steps.append(Progress(int(revision)))


# ---- files ----

def look(path):
    """The File at PATH (bytes), all of it by one open; None: there is none."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except GONE:
        return None
    try:
        status = os.fstat(fd)
        if stat.S_ISDIR(status.st_mode):
            return None
        numbers = _numbers(fd)
        value = _slurp(fd, status.st_size)
        key = os.getxattr(fd, "user.etcd.key")
        if _numbers(fd) != numbers or len(value) != status.st_size:
            raise AssertionError(f"{path} changed while it was open")
        return File(key, Kv(stamp(value), *numbers), status.st_ino, status.st_mtime_ns)
    finally:
        os.close(fd)


def _numbers(fd):
    """The fields of a Kv but the value."""
    lease = "0"
    with contextlib.suppress(OSError):
        lease = os.getxattr(fd, "user.etcd.lease")
    return (*(int(os.getxattr(fd, f"user.etcd.{name}"))
              for name in ("create_revision", "mod_revision", "version")), int(lease, 16))


def _slurp(fd, size):
    """In two steps, so that a value that changes in between would show."""
    parts = [os.read(fd, size // 2 + 1)]
    while parts[-1]:
        parts.append(os.read(fd, size + 1))
    return b"".join(parts)


def walk(directory):
    """The path, as a tuple, of every file below DIRECTORY (bytes)."""
    for where, _, names in os.walk(directory):
        above = () if where == directory else tuple(os.path.relpath(where, directory).split(b"/"))
        for name in names:
            yield above + (name,)


class _Observer:
    """A thread that goes through `_step` again and again, and what it found amiss."""

    def __init__(self, mount):
        self.mount = mount
        self.directory = os.fsencode(mount.path)
        self.complaints = []
        self._lock = threading.Lock()  # held for each observation, and to cut
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self._thread.start()
        return self

    def stop(self):
        self._stop.set()
        self._thread.join()

    def _path(self, path):
        return os.path.join(self.directory, *path)

    def _run(self):
        try:
            while not self._stop.is_set():
                self._step()
        except Exception:  # pylint: disable=broad-except
            self.complaints.append(traceback.format_exc())


class Reader(_Observer):
    """Reads every file, in random order, over and over."""

    def __init__(self, mount, rng):
        super().__init__(mount)
        self._rng = rng
        self._reads = {}  # {key: [Kv]}

    def cut(self):
        with self._lock:
            reads, self._reads = self._reads, {}
        return reads

    def _step(self):
        found = list(walk(self.directory))
        self._rng.shuffle(found)
        for path in found:
            with self._lock:
                self._read(path)
            if self._stop.wait(READ_PAUSE):
                return

    def _read(self, path):
        file = look(self._path(path))
        if not file:
            return
        kvs = self._reads.setdefault(file.key, [])
        if not kvs or kvs[-1] != file.kv:
            kvs.append(file.kv)


class Auditor(_Observer):
    """Reads the whole tree whenever the revision stands still for long enough."""

    def __init__(self, mount):
        super().__init__(mount)
        self._trees = []

    def cut(self):
        """The Trees since the last cut; the last is of now, when nothing changes."""
        with self._lock:
            deadline = Deadline("a tree at one revision")
            while not (tree := self._tree()):
                deadline.left()
            trees, self._trees = self._trees, []
        return [*trees, tree]

    def _step(self):
        with self._lock:
            tree = self._tree()
            if tree and self._trees[-1:] != [tree]:
                self._trees.append(tree)
        self._stop.wait(TREE_PAUSE)

    def _tree(self):
        """None: the revision moved on meanwhile (or the past changed: the same number may
        be of another), or it had just done so.  What the kernel remembers of a name that
        changed it forgets a moment after the revision moves, just before it is told."""
        before, revision = self._position(), int(self.mount.read(".etcdfs", "revision"))
        files = {path: file for path in walk(self.directory) if (file := look(self._path(path)))}
        stable = before == self._position() == (revision, before[1], 0)
        return Tree(revision, files) if stable else None

    def _position(self):
        status = self.mount.status()
        return status["revision"], status["reseeds"], status["announcements"]["pending"]


class Follower(_Observer):
    """Knows the tree as a program does that reads it once, and later only what
    inotify names."""

    ONLYDIR = 0x01000000
    MASK = inotify.CREATE | inotify.DELETE | inotify.CLOSE_WRITE | ONLYDIR

    def __init__(self, mount, evidence):
        super().__init__(mount)
        self._evidence = evidence
        self.files = {}  # {path: File}; read under `changed`
        self.changed = threading.Condition(self._lock)
        self._told = {}  # {path: Changes}
        self._places = {}  # watch descriptor: path of a directory
        self._watcher = inotify.Watcher()
        self._adopt(())

    def stop(self):
        super().stop()
        self._watcher.close()

    def until(self, condition, what):
        """Waits until CONDITION(files)."""
        deadline = Deadline(what)
        with self.changed:
            while not condition(self.files) and not self.complaints:
                self.changed.wait(min(deadline.left(), _STOP_POLL))

    def cut(self):
        """What it knows, and {path: Changes} that it was told since the last cut."""
        with self._lock:
            told, self._told = self._told, {}
            self._evidence.cut()
            return dict(self.files), told

    def _step(self):
        try:
            event = self._watcher.next(Deadline("an event", _STOP_POLL))
        except TimeoutError:
            return
        with self.changed:
            self._take(event)
            self.changed.notify_all()

    def _take(self, event):
        if event.mask & inotify.Q_OVERFLOW:
            self.files.clear()
            self._adopt(())
        elif event.mask & inotify.IGNORED:
            self._places.pop(event.wd, None)
        elif event.wd in self._places:
            path = self._places[event.wd] + (event.name,)
            self._evidence.say(f"{event} in {path}")
            if event.mask & inotify.ISDIR:
                self._take_directory(path, event.mask)
            else:
                self._count(path, event.mask)
                self._look(path)

    def _take_directory(self, path, mask):
        if mask & inotify.DELETE:
            for file in [file for file in self.files if file[:len(path)] == path]:
                del self.files[file]
        elif mask & inotify.CREATE:
            self._adopt(path)

    def _adopt(self, path):
        """Watches the directory PATH and what is below it, and reads what is there."""
        try:
            self._places[self._watcher.add(self._path(path), self.MASK)] = path
            names = os.listdir(self._path(path))
        except GONE:
            return
        for name in names:
            below = path + (name,)
            if os.path.isdir(self._path(below)):
                self._adopt(below)
            else:
                self._look(below)

    def _look(self, path):
        file = look(self._path(path))
        self._evidence.say(f"{path} is {file}")
        if file:
            self.files[path] = file
        else:
            self.files.pop(path, None)

    def _count(self, path, mask):
        created, written, deleted = self._told.get(path, NEVER)
        self._told[path] = NEVER._replace(
            created=created + bool(mask & inotify.CREATE),
            written=written + bool(mask & inotify.CLOSE_WRITE),
            deleted=deleted + bool(mask & inotify.DELETE))


class FileFollower(_Observer):
    """Watches each file itself, and not its directory: the inode that was there once,
    however often it is replaced, until its key is deleted."""

    MASK = inotify.CLOSE_WRITE | inotify.DELETE_SELF

    def __init__(self, mount):
        super().__init__(mount)
        self._watcher = inotify.Watcher()
        self._watched = {}  # watch descriptor: (path, File as last read, or None)
        self._watch_all()

    def stop(self):
        super().stop()
        self._watcher.close()

    def cut(self):
        """{path: File} of the files it watched whose end it was not told; at a time
        when everything has been told."""
        with self._lock:
            self._drain()
            known = dict(self._watched.values())
            self._watch_all()
        return known

    def _watch_all(self):
        """Each file that it does not watch yet."""
        for path in set(walk(self.directory)) - {path for path, _ in self._watched.values()}:
            with contextlib.suppress(*GONE):
                descriptor = self._watcher.add(self._path(path), self.MASK)
                self._watched[descriptor] = (path, look(self._path(path)))

    def _step(self):
        poll = select.poll()
        poll.register(self._watcher.fd, select.POLLIN)
        if poll.poll(_STOP_POLL * 1000):
            with self._lock:
                self._drain()

    def _drain(self):
        with contextlib.suppress(TimeoutError):
            while True:
                self._take(self._watcher.next(Deadline("an event", 0.001)))

    def _take(self, event):
        if event.wd not in self._watched:
            return
        path, _ = self._watched[event.wd]
        if event.mask & (inotify.DELETE_SELF | inotify.IGNORED):
            del self._watched[event.wd]
        else:
            self._watched[event.wd] = (path, look(self._path(path)))
