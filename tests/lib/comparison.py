# SPDX-License-Identifier: Apache-2.0
"""Everything twice: on tmpfs by ordinary calls, on a mount by changing etcd.

Either a table of steps, each once in a directory of its own (`compare`), or a
function that does whatever it likes in a world and says what it saw (`same`).  The
transcripts must be equal but for differences that are listed with their reason.
"""

import contextlib
import os
import re
from collections import namedtuple

import case

# The key, in each watched directory, whose event ends a transcript.
END = "zz-end"

# What a step starts from, does to etcd (one revision a line), does to a local
# directory, and changes (what a file watch watches; None when it is new).
Step = namedtuple("Step", "name before etcd local target differences", defaults=[{}])

# A line as it is on a local disk, as it is on the mount (None: no such line), and why.
Difference = namedtuple("Difference", "local remote reason")


class Local:
    """Steps as any program does them on a local disk."""

    def __init__(self, path):
        self.path = path

    def join(self, *names):
        return os.path.join(self.path, *names)

    def run(self, line):
        verb, name, *value = line.split()
        path = os.path.join(self.path, name)
        if verb != "write":
            {"unlink": os.unlink, "mkdir": os.mkdir, "rmdir": os.rmdir}[verb](path)
            return
        fd = os.open(path, os.O_WRONLY | os.O_CREAT)
        if value:
            os.write(fd, value[0].encode())
        os.close(fd)

    def put(self, name, value):
        """As a key: its directories come with it."""
        directory = ""
        for component in name.split("/")[:-1]:
            directory = os.path.join(directory, component)
            if not os.path.exists(self.join(directory)):
                self.run(f"mkdir {directory}")
        self.run(f"write {name} {value}")

    def delete(self, name):
        """As a key: the directories that are left without any go with it."""
        self.revision({}, [name])

    def revision(self, puts, deletes):
        for name, value in puts.items():
            self.put(name, value)
        for name in deletes:
            self.run(f"unlink {name}")
        for name in deletes:
            with contextlib.suppress(OSError):  # a listing would be an event
                while name := os.path.dirname(name):
                    self.run(f"rmdir {name}")

    def prepare(self, before):
        for name, value in before.items():
            path = os.path.join(self.path, name)
            if any(other.startswith(name + "/") for other in before):
                path = os.path.join(path, ".value")
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(value)

    def settle(self):
        """A local change is told before its call returns."""

    def end(self):
        self.run(f"write {END} 1")


class Remote:
    """Steps as changes of etcd below one directory of a mount."""

    def __init__(self, mount, directory):
        self.mount = mount
        self.directory = directory
        self.path = mount.join(directory)

    def join(self, *names):
        return os.path.join(self.path, *names)

    def run(self, line):
        verb, name, *value = line.split()
        if verb == "put":
            self.put(name, "".join(value))
        else:
            self.delete(name)

    def put(self, name, value):
        self.mount.keys.put(f"{self.directory}/{name}", value)
        # A change that follows at once may be told together with this one.
        self.settle()

    def delete(self, name):
        self.mount.keys.delete(f"{self.directory}/{name}")
        self.settle()

    def revision(self, puts, deletes):
        """All of it in one."""
        self.mount.keys.txn({f"{self.directory}/{name}": value for name, value in puts.items()},
                            [f"{self.directory}/{name}" for name in deletes])
        self.settle()

    def prepare(self, before):
        for name, value in before.items():
            self.mount.keys.put(f"{self.directory}/{name}", value)

    def settle(self):
        self.mount.settle()

    def end(self):
        self.mount.keys.put(f"{self.directory}/{END}", "2")


class Comparison(case.MountTest):
    def setUp(self):
        super().setUp()
        self.mounted = self.mount()
        self.count = 0

    def both(self, before):
        """The two worlds, each prepared when its turn comes."""
        self.count += 1
        for world in (Local(self.tmpfs()), Remote(self.mounted, f"case-{self.count}")):
            # The end is there before, so that it never is a directory's first key.
            world.prepare({END: "1", **before})
            world.settle()
            yield world

    def worlds(self, step):
        """The two places a step is done in, prepared, with the step's lines."""
        for world in self.both(step.before):
            yield world, step.etcd if isinstance(world, Remote) else step.local

    def compare(self, watch, steps, optional=()):
        """WATCH(world, step) starts a watch and returns the function that ends it
        and returns the transcript.  Lines that match OPTIONAL may be missing or
        present on either side."""
        for step in steps:
            local, remote = (self.transcript(watch, world, lines, step)
                             for world, lines in self.worlds(step))
            with self.subTest(step.name):
                unexplained = [line for line in remote if line not in step.differences]
                self.assertEqual(self.without(optional, local),
                                 self.without(optional, unexplained))
                for line, reason in step.differences.items():
                    self.assertIn(line, remote, reason)

    def transcript(self, watch, world, lines, step):
        finish = watch(world, step)
        for line in lines:
            world.run(line)
        world.end()
        return [line for line in finish() if END not in line]

    @staticmethod
    def without(optional, lines):
        return [line for line in lines if not any(re.fullmatch(each, line) for each in optional)]

    def same(self, script, before, differences=()):
        """SCRIPT(world), a function that returns a transcript, returns the same one in
        both worlds, which start with the keys BEFORE."""
        local, remote = (script(world) for world in self.both(before))
        for difference in differences:
            self.assertIn(difference.local or difference.remote,
                          local if difference.local else remote, "a difference that is none")
        instead = {each.local: each.remote for each in differences if each.local}
        additional = [each.remote for each in differences if not each.local]
        local = [instead.get(line, line) for line in local]
        self.assertEqual([line for line in local if line is not None],
                         [line for line in remote if line not in additional])
