#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Programs that walk a tree and copy it: find, ls, du, tar, rsync, cp, diff and the
like say of the mount what they say of a copy on a local filesystem, and nothing on
standard error, also while other keys change.  Of a tree that changes under their feet
they say what they say of any such tree, and what they copy are whole values.
"""

import collections
import contextlib
import itertools
import os
import random
import re
import shutil
import subprocess
import sys
import tarfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import case  # noqa: E402
from paths import paths  # noqa: E402
from wait import LIMIT, times  # noqa: E402

# The keys, less the directory they are in here, that a walker may stumble over.
TREE = {
    b"plain": b"plain\n",
    b"empty": b"",
    b"with space/and another": b"1",
    b" leading and trailing ": b"2",
    b"new\nline/a\nb": b"3",
    b"tab\there": b"4",
    "gr\u00fc\u00dfe/\u65e5\u672c\u8a9e".encode(): b"UTF-8",
    b"latin-1 \xfc\xff/\xfe\xff": b"\xff\xfe\x00\x01",
    b"100%/50%/%41": b"percent",
    b"nul\x00byte": b"5",
    b"double//slash/": b"6",
    b"dots/.../..a": b"7",
    b"dots/./..": b"8",
    b"key and directory": b"value of a directory",
    b"key and directory/below": b"9",
    b"-rf": b"looks like an option",
    b"--help/-": b"10",
    b"\\backslash\\n": b"11",
    b"quote'\"`$(x)*?[a]": b"12",
    b"~tilde/#hash": b"13",
    b".hidden/.also": b"14",
    b"long/" + b"L" * 255: b"15",
    b"long/" + b"M" * 255 + b"/" + b"N" * 255: b"16",
    b"/".join([b"deep"] * 100): b"17",
    b"/".join([b"D" * 200] * 9): b"18",
    b"big": bytes(range(256)) * 4000,
    b"page": b"p" * 4096,
    b"page less one": b"p" * 4095,
    b"binary": bytes(range(256)),
    b"text/needle": b"hay\nneedle\nhay\n",
    b"text/crlf": b"a\r\nneedle\r\n",
    b"text/no newline": b"needle",
    **{b"many/%d/%d" % (i, j): b"%d,%d\n" % (i, j) for i in range(8) for j in range(12)},
}
# What a put of 1.5 MiB, the most that etcd takes unless told otherwise, has room for.
BIGGEST = (3 << 19) - 1024

ENVIRONMENT = {"PATH": os.environ["PATH"], "LC_ALL": "C", "HOME": "/nonexistent", "TZ": "UTC",
               "GIT_CONFIG_NOSYSTEM": "1"}

DIFFERENCES = [("diff", "-r"), ("diff", "-rq", "--no-dereference")]
if shutil.which("git"):
    DIFFERENCES.append(("git", "diff", "--no-index", "--stat"))

# How rsync is to compare times: to the nanosecond, as we keep them.
EXACT = ("-a", "--modify-window=-1")

Said = collections.namedtuple("Said", "status out err")


def run(where, *command, stdin=b""):
    """Runs COMMAND in the directory WHERE."""
    with subprocess.Popen(command, cwd=where, env=ENVIRONMENT, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            out, err = process.communicate(stdin, timeout=LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    return Said(process.returncode, out, err)


def shell(where, script, *args):
    return run(where, "bash", "-c", script, "bash", *args)


def records(said, end=b"\0"):
    """What was said in an order of the directory's own, sorted."""
    return said._replace(out=sorted(said.out.split(end)))


def without_sizes_of_directories(said):
    """ls -l, where a directory's size and the blocks in sum are the filesystem's own."""
    out = re.sub(rb"(?m)^(d\S+ +\d+ +\S+ +\S+) +\d+", rb"\1 -", said.out)
    out = re.sub(rb"(?m)^total \S+$", b"total", out)
    return said._replace(out=re.sub(rb" +", b" ", out))


def entries(top):
    """Every path below the directory TOP and itself, those of a directory after it."""
    yield top
    for where, directories, files in os.walk(top):
        for name in directories + files:
            yield os.path.join(where, name)


def copied_times(source, target):
    """Gives TARGET the times and modes that SOURCE has."""
    for path in sorted(entries(source), key=len, reverse=True):
        found = os.lstat(path)
        copy = os.path.join(target, os.path.relpath(path, source))
        os.utime(copy, ns=(found.st_mtime_ns, found.st_mtime_ns))
        os.chmod(copy, found.st_mode & 0o7777)


def writable(top):
    """So that an ordinary user can remove it."""
    for path in entries(top):
        if os.path.isdir(path):
            os.chmod(path, 0o755)


class Walk(case.MountTest):
    """The same tree twice: below the mount, and written out by the rules."""

    def start(self, tree, *args):
        self.tree = tree
        small = [key for key, value in tree.items() if len(value) < 100]
        for key in tree.keys() - small:
            self.keys.put(b"q/" + key, tree[key])
        for start in range(0, len(small), 100):
            self.keys.txn({b"q/" + key: tree[key] for key in small[start:start + 100]})
        self.mounted = self.mount(*args)
        self.mount_top = os.fsencode(self.mounted.join("q"))
        self.copy_top = os.path.join(os.fsencode(self.local()), b"q")
        self.write_copy()

    def local(self):
        """A directory of a local filesystem."""
        directory = self.tmpfs()
        self.addCleanup(writable, directory)
        return directory

    def write_copy(self):
        os.mkdir(self.copy_top)
        for path, key in paths(self.tree).items():
            path = os.path.join(self.copy_top, *path)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(self.tree[key])
        copied_times(self.mount_top, self.copy_top)

    def assert_quiet(self, said, status=0):
        self.assertEqual((status, b""), (said.status, said.err))

    def assert_copied(self, top, modes=True, dates=True):
        """TOP, which a program made, is as the copy made by the rules."""
        said = run(b"/", "diff", "-r", "--no-dereference", self.copy_top, top)
        self.assertEqual(Said(0, b"", b""), said)
        for path in entries(self.copy_top):
            expected = os.lstat(path)
            found = os.lstat(os.path.join(top, os.path.relpath(path, self.copy_top)))
            if modes:
                self.assertEqual(oct(expected.st_mode), oct(found.st_mode), path)
            if dates:
                self.assertEqual(expected.st_mtime_ns, found.st_mtime_ns, path)

    def rsync(self, target, *flags):
        """The lines in which rsync says what it did."""
        said = run(b"/", "rsync", "-i", *(flags or EXACT), self.mount_top + b"/", target)
        self.assert_quiet(said)
        return said.out.splitlines()

    def changing(self):
        """A context in which other keys, beside the tree, come, change and go."""
        return contextlib.nullcontext()


# By what a shell says in the top directory of the tree: how it is to be looked at.
SAID = {
    "find . -print0": records,
    "find . -type f -print0": records,
    "find . -type d -print0": records,
    "find . -type d -links +2 -print0": records,
    "find . -depth -noleaf -type f -links 1 -printf '%p %s %m %T@ %y %n\\0'": records,
    "find . -type d -printf '%p %m %T@ %y %n %d\\0'": records,
    "find . -newer plain -print0": records,
    "find . -type f -size +4k -print0": records,
    "find . -type f -empty -print0": records,
    "find . ! -readable -print0": records,
    "find . -xdev -name '*a*' -print0": records,
    "ls -lR --time-style=full-iso": without_sizes_of_directories,
    "ls -la --time-style=full-iso many": without_sizes_of_directories,
    "ls -laR -b deep dots many text": without_sizes_of_directories,
    "ls -t": None,
    "ls -S many/0": None,
    "du -ab0 | grep -zv / | wc -c": None,
    "tree -a -f -J": None,
    "tree -a -p -D --timefmt %s -N": None,
    "grep -r needle . | sort": None,
    "grep -rlZ needle . | sort -z": None,
    "grep -rc '' many | sort": None,
    "grep -rP '\\x00\\x01' . | sort": None,
    "find . -type f -exec sha256sum -z {} + | sort -z": None,
    "find . -type f -exec wc -c {} + | sort": None,
    "find . -type f -exec stat -c '%n %s %a %Y %F %h %u %g' {} + | sort": None,
    "find . -type f -print0 | sort -z | xargs -0 file -0 -N": None,
    "find . -type f -print0 | sort -z | xargs -0 cat | sha256sum": None,
    "find . -type f -print0 | xargs -0 head -qc 3 -- | wc -c": None,
    "shopt -s globstar dotglob; printf '%s\\n' **": None,
    "shopt -s dotglob; echo */* | wc -c": None,
    "cd dots && ls -A && cd ... && basename \"$PWD\" && ls": None,
}


class Quiet(Walk):
    """Of keys that nobody changes."""

    def setUp(self):
        super().setUp()
        self.start({**TREE, b"biggest": b"0123456789abcdef" * (BIGGEST // 16)})

    def test_they_say_the_same(self):
        with self.changing():
            for script, view in SAID.items():
                with self.subTest(script):
                    local, said = (shell(top, script) for top in (self.copy_top, self.mount_top))
                    if view:
                        local, said = view(local), view(said)
                    self.assertEqual(local, said)
                    self.assert_quiet(said)

    def test_du(self):
        """A value takes blocks of 512 bytes, a directory nothing."""
        blocks, sizes = {}, {}
        for path in entries(self.copy_top):
            size = 0 if os.path.isdir(path) else os.path.getsize(path)
            name = os.path.relpath(path, self.copy_top)
            parts = name.split(b"/") if name != b"." else []
            for depth in range(len(parts) + 1):
                above = b"/".join([b".", *parts[:depth]])
                blocks[above] = blocks.get(above, 0) + (size + 511) // 512
                sizes[above] = sizes.get(above, 0) + size
        with self.changing():
            for command, expected in ((("-a", "-B512"), blocks), (("-a", "-b"), sizes),
                                      (("-a", "--apparent-size", "-B1"), sizes)):
                said = run(self.mount_top, "du", "-0", *command)
                self.assert_quiet(said)
                found = (record.split(b"\t", 1) for record in said.out.split(b"\0") if record)
                self.assertEqual(expected, {name: int(size) for size, name in found})

    def test_checksums(self):
        with self.changing():
            sums = shell(self.mount_top, "find . -type f -exec sha256sum -b {} +").out
            for top in (self.copy_top, self.mount_top):
                said = run(top, "sha256sum", "-c", "--quiet", stdin=sums)
                self.assertEqual(Said(0, b"", b""), said)

    def test_comparisons(self):
        with self.changing():
            for command in DIFFERENCES:
                for tops in ((self.mount_top, self.copy_top), (self.copy_top, self.mount_top),
                             (self.mount_top, self.mount_top)):
                    with self.subTest((command, tops)):
                        self.assertEqual(Said(0, b"", b""), run(b"/", *command, *tops))
            for path in paths(self.tree):
                files = (os.path.join(top, *path) for top in (self.mount_top, self.copy_top))
                if len(b"/".join(path)) < 300:
                    self.assertEqual(Said(0, b"", b""), run(b"/", "cmp", *files))

    # Copies.

    def copy_by(self, script, **judgement):
        """SCRIPT copies the tree in . to $1, which exists, as the directory q."""
        target = os.fsencode(self.local())
        said = shell(os.path.dirname(self.mount_top), f"set -o pipefail; {script}", target)
        self.assertEqual(Said(0, b"", b""), said)
        self.assert_copied(os.path.join(target, b"q"), **judgement)
        return os.path.join(target, b"q")

    def test_cp(self):
        with self.changing():
            self.copy_by("cp -a q $1")
            self.copy_by("cp -r --reflink=auto q $1", dates=False)
            self.copy_by("cp -rp --sparse=always q $1")
            self.copy_by("cp -a --no-preserve=mode -T q $1/q", modes=False)

    def test_tar(self):
        with self.changing():
            for flags in ("", "--xattrs --xattrs-include='*'", "--sort=name --format=pax"):
                self.copy_by(f"tar {flags} -cf - q | tar -C $1 -xpf -", dates=False)
            archive = os.path.join(self.local(), "x.tar")
            top = os.path.dirname(self.mount_top)
            self.assert_quiet(run(top, "tar", "--format=pax", "-cf", archive, "q"))
            self.assertEqual(Said(0, b"", b""), run(top, "tar", "-df", archive))

    def test_cpio(self):
        with self.changing():
            self.copy_by("find q -depth -print0 | cpio -0 --quiet -o -H newc"
                         " | (cd $1 && cpio --quiet -idm)", dates=False)

    def test_copytree(self):
        target = os.path.join(os.fsencode(self.local()), b"q")
        with self.changing():
            shutil.copytree(self.mount_top, target)
        self.assert_copied(target)

    def test_rsync(self):
        target = os.path.join(os.fsencode(self.local()), b"q")
        with self.changing():
            for flags in (EXACT, (*EXACT, "-H", "--sparse")):
                self.assertNotEqual([], self.rsync(target, *flags))
                self.assert_copied(target)
                for again in (EXACT, ("-a",), ("-a", "--checksum"), ("-a", "--delete"),
                              ("-aHAn",)):
                    self.assertEqual([], self.rsync(target, *again), again)
                writable(target)
                shutil.rmtree(target)


class Beside(Quiet):
    """Of a tree that nobody changes, while others do."""

    @contextlib.contextmanager
    def changing(self):
        ended = threading.Event()

        def change():
            rand = random.Random(1)
            for number in itertools.count():
                if ended.wait(0.001):
                    return
                names = [f"beside/{rand.randrange(5)}/{rand.randrange(50)}" for _ in range(5)]
                self.keys.txn({name: str(number) for name in set(names[:3])},
                              set(names[3:]).difference(names[:3]))
        thread = threading.Thread(target=change)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


class Alone(Walk):
    """What is not done again while others change."""

    def setUp(self):
        super().setUp()
        self.start(TREE)

    def test_comparisons_find_a_difference(self):
        path = os.path.join(self.copy_top, b"text", b"needle")
        os.chmod(path, 0o644)
        with open(path, "ab") as file:
            file.write(b"more\n")
        for command in DIFFERENCES:
            said = run(b"/", *command, self.mount_top, self.copy_top)
            self.assertEqual((1, b""), (said.status, said.err))
            self.assertIn(b"needle", said.out)

    def test_tar_keeps_the_keys(self):
        archive = os.path.join(self.local(), "x.tar")
        said = run(os.path.dirname(self.mount_top), "tar", "--xattrs", "-cf", archive, "q")
        self.assert_quiet(said)
        found = set()
        with tarfile.open(archive) as members:
            for member in members:
                if member.isfile():
                    key = member.pax_headers["SCHILY.xattr.user.etcd.key"]
                    found.add(key.encode("utf-8", "surrogateescape"))
        self.assertEqual({self.keys.full(b"q/" + key) for key in self.tree}, found)

    def test_rsync_with_the_keys(self):
        """-X, onto a filesystem that takes extended attributes."""
        local = os.fsencode(self.local())
        try:
            os.setxattr(local, "user.test", b"1")
        except OSError:
            self.skipTest("tmpfs without extended attributes")
        target = os.path.join(local, b"q")
        # An ordinary user's rsync -X cannot fill a directory that is read-only.
        flags = (*EXACT, "-X", "--chmod=u+w")
        self.assertNotEqual([], self.rsync(target, *flags))
        self.assert_copied(target, modes=False)
        self.assertEqual([], self.rsync(target, *flags))
        for path in paths(self.tree):
            for name in ("user.etcd.key", "user.etcd.mod_revision"):
                found = {os.getxattr(os.path.join(top, *path), name)
                         for top in (self.mount_top, target)}
                self.assertEqual(1, len(found), path)

    def assert_transfers(self, target, *lines, flags=()):
        self.mounted.settle()
        self.assertEqual(list(lines), self.rsync(target, *flags))

    def test_rsync_after_a_change(self):
        """It transfers the key that changed, and no other."""
        target = os.path.join(os.fsencode(self.local()), b"q")
        self.rsync(target)
        self.keys.put("q/many/3/4", "longer than before")
        self.assert_transfers(target, b">f.st...... many/3/4")
        for value in "123":  # of one size, and perhaps in one second
            self.keys.put("q/many/3/4", f"longer than befor{value}")
            self.assert_transfers(target, b">f..t...... many/3/4")
        self.keys.delete("q/many/3/6")
        self.assert_transfers(target, b".d..t...... many/3/")
        self.assert_transfers(target, b"*deleting   many/3/6", flags=("-a", "--delete"))
        self.keys.put("q/many/3/new/1", "1")
        self.assert_transfers(target, b".d..t...... many/3/", b"cd+++++++++ many/3/new/",
                              b">f+++++++++ many/3/new/1")
        self.assert_transfers(target, flags=("-a", "--checksum", "--delete"))
        self.assertEqual(Said(0, b"", b""), run(b"/", "diff", "-r", self.mount_top, target))

    # Those that want to change it.

    def test_they_cannot_take_it_away(self):
        before = self.mounted.shown()
        target = os.path.join(os.fsencode(self.local()), b"target")
        os.mkdir(target)
        for script in ("mv plain $1", "mv dots $1/moved", "mv plain renamed", "mv -f text many",
                       "rm -rf .hidden dots many", "rm -rf -- *", "find . -delete",
                       "find . -name needle -exec rm -f {} +", "rmdir many/0", "rm -f big",
                       "cp /etc/passwd plain", "touch plain", "chmod -R u+w text",
                       "sed -i s/hay/straw/ text/needle", "ln plain hard", "ln -s plain soft",
                       "mkdir new", "truncate -s 0 plain", "tar -cf here.tar plain",
                       "rsync -a --remove-source-files many/ $1/"):
            said = shell(self.mount_top, script, target)
            with self.subTest(script):
                self.assertNotEqual(0, said.status)
                self.assertIn(b"Read-only file system", said.err)
                self.assertEqual(Said(0, b"", b""),
                                 run(b"/", "diff", "-r", self.copy_top, self.mount_top))
        self.assertEqual(before, self.mounted.shown())


def value_of(number):
    """What a reader can tell to be one whole value."""
    return b"%08d\n" % number * (number % 3000 + 1)


def is_whole(value):
    return bool(value) and value == value_of(int(value[:8]))


# Of a tree that changes meanwhile programs say this, on any filesystem.
EXPECTED = re.compile(
    rb"No such file or directory|Not a directory|Is a directory|file changed as we read it"
    rb"|File removed before we read it|(file|directory) has vanished: |some files vanished before"
    rb"|some files/attrs were not transferred|IO error encountered -- skipping file deletion"
    rb"|as it was replaced while being copied|Exiting with failure status due to previous errors"
    rb"|cpio: File .* (grew|shrunk)")


class Under(Walk):
    """Of a tree that changes while they walk it."""

    NAMES = [f"{directory}{name}" for directory in ("", "a/", "a/b/", "c/", "c/d/e/")
             for name in range(8)]

    SCRIPTS = (
        ("find q -printf '%p %s %n\\n'", (0, 1)),
        ("find q -type f -exec cat {} +", (0, 1, 123)),
        ("ls -laR q", (0, 1)),
        ("du -ab q", (0, 1)),
        ("tree -a q", (0,)),
        ("grep -rc '' q", (0, 1, 2)),
        ("tar -cf $1/x.tar q && tar -xf $1/x.tar -C $1", (0, 1)),
        ("rsync -a --delete q $1/", (0, 23, 24)),
        ("rsync -a --delete --checksum q $1/", (0, 23, 24)),
        ("cp -a q $1/", (0, 1)),
        ("cp -rT q $1/q", (0, 1)),
        ("diff -r q q", (0, 1, 2)),
        # It looks at the size, then at the file: what it copies is not always whole.
        ("find q -depth | cpio --quiet -o -H newc | cpio --quiet -it", (0, 1, 2)),
        ("find q -type f -exec sha256sum {} + > $1/sums", (0, 1)),
        ("find q -type f -exec stat -c '%n %h' {} +", (0, 1)),
    )

    def setUp(self):
        super().setUp()
        self.start({name.encode(): value_of(1) for name in self.NAMES} |
                   {b"stays": value_of(2), b"a/stays": value_of(3), b"c/d/e/stays": value_of(4)})
        self.ended = threading.Event()

    def change(self):
        rand = random.Random(2)
        for number in itertools.count(5):
            if self.ended.wait(0.001):
                return
            chosen = rand.sample(self.NAMES, 4)
            if rand.random() < 0.1:
                chosen = [name for name in self.NAMES if name.startswith(chosen[0].split("/")[0])]
                self.keys.txn(deletes=[f"q/{name}" for name in chosen])
            else:
                self.keys.txn({f"q/{name}": value_of(number) for name in chosen[:3]},
                              [f"q/{chosen[3]}"])

    def check_copy(self, top):
        """What stayed is there, and every file is one whole value."""
        for where, _, names in os.walk(top):
            for name in names:
                with open(os.path.join(where, name), "rb") as file:
                    value = file.read()
                self.assertTrue(is_whole(value), (where, name, value[:20], len(value)))
        for name, number in (("stays", 2), ("a/stays", 3), ("c/d/e/stays", 4)):
            with open(os.path.join(top, name), "rb") as file:
                self.assertEqual(value_of(number), file.read())

    def check(self, script, allowed):
        target = self.local()
        said = shell(self.mounted.path, f"set -o pipefail; {script}", target)
        self.assertIn(said.status, allowed, said.err)
        for line in said.err.splitlines():
            self.assertRegex(line, EXPECTED)
        copy = os.path.join(target, "q")
        if os.path.exists(copy):
            self.check_copy(copy)
        else:
            self.assertNotIn("$1/ ", script)

    def test_they_end_well(self):
        thread = threading.Thread(target=self.change)
        thread.start()
        try:
            for _ in range(times(6, slow=2)):
                for script, allowed in self.SCRIPTS:
                    with self.subTest(script):
                        self.check(script, allowed)
        finally:
            self.ended.set()
            thread.join()
        self.mounted.settle()
        self.assert_shows_etcd(self.mounted)


if __name__ == "__main__":
    case.main()
