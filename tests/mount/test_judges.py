#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Issue item 1, judged by a program that others wrote: fio, which reads in every way
that the kernel offers, and knows from the bytes whether they are what was written."""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import case  # noqa: E402
from wait import Deadline  # noqa: E402

SIZE = 1 << 20
# read and its kin, mapped pages, pages through a pipe, and both kinds of asynchronous I/O.
ENGINES = ["psync", "pvsync2", "mmap", "splice", "posixaio", "libaio", "io_uring"]
# What a machine may lack, as fio says it.
LACKS = ("Function not implemented", "Operation not permitted", "not loadable")


class Fio(case.MountTest):
    def fio(self, directory, *args):
        return subprocess.run(["fio", "--name=judge", f"--directory={directory}",
                               "--filename=file", f"--size={SIZE}", "--verify=crc32c", *args],
                              cwd=self.directory, stdin=subprocess.DEVNULL, check=False,
                              capture_output=True, text=True, timeout=Deadline("fio").left())

    def setUp(self):
        super().setUp()
        local = self.tmpfs()
        result = self.fio(local, "--rw=write", "--bs=4k", "--do_verify=0")
        self.assertEqual(0, result.returncode, result.stderr)
        with open(os.path.join(local, "file"), "rb") as file:
            self.value = file.read()
        self.keys.put("file", self.value)
        self.mounted = self.mount()

    def read(self, engine, *args):
        return self.fio(self.mounted.path, "--readonly", f"--ioengine={engine}", "--bs=4k",
                        "--iodepth=8", *args)

    def test_every_way_of_reading(self):
        for engine in ENGINES:
            with self.subTest(engine):
                result = self.read(engine, "--rw=randread")  # each block once
                if any(lack in result.stdout + result.stderr for lack in LACKS):
                    self.skipTest(f"this machine has no {engine}")
                self.assertEqual((0, ""), (result.returncode, result.stderr))

    def test_another_byte_is_noticed(self):
        """So that silence means something."""
        self.keys.put("file", b"?" + self.value[1:])
        self.mounted.settle()
        self.assertNotEqual(0, self.read("psync", "--rw=read").returncode)

    def test_writing_is_refused(self):
        result = self.fio(self.mounted.path, "--rw=write", "--ioengine=psync")
        self.assertNotEqual(0, result.returncode)
        self.assertIn("Read-only file system", result.stdout + result.stderr)


if __name__ == "__main__":
    case.main()
