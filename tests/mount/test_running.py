#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Values that are programs: run in every way, replaced while they run, forbidden;
and 32-bit programs that read them."""

import errno
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import case  # noqa: E402
import inotify  # noqa: E402
from inotify import transcript  # noqa: E402
from wait import ENDS_WITH_US, Deadline, times  # noqa: E402

NAME = "etcdfs-test-script"
SCRIPT = "#!/bin/sh\necho \"$#\" \"$1\" 6*7=$((6 * 7))\n"
SAYS = "1 x 6*7=42\n"


def contents(path):
    with open(path, "rb") as file:
        return file.read()


def loader(program):
    """The dynamic loader that PROGRAM names."""
    return re.search(rb"/lib[\w./-]*/ld-[\w.-]+", contents(program))[0].decode()


def run(*command, **options):
    """What it says and how it ends, or why it cannot begin."""
    try:
        result = subprocess.run(command, check=False, stdin=subprocess.DEVNULL,
                                capture_output=True, text=True, **options)
    except OSError as error:
        return errno.errorcode[error.errno]
    return result.stdout if result.returncode == 0 else result.returncode


class RunningTest(case.MountTest):
    def setUp(self):
        super().setUp()
        self.keys.put(NAME, SCRIPT)
        self.cat = contents(shutil.which("cat"))
        self.keys.put("bin/cat", self.cat)

    def modes(self, mount):
        return [oct(os.stat(mount.join(name)).st_mode & 0o777) for name in (NAME, "bin/cat")]

    def ways(self, mount):
        """{way: what came of it}: for a script and for a program."""
        script, cat = mount.join(NAME), mount.join("bin", "cat")
        return {
            "script": run(script, "x"),
            "script by its interpreter": run("sh", script, "x"),
            "script from PATH": run(
                "/bin/sh", "-c", f"{NAME} x", env={"PATH": mount.path}) == SAYS,
            "program": run(cat, script),
            "program by the loader": run(loader(cat), cat, script),
            "access": [os.access(path, os.X_OK) for path in (script, cat)],
            "test -x": run("test", "-x", script) == "",
        }


class Permitted(RunningTest):
    REFUSED = {"script": "EACCES", "script from PATH": False, "program": "EACCES",
               "access": [False, False], "test -x": False}
    ALLOWED = {"script": SAYS, "script by its interpreter": SAYS, "script from PATH": True,
               "program": SCRIPT, "program by the loader": SCRIPT,
               "access": [True, True], "test -x": True}

    def assert_runs(self, expected, mode, *args):
        directory = os.path.join(self.directory, "-".join(args).replace("/", ""))
        mount = self.mount(*args, directory=directory)
        self.assertEqual([mode] * 2, self.modes(mount))
        self.assertEqual(expected, self.ways(mount))

    def test_not_by_default(self):
        """But what reads it may do with it what it likes."""
        self.assert_runs({**self.ALLOWED, **self.REFUSED}, "0o444")

    def test_exec(self):
        self.assert_runs(self.ALLOWED, "0o555", "-o", "exec")

    def test_exec_less_the_mask(self):
        self.assert_runs({**self.ALLOWED, **self.REFUSED}, "0o444", "-o", "exec,fmask=0111")

    def test_noexec(self):
        """As on any filesystem, not even the loader may map it; a script is only read."""
        refused = {**self.ALLOWED, **self.REFUSED, "program by the loader": 127}
        self.assert_runs(refused, "0o444", "-o", "noexec")

    def test_the_later_counts(self):
        self.assert_runs(self.ALLOWED, "0o555", "-o", "noexec,nosuid", "-o", "exec")
        refused = {**self.ALLOWED, **self.REFUSED, "program by the loader": 127}
        self.assert_runs(refused, "0o444", "-o", "exec,noexec")

    def test_a_library(self):
        """Mapped to be executed, which needs no permission of the file's."""
        self.keys.put("lib.so", self.library())
        path = self.mount().join("lib.so")
        loaded = run(sys.executable, "-c", "import ctypes, sys; ctypes.CDLL(sys.argv[1])", path)
        self.assertEqual("", loaded)

    def library(self):
        """One that is small enough for a key."""
        with open("/proc/self/maps", encoding="utf-8") as lines:
            libc = next(line.split()[-1] for line in lines if "/libc.so" in line)
        return contents(os.path.join(os.path.dirname(libc), "libanl.so.1"))

    # Of a line of fstab; "user" means noexec.  Where both are possible: mount(8) may
    # take "exec" for what is so anyway, and keep it to itself (util-linux 2.38 does).
    FSTAB = {"defaults": [False], "rw,nosuid,nodev": [False], "noexec": [False], "user": [False],
             "exec,noexec": [False], "exec": [False, True], "rw,exec,nodev": [False, True],
             "user,exec": [False, True]}

    @case.privileged_only("mount is root's")
    def test_by_mount(self):
        for options, possible in self.FSTAB.items():
            with self.subTest(options):
                mode, said = self.run_mounted(options)
                self.assertIn(mode == "0o555", possible)
                self.assertEqual(SAYS if mode == "0o555" else "EACCES", said)

    def run_mounted(self, options):
        """The script's mode, and what it says."""
        point = tempfile.mkdtemp(dir=self.directory)
        fstab = os.path.join(self.directory, "fstab")
        source = f"etcd://{self.keys.etcd.endpoint}{self.keys.prefix.decode()}"
        with open(fstab, "w", encoding="ascii") as file:
            file.write(f"{self.program()}#{source} {point} fuse {options} 0 0\n")
        subprocess.run(["mount", "-T", fstab, point], check=True, stdin=subprocess.DEVNULL)
        try:
            script = os.path.join(point, NAME)
            return oct(os.stat(script).st_mode & 0o777), run(script, "x")
        finally:
            subprocess.run(["umount", point], check=True)


class Replaced(RunningTest):
    def start(self, mount):
        """cat, from the mount, which has answered."""
        process = subprocess.Popen([*ENDS_WITH_US, "KILL", mount.join("bin", "cat")], bufsize=0,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(process.wait)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stdin.close)
        self.assert_answers(process)
        return process

    def assert_answers(self, process):
        process.stdin.write(b"line\n")
        self.assertEqual(b"line\n", process.stdout.readline())

    def assert_undisturbed(self, process):
        """It goes on, and is what it was."""
        self.assert_answers(process)
        self.assertEqual(self.cat, contents(f"/proc/{process.pid}/exe"))

    def test_while_it_runs(self):
        """By another program, by the same, by a script; deleted; and back."""
        mount = self.mount("-o", "exec")
        process = self.start(mount)
        path = mount.join("bin", "cat")
        for value, says in ((contents(shutil.which("true")), ""), (self.cat, SCRIPT),
                            (SCRIPT.encode(), f"1 {mount.join(NAME)} 6*7=42\n")):
            self.keys.put("bin/cat", value)
            mount.settle()
            self.assert_undisturbed(process)
            self.assertEqual(says, run(path, mount.join(NAME)))
        self.keys.delete("bin/cat")
        mount.settle()
        self.assertEqual("ENOENT", run(path))
        self.assert_undisturbed(process)
        self.keys.put("bin/cat", self.cat)
        mount.settle()
        self.assertEqual(SCRIPT, run(path, mount.join(NAME)))
        self.assert_undisturbed(process)
        process.stdin.close()
        self.assertEqual(0, process.wait())

    def test_who_watches_is_told(self):
        """The directory as always.  Nobody can open the program that runs for
        writing, so who watches that inode hears of the change alone."""
        mount = self.mount("-o", "exec")
        process = self.start(mount)
        watcher = self.watcher()
        file = watcher.add(mount.join("bin", "cat"), inotify.CHANGES)
        watcher.add(mount.join("bin"), inotify.CHANGES)
        for busy in (True, True, False):
            if not busy:
                process.stdin.close()
                process.wait()
            self.keys.put("bin/cat", self.cat)
            self.keys.put("bin/mark", "")
            events = watcher.until_closed("mark")
            self.assertEqual(["MODIFY cat", "CLOSE_WRITE cat"], transcript(
                event for event in events if event.name == b"cat"))
            self.assertEqual(["MODIFY"] if busy else ["MODIFY", "CLOSE_WRITE"], transcript(
                event for event in events if event.wd == file))
        self.keys.delete("bin/cat")
        watcher.until(lambda event: event.wd == file and event.mask & inotify.DELETE_SELF)

    def test_run_at_each_event(self):
        """What is run is what the event told, or newer.  While a change is being told
        the file is open for writing, and cannot be run, as on a local disk."""
        mount = self.mount("-o", "exec")
        watcher = self.watcher()
        watcher.add(mount.path, inotify.CLOSE_WRITE)
        busy = 0
        for value in range(1, times(100) + 1):
            self.keys.put(NAME, f"#!/bin/sh\necho {value}\n")
            watcher.until_closed(NAME)
            deadline = Deadline("the script runs")
            while (said := run(mount.join(NAME))) == "ETXTBSY":
                deadline.pause()
                busy += 1
            self.assertEqual(f"{value}\n", said)
        print(f"# {busy} times busy")


if __name__ == "__main__":
    case.main()
