#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Mount, user and pid namespaces: who sees the mount there, and as what."""

import errno
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import case  # noqa: E402
import libc  # noqa: E402
from inotify import transcript  # noqa: E402
from mount import Mount  # noqa: E402
from place import PlaceTest, error_of, in_child, read, run, write  # noqa: E402
from wait import ENDS_WITH_US, Deadline  # noqa: E402

SYS_PIVOT_ROOT = {"x86_64": 155}.get(os.uname().machine, 41)

# Only OURS is copied: a copy of another test's mount would keep that one alive.
NAMESPACE = """
while read -r _ path type _; do
    [ "$type" != fuse.etcdfs ] || [ "$path" = "$1" ] || umount -l "$path"
done < /proc/mounts
echo ready
read -r _ || :
"""


class Namespaces(PlaceTest):
    def namespace(self, propagation, ours=""):
        """The path of the root of a mount namespace of its own."""
        process = subprocess.Popen(
            [*ENDS_WITH_US, "KILL", "unshare", "--mount", "--propagation", propagation, "sh", "-c",
             NAMESPACE, "sh", ours], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(self.leave, process)
        self.assertEqual("ready\n", process.stdout.readline())
        return process, f"/proc/{process.pid}/root"

    @staticmethod
    def leave(process):
        process.stdin.close()
        process.wait(Deadline("the namespace ends").left())

    @case.privileged_only("only root has namespaces of its own")
    def test_a_private_one(self):
        """Its copy lives on after umount, without events, as long as it does."""
        mount = self.mount()
        process, root = self.namespace("private", mount.path)
        inside = root + mount.path
        self.assert_lives_at(inside, "2")
        self.assertEqual(0, mount.unmount().returncode)
        self.until_unmounted(mount)
        self.assert_kept_up(inside)
        self.assertIsNone(mount.process.poll())
        self.leave(process)
        self.assertEqual(0, mount.wait_end())

    def shared_base(self):
        base = self.place("base")
        self.mount_at(base, "-t", "tmpfs", "tmpfs")
        run("mount", "--make-shared", base)
        return base

    def propagated(self, propagation):
        """A mount that comes to a namespace which is there already."""
        base = self.shared_base()
        _, root = self.namespace(propagation)
        mount = self.mount(directory=base)
        inside = root + mount.path
        self.assertEqual("1", read(os.path.join(inside, "f")))
        self.assert_lives_at(inside, "2")
        self.assert_lives_at(mount.path, "3")
        return mount, inside

    @case.privileged_only("only root has namespaces of its own")
    def test_a_slave(self):
        mount, inside = self.propagated("slave")
        self.assert_leaves(mount)  # there, too, or the daemon would go on
        self.assertEqual([], os.listdir(inside))

    @case.privileged_only("only root has namespaces of its own")
    def test_a_shared_one(self):
        mount, inside = self.propagated("unchanged")
        self.assert_leaves(mount)
        self.assertEqual([], os.listdir(inside))

    @case.privileged_only("only root has namespaces of its own")
    def test_what_is_propagated_is_read_only(self):
        """Who opens for writing there is refused, and nobody hears of it."""
        mount, inside = self.propagated("slave")
        watcher = self.watcher()
        watcher.add(mount.path)
        for flags in (os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_TRUNC):
            self.assertEqual(errno.EROFS, error_of(lambda f=flags: os.close(
                os.open(os.path.join(inside, "f"), f))))
        self.keys.put("mark", "")
        self.assertEqual(["CREATE mark", "OPEN mark", "MODIFY mark", "CLOSE_WRITE mark"],
                         transcript(watcher.until_closed("mark")))
        self.assert_leaves(mount)

    def test_a_user_namespace(self):
        """Its root has what it takes for the privileged way."""
        path = self.place("user")
        script = """
            "$1" "$2" "$3"
            awk -v p="$3" '$5 == p {print $6}' /proc/self/mountinfo
            cat "$3/f"
            inotifywait -q -m -e close_write --format '%e %f' "$3" >"$4" & watch=$!
            echo mounted
            read -r _
            cat "$3/f"
            (: >"$3/f") 2>&1 || :
            mkdir "$3/x" 2>&1 || :
            kill $watch
            umount "$3"
            ls "$3"
            echo unmounted"""
        told = os.path.join(self.directory, "told")
        source = f"etcd://{self.keys.etcd.endpoint}{self.keys.prefix.decode()}"
        process = subprocess.Popen(
            [*ENDS_WITH_US, "KILL", "unshare", "--user", "--map-root-user", "--mount", "sh", "-ec",
             script, "sh", self.program(), source, path, told], text=True,
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.addCleanup(process.communicate)
        options = process.stdout.readline()
        if "ot permitted" in options:
            self.skipTest("no user namespaces here")
        self.assertIn("ro,", options)
        self.assertEqual("1mounted\n", process.stdout.readline())
        self.until_told(told)
        process.stdin.write("\n")
        process.stdin.close()
        process.stdin = None
        said = process.stdout.read()
        self.assertEqual(0, process.wait(), said)
        self.assertRegex(said, r"\A[0-9]+sh: .*Read-only file system\n"
                               r"mkdir: .*Read-only file system\nunmounted\n\Z")

    def until_told(self, told):
        """inotifywait says nothing before there is something to say."""
        deadline = Deadline("inotifywait tells of f")
        value = 1
        while not os.path.exists(told) or not os.path.getsize(told):
            value += 1
            self.keys.put("f", str(value))
            deadline.pause()
        self.assertIn("CLOSE_WRITE,CLOSE f", read(told).splitlines())

    @case.privileged_only("only root has namespaces of its own")
    def test_readers_in_a_pid_namespace(self):
        mount = self.mount()
        inside = ["unshare", "--pid", "--fork", "--kill-child"]
        said = subprocess.run([*inside, "cat", mount.join("f")], check=True, capture_output=True)
        self.assertEqual(b"1", said.stdout)
        said = subprocess.run([*inside, "sh", "-c", f": > {mount.join('f')}"], check=False,
                              env={**os.environ, "LC_ALL": "C"}, capture_output=True)
        self.assertIn(b"Read-only file system", said.stderr)

    @case.privileged_only("only root has namespaces of its own")
    def test_the_daemon_in_a_pid_namespace(self):
        """Its announcer has another number there, and its readers have none (0)."""
        mount = Mount(self.program(), self.keys, self.directory)
        mount.command = ["unshare", "--pid", "--fork", "--kill-child", *mount.command]
        self.addCleanup(mount.finish)
        mount.start()
        self.assert_lives_at(mount.path, "2")
        self.keys.put("new/x", "1")
        self.keys.delete("d/g")
        mount.settle()
        self.assertEqual(["f", "new"], mount.list())
        # What the daemon itself refuses, were the mount not read-only.
        run("mount", "-o", "remount,bind,rw", mount.path)
        self.assertEqual(errno.EROFS, error_of(lambda: os.unlink(mount.join("f"))))
        self.assertEqual(errno.EROFS, error_of(lambda: os.mkdir(mount.join("y"))))
        self.assertEqual(0, mount.status()["announcements"]["untold"])
        self.assert_leaves(mount)

    @case.privileged_only("only root changes its root")
    def test_chroot(self):
        mount = self.mount()
        self.assertEqual("1", in_child(lambda: read("/mnt/f"), lambda: os.chroot(self.directory)))
        self.assertEqual(errno.EROFS,
                         in_child(lambda: write("/mnt/f"), lambda: os.chroot(self.directory)))
        self.assertEqual("1", in_child(lambda: read("/f"), lambda: os.chroot(mount.path)))

    @case.privileged_only("only root changes its root")
    def test_pivot_root(self):
        self.mount()

        def pivot():
            libc.call("unshare", libc.CLONE_NEWNS)
            libc.call("mount", b"none", b"/", None, libc.MS_REC | libc.MS_PRIVATE, None)
            here = os.fsencode(self.directory)
            libc.call("mount", here, here, None, libc.MS_BIND | libc.MS_REC, None)
            os.chdir(here)
            libc.call("syscall", SYS_PIVOT_ROOT, b".", b".")
            libc.call("umount2", b".", libc.MNT_DETACH)
            os.chdir("/")
        self.assertEqual("1", in_child(lambda: read("/mnt/f"), pivot))
        self.assertEqual(["d", "f"], in_child(
            lambda: sorted(name for name in os.listdir("/mnt") if name[0] != "~"), pivot))
        self.assertEqual(errno.EROFS, in_child(lambda: write("/mnt/f"), pivot))


if __name__ == "__main__":
    case.main()
