#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How many threads answer requests, as --max-threads and --max-idle-threads say."""

import contextlib
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import case  # noqa: E402
from wait import Deadline, times  # noqa: E402

CLIENTS = 16


class Threads(case.MountTest):
    def serving(self, mounted):
        """Of the daemon's threads those without a name of their own: the main thread, the
        one that waits for the loop's end, and the loop's."""
        task, names = f"/proc/{mounted.process.pid}/task", []
        for thread in os.listdir(task):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # one that ends
                with open(f"{task}/{thread}/comm", encoding="utf-8") as name:
                    names.append(name.read().strip())
        return names.count(names[0]) - 2

    def crowd(self, mounted):
        """Requests at the same time, none of which the kernel answers itself."""
        def look(client):
            for i in range(times(200)):
                self.assertFalse(os.path.exists(mounted.join(f"{client}-{i}")))
        clients = [threading.Thread(target=look, args=(n,)) for n in range(CLIENTS)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()

    def test_all_stay(self):
        """Without the two limits there are as many as processors."""
        mounted = self.mount()
        self.crowd(mounted)
        processors = len(os.sched_getaffinity(mounted.process.pid))
        self.assertIn(self.serving(mounted), range(2, min(max(2, processors), 10) + 1))

    def test_at_most(self):
        mounted = self.mount("--max-threads=1")
        self.crowd(mounted)
        self.assertEqual(1, self.serving(mounted))
        self.keys.put("f", "1")
        mounted.settle()  # the announcer's requests need no second one
        self.assertEqual(b"1", mounted.read("f"))

    def test_idle(self):
        """The rest go once they have nothing to do."""
        mounted = self.mount("--max-idle-threads=1")
        self.crowd(mounted)
        deadline = Deadline("the threads go")
        while self.serving(mounted) > 1:
            deadline.pause()


if __name__ == "__main__":
    case.main()
