#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Who may do what in the mount: other users, modes, options, a remount."""

import errno
import os
import pwd
import stat
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import case  # noqa: E402
from mount import Mount, find_mount, privileged  # noqa: E402
from place import PlaceTest, become, error_of, in_child, read, write  # noqa: E402


class Users(PlaceTest):
    """Who may look, as the kernel sees it."""

    @case.privileged_only("root alone can be several users")
    def test_without_allow_other(self):
        mount = self.mount()
        for call in (lambda: read(mount.join("f")), lambda: os.listdir(mount.path),
                     lambda: os.stat(mount.path).st_ino):
            self.assertEqual(errno.EACCES, in_child(call, become("daemon")))
        self.assertEqual("1", read(mount.join("f")))

    @case.privileged_only("root alone can be several users")
    def test_root_on_a_users_mount(self):
        """Nor may root, even to look; but it may unmount."""
        path = os.path.join(self.directory, "mnt")
        os.mkdir(path)
        user = pwd.getpwnam("nobody")
        os.chown(path, user.pw_uid, user.pw_gid)
        mount = Mount(self.program(), self.keys, self.directory, early=True)
        mount.command = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}",
                         "--clear-groups", *mount.command]
        self.addCleanup(mount.finish)
        mount.start()
        self.assertEqual(errno.EACCES, error_of(lambda: read(mount.join("f"))))
        self.assertEqual("1", in_child(lambda: read(mount.join("f")), become("nobody")))
        self.assertEqual(errno.EROFS, in_child(lambda: write(mount.join("f")), become("nobody")))
        self.assert_leaves(mount)

    def granted(self, options, *users):
        """{user: what they may do with the mount, f and d}, as rwx."""
        mount = self.mount("-o", f"allow_other,{options}")

        def may():
            return ["".join(letter for letter, flag in (("r", os.R_OK), ("w", os.W_OK),
                                                        ("x", os.X_OK))
                            if self.kernel_grants(path, flag))
                    for path in (mount.path, mount.join("f"), mount.join("d"))]
        found = {user: in_child(may, become(user)) for user in users}
        self.assert_leaves(mount)
        return found

    @staticmethod
    def kernel_grants(path, flag):
        """By trying, not by access(2)."""
        directory = os.path.isdir(path)
        try:
            if flag == os.R_OK:
                os.close(os.open(path, os.O_RDONLY))
            elif flag == os.W_OK:
                write(path)
            elif directory:
                os.stat(os.path.join(path, "."))
            else:
                return os.access(path, flag)
            return True
        except OSError:
            return False

    @case.privileged_only("root alone can be several users")
    def test_modes(self):
        own = pwd.getpwnam("daemon").pw_uid
        for options, daemon, nobody in (
                ("umask=022", ["rx", "r", "rx"], ["rx", "r", "rx"]),
                (f"uid={own},umask=077", ["rx", "r", "rx"], ["", "", ""]),
                (f"uid={own},fmask=0777,dmask=022", ["rx", "", "rx"], ["rx", "", "rx"]),
                (f"uid={own},fmask=077,dmask=022", ["rx", "r", "rx"], ["rx", "", "rx"]),
                (f"uid={own},fmask=022,dmask=066", ["rx", "r", "rx"], ["x", "r", "x"]),
                (f"gid={pwd.getpwnam('daemon').pw_gid},umask=027", ["rx", "r", "rx"],
                 ["", "", ""])):
            with self.subTest(options=options):
                found = self.granted(options, "daemon", "nobody")
                self.assertEqual({"daemon": daemon, "nobody": nobody}, found)

    @case.privileged_only("root alone can be several users")
    def test_announced_whatever_the_modes(self):
        """The announcer needs no permission."""
        mount = self.mount("-o", "allow_other,uid=1,gid=1,umask=0777")
        self.assert_lives_at(mount.path, "2")
        self.keys.put("new/x", "1")
        mount.settle()
        self.assertEqual(0, mount.status()["announcements"]["untold"])

    def test_no_acl(self):
        mount = self.mount()
        for name in ("system.posix_acl_access", "security.capability", "security.selinux"):
            self.assertIn(error_of(lambda n=name: os.getxattr(mount.join("f"), n)),
                          (errno.ENODATA, errno.EOPNOTSUPP))
        self.assertEqual(stat.S_IMODE(os.stat(mount.join("f")).st_mode) & 0o022, 0)


class Options(PlaceTest):
    def test_shown(self):
        """As given, in mountinfo; but root's is ro and an ordinary user's rw in any case."""
        ours = ["ro" if privileged() else "rw"]
        for given, shown in (("", ["nosuid", "nodev"]), ("ro", []), ("rw", []),
                             ("nosuid,nodev,noexec", ["nosuid", "nodev", "noexec"]),
                             ("noatime", ["noatime"])):
            with self.subTest(given=given):
                mount = self.mount(*(["-o", given] if given else []))
                self.assertLessEqual(set(shown + ours), set(find_mount(mount.path)))
                self.assertEqual(b"1", mount.read("f"))
                self.assert_leaves(mount)

    @case.privileged_only("only root remounts")
    def test_remounted(self):
        """Whatever root makes of the flags, nobody writes, and events go on."""
        mount = self.mount()
        for options in ("remount,rw", "remount,bind,rw", "remount,bind,ro", "remount,noexec,rw"):
            with self.subTest(options):
                result = subprocess.run(["mount", "-i", "-o", options, mount.path],
                                        check=False, capture_output=True, text=True)
                self.assertEqual((0, ""), (result.returncode, result.stderr))
                for call in (lambda: os.unlink(mount.join("f")),
                             lambda: os.mkdir(mount.join("x")),
                             lambda: os.truncate(mount.join("f"), 0),
                             lambda: os.chmod(mount.join("f"), 0o777),
                             lambda: self.write_to(mount.join("f")),
                             lambda: self.write_to(mount.join("new"), os.O_CREAT)):
                    self.assertEqual(errno.EROFS, error_of(call))
                self.keys.put("f", options)
                mount.settle()
                self.assertEqual(options.encode(), mount.read("f"))
        self.assertEqual(0, mount.status()["announcements"]["untold"])
        self.assert_leaves(mount)

    @staticmethod
    def write_to(path, flags=0):
        fd = os.open(path, os.O_WRONLY | flags)
        try:
            os.write(fd, b"x")
        finally:
            os.close(fd)


if __name__ == "__main__":
    case.main()
