# SPDX-License-Identifier: Apache-2.0
"""What files cost: through etcdfs, and as files of a tmpfs.

The first time the kernel has nothing of etcdfs's, neither names nor bytes: each repetition
has a mount of its own.  A tmpfs has no such state; it is as warm as ever.  The second time is
not yet as every later one: having listed a directory, the kernel asks once for its times."""

import contextlib
import os
import subprocess
import time

import etcd
import mount
import wait
from harness import Row

VALUE = b"v" * 1024
# What is looked for is in none.
COMMANDS = {"find": ["find", ".", "-type", "f", "-newermt", "2038-01-01"],
            "grep -r": ["grep", "-r", "absent", "."]}
# Of a walk, and what was set for each.
TIMES = (("just mounted", 10), ("the second time", 1.5), ("every later time", None))


def names(directories, files):
    for directory in range(directories):
        for file in range(files):
            yield f"{directory:05}/{file:05}"


class Places:
    """The same files below a prefix of etcd and below a directory of a tmpfs."""

    def __init__(self, world, prefix, directories, files, value):
        self.world = world
        self.keys = etcd.Keys(world.etcd, prefix)
        self.keys.fill((name, value) for name in names(directories, files))
        # As deep as the mount: the way there costs the same.
        self.local = os.path.join(world.directory(), "tmp")
        os.mkdir(self.local)
        for directory in range(directories):
            os.mkdir(os.path.join(self.local, f"{directory:05}"))
        for name in names(directories, files):
            with open(os.path.join(self.local, name), "wb") as file:
                file.write(value)

        self._compare()

    def mount(self):
        return self.world.mount(self.keys)

    def _compare(self):
        """A mount that shows less would be fast."""
        with self.mount() as mounted:
            subprocess.run(["diff", "-r", "-q", "-x", mount.TICKS, "-x", ".etcdfs",
                            self.local, mounted.path], check=True, stdin=subprocess.DEVNULL)


def loop(world, kind, count, path):
    result = subprocess.run([world.program("loops"), kind, str(count), path], check=True, text=True,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    return float(result.stdout)


@contextlib.contextmanager
def bare(world):
    """A directory, as deep as a mount of ours, where bare.c shows its file."""
    path = os.path.join(world.directory(), "mnt")
    os.mkdir(path)
    command = [*wait.ENDS_WITH_US, "TERM", world.program("bare"), path]
    deadline = wait.Deadline("a bare filesystem is mounted")
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
        try:
            while not os.path.ismount(path):
                if process.poll() is not None:
                    raise AssertionError(f"{command}: exit status {process.returncode}")
                deadline.pause()
            yield path
        finally:
            process.terminate()


def warm(world, places, count):
    """Also beside a filesystem that does nothing: what is left is the kernel's."""
    with places.mount() as mounted, bare(world) as nothing:
        for what, kind, name, target in (
                ("open, read, close of 1 KiB, again and again", "read", "00000/00000", 1.5),
                ("stat, again and again", "stat", "00000/00000", 1.1),
                ("stat of a name that is not there", "lookup", "00000/absent", 1.1)):
            def cost(where, kind=kind, name=name):
                return loop(world, kind, count, os.path.join(where, name))

            for other, path, wanted in (("tmpfs", places.local, target),
                                        ("a bare FUSE filesystem", nothing, None)):
                ours, theirs = world.alternating(lambda: cost(mounted.path),
                                                 lambda path=path: cost(path))
                yield Row(what, "ns", ours, theirs, wanted, other)


def walk(command, directory):
    start = time.monotonic()
    result = subprocess.run(command, cwd=directory, check=False, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE)
    if result.returncode not in (0, 1) or result.stdout:
        raise AssertionError(f"{command} in {directory}: {result}")
    return time.monotonic() - start


def visits(world, places, command):
    """For each of TIMES: (ours, theirs) of all repetitions."""
    walk(command, places.local)
    found = []
    for _ in range(world.repetitions):
        with places.mount() as mounted:
            found.append([(walk(command, mounted.path), walk(command, places.local))
                          for _ in TIMES])
    return zip(*found)


def walks(world, places, shape):
    for name, command in COMMANDS.items():
        for (when, target), pairs in zip(TIMES, visits(world, places, command)):
            ours, theirs = map(list, zip(*pairs))
            yield Row(f"{name}, {shape}, {when}", "s", ours, theirs, target, "tmpfs")


def rows(world, quick):
    count = 1000 if quick else 300000
    yield from warm(world, Places(world, b"/warm/", 1, 100, VALUE), count)
    most = world.at_most(20 if quick else 100000)
    for files in (2, 10) if quick else (10, 1000):
        directories = most // files
        places = Places(world, f"/{directories}x{files}/", directories, files, b"v" * 100)
        yield from walks(world, places, f"{directories:,} directories of {files:,}")
