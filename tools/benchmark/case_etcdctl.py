# SPDX-License-Identifier: Apache-2.0
"""A script's read of one key: of its file, and with etcdctl."""

import os
import subprocess
import time

import etcd
from harness import Row

VALUE = "v" * 100


def each(command, count):
    """The milliseconds that COMMAND takes to say VALUE."""
    environment = {**os.environ, "ETCDCTL_API": "3"}
    start = time.monotonic()
    for _ in range(count):
        said = subprocess.run(command, env=environment, check=True, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE).stdout
        if said.strip() != VALUE:
            raise AssertionError(f"{command} says {said}")
    return (time.monotonic() - start) / count * 1e3


def rows(world, quick):
    count = 2 if quick else 100
    keys = etcd.Keys(world.etcd, "/etcdctl/")
    keys.put("key", VALUE)
    get = ["etcdctl", "--endpoints", world.etcd.endpoint, "get", "--print-value-only",
           "/etcdctl/key"]
    with world.mount(keys) as mounted:
        ours, theirs = world.alternating(lambda: each(["cat", mounted.join("key")], count),
                                         lambda: each(get, count))
    yield Row("one read from a script", "ms", ours, theirs, None, "etcdctl get")
