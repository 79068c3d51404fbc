# SPDX-License-Identifier: Apache-2.0
"""Runs a module's unittest cases and speaks TAP about them."""

import sys
import time
import unittest


class _TapResult(unittest.TestResult):
    def __init__(self, out):
        super().__init__()
        self.out = out
        self.began = {}
        self.bad = {}  # test: what went wrong, subtests and cleanups included

    def startTest(self, test):
        super().startTest(test)
        self.began[test] = time.monotonic()

    def addError(self, test, err):
        super().addError(test, err)
        self._note(test, self.errors[-1][1])

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._note(test, self.failures[-1][1])

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            text = self._exc_info_to_string(err, test)
            self._note(test, f"{subtest._subDescription()}\n{text}")

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._say(test, "ok", f" # SKIP {reason}")

    def stopTest(self, test):
        super().stopTest(test)
        for text in self.bad.get(test, ()):
            for line in text.rstrip().splitlines():
                print("#", line, file=self.out)
        if not any(test is skipped for skipped, _ in self.skipped):
            self._say(test, "not ok" if test in self.bad else "ok")

    def _note(self, test, text):
        self.bad.setdefault(test, []).append(text)
        if test not in self.began:  # setUpClass and the like
            print("#", "\n# ".join(text.splitlines()), file=self.out)

    def _say(self, test, verdict, suffix=""):
        name = test.id().removeprefix("__main__.")
        took = time.monotonic() - self.began[test]
        print(f"{verdict} {self.testsRun} - {name} ({took:.1f} s){suffix}", file=self.out,
              flush=True)


def run(names):
    """Runs the tests called NAMES of the main module, all without; an exit status."""
    loader = unittest.TestLoader()
    main = sys.modules["__main__"]
    suite = loader.loadTestsFromNames(names, main) if names else loader.loadTestsFromModule(main)
    print(f"1..{suite.countTestCases()}", flush=True)
    result = _TapResult(sys.stdout)
    suite.run(result)
    return 0 if result.wasSuccessful() else 1
