# SPDX-License-Identifier: Apache-2.0
"""Where a mount is, and who looks at it: children that see the world otherwise, and a
small tree for them to look at."""

import errno
import json
import os
import pwd
import subprocess

import case
import inotify
from inotify import transcript
from wait import Deadline


def error_of(call):
    try:
        call()
        return None
    except OSError as error:
        return error.errno


def in_child(do, before=lambda: None):
    """What DO() returns (something for JSON) or the errno of what it raises, in a
    process of its own that did BEFORE()."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        result = None, "failed"
        try:
            before()
            try:
                result = do(), None
            except OSError as error:
                result = None, error.errno
        except BaseException as error:  # of BEFORE: nothing that may pass as a result
            result = None, repr(error)
        finally:
            os.write(writer, json.dumps(result).encode())
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as pipe:
        value, error = json.loads(pipe.read())
    os.waitpid(pid, 0)
    return value if error is None else error


def become(name):
    user = pwd.getpwnam(name)

    def do():
        os.setgroups([])
        os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
        os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
    return do


def read(path):
    with open(path, "rb") as file:
        return file.read().decode()


def write(path):
    os.close(os.open(path, os.O_WRONLY))


def run(*command):
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)


class PlaceTest(case.MountTest):
    def setUp(self):
        super().setUp()
        os.chmod(self.directory, 0o755)
        for name in ("f", "d/g"):
            self.keys.put(name, "1")

    def place(self, name):
        """A directory outside the mount, for others to mount on."""
        path = os.path.join(self.directory, name)
        os.mkdir(path)
        return path

    def mount_at(self, path, *options):
        run("mount", *options, path)
        self.addCleanup(subprocess.run, ["umount", "-l", path], capture_output=True)

    def assert_lives_at(self, path, value):
        """New values show and are told there."""
        watcher = self.watcher()
        watcher.add(path, inotify.CHANGES)
        self.keys.put("f", value)
        events = watcher.until_closed("f")
        self.assertEqual(["MODIFY f", "CLOSE_WRITE f"], transcript(events))
        self.assertEqual(value, read(os.path.join(path, "f")))
        self.assertEqual(errno.EROFS, error_of(lambda: write(os.path.join(path, "f"))))

    @staticmethod
    def until_unmounted(mount):
        """The daemon has noticed, and tells nothing from here on."""
        deadline = Deadline("the daemon notices the unmount")
        while not any("is unmounted" in line for line in mount.log.lines()):
            deadline.pause()

    def assert_kept_up(self, path):
        """Also what the kernel has seen before does not stay old."""
        new, old = os.path.join(path, "new"), os.path.join(path, "f")
        self.assertFalse(os.path.exists(new))
        self.assertNotEqual("latest", read(old))
        names = os.listdir(path)
        self.assertNotIn("new", names)
        self.keys.txn({"f": "latest", "new": "2"})
        deadline = Deadline("the new values show")
        while (read(old) != "latest" or not os.path.exists(new) or
               "new" not in os.listdir(path)):
            deadline.pause()
        self.assertEqual("2", read(new))

    def assert_leaves(self, mount):
        result = mount.unmount()
        self.assertEqual((0, ""), (result.returncode, result.stderr))
        self.assertEqual(0, mount.wait_end())
