# SPDX-License-Identifier: Apache-2.0
"""What a large tree costs when nothing happens."""

import threading

import many
from harness import Row, cpu_seconds, status_bytes

NO_CPU = 5e-4       # of one processor: below it top shows 0.0
NO_GROWTH = 1.001  # a page more or less of a stack


def rows(world, quick):
    seconds = 1 if quick else world.idle_minutes * 60
    count = world.at_most(100 if quick else 1000000)
    with world.own_etcd() as server:
        keys = many.fill(server, "/idle/", count)
        with world.mount(keys) as mounted:
            mounted.settle()
            pid = mounted.process.pid
            cpu, memory = cpu_seconds(pid), status_bytes(pid, "VmRSS")
            threading.Event().wait(seconds)
            cpu, later = cpu_seconds(pid) - cpu, status_bytes(pid, "VmRSS")
    title = f"{count:,} keys idle for {seconds // 60} minutes"
    yield Row(f"{title}: CPU", "s", [cpu], [seconds], NO_CPU, "one processor")
    yield Row(f"{title}: resident memory", "MiB", [later / 2**20], [memory / 2**20], NO_GROWTH,
              "at their begin")
