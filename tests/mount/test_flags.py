#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The ways to add a watch, the end of all of them, and the two older ways to hear of a
change: on tmpfs and on the mount the same is seen, but for differences with their reason."""

import contextlib
import fcntl
import os
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import case  # noqa: E402
import inotify  # noqa: E402
from comparison import Comparison, Difference, Local, Remote  # noqa: E402
from ears import REPLACED, Ears, outcome  # noqa: E402
from mount import privileged  # noqa: E402


class Flags(Comparison):
    """How a watch can be added."""

    def test_oneshot(self):
        def script(world):
            ears = Ears(self, world)
            ears.add("file", "f", inotify.ALL | inotify.ONESHOT)
            ears.add("file, closed", "f2", inotify.CLOSE_WRITE | inotify.ONESHOT)
            ears.add("directory", "", inotify.DELETE | inotify.ONESHOT)
            for value in "123":
                world.put("f", value)
                world.put("f2", value)
                world.delete("f2")
            return ears.heard()
        self.same(script, {"f": "0", "f2": "0"})

    def excl_unlink(self, flag, change):
        def script(world):
            ears = Ears(self, world)
            ears.add("directory", "", inotify.ALL | flag)
            with open(world.join("f"), encoding="utf-8") as file:
                change(world)
                told = [*ears.heard(), "-- read", file.read(), *ears.heard(), "-- close"]
            return told + ears.heard()
        return script

    def test_excl_unlink(self):
        """A file deleted while it is open: with the flag the directory hears no more of it."""
        for flag in (0, inotify.EXCL_UNLINK):
            with self.subTest(flag=flag):
                self.same(self.excl_unlink(flag, lambda world: world.delete("f")), {"f": "1"})

    def test_excl_unlink_of_a_replaced_file(self):
        self.same(self.excl_unlink(0, lambda world: world.put("f", "2")), {"f": "1"},
                  [Difference("2", "1", REPLACED)])
        self.same(self.excl_unlink(inotify.EXCL_UNLINK, lambda world: world.put("f", "2")),
                  {"f": "1"}, [Difference("2", "1", REPLACED),
                               Difference("directory: ACCESS f", None, REPLACED),
                               Difference("directory: CLOSE_NOWRITE f", None, REPLACED)])

    def test_onlydir(self):
        def script(world):
            ears = Ears(self, world)
            told = [outcome(ears.add, "file", name, inotify.ALL | inotify.ONLYDIR)
                    for name in ("f", "none")]
            ears.add("directory", "d", inotify.ALL | inotify.ONLYDIR)
            world.put("d/f", "2")
            world.delete("d/f")
            return told + ears.heard()
        self.same(script, {"f": "1", "d/f": "1"})

    def test_dont_follow(self):
        """A link from elsewhere, since etcd has none."""
        def script(world):
            link = os.path.join(self.directory, f"link-{type(world).__name__}")
            os.symlink(world.join("f"), link)
            ears = Ears(self, world)
            ears.add("followed", link)
            ears.add("the link", link, inotify.ALL | inotify.DONT_FOLLOW)
            ears.add("no link", "g", inotify.ALL | inotify.DONT_FOLLOW)
            for name in ("f", "g"):
                world.put(name, "2")
            return ears.heard()
        self.same(script, {"f": "1", "g": "1"})

    def test_mask_add(self):
        def script(world):
            ears = Ears(self, world)
            for name in ("f", ""):
                ears.add(f"/{name}", name, inotify.MODIFY)
                ears.add(f"/{name}", name, inotify.CLOSE_WRITE | inotify.DELETE_SELF |
                         inotify.MASK_ADD)
            ears.add("/g", "g", inotify.MODIFY)
            ears.add("/g", "g", inotify.CLOSE_WRITE)
            for name in ("f", "g"):
                world.put(name, "2")
            world.delete("f")
            return ears.heard()
        self.same(script, {"f": "1", "g": "1"})

    def test_mask_create(self):
        def script(world):
            ears = Ears(self, world)
            told = []
            for name in ("f", "d", "none"):
                for _ in range(2):
                    told.append(outcome(lambda name=name: ears.add(
                        name, name, inotify.CHANGES | inotify.MASK_CREATE) and "added"))
            world.put("f", "2")
            told.append(str(outcome(ears.add, "f", "f", inotify.ALL | inotify.MASK_CREATE)))
            return told
        local, remote = map(script, self.both({"f": "1", "d/f": "1"}))
        self.assertEqual(local[:-1], remote[:-1])
        self.assertEqual(("FileExistsError", "3"), (local[-1], remote[-1]), REPLACED)


class Unmounted(case.MountTest):
    """The end of a mount is told to every watch: as root compared with a tmpfs."""

    BEFORE = {"f": "1", "d/e/g": "1"}
    NAMES = ["", "f", "d", "d/e", "d/e/g"]

    def watch(self, path):
        """A watcher, and {watch: name}."""
        watcher = self.watcher()
        return watcher, {watcher.add(os.path.join(path, name)): name for name in self.NAMES}

    def told(self, watcher, watches):
        """{name: events} once each of WATCHES has ended; no other event follows."""
        ended = []

        def last(event):
            if event.mask & inotify.IGNORED:
                ended.append(event.wd)
            return len(ended) == len(watches)
        told = {}
        for event in watcher.until(last, f"the end of {watches}"):
            told.setdefault(watches[event.wd], []).append(str(event))
        return told

    def local(self, *command):
        """A tmpfs's end by COMMAND."""
        path = os.path.join(self.directory, "tmpfs")
        os.mkdir(path)
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", path], check=True)
        with contextlib.ExitStack() as stack:
            stack.callback(subprocess.run, ["umount", path], check=False, capture_output=True)
            Local(path).prepare(self.BEFORE)
            watcher, watches = self.watch(path)
            subprocess.run([*command, path], check=True)
            return self.told(watcher, watches)

    def remote(self, end):
        """A mount's end by END(mount)."""
        for name, value in self.BEFORE.items():
            self.keys.put(name, value)
        mount = self.mount()
        watcher, watches = self.watch(mount.path)
        for value in ("2", "3"):
            self.keys.put("f", value)
            mount.settle()
            watches[watcher.add(mount.join("f"))] = f"f, {value}"
        watches[watcher.add(mount.join(".etcdfs", "status"))] = "status"
        watcher.queued()
        end(mount)
        told = self.told(watcher, watches)
        self.assertEqual(0, mount.wait_end())
        self.assertEqual([], watcher.queued())
        return told

    def assert_told(self, end, command):
        """END of a mount is told as COMMAND's of a tmpfs."""
        expected = {name: ["UNMOUNT" if name.endswith(("f", "g")) else "UNMOUNT,ISDIR", "IGNORED"]
                    for name in self.NAMES}
        if privileged():
            self.assertEqual(expected, self.local(*command))
        for name in ("f, 2", "f, 3", "status"):
            expected[name] = expected["f"]
        self.assertEqual(expected, self.remote(end))

    @staticmethod
    def unmounted_by(*command):
        def end(mount):
            assert mount.unmount(*command).returncode == 0
        return end

    def test_umount(self):
        self.assert_told(self.unmounted_by(), ["umount"])

    def test_umount_lazily(self):
        command = ["umount", "-l"] if privileged() else ["fusermount3", "-u", "-z"]
        self.assert_told(self.unmounted_by(*command), ["umount", "-l"])

    def test_sigterm(self):
        self.assert_told(lambda mount: mount.terminate(signal.SIGTERM), ["umount"])


class Signals(Comparison):
    """What there was before inotify."""

    def setUp(self):
        super().setUp()
        self.signals = {signal.SIGRTMIN + number for number in range(1, 6)}
        awaited = self.signals | {signal.SIGIO}
        for signum in awaited:  # one that nobody took, after a failure
            self.addCleanup(signal.signal, signum, signal.signal(signum, signal.SIG_IGN))
        before = signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
        self.addCleanup(signal.pthread_sigmask, signal.SIG_SETMASK, before)

    def pending(self, signals):
        """How often each of SIGNALS came."""
        came = {}
        while info := signal.sigtimedwait(signals, 0):
            came[info.si_signo] = came.get(info.si_signo, 0) + 1
        return came

    def test_dnotify(self):
        """F_NOTIFY on a directory: a signal of its own for each kind of change."""
        kinds = dict(zip(("ACCESS", "MODIFY", "CREATE", "DELETE", "ATTRIB"),
                         sorted(self.signals)))

        def script(world):
            fds = []
            for kind, signum in kinds.items():
                fds.append(os.open(world.path, os.O_RDONLY | os.O_DIRECTORY))
                fcntl.fcntl(fds[-1], fcntl.F_SETSIG, signum)
                try:
                    fcntl.fcntl(fds[-1], fcntl.F_NOTIFY,
                                getattr(fcntl, f"DN_{kind}") | fcntl.DN_MULTISHOT)
                except OSError as error:
                    self.skipTest(f"no dnotify: {error}")
            told = []
            for verb, name, *value in (("put", "f", "1"), ("put", "f", "2"), ("put", "g", "1"),
                                       ("delete", "g"), ("put", "d/f", "1"), ("delete", "d/f"),
                                       ("delete", "f")):
                getattr(world, verb)(name, *value)
                world.settle()
                came = self.pending(self.signals)
                told.append(f"{verb} {name}: " + " ".join(
                    f"{kind} {came[signum]}" for kind, signum in kinds.items()
                    if signum in came))
            for fd in fds:
                os.close(fd)
            return told
        self.same(script, {})

    def test_a_lease(self):
        """Its holder is told of a writer.  A local one waits for the end of the lease, or
        is refused; the announcer neither waits nor is refused, but all it can tell of the
        leased revision is MODIFY."""
        def script(world):
            ears = Ears(self, world)
            ears.add("file", "f")
            fd = os.open(world.join("f"), os.O_RDONLY)
            fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
            ears.heard()
            leased = []
            for value in "23":
                if isinstance(world, Remote):
                    world.put("f", value)
                else:
                    self.assertRaises(BlockingIOError, os.open, world.join("f"),
                                      os.O_WRONLY | os.O_NONBLOCK)
                leased += ears.heard()
            came = self.pending({signal.SIGIO})
            fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
            world.put("f", "4")
            os.close(fd)
            return leased, [came, ears.heard()]
        local, remote = map(script, self.both({"f": "1"}))
        self.assertEqual(([], ["file: MODIFY"] * 2), (local[0], remote[0]))
        self.assertEqual(local[1], remote[1])


if __name__ == "__main__":
    case.main()
