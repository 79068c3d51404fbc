#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Issue item 1: every key is there, once, and its path says which key it is."""

import os
import random
import stat
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import case  # noqa: E402
from mount import TICKS  # noqa: E402
from paths import cut_matches, fits, paths  # noqa: E402
from wait import times  # noqa: E402

# Pieces that the rules treat specially, and neighbours of them that they must not.
PIECES = [b"", b".", b"..", b"...", b".value", b".values", b".etcdfs", b"%", b"%25", b"%2F", b"%2f",
          b"%00", b"%2E", b"%~", b"\0", b"\xff", b"\xff\xfe", b"\n", b"a\nb", b" ", b"\t", b"~",
          b"*", b"\\", b"'", b'"', b"a", b"b", b"x", b"%2Fx", b"\xc3\xa9", b"e\xcc\x81", b"-rf",
          b"\x7f", b"L" * 255, b"L" * 256, b"L" * 300, b"L" * 299 + b"M", b"%" * 86, b"\0" * 100]

# The pairs that the rules were written for.
PAIRS = [b"a", b"a/b", b"a/b/c", b"x", b"/x", b"//x", b"/", b"", b"//", b"/a/b", b"a/", b"a//",
         b"a//b", b"a/.value", b"a/.value/b", b".value", b".etcdfs", b".etcdfs/status",
         b"/.etcdfs/status", b"a/.etcdfs", b"%2Fx", b"/%2Fx", b"y/z", b"/y/z", b"/y"]


def hostile_keys(count, seed=1):
    """COUNT distinct keys, less the prefix: PAIRS, PIECES, then mixtures of them."""
    rng = random.Random(seed)
    keys = dict.fromkeys(PAIRS + PIECES)
    while len(keys) < count:
        parts = rng.choices(PIECES, k=rng.randint(1, 4))
        if rng.random() < 0.3:
            parts[-1] = bytes(rng.choices(range(256), k=rng.randint(1, 12)))
        keys[b"/".join(parts)] = None
    return list(keys)


def walk(path, above=()):
    """(components, descriptor) of every file under the directory PATH, by way of
    descriptors, so that the depth has no limit but theirs."""
    top = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        names = [os.fsencode(name) for name in os.listdir(top)]
        assert len(set(names)) == len(names), f"listed twice in {above}: {names}"
        for name in names:
            if above or name != os.fsencode(TICKS):
                yield from _visit(top, name, above + (name,))
    finally:
        os.close(top)


def _visit(parent, name, components):
    if stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
        fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY, dir_fd=parent)
        path = f"/proc/self/fd/{fd}"
        try:
            yield from walk(path, components)
        finally:
            os.close(fd)
    else:
        fd = os.open(name, os.O_RDONLY, dir_fd=parent)
        try:
            yield components, fd
        finally:
            os.close(fd)


class Names(case.MountTest):
    def assert_tree_is_etcd(self, mount, after=""):
        """Every key of etcd is listed once, at its path, with its value and key."""
        kvs = {name: kv for name, kv in self.keys.all().items()
               if not name.startswith(os.fsencode(TICKS) + b"/")}
        expected = paths(kvs)
        shown = {}
        for path, fd in walk(mount.path):
            key = os.getxattr(fd, "user.etcd.key")
            self.assertTrue(key.startswith(self.keys.prefix), key)
            name = key[len(self.keys.prefix):]
            self.assertNotIn(name, shown, f"listed twice: {path}")
            shown[name] = path
            self.assertIn(name, kvs, path)
            self.assertEqual(kvs[name].value, os.read(fd, 1 << 20), path)
            self.assertEqual(os.fstat(fd).st_size, len(kvs[name].value), path)
        self.assertEqual(sorted(kvs), sorted(shown), f"keys of etcd, keys shown {after}")
        for path, name in expected.items():
            if fits(path):
                self.assertEqual(path, shown[name], after)
            else:
                self.assertTrue(cut_matches(shown[name], path), f"{path}: {shown[name]}")

    def test_hostile_keys_of_the_seed(self):
        for i, key in enumerate(hostile_keys(300)):
            self.keys.put(key, b"value %d of " % i + key[:40])
        self.assert_tree_is_etcd(self.mount())

    def test_hostile_keys_that_come_and_go(self):
        mount = self.mount()
        keys = hostile_keys(300)
        for i, key in enumerate(keys):
            self.keys.put(key, b"value %d" % i)
        mount.settle()
        self.assert_tree_is_etcd(mount)
        random.Random(2).shuffle(keys)
        for key in keys[:150]:
            self.keys.delete(key)
        mount.settle()
        self.assert_tree_is_etcd(mount)
        for key in keys[150:]:
            self.keys.delete(key)
        mount.settle()
        self.assertEqual([], mount.list())

    def test_order_of_arrival_makes_no_difference(self):
        """Random puts and deletes of few keys that all get in each other's way;
        what the kernel has cached of the tree before must not show after."""
        alphabet = [b"", b"/", b"//", b"a", b"/a", b"//a", b"a/b", b"/a/b", b"a/b/c", b"/a/b/c",
                    b"a/", b"/a/", b"a//", b"a/.value", b"/a/.value", b".value", b"/.value",
                    b"%2Fa", b"/%2Fa", b"a/b/", b"b", b"/b", b"b/.", b"/b/.", b".etcdfs",
                    b"/.etcdfs"]
        rng = random.Random(3)
        mount = self.mount()
        for step in range(times(150, slow=40)):
            changed = rng.sample(alphabet, rng.randint(1, 6))
            deleted = [key for key in changed if rng.random() < 0.5]
            self.keys.txn({key: b"step %d" % step for key in changed if key not in deleted},
                          deleted)
            mount.settle()
            self.assert_tree_is_etcd(mount, f"after step {step}: {changed}, deleted: {deleted}")

    def test_two_cut_names_stay_apart(self):
        keys = [b"d/" + b"L" * 299 + bytes([last]) for last in b"abcdefgh"]
        for key in keys:
            self.keys.put(key, key[-1:])
        mount = self.mount()
        self.assert_tree_is_etcd(mount)
        self.keys.delete(keys[3])
        self.keys.put(keys[4], "new")
        mount.settle()
        self.assert_tree_is_etcd(mount)

    def test_a_path_over_path_max(self):
        self.keys.put(b"/".join([b"p" * 200] * 30), "deep")
        self.keys.put(b"/".join([b"p" * 200] * 30 + [b"q"]), "deeper")
        mount = self.mount()
        shown = {os.getxattr(fd, "user.etcd.key"): (path, os.read(fd, 100))
                 for path, fd in walk(mount.path)}
        self.assertEqual({b"deep", b"deeper"}, {value for _, value in shown.values()})
        shown_keys = {self.keys.full(name) for name in self.keys.all()
                      if not name.startswith(os.fsencode(TICKS))}
        self.assertEqual(shown_keys, set(shown))
        for path, value in shown.values():
            self.assertLessEqual(len(b"/".join(path)), 4095)
            with open(mount.join(b"/".join(path)), "rb") as file:
                self.assertEqual(value, file.read())

    def test_names_no_key_has(self):
        """A name that decodes to a key, but is not that key's path, is no name."""
        for name in ("a", "d/e", "%", "x\0y"):
            self.keys.put(name, "1")
        mount = self.mount()
        for name in (b"%61", b"%2Fa", b"%", b"%2", b"%2g", b"%00", b"d/%65", b"d/.value",
                     b".value", b"%~", b"x%2500y", b"d%2Fe", b"a/b", b"nope"):
            with self.subTest(name=name):
                self.assertFalse(os.path.lexists(mount.join(name)))
        self.assertEqual(b"1", mount.read(b"x%00y"))
        self.assertEqual(b"1", mount.read(b"%25"))


if __name__ == "__main__":
    case.main()
