# SPDX-License-Identifier: Apache-2.0
"""An emulated machine that runs the guest's tests, and what it said."""

import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from wait import ENDS_WITH_US  # noqa: E402

PROGRAM = "qemu-system-x86_64"
LIMIT = 900.0  # seconds for everything
MEMORY = 1024  # MiB, with the initramfs in it

# The first serial port is the kernel's, the second the tests'.
CONSOLE, TESTS = "console", "tests"
APPEND = ("console=ttyS0 loglevel=5 panic=-1 oops=panic "
          # A slow host is not the kernel's fault.
          "nowatchdog rcupdate.rcu_cpu_stall_suppress=1 tsc=unstable")

_CASE = re.compile(r"(ok|not ok) \d+ - (.*)")
_PLAN = re.compile(r"1\.\.(\d+)$")
_COMPLAINT = re.compile(r"BUG:|WARNING:|Oops|general protection|blocked for more than|"
                        r"Kernel panic|refcount_t:|UBSAN|Call Trace|segfault")


class Machine:
    def __init__(self, kernel, initrd, directory):
        self.directory = directory
        self.kernel = kernel
        with open(self._path("initrd"), "wb") as file:
            file.write(initrd)

    def _path(self, name):
        return os.path.join(self.directory, name)

    def _lines(self, name):
        with open(self._path(name), encoding="utf-8", errors="replace") as file:
            return file.read().splitlines()

    def _command(self):
        return [*ENDS_WITH_US, "KILL", PROGRAM, "-accel", "tcg,thread=multi", "-cpu", "max",
                "-smp", "2", "-m", str(MEMORY), "-nodefaults", "-display", "none", "-no-reboot",
                "-serial", f"file:{self._path(CONSOLE)}", "-serial", f"file:{self._path(TESTS)}",
                "-kernel", self.kernel, "-initrd", self._path("initrd"), "-append", APPEND]

    def run(self, explain):
        """The (verdict, name) of each case.  EXPLAIN is given the lines between them."""
        began = time.monotonic()
        ending = self._boot()
        cases = 0
        plan = None
        for line in self._lines(TESTS):
            if case := _CASE.match(line):
                cases += 1
                yield case.groups()
            elif found := _PLAN.match(line):
                plan = int(found[1])
            else:
                explain(line.removeprefix("# "))
        explain(f"{ending} after {time.monotonic() - began:.0f} s")
        if plan is None or plan != cases:
            explain("\n".join(self._lines(CONSOLE)[-40:]))
            yield "not ok", f"{cases} of {plan} cases"

    def _boot(self):
        """How it ended."""
        try:
            qemu = subprocess.run(self._command(), stdin=subprocess.DEVNULL, check=False,
                                  timeout=LIMIT, capture_output=True, text=True)
            return f"{qemu.stderr}ended with {qemu.returncode}"
        except subprocess.TimeoutExpired:
            return "not finished"

    def complaints(self):
        """What the kernel said that it should not have to say; with what followed."""
        lines = self._lines(CONSOLE)
        for number, line in enumerate(lines):
            if _COMPLAINT.search(line):
                return "\n".join(lines[number:number + 60])
        return ""
