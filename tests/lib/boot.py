# SPDX-License-Identifier: Apache-2.0
"""A small machine: a real systemd as pid 1, with this machine's /usr and network.

Its mounts, processes and control groups are its own; its root is in memory.
"""

import os
import select
import subprocess

from mount import mounts
from wait import ENDS_WITH_US, Deadline

MANAGER = "/usr/lib/systemd/systemd"
# Services that look for what this machine has not, or would change the real one.
MASKED = ("console-getty", "getty-static", "kmod-static-nodes", "modprobe@", "systemd-logind",
          "systemd-modules-load", "systemd-networkd", "systemd-random-seed", "systemd-sysctl",
          "systemd-udev-trigger", "systemd-udevd", "systemd-update-utmp", "networking",
          "systemd-firstboot", "systemd-remount-fs")

# ROOT SHARED SETUP: SETUP is run in the new root before systemd is.
START = r"""
set -e
root=$1 shared=$2 setup=$3
mount -t tmpfs -o mode=755 tmpfs "$root"
cd "$root"
mkdir -p usr etc/systemd/system run var/tmp tmp proc sys dev old ".$shared"
for link in bin lib lib32 lib64 libx32; do
	[ ! -L "/$link" ] || ln -s "$(readlink "/$link")" "$link"
done
mkdir sbin
ln -s /usr/sbin/* sbin
mount --rbind /usr usr
mount -o remount,bind,ro usr
mount -t tmpfs tmpfs usr/local
mkdir usr/local/bin usr/local/etc
mount --rbind "$shared" ".$shared"
cp -a /etc/passwd /etc/group /etc/ld.so.cache /etc/nsswitch.conf /etc/alternatives etc
cp -L /etc/os-release etc
: >etc/machine-id
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs dev
for device in null zero full random urandom tty fuse; do
	: >dev/$device
	mount --bind /dev/$device dev/$device
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance devpts dev/pts
ln -s /proc/self/fd dev/fd
mount -t tmpfs -o mode=755 tmpfs run
pivot_root . old
umount -l /old
sh -e "$setup"
export container=test PATH=/usr/local/bin:/usr/bin:/usr/sbin:/bin:/sbin
exec /usr/lib/systemd/systemd --system --unit=multi-user.target --log-target=console \
	--show-status=no </dev/null
"""


def why_not():
    """What this machine lacks, or None."""
    if not os.path.exists(MANAGER):
        return "no systemd"
    if _hierarchy() is None:
        return "no control groups of version 2"
    return None


def _hierarchy():
    return next((point for point, _, kind in mounts() if kind == "cgroup2"), None)


class Machine:
    """DIRECTORY is seen in it at the same place."""

    def __init__(self, directory, setup):
        self.directory = directory
        self._log = os.path.join(directory, "boot.log")
        self._setup = os.path.join(directory, "setup.sh")
        with open(self._setup, "w", encoding="utf-8") as file:
            file.write("".join(f"ln -s /dev/null /etc/systemd/system/{name}.service\n"
                               for name in MASKED) + setup)
        self._cgroup = os.path.join(_hierarchy(), os.path.basename(directory) + ".etcdfs-test")
        self._process = None
        self._pid = None

    def start(self):
        """Returns when it has booted, whatever failed."""
        root = os.path.join(self.directory, "root")
        os.mkdir(root)
        os.mkdir(self._cgroup)
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(
                [*ENDS_WITH_US, "KILL", "sh", "-c",
                 'echo $$ >"$1/cgroup.procs"; shift; exec unshare --mount --pid --fork '
                 '--kill-child --cgroup --uts --ipc --propagation private sh -c "$@"', "sh",
                 self._cgroup, START, "sh", root, self.directory, self._setup],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = Deadline("systemd is there")
        while not os.path.exists(f"/proc/{self.pid()}/root/run/systemd/private"):
            assert self._process.poll() is None, self.log()
            deadline.pause()
        self.run("systemctl", "is-system-running", "--wait")
        return self

    def pid(self):
        """Of its pid 1, seen from here."""
        if self._pid is None:
            with open(f"/proc/{self._process.pid}/task/{self._process.pid}/children",
                      encoding="ascii") as children:
                self._pid = next(iter(children.read().split()), None)
        return self._pid

    def log(self):
        with open(self._log, encoding="utf-8", errors="replace") as log:
            return log.read()

    def run(self, *command):
        return subprocess.run(["nsenter", f"--target={self.pid()}", "--mount", "--pid", "--cgroup",
                               "--uts", "--ipc", "--root", "--wd", *command], check=False,
                              stdin=subprocess.DEVNULL, text=True, capture_output=True)

    def do(self, *command):
        """What COMMAND, which must succeed, says."""
        result = self.run(*command)
        assert result.returncode == 0, f"{command}: {result.stdout}{result.stderr}"
        return result.stdout

    def shows(self, unit, field):
        return self.do("systemctl", "show", "--value", "-p", field, unit).strip()

    def main_pid(self, unit):
        """Of a unit, seen from here."""
        inside = self.shows(unit, "MainPID")
        for where, _, _ in os.walk(self._cgroup):
            with open(os.path.join(where, "cgroup.procs"), encoding="ascii") as pids:
                for pid in pids.read().split():
                    with open(f"/proc/{pid}/status", encoding="utf-8") as status:
                        if f"\t{inside}\n" in next(line for line in status
                                                   if line.startswith("NSpid:")):
                            return int(pid)
        raise LookupError(unit)

    def stop(self):
        """With all that runs in it."""
        if self._process:
            self._process.kill()
            self._process.wait()
        with open(os.path.join(self._cgroup, "cgroup.kill"), "w", encoding="ascii") as kill:
            kill.write("1")
        with open(os.path.join(self._cgroup, "cgroup.events"), encoding="ascii") as events:
            poll = select.poll()
            poll.register(events, select.POLLPRI)
            deadline = Deadline("its processes end")
            while "populated 0" not in events.read():
                poll.poll(deadline.left_ms())
                events.seek(0)
        for where, _, _ in os.walk(self._cgroup, topdown=False):
            os.rmdir(where)
