# SPDX-License-Identifier: Apache-2.0
"""The first filesystem of a kernel: an archive of cpio's newc format, not
compressed, because the emulated machine is slower at that than at reading."""

import os
import re
import shutil
import stat
import subprocess


class Image:
    """Everything belongs to root, whoever makes it."""

    def __init__(self):
        self._paths = set()
        self._archive = bytearray()

    def add(self, path, content, mode=0o644):
        """A file, with the directories that it is in."""
        if path in self._paths:
            return
        self._add_directory(os.path.dirname(path))
        self._entry(path, stat.S_IFREG | mode, content)

    def add_program(self, path, name, setuid=False):
        """The host's program NAME, with what it is linked to."""
        found = shutil.which(name)
        self._add_copy(path, found, 0o4755 if setuid else 0o755)
        for library in libraries(found):
            self._add_copy(library, library, 0o755)

    def bytes(self):
        self._entry("TRAILER!!!", 0, b"")
        return bytes(self._archive)

    def _add_copy(self, path, source, mode):
        with open(source, "rb") as file:
            self.add(path, file.read(), mode)

    def _add_directory(self, path):
        if path in ("/", *self._paths):
            return
        self._add_directory(os.path.dirname(path))
        self._entry(path, stat.S_IFDIR | 0o755, b"")

    def _entry(self, path, mode, content):
        self._paths.add(path)
        name = path.lstrip("/").encode() + b"\0"
        fields = [len(self._paths), mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name), 0]
        self._append(b"070701" + b"".join(b"%08X" % field for field in fields) + name)
        self._append(content)

    def _append(self, data):
        self._archive += data
        self._archive += bytes(-len(self._archive) % 4)


def libraries(program):
    """What the dynamic linker would load, itself included."""
    result = subprocess.run(["ldd", program], check=False, text=True, capture_output=True)
    return re.findall(r"(?:=> |^\t)(/\S+)", result.stdout, re.MULTILINE)
