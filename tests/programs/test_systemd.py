#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""systemd's .path units on the mount.

Root runs a real service manager (`systemd --user`, whose .path units are those of the
system's) in a mount namespace and a control group of its own.  Without either, and for
an ordinary user, its watches are made by hand, with its masks.
"""

import os
import select
import signal
import socket
import subprocess

import program
from inotify import (ATTRIB, CLOSE_WRITE, CREATE, DELETE, DELETE_SELF, MODIFY, MOVED_FROM,
                     MOVED_TO, MOVE_SELF)
from mount import mounts
from wait import Deadline

# systemd wants to see that it is systemd's machine, and control groups that are its own.
NAMESPACE = """
echo $$ >"$1/cgroup.procs"
shift
exec setpriv --pdeathsig KILL unshare --mount --cgroup --propagation private sh -ec '
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
    mount -t tmpfs tmpfs /run
    mkdir -p /run/systemd/system
    exec "$@"' sh "$@"
"""

PATH = """[Unit]
Description=etcd changed {name}

[Path]
{directive}={path}

[Install]
WantedBy=default.target
"""

SERVICE = """[Unit]
Description=etcd changed {name}
StartLimitIntervalSec=0

[Service]
Type=oneshot
RemainAfterExit={remains}
ExecStart=/bin/sh -c '{command}'
"""

# What every unit is ordered after, and what is started.
TARGETS = ("basic", "default", "shutdown")


def manager():
    for path in ("/usr/lib/systemd/systemd", "/lib/systemd/systemd"):
        if os.path.exists(path):
            return path
    return None


def cgroups():
    """Where version 2's are mounted, None if nowhere."""
    return next((point for point, _, kind in mounts() if kind == "cgroup2"), None)


class Unit:
    """A .path unit and its service, which writes what it reads to `seen`."""

    def __init__(self, test, name, directive, path, remains=False):
        self.test = test
        self.name = name
        self.directive = directive
        self.path = path
        self.seen = os.path.join(test.directory, f"{name}.seen")
        self.remains = "yes" if remains else "no"
        # Whole before it is seen: the test looks at any time.
        command = (f"{{ cat {self.seen}; cat {path} || ls {path}; echo .; }} >{self.seen}.new "
                   f"2>/dev/null; mv {self.seen}.new {self.seen}")
        self.files = [
            test.write(f"units/{name}.path",
                       PATH.format(name=name, directive=directive, path=path)),
            test.write(f"units/{name}.service",
                       SERVICE.format(name=name, remains=self.remains, command=command))]
        test.write(f"{name}.seen", "")

    def runs(self):
        """What each run of the service read."""
        with open(self.seen, encoding="utf-8") as seen:
            return seen.read().split(".\n")[:-1]


class UnitTest(program.ProgramTest):
    def setUp(self):
        super().setUp()
        self.keys.put("f", "1")
        self.mounted = self.mount()
        for target in TARGETS:
            self.write(f"units/{target}.target", f"[Unit]\nDescription=The test's {target}\n")

    def unit(self, directive, path, **options):
        name = f"on-{directive.lower()}"
        return Unit(self, name, directive, path, **options)


class Verify(UnitTest):
    def test_units_that_name_the_mount(self):
        self.need("systemd-analyze")
        units = [self.unit(directive, self.mounted.join("f")) for directive in
                 ("PathChanged", "PathModified", "PathExists", "DirectoryNotEmpty",
                  "PathExistsGlob")]
        environment = {**program.ENVIRONMENT, "XDG_RUNTIME_DIR": self.directory,
                       "SYSTEMD_UNIT_PATH": os.path.join(self.directory, "units")}
        done = subprocess.run(["systemd-analyze", "verify", "--user", "--man=no",
                               *(file for unit in units for file in unit.files)],
                              check=False, text=True, stdin=subprocess.DEVNULL,
                              capture_output=True, env=environment)
        self.assertEqual((0, ""), (done.returncode, done.stderr))


class Running(UnitTest):
    """systemd does not watch while the service runs, so each change waits until it does."""

    def start_systemd(self, *units):
        self.environment = {
            **program.ENVIRONMENT, "HOME": self.directory,
            "XDG_RUNTIME_DIR": os.path.join(self.directory, "run"),
            "XDG_CONFIG_HOME": os.path.join(self.directory, "config"),
            "SYSTEMD_UNIT_PATH": os.path.join(self.directory, "units"),
            "NOTIFY_SOCKET": os.path.join(self.directory, "notify"),
            "SYSTEMD_LOG_TARGET": "console",
        }
        os.mkdir(self.environment["XDG_RUNTIME_DIR"], 0o700)
        wanted = os.path.join(self.directory, "units", "default.target.wants")
        os.mkdir(wanted)
        for unit in units:
            os.symlink(unit.files[0], os.path.join(wanted, os.path.basename(unit.files[0])))
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
            ready.bind(self.environment["NOTIFY_SOCKET"])
            self.systemd = self.start(
                "sh", "-ec", NAMESPACE, "sh", self.cgroup(), manager(),
                "--user", "--unit=default.target", env=self.environment)
            # Asked nicely, it would look for units that are not here.
            self.addCleanup(self.systemd.stop, signal.SIGKILL)
            self.wait_ready(ready)
        for unit in units:
            self.wait_watching(unit)

    def cgroup(self):
        """A control group of this test's own."""
        if manager() is None:
            self.skipTest("no systemd")
        parent = cgroups()
        if parent is None:
            self.skipTest("no control groups of version 2")
        path = os.path.join(parent, os.path.basename(self.directory) + ".etcdfs-test")
        try:
            os.mkdir(path)
        except OSError as error:
            self.skipTest(f"no control group of our own: {error}")
        self.addCleanup(self.remove_cgroup, path)
        return path

    def remove_cgroup(self, path):
        """With all that still runs in it."""
        with open(os.path.join(path, "cgroup.kill"), "w", encoding="ascii") as kill:
            kill.write("1")
        with open(os.path.join(path, "cgroup.events"), encoding="ascii") as events:
            deadline = Deadline("the control group is empty")
            while "populated 0" not in events.read():
                poll = select.poll()
                poll.register(events, select.POLLPRI)
                poll.poll(deadline.left_ms())
                events.seek(0)
        for directory, _, _ in os.walk(path, topdown=False):
            os.rmdir(directory)

    def wait_ready(self, ready):
        ready.settimeout(1)
        deadline = Deadline("systemd is ready")
        said = b""
        while b"READY=1" not in said:
            self.assertIsNone(self.systemd.process.poll(), "systemd ended")
            deadline.left()
            try:
                said = ready.recv(4096)
            except TimeoutError:
                pass

    def shows(self, unit, field):
        return subprocess.run(["systemctl", "--user", "show", "--value", "-p", field, unit],
                              check=True, text=True, stdin=subprocess.DEVNULL,
                              env=self.environment, stdout=subprocess.PIPE).stdout.strip()

    def wait_watching(self, unit):
        self.eventually("waiting", lambda: self.shows(f"{unit.name}.path", "SubState"),
                        f"{unit.name} waits")

    def assert_runs(self, unit, change, read):
        """CHANGE() runs the service of UNIT, whose last run reads READ."""
        self.wait_watching(unit)
        before = len(unit.runs())
        change()
        self.eventually(True, lambda: len(unit.runs()) > before and unit.runs()[-1] == read,
                        f"{unit.name} reads {read!r}")
        self.mounted.settle()

    def follows(self, directive):
        unit = self.unit(directive, self.mounted.join("f"))
        self.start_systemd(unit)
        for value in ("2", "2", "longer"):
            self.assert_runs(unit, lambda value=value: self.keys.put("f", value), value)
        self.assert_runs(unit, lambda: self.keys.delete("f"), "")
        self.assert_runs(unit, lambda: self.keys.put("f", "again"), "again")

    @program.privileged_only("only root has a control group to give")
    def test_path_changed(self):
        self.follows("PathChanged")

    @program.privileged_only("only root has a control group to give")
    def test_path_modified(self):
        self.follows("PathModified")

    @program.privileged_only("only root has a control group to give")
    def test_others_change(self):
        """Nothing happens when something else does."""
        unit = self.unit("PathChanged", self.mounted.join("f"))
        self.start_systemd(unit)
        self.keys.put("g", "1")
        self.keys.put("d/f", "1")
        self.mounted.settle()
        self.assert_runs(unit, lambda: self.keys.put("f", "2"), "2")
        self.assertEqual(["2"], unit.runs())

    @program.privileged_only("only root has a control group to give")
    def test_a_directory_changed(self):
        self.keys.put("d/a", "1")
        self.mounted.settle()
        unit = self.unit("PathChanged", self.mounted.join("d"))
        self.start_systemd(unit)
        for change, lists in ((lambda: self.keys.put("d/b", "1"), "a\nb\n"),
                              (lambda: self.keys.put("d/a", "2"), "a\nb\n"),
                              (lambda: self.keys.delete("d/a"), "b\n")):
            self.assert_runs(unit, change, lists)

    @program.privileged_only("only root has a control group to give")
    def test_what_is_not_there_yet(self):
        units = [self.unit("PathExists", self.mounted.join("one/key"), remains=True),
                 self.unit("PathExistsGlob", self.mounted.join("two", "*.conf"), remains=True),
                 self.unit("DirectoryNotEmpty", self.mounted.join("three"), remains=True)]
        self.start_systemd(*units)
        for number, key in ((0, "one/key"), (1, "two/x.conf"), (2, "three/key")):
            unit = units[number]
            self.assertEqual([], unit.runs())
            self.keys.put(key, "1")
            self.eventually(1, lambda unit=unit: len(unit.runs()), f"{unit.name} has run")


# What systemd (252, and 257 alike) listens for: on the path itself, and on each
# directory that leads to it.
ALWAYS = DELETE_SELF | MOVE_SELF | ATTRIB
CHANGED = ALWAYS | CLOSE_WRITE | CREATE | DELETE | MOVED_FROM | MOVED_TO
ON_PATH = {
    "PathExists": ALWAYS,
    "PathExistsGlob": ALWAYS,
    "PathChanged": CHANGED,
    "PathModified": CHANGED | MODIFY,
    "DirectoryNotEmpty": ALWAYS | CREATE | MOVED_TO,
}
ON_PARENT = ALWAYS | CREATE | MOVED_TO


class Masks(UnitTest):
    def watch(self, directive, *names):
        """As systemd watches the file or directory NAMES of the mount; the watcher and
        the watch descriptors of those names that exist, the mount's first."""
        watcher = self.watcher()
        existing = [n for n in range(len(names) + 1)
                    if os.path.exists(self.mounted.join(*names[:n]))]
        return watcher, [watcher.add(self.mounted.join(*names[:n]),
                                     ON_PATH[directive] if n == len(names) else ON_PARENT)
                         for n in existing]

    def assert_wakes(self, directive, names, change):
        """CHANGE() raises an event on the deepest of NAMES that is there."""
        self.mounted.settle()
        watcher, watches = self.watch(directive, *names)
        change()
        watcher.until(lambda event: event.wd == watches[-1], f"{directive} {names}")

    def test_a_file(self):
        for directive in ("PathChanged", "PathModified"):
            with self.subTest(directive):
                for change in (lambda: self.keys.put("f", "2"), lambda: self.keys.put("f", "2"),
                               lambda: self.keys.delete("f"), lambda: self.keys.put("f", "3")):
                    self.assert_wakes(directive, ["f"], change)

    def test_a_file_that_comes(self):
        for directive in ("PathExists", "PathExistsGlob", "PathChanged", "PathModified"):
            with self.subTest(directive):
                for names in (["new"], ["d", "new"], ["d", "e", "new"]):
                    key = "/".join(names)
                    self.assert_wakes(directive, names, lambda key=key: self.keys.put(key, "1"))
                    self.keys.delete(key)

    def test_a_file_that_goes(self):
        """PathExists fires again when the file has been away."""
        self.keys.put("d/f", "1")
        self.assert_wakes("PathExists", ["d", "f"], lambda: self.keys.delete("d/f"))

    def test_a_directory(self):
        for directive in ("DirectoryNotEmpty", "PathChanged", "PathModified"):
            with self.subTest(directive):
                self.assert_wakes(directive, ["d"], lambda: self.keys.put("d/a", "1"))
                self.assert_wakes(directive, ["d"], lambda: self.keys.put("d/b", "1"))
                self.assert_wakes(directive, ["d"], lambda: self.keys.txn(deletes=["d/a", "d/b"]))


if __name__ == "__main__":
    program.main()
