# SPDX-License-Identifier: Apache-2.0
"""Mounts whose announcer is never idle."""

import threading

import case
import inotify

KEYS = 20          # changed by each transaction of the load
PAUSE = 0.01       # between two of them: 1,000 events a second and more


class Load:
    """Changes to keys of one directory, from a thread, until closed."""

    def __init__(self, keys):
        self.keys = keys
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        value = 0
        while not self._stop.wait(PAUSE):
            value += 1
            self.keys.txn({f"load/k{i}": str(value) for i in range(KEYS)})
            if value % 10 == 0:
                self.keys.txn(deletes=[f"load/k{i}" for i in range(KEYS // 2)])

    def close(self):
        self._stop.set()
        self._thread.join()


class LoadedTest(case.MountTest):
    """Its keys are under load; but for f, which is 1."""

    def setUp(self):
        super().setUp()
        self.keys.put("load/k0", "0")
        self.keys.put("f", "1")
        load = Load(self.keys)
        self.addCleanup(load.close)

    def in_the_middle(self, mount=None):
        """MOUNT (or a new one), whose events are just now on their way to a watcher."""
        mount = mount or self.mount()
        watcher = self.watcher()
        watcher.add(mount.join("load"))
        for _ in range(25):
            watcher.until(lambda event: event.mask & inotify.CLOSE_WRITE)
        return mount, watcher
