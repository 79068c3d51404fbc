# SPDX-License-Identifier: Apache-2.0
"""What every mount test has: a directory, a key prefix and mounts of its own.

    test_x.py [--user] [CLASS.METHOD...]

With --user, root becomes an ordinary user before anything starts, so that etcdfs
mounts through fusermount3.  After a failure the test's directory is kept, with
the logs and a repro.sh.
"""

import functools
import os
import pwd
import shlex
import shutil
import sys
import tempfile
import unittest

import libc
import tap
from etcd import Etcd, Keys
from inotify import InotifyWait, Watcher
from mount import Mount, mounts, privileged

_run = {}  # directory, program, etcd: set once by main


def privileged_only(reason):
    """Skips a test under --user, which is not known yet when classes are made."""
    return _only_if(privileged, reason)


def user_only(reason):
    return _only_if(lambda: not privileged(), reason)


def _only_if(condition, reason):
    def decorate(test):
        @functools.wraps(test)
        def run(self):
            if not condition():
                self.skipTest(reason)
            test(self)
        return run
    return decorate


class MountTest(unittest.TestCase):
    longMessage = True
    maxDiff = None

    def setUp(self):
        self.name = self.id().removeprefix("__main__.")
        self.directory = tempfile.mkdtemp(dir=_run["directory"])
        self.etcd = None
        self.keys = Keys(self.shared_etcd(), f"/{self.name}/")
        self.addCleanup(self._keep_or_remove)
        self._commands = []

    # Fixtures; each cleans up after itself.

    @staticmethod
    def shared_etcd():
        """One server for all tests of the module that leave it alone."""
        if "etcd" not in _run:
            directory = os.path.join(_run["directory"], "etcd")
            os.mkdir(directory)
            _run["etcd"] = Etcd(directory).start()
        return _run["etcd"]

    def own_etcd(self, *args):
        """A server to stop, kill, restore and wipe; self.keys are now in it."""
        directory = os.path.join(self.directory, "etcd")
        os.mkdir(directory)
        self.etcd = Etcd(directory, *args).start()
        self.addCleanup(self.etcd.stop)
        self.keys = Keys(self.etcd, self.keys.prefix)
        return self.etcd

    def mount(self, *args, **options):
        """A mount of self.keys, ready.  A second one needs a DIRECTORY."""
        directory = options.pop("directory", self.directory)
        mount = Mount(self.program(), options.pop("keys", self.keys), directory, args, **options)
        self._commands.append(mount.command)
        self.addCleanup(mount.finish)
        return mount.start()

    @staticmethod
    def program():
        return _run["program"]

    def wait_command(self, mount, *args):
        """Of etcdfs-wait(1)."""
        return [_run["wait"], mount.path, *args]

    def watcher(self):
        """Until the test ends; a user may have 128, those of other tests included."""
        watcher = Watcher()
        self.addCleanup(watcher.close)
        return watcher

    def inotifywait(self, path, *args):
        waiter = InotifyWait(path, *args)
        self.addCleanup(waiter.close)
        return waiter

    def tmpfs(self):
        """A directory of a local filesystem, to compare with."""
        directory = tempfile.mkdtemp(dir="/dev/shm", prefix="etcdfs-test-")
        self.addCleanup(shutil.rmtree, directory)
        return directory

    # Judgement.

    def assert_shows_etcd(self, mount):
        """MOUNT has exactly etcd's keys, values and revisions."""
        self.assertEqual({key: (kv.value, kv.create_revision, kv.mod_revision, kv.version)
                          for key, kv in self.keys.all().items()}, mount.shown())

    def told(self, watcher, mark):
        """{name: events} of WATCHER up to those of the key MARK, which is put now."""
        self.keys.put(mark, "")
        told = {}
        for event in watcher.until_closed(os.path.basename(mark)):
            name = os.fsdecode(event.name)
            told.setdefault(name, []).append(str(event).split()[0])
        del told[os.path.basename(mark)]
        return told

    def _keep_or_remove(self):
        if not self._failed():
            shutil.rmtree(self.directory, ignore_errors=True)
            return
        _run["kept"] = True
        with open(os.path.join(self.directory, "repro.sh"), "w", encoding="utf-8") as repro:
            repro.write(self._repro())
        print(f"# kept {self.directory}, repro.sh in it", flush=True)

    def _failed(self):
        return self in self._outcome.result.bad

    def _repro(self):
        user = [] if privileged() else ["--user"]
        etcd = self.etcd or self.keys.etcd
        lines = ["#!/bin/sh", "# The test again:",
                 shlex.join([f"ETCDFS={os.environ.get('ETCDFS', '')}",
                             os.path.abspath(sys.argv[0]), *user, self.name]),
                 "# What it started, by hand (free ports and directories first):"]
        lines += ["# " + shlex.join(command) for command in (etcd.command(), *self._commands)]
        return "\n".join(lines) + "\n"


def _leave_the_others():
    """A namespace of our own for what is mounted.  Else each test that makes one takes a
    copy of the others' mounts along, and whoever has one keeps the daemon alive."""
    libc.call("unshare", libc.CLONE_NEWNS)
    libc.call("mount", b"none", b"/", None, libc.MS_REC | libc.MS_PRIVATE, None)
    for point, _, kind in list(mounts()):
        if kind == "fuse.etcdfs":
            libc.call("umount2", os.fsencode(point), libc.MNT_DETACH)


def _become_user():
    """From root to nobody, with the /dev/fuse that Debian's udev gives to all."""
    if os.stat("/dev/fuse").st_mode & 0o666 != 0o666:
        os.chmod("/dev/fuse", 0o666)
    user = pwd.getpwnam("nobody")
    os.chown(_run["directory"], user.pw_uid, user.pw_gid)
    os.setgroups([])
    os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
    os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
    os.environ["HOME"] = _run["directory"]
    os.chdir(_run["directory"])


def _wait_program():
    beside = os.path.join(os.path.dirname(os.environ["ETCDFS"]), "..", "tools", "etcdfs-wait")
    return os.environ.get("ETCDFS_WAIT", beside)


def _missing(user):
    """The feature of this machine that the tests cannot do without, or None."""
    if not os.path.exists("/dev/fuse"):
        return "no /dev/fuse"
    if not user and not privileged():
        return "only root mounts without fusermount3 (try --user)"
    return None


def main():
    if "ETCDFS" not in os.environ:
        sys.exit("ETCDFS must name the program to test")
    args = sys.argv[1:]
    user = "--user" in args
    if reason := _missing(user):
        print(f"1..0 # SKIP {reason}")
        sys.exit(0)
    os.umask(0o022)
    _run["directory"] = tempfile.mkdtemp(prefix="etcdfs-test-")
    # A copy, because the user may not reach the directory it was built in.
    _run["program"] = os.path.join(_run["directory"], "etcdfs")
    shutil.copy(os.environ["ETCDFS"], _run["program"])
    if os.path.exists(_wait_program()):
        _run["wait"] = shutil.copy(_wait_program(), _run["directory"])
    if privileged():
        _leave_the_others()
    if user and privileged():
        _become_user()
    else:
        os.chmod(_run["directory"], 0o755)
    try:
        status = tap.run([arg for arg in args if arg != "--user"])
    finally:
        if "etcd" in _run:
            _run["etcd"].stop()
        if not _run.get("kept"):
            shutil.rmtree(_run["directory"], ignore_errors=True)
    sys.exit(status)
