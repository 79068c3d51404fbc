# SPDX-License-Identifier: Apache-2.0
"""A Debian with nothing in it but apt, of this machine's release: its own files, mounts
and processes, and this machine's network.

Who runs in it sees it as / and a first process that only waits.  With that process all
others and every mount end.
"""

import os
import platform
import shutil
import subprocess
import tempfile

from made import run
from wait import ENDS_WITH_US

_FIRST = "mknod -m 666 /dev/fuse c 10 229 && echo ready && exec cat"
_NOT_FILES = ("dev", "proc", "run", "sys", "tmp")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Where packages may come from, if not straight.
_PROXIES = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}


class CleanRoot:
    def __init__(self):
        self.path = tempfile.mkdtemp(prefix="etcdfs-root-")
        self._first = None
        try:
            self._fill()
            self._begin()
        except BaseException:
            self.close()
            raise

    def _fill(self):
        """What it knows of packages stays, so that apt need not ask again."""
        release = platform.freedesktop_os_release()["VERSION_CODENAME"]
        run("mmdebstrap", "--quiet", "--variant=apt", "--skip=cleanup/apt/lists",
            "--dpkgopt=force-unsafe-io", release, self.path, *self._sources(release))

    @staticmethod
    def _sources(release):
        """From where this machine has RELEASE and its updates; not what else it knows."""
        lines = run("apt-get", "indextargets", "Created-By: Packages",
                    "--format", "$(ORIGIN) deb $(REPO_URI) $(RELEASE) $(COMPONENT)").splitlines()
        fields = [line.split() for line in lines]
        return [" ".join(source) for origin, *source in fields
                if origin in ("Debian", "Ubuntu") and source[2].startswith(release)]

    def _begin(self):
        self._first = subprocess.Popen(
            [*ENDS_WITH_US, "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child",
             f"--root={self.path}", "--mount-proc", "sh", "-c", _FIRST],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self._environment({}))
        if self._first.stdout.readline() != b"ready\n":
            raise RuntimeError("the clean root has not begun")
        with open(f"/proc/{self._first.pid}/task/{self._first.pid}/children",
                  encoding="ascii") as children:
            self.pid = int(children.read())

    @staticmethod
    def _environment(more):
        return {"PATH": _PATH, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive",
                "HOME": "/root", **_PROXIES, **more}

    def command(self, *command):
        """COMMAND, as it runs in there."""
        return ["nsenter", f"--target={self.pid}", "--mount", "--pid", "--root", "--wd",
                *command]

    def start(self, *command, **more):
        """COMMAND, started; MORE: of its environment."""
        return subprocess.Popen([*ENDS_WITH_US, "TERM", *self.command(*command)],
                                stdin=subprocess.DEVNULL, env=self._environment(more))

    def run(self, *command, **more):
        """What COMMAND says on standard output; it must succeed."""
        return run(*self.command(*command), env=self._environment(more))

    def inside(self, path):
        """The place of PATH, seen from here; without what is mounted in there."""
        return os.path.join(self.path, path.lstrip("/"))

    def real(self, path):
        """PATH without links on its way: /lib is /usr/lib."""
        where, name = os.path.split(self.inside(path))
        return os.path.join(os.path.realpath(where), name)[len(self.path):]

    def files(self):
        """Every path in it that is kept."""
        found = set()
        for where, folders, names in os.walk(self.path):
            if where == self.path:
                folders[:] = [folder for folder in folders if folder not in _NOT_FILES]
            found.update(os.path.join(where, name)[len(self.path):] for name in folders + names)
        return found

    def close(self):
        if self._first:
            self._first.stdin.close()  # of which it hears
            self._first.stdout.close()
            self._first.wait()
        shutil.rmtree(self.path, ignore_errors=True)
