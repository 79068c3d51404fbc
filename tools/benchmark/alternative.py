# SPDX-License-Identifier: Apache-2.0
"""The program in alternative/, which does without etcdfs what etcdfs does, started and
asked; and a load of changes, which it makes, too."""

import contextlib
import json
import os
import subprocess
import time

from wait import ENDS_WITH_US


def _command(world, server, *args):
    return [world.go, "-endpoint", server.endpoint, *map(os.fsdecode, map(str, args))]


def ask(world, server, *args):
    """What it answers to a subcommand that ends by itself."""
    result = subprocess.run(_command(world, server, *args), check=True,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    return json.loads(result.stdout)


def ranged(world, keys, page):
    """A range of KEYS into a map; seconds: with the start of the process."""
    start = time.monotonic()
    answer = ask(world, keys.etcd, "range", "-page", page, keys.prefix.decode())
    return {**answer, "seconds": time.monotonic() - start}


def fastest_page(world, keys, pages):
    """The size of PAGES with which a range of KEYS takes the least time."""
    return min(pages, key=lambda page: min(ranged(world, keys, page)["seconds"]
                                           for _ in range(2)))


def put(world, keys, name, count, *flags):
    """COUNT changes of the keys NAME0, NAME1... below KEYS' prefix."""
    return ask(world, keys.etcd, "put", *flags, count, keys.full(name).decode())


class Mirror:
    """KEYS in files below a directory; pid and path, as a mount has them."""

    def __init__(self, process, path):
        self.process = process
        self.path = path

    def join(self, *names):
        return os.path.join(self.path, *names)


@contextlib.contextmanager
def mirror(world, keys):
    """Its files are there, and it watches."""
    path = os.path.join(world.directory(), "mirror")
    os.mkdir(path)
    process = subprocess.Popen(
        [*ENDS_WITH_US, "TERM",
         *_command(world, keys.etcd, "mirror", keys.prefix.decode(), path)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        if not process.stdout.readline():
            raise RuntimeError(f"the mirror ended with {process.wait()}")
        yield Mirror(process, path)
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()
