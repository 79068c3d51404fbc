# SPDX-License-Identifier: Apache-2.0
"""How long a test may wait, and how often it repeats.

No test sleeps: each waits for a condition, and a limit only turns a wait that
never ends into a failure.  ETCDFS_SLOW=1 (sanitizers, valgrind) raises the limits
and lowers the repetitions; it leaves out no step.  ETCDFS_LONG=1 adds those that take
minutes.
"""

import os
import threading
import time

SLOW = os.environ.get("ETCDFS_SLOW", "0") not in ("", "0")
LONG = os.environ.get("ETCDFS_LONG", "0") not in ("", "0")
# In front of a command: it does not outlive the test, even one that is killed.
ENDS_WITH_US = ["setpriv", "--pdeathsig"]

LIMIT = 120.0 if SLOW else 30.0

_never = threading.Event()


def times(count, slow=None):
    """COUNT repetitions, or a tenth (SLOW, when given) on a slow build."""
    if not SLOW:
        return count
    return slow if slow is not None else max(1, count // 10)


class Deadline:
    """A bound on a wait for WHAT; `left` raises once it has passed."""

    def __init__(self, what, limit=None):
        self.what = what
        self.limit = LIMIT if limit is None else limit
        self.end = time.monotonic() + self.limit

    def left(self):
        left = self.end - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"not within {self.limit:g} s: {self.what}")
        return left

    def left_ms(self):
        return max(1, int(self.left() * 1000))

    def pause(self):
        """Between two looks at what nobody tells."""
        _never.wait(min(0.05, self.left()))
