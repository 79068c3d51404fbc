# SPDX-License-Identifier: Apache-2.0
"""What tools/package made: it is in the directory that PACKAGES names."""

import glob
import os
import subprocess


def the_one(pattern):
    found = glob.glob(os.path.join(os.environ["PACKAGES"], pattern))
    if len(found) != 1:
        raise AssertionError(f"one {pattern} expected, found {found}; has tools/package run?")
    return found[0]


def run(*command, **options):
    """What COMMAND says on standard output; it must succeed."""
    result = subprocess.run(command, check=False, text=True, stdin=subprocess.DEVNULL,
                            capture_output=True, **options)
    if result.returncode:
        raise AssertionError(f"{command} ended with {result.returncode}:\n"
                             f"{result.stdout[-4000:]}{result.stderr[-4000:]}")
    return result.stdout
