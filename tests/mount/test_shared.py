#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""An ordinary user's mount that other users may look into (allow_other): the one
case in which the kernel checks permissions and the announcer is subject to them.

/etc/fuse.conf must allow it, so root makes a mount namespace in which it does."""

import os
import pwd
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import case  # noqa: E402
import inotify  # noqa: E402

SCRIPT = """
mount --bind "$1" /etc/fuse.conf
as_user() { setpriv --reuid=nobody --regid=nogroup --clear-groups "$@"; }
as_user "$2" "$3" "$4" -o allow_other,umask="$5"
trap 'as_user fusermount3 -u "$4"' EXIT
echo ready
read -r _ || : # the test is over, one way or another
"""


class Shared(case.MountTest):
    def start(self, umask):
        config = os.path.join(self.directory, "fuse.conf")
        with open(config, "w", encoding="ascii") as file:
            file.write("user_allow_other\n")
        os.chmod(self.directory, 0o755)
        self.path = os.path.join(self.directory, "mnt")
        os.mkdir(self.path)
        os.chown(self.path, pwd.getpwnam("nobody").pw_uid, -1)
        source = f"etcd://{self.keys.etcd.endpoint}{self.keys.prefix.decode()}"
        # The script sees its end when we are gone.
        self.script = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "sh", "-ec", SCRIPT, "sh",
             config, self.program(), source, self.path, umask],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.script.stdout.close)
        self.addCleanup(self.script.stdin.close)
        self.assertEqual("ready\n", self.script.stdout.readline())

    def stop(self):
        self.script.communicate("\n", timeout=30)
        self.assertEqual(0, self.script.returncode)

    def as_other(self, *command):
        return subprocess.run(["nsenter", "-t", str(self.script.pid), "-m", "setpriv",
                               "--reuid=daemon", "--regid=daemon", "--clear-groups", *command],
                              check=False, text=True, capture_output=True,
                              stdin=subprocess.DEVNULL)

    def test_others_read_and_hear(self):
        self.keys.put("f", "1")
        self.start("022")
        file = os.path.join(self.path, "f")
        self.assertEqual("1", self.as_other("cat", file).stdout)
        self.assertEqual("644 755\n", self.as_other("sh", "-c", f"echo $(stat -c %a {file}) "
                                                    f"$(stat -c %a {self.path})").stdout)
        watcher = self.watcher()
        watcher.add(f"/proc/{self.script.pid}/root{self.path}", inotify.CHANGES)
        # One at a time: what is not told yet is coalesced.
        for change, told in ((lambda: self.keys.put("f", "2"), ["MODIFY f", "CLOSE_WRITE f"]),
                             (lambda: self.keys.put("d/g", "3"), ["CREATE,ISDIR d"]),
                             (lambda: self.keys.delete("f"), ["DELETE f"])):
            change()
            self.assertEqual(told, [str(watcher.next()) for _ in told])
        for command in (f"echo > {file}", f"mkdir {self.path}/x", f"rm {self.path}/d/g"):
            self.assertNotEqual(0, self.as_other("sh", "-c", command).returncode, command)
        self.stop()

    def test_umask_keeps_others_out(self):
        self.keys.put("f", "1")
        self.start("077")
        self.assertIn("Permission denied",
                      self.as_other("cat", os.path.join(self.path, "f")).stderr)
        self.stop()


if __name__ == "__main__":
    case.main()
