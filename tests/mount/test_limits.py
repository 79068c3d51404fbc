#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The longest, the largest, the deepest and the most that etcd, Linux or we take,
and what lies right beside it."""

import ctypes
import errno
import hashlib
import itertools
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import case  # noqa: E402
import inotify  # noqa: E402
from etcd import EtcdError, Keys  # noqa: E402
from mount import TICKS  # noqa: E402
from paths import paths  # noqa: E402
from wait import LIMIT, LONG, times  # noqa: E402

PATH_MAX = 4096
# Below the mount point (README).
OUR_PATH_MAX = 3840
# Linux takes no longer attribute.
XATTR_MAX = 65536
# What etcd takes in one request by default, everything in it counted.
REQUEST_MAX = 3 << 19
MIB = 1 << 20
# A limit of the tests' own, for who wants more than the default.
MUCH = str(256 * MIB)


def attribute(path, name):
    """An attribute, or the pieces that it is shown in."""
    names = [each for each in os.listxattr(path) if each == name or each.startswith(f"{name}.")]
    return b"".join(os.getxattr(path, each) for each in names)


def cut(raw, rest=None):
    """The name of a component RAW that is too long, REST being what it stands for."""
    digest = hashlib.sha256(raw if rest is None else rest).hexdigest()[:32].encode()
    return raw[:255 - 34] + b"%~" + digest


def resident_mib(mount):
    return mount.process_status("VmRSS") // 1024


class Keylength(case.MountTest):
    # With the prefix: around Linux's limit of an attribute, and up to etcd's.
    LENGTHS = (1, 254, 255, 256, XATTR_MAX - 1, XATTR_MAX, XATTR_MAX + 1, MIB, REQUEST_MAX - 512)

    def long_key(self, length, end=b""):
        """So long with the prefix; less that."""
        length = max(1, length - len(self.keys.prefix) - len(end))
        return (b"%d-" % length + b"k" * length)[:length] + end

    def assert_shown(self, mount, key, value):
        name = key if len(key) <= 255 else cut(key)
        path = mount.join(name)
        self.assertEqual(value, mount.read(name))
        self.assertEqual(self.keys.full(key), attribute(path, "user.etcd.key"))

    def test_keys_of_any_length(self):
        """Those that are there before, and those that come."""
        keys = {self.long_key(length): b"%d" % length for length in self.LENGTHS}
        for key, value in keys.items():
            self.keys.put(key, value)
        mount = self.mount()
        watcher = self.watcher()
        watcher.add(mount.path, inotify.CLOSE_WRITE)
        for again in False, True:
            with self.subTest(changed=again):
                self.assertEqual(len(keys), len(mount.list()))
                for key, value in keys.items():
                    self.assert_shown(mount, key, value)
                for key in keys:
                    keys[key] += b", changed"
                    self.keys.put(key, keys[key])
                    watcher.until_closed(key if len(key) <= 255 else cut(key))
        for key in keys:
            self.keys.delete(key)
        mount.settle()
        self.assertEqual([], mount.list())

    def test_etcd_takes_no_longer_key(self):
        """Else the test above would not end at the limit."""
        with self.assertRaises(EtcdError):
            self.keys.put(self.long_key(REQUEST_MAX + 1), "")

    def test_an_attribute_that_linux_does_not_take(self):
        """Is shown in pieces, and not listed as a whole."""
        key = self.long_key(2 * XATTR_MAX + 1)
        self.keys.put(key, "1")
        self.keys.put(key + b"/below", "2")
        mount = self.mount()
        directory = mount.join(cut(key))
        self.assert_in_pieces(directory, "user.etcd.prefix", self.keys.full(key) + b"/")
        self.assert_in_pieces(os.path.join(directory, b".value"), "user.etcd.key",
                              self.keys.full(key))

    def assert_in_pieces(self, path, name, whole):
        pieces = [f"{name}.{i}" for i in range(3)]
        self.assertEqual(pieces, [each for each in os.listxattr(path) if each.startswith(name)])
        self.assertEqual([whole[i * XATTR_MAX:(i + 1) * XATTR_MAX] for i in range(3)],
                         [os.getxattr(path, piece) for piece in pieces])
        for missing, error in ((name, errno.E2BIG), (f"{name}.3", errno.ENODATA),
                               (f"{name}.", errno.ENODATA), (f"{name}.-1", errno.ENODATA),
                               (f"{name}.4294967296", errno.ENODATA)):
            with self.subTest(missing), self.assertRaises(OSError) as caught:
                os.getxattr(path, missing)
            self.assertEqual(error, caught.exception.errno)
        said = subprocess.run(["getfattr", "--absolute-names", "-d", path], check=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(b"", said.stderr)

    def test_a_short_one_has_no_pieces(self):
        self.keys.put("f", "1")
        mount = self.mount()
        for name in ("user.etcd.key.0", "user.etcd.version.0", "user.etcd.keys"):
            with self.subTest(name), self.assertRaises(OSError) as caught:
                os.getxattr(mount.join("f"), name)
            self.assertEqual(errno.ENODATA, caught.exception.errno)


class Names(case.MountTest):
    def test_components_around_name_max(self):
        """Also those that are longer once encoded; a cut leaves no half of a character."""
        expected = {b"p" * length: b"p" * length for length in (254, 255)}
        expected |= {b"p" * length: cut(b"p" * length) for length in (256, 257)}
        expected |= {b"%" * 85: b"%25" * 85}
        self.keys.fill((key, key) for key in expected)
        self.keys.fill((key + b"/" + key, key) for key in (b"d" * 255, b"d" * 256))
        self.keys.put(b"%" * 86, b"%" * 86)
        smile = "\N{GRINNING FACE}"
        smiles = [(("x" * n) + smile * 64).encode() for n in range(4)]
        self.keys.fill((key, key) for key in smiles)
        mount = self.mount()
        for key, name in expected.items():
            self.assertEqual(key, mount.read(name))
        for key in (b"d" * 255, cut(b"d" * 256)):
            self.assertEqual(1, len(os.listdir(mount.join(key))))
        names = set(os.listdir(os.fsencode(mount.path))) - set(expected.values())
        shown = {name: mount.read(name) for name in names if name[:1] in b"%x\xf0"}
        self.assertEqual({b"%" * 86, *smiles}, set(shown.values()))
        for name, key in shown.items():
            head, _, digest = name.rpartition(b"%~")
            self.assertEqual(32, len(digest))
            self.assertIn(len(name), range(255 - 3, 256))
            self.assertTrue(key.startswith(head.decode().replace("%25", "%").encode()))

    def test_paths_around_our_limit(self):
        """A path that fits is the key; one that does not is cut in its last component."""
        above = b"/".join([b"a" * 200] * 18)
        for length in range(OUR_PATH_MAX - 2, OUR_PATH_MAX + 3):
            last = b"b" * (length - len(above) - 1)
            self.keys.put(above + b"/" + last, b"%d" % length)
        mount = self.mount()
        values = {}
        for name in os.listdir(mount.join(above)):
            path = above + b"/" + name
            self.assertLessEqual(len(path), OUR_PATH_MAX)
            key = os.getxattr(mount.join(path), "user.etcd.key")
            values[mount.read(path)] = key[len(self.keys.prefix):] == path
        self.assertEqual({b"%d" % length: length <= OUR_PATH_MAX for length in
                          range(OUR_PATH_MAX - 2, OUR_PATH_MAX + 3)}, values)

    def test_every_byte(self):
        """Each alone, and beside those that mean something to somebody."""
        every = [bytes([byte]) for byte in range(256)]
        special = [b"\0", b"/", b".", b"%", b"\xff", b"\n"]
        keys = {byte + other for byte in every for other in (b"", *special)}
        keys |= {other + byte for byte in every for other in special}
        keys |= {b"///", b"./", b"../x", b"a/../b", b"a/./b", b".value/", b"a/.value/.value"}
        self.keys.fill((key, b"value of " + key) for key in sorted(keys))
        mount = self.mount()
        expected = paths(keys)
        for path, key in expected.items():
            self.assertEqual(b"value of " + key, mount.read(b"/".join(path)), path)
        self.assertEqual(len(expected), self.count_files(mount))

    @staticmethod
    def count_files(mount):
        return sum(len(files) for path, _, files in os.walk(os.fsencode(mount.path))
                   if os.path.basename(path) != os.fsencode(TICKS))

    def test_a_mount_of_everything(self):
        """With no prefix at all, from the first key that etcd takes to the last."""
        everything = Keys(self.own_etcd(), b"")
        with self.assertRaises(EtcdError):
            everything.put("", "")
        for key in (b"\0", b"/", b"\xff" * 300, b"a", b"/a"):
            everything.put(key, b"value of " + key)
        mount = self.mount(keys=everything, source=f"etcd://{self.etcd.endpoint}")
        for name, key in ((b"%00", b"\0"), (b".value", b"/"), (cut(b"\xff" * 300), b"\xff" * 300),
                          (b"a", b"a"), (b"%2Fa", b"/a")):
            self.assertEqual(b"value of " + key, mount.read(name))
            self.assertEqual(key, os.getxattr(mount.join(name), "user.etcd.key"))


class Depth(case.MountTest):
    """A key of 5,000 components: about 1,900 of them fit, then the path is cut."""

    KEYS = [b"d/" * 4999 + b"e", b"d/" * 4999 + b"f", b"d/" * 1800 + b"g", b"/" * 5000]

    def setUp(self):
        super().setUp()
        for key in self.KEYS:
            self.keys.put(key, key[-1:] + b"%d" % len(key))
        self.mounted = self.mount()
        self.said = None

    def run_in_mount(self, *command):
        self.said = subprocess.run(command, cwd=self.mounted.path, check=False, text=True,
                                   errors="surrogateescape", capture_output=True,
                                   timeout=LIMIT)
        return self.said.stdout.splitlines()

    def found(self):
        """{key: its path} as find sees it."""
        lines = self.run_in_mount("find", ".", "-name", TICKS, "-prune", "-o", "-type", "f",
                                  "-print")
        self.assertEqual((0, ""), (self.said.returncode, self.said.stderr))
        paths_ = [os.path.join(self.mounted.path, line[2:]) for line in lines]
        return {os.getxattr(path, "user.etcd.key")[len(self.keys.prefix):]: path
                for path in paths_}

    def descend(self):
        """A descriptor of the deepest directory d/d/d/... and its depth."""
        fd = os.open(self.mounted.path, os.O_RDONLY)
        for depth in itertools.count():
            try:
                below = os.open("d", os.O_RDONLY | os.O_DIRECTORY, dir_fd=fd)
            except FileNotFoundError:
                return fd, depth
            os.close(fd)
            fd = below

    def test_each_is_found(self):
        found = self.found()
        self.assertEqual(set(self.KEYS), set(found))
        for key, path in found.items():
            self.assertLess(len(path), PATH_MAX)
            with open(path, "rb") as file:
                self.assertEqual(key[-1:] + b"%d" % len(key), file.read())

    def test_whoever_walks_a_tree(self):
        directories = self.mounted.status()["directories"]
        self.assertGreater(directories, 3600)
        self.run_in_mount("ls", "-R")
        self.assertEqual((0, ""), (self.said.returncode, self.said.stderr))
        self.run_in_mount("du", "-a")
        self.assertEqual((0, ""), (self.said.returncode, self.said.stderr))
        self.assertEqual(4, len(self.run_in_mount("grep", "-rl", "000$\\|999$\\|601$", "d", "%")))
        self.run_in_mount("rm", "-rf", "d")
        self.assertNotEqual(0, self.said.returncode)
        self.assertEqual(directories, self.mounted.status()["directories"])
        self.assertEqual(directories, self.walk_by_nftw())

    def walk_by_nftw(self):
        """The directories it finds, with twenty descriptors."""
        kinds = []

        @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int,
                          ctypes.c_void_p)
        def visit(_path, _stat, kind, _ftw):
            kinds.append(kind)
            return 0
        self.assertEqual(0, ctypes.CDLL(None).nftw(os.fsencode(self.mounted.path), visit, 20, 1))
        return kinds.count(1)  # FTW_D

    def test_changes_at_the_bottom(self):
        """Told there, and told all the way up when the last key goes."""
        fd, depth = self.descend()
        self.assertGreater(depth, 1850)
        before = set(os.listdir(fd))
        self.assertEqual(2, len(before))
        watcher = self.watcher()
        watcher.add(f"/proc/self/fd/{fd}", inotify.CHANGES)
        watcher.add(self.mounted.path, inotify.DELETE)
        self.keys.put(self.KEYS[0], "new")
        events = watcher.until(lambda event: event.mask & inotify.CLOSE_WRITE)
        self.assertEqual(["MODIFY", "CLOSE_WRITE"], [str(event).split()[0] for event in events])
        self.assertIn(os.fsdecode(events[0].name), before)
        with open(os.open(events[0].name, os.O_RDONLY, dir_fd=fd), "rb") as file:
            self.assertEqual(b"new", file.read())
        self.keys.put(b"d/" * 4999 + b"h", "third")
        events = watcher.until(lambda event: event.mask & inotify.CLOSE_WRITE)
        self.assertEqual(["CREATE", "MODIFY", "CLOSE_WRITE"],
                         [str(event).split()[0] for event in events])
        os.close(fd)  # else it is not gone before that
        self.keys.etcd.delete_prefix(self.keys.full("d/"))
        events = watcher.until(lambda event: event.mask & inotify.DELETE and event.name == b"d")
        self.assertEqual(["DELETE", "DELETE", "DELETE", "DELETE_SELF", "IGNORED", "DELETE,ISDIR"],
                         [str(event).split()[0] for event in events])
        self.assertEqual(1, len(self.found()))
        self.keys.put(self.KEYS[0], "again")
        self.mounted.settle()
        fd, again = self.descend()
        os.close(fd)
        self.assertEqual(depth, again)

    def test_a_watch_at_the_bottom_alone(self):
        """Nobody watches the directories above, and the kernel may have forgotten them
        when the end of the file is told."""
        for depth in (1, 2, 30, 1900):
            key = "/".join(["e"] * depth + ["f"])
            self.keys.put(key, "1")
            self.mounted.settle()
            watcher = self.watcher()
            watcher.add(self.mounted.join(key), inotify.CHANGES)
            with self.subTest(depth=depth):
                self.keys.delete(key)
                self.assertIn("DELETE_SELF", inotify.transcript(
                    watcher.until(lambda event: event.mask & inotify.IGNORED)))

    def test_the_end_of_many_directories(self):
        """1,800 of them, each in the one before and each watched."""
        watcher = self.watcher()
        watched = set()
        fd = os.open(self.mounted.path, os.O_RDONLY)
        for _ in range(1800):
            below = os.open(b"d", os.O_RDONLY | os.O_DIRECTORY, dir_fd=fd)
            os.close(fd)
            fd = below
            watched.add(watcher.add(f"/proc/self/fd/{fd}", inotify.DELETE_SELF))
        os.close(fd)
        self.keys.etcd.delete_prefix(self.keys.full("d/"))
        self.mounted.settle()
        for _ in range(len(watched)):
            events = watcher.until(lambda event: event.mask & inotify.DELETE_SELF)
            watched.remove(events[-1].wd)
        self.assertEqual(1, len(self.found()))


class FarDown(case.MountTest):
    """A mount point so long that with a path below it is over PATH_MAX."""

    def test_a_long_mount_point(self):
        directory = "/".join([self.directory, *["m" * 249] * 11])
        os.makedirs(directory)
        key = b"/".join([b"d" * 249] * 8 + [b"f"])
        self.keys.put(key, "1")
        mount = self.mount(directory=directory)
        self.assertGreater(len(mount.join(key)), PATH_MAX)
        with self.assertRaises(OSError) as caught:
            os.stat(mount.join(key))
        self.assertEqual(errno.ENAMETOOLONG, caught.exception.errno)
        root = os.open(mount.path, os.O_RDONLY)
        self.addCleanup(os.close, root)
        found = subprocess.run(["find", ".", "-name", "f"], cwd=mount.path, check=True,
                               capture_output=True).stdout
        self.assertEqual(b"./" + key + b"\n", found)
        self.assert_told(root, key, mount)

    def assert_told(self, root, key, mount):
        watcher = self.watcher()
        file = os.open(key, os.O_RDONLY, dir_fd=root)
        parent = os.open(os.path.dirname(key), os.O_RDONLY, dir_fd=root)
        try:
            watcher.add(f"/proc/self/fd/{file}", inotify.CHANGES)
            watcher.add(f"/proc/self/fd/{parent}", inotify.CHANGES)
            self.keys.put(key, "2")
            self.assertEqual(["MODIFY", "CLOSE_WRITE", "MODIFY f", "CLOSE_WRITE f"],
                             sorted(inotify.transcript(watcher.until_closed("f")
                                                       + self.own(watcher)),
                                    key=lambda line: (line[-1] == "f", line[0] != "M")))
            self.keys.delete(key)
            mount.settle()
            self.assertIn("DELETE f", inotify.transcript(
                watcher.until(lambda event: event.mask & inotify.DELETE)))
        finally:
            os.close(file)
            os.close(parent)

    @staticmethod
    def own(watcher):
        return watcher.until(lambda event: event.mask & inotify.CLOSE_WRITE and not event.name)


class Values(case.MountTest):
    def assert_values(self, mount, sizes):
        """Put while the mount is there, told and read."""
        watcher = self.watcher()
        watcher.add(mount.path, inotify.CLOSE_WRITE)
        for i, size in enumerate(sizes):
            self.keys.put(f"v{size}", b"%d" % i * size)
            watcher.until_closed(f"v{size}")
            self.assertEqual(size, os.stat(mount.join(f"v{size}")).st_size)
            self.assertEqual(b"%d" % i * size, mount.read(f"v{size}"))

    def test_up_to_etcds_default_limit(self):
        self.assert_values(self.mount(), (0, 1, REQUEST_MAX - 512))
        with self.assertRaises(EtcdError):
            self.keys.put("more", b"v" * REQUEST_MAX)

    def test_far_above_it(self):
        """gRPC's own limit is 4 MiB, unless it is told otherwise."""
        self.own_etcd("--max-request-bytes", MUCH)
        sizes = (4 * MIB + 1, *((16 * MIB, 100 * MIB) if LONG else ()))
        mount = self.mount()
        self.assert_values(mount, sizes)
        print(f"# {resident_mib(mount)} MiB with values of {sum(sizes) // MIB} MiB", flush=True)
        seeded = self.mount(directory=os.path.join(self.directory, "seeded"))
        self.assertEqual(mount.read(f"v{sizes[-1]}"), seeded.read(f"v{sizes[-1]}"))


class Together(case.MountTest):
    """Many changes in one revision."""

    COUNT = times(10000, slow=3000)

    def setUp(self):
        super().setUp()
        self.names = [f"{i:05}-{'n' * 240}" for i in range(self.COUNT)]

    def assert_all(self, names):
        """NAMES are all of them, in order.  (Who compares the lists prints megabytes.)"""
        self.assertEqual((self.COUNT, None), (len(names), next(
            (pair for pair in zip(self.names, names) if pair[0] != pair[1]), None)))

    def test_a_lease_of_many_keys(self):
        """Their names alone are more than etcd sends in one response.  At the first event
        all are gone, each is told, and the directory last."""
        lease = self.keys.etcd.grant(600)
        self.keys.fill(((f"d/{name}", "") for name in self.names), lease=lease)
        mount = self.mount()
        self.assert_all(mount.list("d"))
        watcher = self.watcher()
        watcher.add(mount.join("d"), inotify.DELETE)
        watcher.add(mount.path, inotify.DELETE)
        self.keys.etcd.call("lease/revoke", {"ID": str(lease)})
        first = watcher.next()
        self.assertEqual([], mount.list())
        events = [first] + watcher.until(lambda event: event.name == b"d")
        told = [event.name.decode() for event in events if not event.mask & inotify.IGNORED]
        self.assertEqual("d", told.pop())
        self.assert_all(sorted(told))

    def test_a_transaction_of_many_keys(self):
        """At the first event all are there, and told they are in its order."""
        self.own_etcd("--max-txn-ops", str(self.COUNT), "--max-request-bytes", MUCH)
        self.keys.put("d/other", "")
        mount = self.mount()
        self.assertEqual(["other"], mount.list("d"))
        watcher = self.watcher()
        watcher.add(mount.join("d"), inotify.CREATE)
        self.keys.fill(((f"d/{name}", name) for name in self.names), together=self.COUNT)
        first = watcher.next()
        self.assert_all(mount.list("d")[:-1])
        self.assertEqual(self.names[-1].encode(), mount.read("d", self.names[-1]))
        events = [first] + watcher.until(lambda event: event.name == self.names[-1].encode())
        self.assert_all([event.name.decode() for event in events])


class Many(case.MountTest):
    """Entries of one directory, and directories."""

    COUNT = 1000000 if LONG else times(20000, slow=5000)

    def filled(self, names):
        self.own_etcd("--max-txn-ops", "1000", "--max-request-bytes", MUCH)
        self.keys.fill(((name, name) for name in names), together=1000)
        return self.mount()

    def test_entries(self):
        mount = self.filled(f"d/{i}" for i in range(self.COUNT))
        names = {str(i) for i in range(self.COUNT)}
        seeded = resident_mib(mount)
        directory = mount.join("d")
        listed = subprocess.run(["ls", "-f", directory], check=True, capture_output=True,
                                text=True).stdout.split()
        self.assertEqual(self.COUNT + 2, len(listed))
        self.assertEqual(set(), names.symmetric_difference(listed) - {".", ".."})
        last = str(self.COUNT - 1)
        self.assertEqual(f"d/{last}".encode(), mount.read("d", last))
        self.assertFalse(os.path.exists(mount.join("d", str(self.COUNT))))
        watcher = self.watcher()
        watcher.add(directory, inotify.CHANGES)
        self.keys.put(f"d/{last}", "new")
        self.keys.put("d/more", "")
        self.keys.delete("d/0")
        events = watcher.until(lambda event: event.mask & inotify.DELETE)
        self.assertEqual([f"MODIFY {last}", f"CLOSE_WRITE {last}", "CREATE more", "MODIFY more",
                          "CLOSE_WRITE more", "DELETE 0"], inotify.transcript(events))
        self.assertEqual({"0", "more"}, names.symmetric_difference(os.listdir(directory)))
        print(f"# {seeded} MiB for {self.COUNT} keys, {resident_mib(mount)} MiB once listed",
              flush=True)

    def test_directories(self):
        count = self.COUNT
        mount = self.filled(f"d/{i}/key" for i in range(count))
        seeded = resident_mib(mount)
        self.assertEqual(count, len(os.listdir(mount.join("d"))))
        self.assertEqual(count + 2, os.stat(mount.join("d")).st_nlink)
        watcher = self.watcher()
        watcher.add(mount.join("d", "7"), inotify.CHANGES)
        watcher.add(mount.join("d"), inotify.CHANGES)
        self.keys.put("d/7/key", "new")
        watcher.until_closed("key")
        self.assertEqual(b"new", mount.read("d", "7", "key"))
        self.keys.delete("d/7/key")
        watcher.until(lambda event: event.mask & inotify.DELETE and event.name == b"7")
        self.assertEqual(count - 1, len(os.listdir(mount.join("d"))))
        print(f"# {seeded} MiB for {count} directories, {resident_mib(mount)} MiB once listed",
              flush=True)


if __name__ == "__main__":
    case.main()
