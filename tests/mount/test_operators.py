#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What the README tells who operates it: what etcd is asked for, the proxy between, the one
role that is needed, and the messages of its table of symptoms."""

import glob
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import case  # noqa: E402
from cluster import GrpcProxy  # noqa: E402
from etcd import Auth, Keys  # noqa: E402
from readme import ROOT, example, readme, section  # noqa: E402

WATCHERS = "etcd_debugging_mvcc_watcher_total"
STREAMS = "etcd_debugging_mvcc_watch_stream_total"


class OperatorTest(case.MountTest):
    def mounts(self, count, endpoint):
        """So many mounts of the same keys, through ENDPOINT."""
        return [self.mount(endpoint=endpoint, directory=tempfile.mkdtemp(dir=self.directory))
                for _ in range(count)]

    def assert_all_follow(self, mounts, value):
        self.keys.put("key", value)
        for mount in mounts:
            mount.settle()
            self.assertEqual(value.encode(), mount.read("key"))


class Asked(OperatorTest):
    def test_each_mount_is_a_watcher(self):
        self.own_etcd()
        self.keys.fill((f"dir/{number}", "1") for number in range(1000))
        mounts = self.mounts(3, self.etcd.endpoint)
        self.assert_all_follow(mounts, "2")
        self.assertEqual((3, 3), (self.etcd.metric(WATCHERS), self.etcd.metric(STREAMS)))
        self.assertEqual(3, self.etcd.metric("grpc_server_started_total", 'method="Watch"'))


class Proxied(OperatorTest):
    def test_mounts_share_a_watcher(self):
        self.own_etcd()
        proxy = GrpcProxy(self.directory, self.etcd).start()
        self.addCleanup(proxy.kill)
        [first] = self.mounts(1, proxy.endpoint)
        self.assert_all_follow([first], "1")
        watchers = self.etcd.metric(WATCHERS)  # the proxy has some of its own
        mounts = [first, *self.mounts(3, proxy.endpoint)]
        self.assert_all_follow(mounts, "2")
        self.assertEqual(watchers, self.etcd.metric(WATCHERS))
        mounts += self.mounts(1, self.etcd.endpoint)  # past the proxy
        self.assert_all_follow(mounts, "3")
        self.assertEqual(watchers + 1, self.etcd.metric(WATCHERS))


class Role(OperatorTest):
    """The README's commands make a user who can mount, and nothing more."""

    PREFIX = "/app/"

    def setUp(self):
        super().setUp()
        self.own_etcd("--bcrypt-cost=4")
        self.keys = Keys(self.etcd, self.PREFIX)
        self.keys.put("key", "1")
        self.etcd.put("/apple", "1")
        for command, _ in example("role"):
            subprocess.run(["bash", "-c", command], check=True, capture_output=True, env={
                **os.environ, "ETCDCTL_API": "3", "ETCDCTL_ENDPOINTS": self.etcd.endpoint})
        self.auth = Auth(self.etcd)
        self.auth.enable()

    @staticmethod
    def flowing():
        """The README without its line breaks."""
        return " ".join(readme().split())

    def refused(self, prefix):
        """The line of a mount that is refused."""
        point = tempfile.mkdtemp(dir=self.directory)
        result = subprocess.run(
            [self.program(), f"etcd://{self.etcd.endpoint}{prefix}", point, "--user=app:PASSWORD"],
            check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        self.assertEqual((1, ""), (result.returncode, result.stdout), result.stderr)
        return result.stderr

    def test_it_is_enough(self):
        mount = self.mount("--user=app:PASSWORD")
        self.assertEqual(["key"], mount.list())
        self.assert_all_follow([mount], "2")

    def test_less_is_not(self):
        """A larger range, or the role without its permission: as the README has it."""
        says = re.search(r"`(etcd at HOST:PORT refused: [^`]*)`", self.flowing())[1]
        says = f"etcdfs: {says}\n".replace("HOST:PORT", self.etcd.endpoint)
        for prefix in ("/app", "/", ""):
            self.assertEqual(says, self.refused(prefix), prefix)
        self.auth.revoke_read("app-read", self.PREFIX)
        self.assertEqual(says, self.refused(self.PREFIX))

    def test_everything(self):
        """Without a prefix."""
        grant = re.search(r"Without a prefix it is `([^`]*)`", self.flowing())[1]
        subprocess.run(["bash", "-c", f"etcdctl role grant-permission app-read read {grant}"],
                       check=True, capture_output=True, env={
                           **os.environ, "ETCDCTL_API": "3", "ETCDCTL_USER": "root:root",
                           "ETCDCTL_ENDPOINTS": self.etcd.endpoint})
        self.keys = Keys(self.etcd, b"")
        mount = self.mount("--user=app:PASSWORD")
        self.assertEqual(["app", "apple"], mount.list())


class Symptoms(OperatorTest):
    OTHERS = {"target is busy", "etcdserver: permission denied",
              "etcdserver: user name is empty"}  # umount's, etcd's

    def sources(self):
        """The text of the programs, without what stands between two pieces of a string."""
        text = ""
        for name in sorted(glob.glob(os.path.join(ROOT, "[fw]*", "*.c"))):
            with open(name, encoding="utf-8") as file:
                text += file.read()
        return re.sub(r'"\s*(?:PRI\w+|G_GINT64_FORMAT)?\s*"', "", text).replace('\\"', '"')

    def test_the_messages_are_real(self):
        """Each is one of ours, word for word, or the system's."""
        table = section("At 3 in the morning").split("| symptom |")[1]
        rows = re.findall(r"^\| (.*?) \|", table, re.MULTILINE)
        said = self.sources().split("\n")
        known = {os.strerror(number) for number in range(1, 132)} | self.OTHERS
        messages = [row.split("`")[1] for row in rows if row.startswith("`")]
        self.assertGreater(len(messages), 10)
        for message in messages:
            with self.subTest(message):
                # What varies, and etcd's own words behind ours.
                pattern = ".*".join(re.escape(piece) for piece in
                                    re.split(r"\.\.\.|HOST:PORT|(?<=refused: ).*|connection refused",
                                             message))
                self.assertTrue(message in known or any(re.search(pattern, line) for line in said))
                tail = message.partition("refused: ")[2]
                self.assertTrue(not tail or tail in known, tail)


if __name__ == "__main__":
    case.main()
