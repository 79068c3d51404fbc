#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The units, on a machine that boots with a real systemd as pid 1.

Booting takes a while: all is in one life of that machine."""

import json
import os
import re
import shutil
import subprocess

import program

import boot
from stall import Freeze

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools", "systemd")
UNITS = os.environ.get("UNITS", "")  # where the build has those that it makes
TEMPLATE = "etcdfs@.service"
# As systemd-analyze counts: 0 is safe, 10 is not.
EXPOSURE = "3.1"


class Daemon:
    """The main process of a unit, for Freeze."""

    def __init__(self, pid):
        self.process = self
        self.pid = pid


class Analyze(program.ProgramTest):
    def setUp(self):
        super().setUp()
        self.need("systemd-analyze")
        self.units = os.path.join(self.directory, "units")
        os.mkdir(self.units)
        with open(os.path.join(UNITS, TEMPLATE), encoding="utf-8") as unit:
            # verify wants to see the program
            text = re.sub(r"^ExecStart=\S+", f"ExecStart={self.program()}", unit.read(),
                          flags=re.MULTILINE)
        self.write(f"units/{TEMPLATE}", text)
        self.write("units/app.service", "[Service]\nExecStart=/bin/true\n")
        for name in os.listdir(os.path.join(SOURCE, "examples")):
            shutil.copy(os.path.join(SOURCE, "examples", name), self.units)

    def analyze(self, *args):
        return subprocess.run(["systemd-analyze", *args], check=False, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True,
                              env={**program.ENVIRONMENT, "SYSTEMD_UNIT_PATH": f"{self.units}:"})

    def test_verify(self):
        for name in ("etcdfs@app.service", "app-changed.path", "app-changed.service",
                     "etc-app.mount"):
            with self.subTest(name):
                result = self.analyze("verify", "--man=no", os.path.join(self.units, name))
                self.assertEqual((0, ""), (result.returncode, result.stderr))

    def test_security(self):
        result = self.analyze("security", "--offline=yes", "--no-pager",
                              f"--threshold={EXPOSURE.replace('.', '')}",
                              os.path.join(self.units, TEMPLATE))
        self.assertEqual(0, result.returncode, result.stdout + result.stderr)


class Booted(program.ProgramTest):
    """Point, source and configuration are app's; the machine sees the test's directory."""

    def setUp(self):
        super().setUp()
        if reason := boot.why_not():
            self.skipTest(reason)
        self.keys.put("config", "1")
        self.point = os.path.join(self.directory, "app")
        self.booted = os.path.join(self.directory, "booted")
        for directory in (self.point, self.booted):
            os.mkdir(directory)
        self.source = f"etcd://{self.keys.etcd.endpoint}{self.keys.prefix.decode()}"
        self.write("app.conf", f"[etcdfs]\nsource = {self.source}\nmountpoint = {self.point}\n")
        self.ran = self.write("ran", "")
        self.machine = boot.Machine(self.directory, self.setup_script())
        self.addCleanup(self.machine.stop)
        self.machine.start()

    def setup_script(self):
        """Everything as if installed."""
        with open(os.path.join(UNITS, TEMPLATE), encoding="utf-8") as unit:
            text = re.sub(r"^(ExecStart=)\S+", r"\1/usr/local/bin/etcdfs", unit.read(),
                          flags=re.MULTILINE)
        self.conf = re.search(r"--config-file=(\S+)", text)[1].replace("%i", "app")
        self.write(TEMPLATE, text)
        with open(os.path.join(SOURCE, "examples", "app-changed.path"), encoding="utf-8") as path:
            self.write("app-changed.path", path.read().replace("/etc/app", self.point))
        shutil.copy(os.path.join(SOURCE, "examples", "app-changed.service"), self.directory)
        self.write("app.service", "[Service]\nType=oneshot\nRemainAfterExit=yes\n"
                   f"ExecStart=/bin/sh -c 'cat {self.point}/config >>{self.ran}'\n")
        self.write("fstab", f"{self.source} {self.booted} etcdfs _netdev,nofail 0 0\n")
        here = self.directory
        shutil.copy(self.program(), here)
        return f"""
cp {here}/etcdfs /usr/local/bin
mkdir -p {os.path.dirname(self.conf)}
cp {here}/app.conf {self.conf}
cp {here}/{TEMPLATE} {here}/app-changed.path {here}/app-changed.service {here}/app.service \\
    /etc/systemd/system
cp {here}/fstab /etc/fstab
mkdir /etc/systemd/system/multi-user.target.wants  # which Debian enables
ln -s /lib/systemd/system/remote-fs.target /etc/systemd/system/multi-user.target.wants
mkdir /etc/systemd/system/{TEMPLATE}.d
printf '[Service]\nWatchdogSec=2\n' >/etc/systemd/system/{TEMPLATE}.d/soon.conf
ln -s /usr/local/bin/etcdfs /sbin/mount.etcdfs
"""

    def read(self, *names):
        return self.machine.run("cat", os.path.join(*names)).stdout

    def unit(self, field):
        return self.machine.shows("etcdfs@app.service", field)

    def systemctl(self, *args):
        result = self.machine.run("systemctl", *args)
        self.assertEqual(0, result.returncode, result.stderr + self.journal())

    def journal(self):
        """All that is said by it and of it."""
        return self.machine.run("journalctl", "--no-pager", "-o", "cat", "UNIT=etcdfs@app.service",
                                "+", "_SYSTEMD_UNIT=etcdfs@app.service").stdout

    def is_mounted(self):
        return self.machine.run("findmnt", "-t", "fuse.etcdfs", self.point).returncode == 0

    def assert_live(self, restarts):
        """Seen where everybody is, and not only by the service itself."""
        self.eventually(("active", str(restarts)),
                        lambda: (self.unit("ActiveState"), self.unit("NRestarts")),
                        f"it is there after {restarts} restarts\n{self.journal()}")
        self.assertEqual(self.keys.all()[b"config"].value, self.read(self.point, "config").encode())
        self.assertRegex(self.unit("StatusText"),
                         rf"\Alive at {self.keys.etcd.endpoint}, revision \d+\Z")

    def assert_follows(self, value):
        """The .path unit restarts app when the key changes."""
        self.eventually("waiting", lambda: self.machine.shows("app-changed.path", "SubState"),
                        "the path is watched")
        self.keys.put("config", value)
        self.eventually(True, lambda: self.text(self.ran).endswith(value), f"app has {value}")

    @staticmethod
    def text(path):
        with open(path, encoding="utf-8") as file:
            return file.read()

    @program.privileged_only("only root boots")
    def test_a_life(self):
        self.assertEqual("1", self.read(self.booted, "config"), self.machine.log())  # fstab's
        self.systemctl("enable", "--now", "etcdfs@app.service", "app-changed.path")
        self.systemctl("start", "app.service")
        self.assert_live(restarts=0)
        with open(f"/proc/{self.machine.main_pid('etcdfs@app.service')}/status",
                  encoding="utf-8") as status:
            self.assertRegex(status.read(), r"\nSeccomp:\t2\n")
        self.assert_follows("second")
        self.reload()
        self.assert_follows("third")
        self.assertEqual("0", self.unit("NRestarts"))
        self.machine.do("systemctl", "kill", "--signal=KILL", "etcdfs@app.service")
        self.assert_live(restarts=1)
        self.assert_follows("fourth")
        self.hang()
        self.assert_live(restarts=2)
        self.assert_follows("fifth")
        self.stop()

    def reload(self):
        self.systemctl("reload", "etcdfs@app.service")
        self.eventually(True, lambda: "reloaded" in self.journal(), "it has reloaded")
        self.eventually("active", lambda: self.unit("ActiveState"), "it is there again")
        self.eventually(1, lambda: json.loads(self.read(self.point, ".etcdfs", "status"))
                        ["reconnects"], "the watch goes on")

    def hang(self):
        """The watchdog ends it, and what it leaves is taken away."""
        freeze = Freeze(Daemon(self.machine.main_pid("etcdfs@app.service")))
        freeze.close()
        freeze.until_killed()

    def stop(self):
        self.systemctl("stop", "etcdfs@app.service")
        self.assertEqual(("inactive", "success", "0"),
                         (self.unit("ActiveState"), self.unit("Result"),
                          self.unit("ExecMainStatus")), self.journal())
        self.assertFalse(self.is_mounted())
        self.assertNotIn("SIGSYS", self.machine.log() + self.journal())


if __name__ == "__main__":
    program.main()
