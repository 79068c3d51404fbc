#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A token that somebody else got for us, given or in a file."""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import case  # noqa: E402
from etcd import Auth, free_port  # noqa: E402
from mount import wrapper  # noqa: E402
from proxy import Proxy  # noqa: E402

INVALID = "etcdserver: invalid auth token"
OLD = "etcdserver: revision of auth store is old"


class Token(case.MountTest):
    def setUp(self):
        super().setUp()
        private, public = (os.path.join(self.directory, name) for name in ("private", "public"))
        for args in (["genrsa", "-out", private], ["rsa", "-in", private, "-pubout", "-out", public]):
            subprocess.run(["openssl", *args], check=True, capture_output=True)
        self.own_etcd("--bcrypt-cost=4", f"--auth-token=jwt,pub-key={public},priv-key={private},"
                      "sign-method=RS256,ttl=1h")
        self.auth = Auth(self.etcd)
        self.auth.add_role("reader")
        self.auth.grant_read("reader", self.keys.prefix)
        self.auth.add_user("reader", "secret")
        self.auth.grant_role("reader", "reader")
        self.auth.enable()
        self.keys.put("f", "1")
        self.file = os.path.join(self.directory, "token")
        self.proxy = Proxy(free_port(), self.etcd.port)
        self.addCleanup(self.proxy.close)

    def token(self):
        """Good until a user or a role changes."""
        return self.etcd.call("auth/authenticate", {"name": "reader", "password": "secret"})["token"]

    def write(self, token):
        with open(f"{self.file}.new", "w", encoding="ascii") as file:
            file.write(f"{token}\n")
        os.rename(f"{self.file}.new", self.file)

    def outdate(self):
        """No token from before is good any more."""
        self.auth.add_role(f"role{self.etcd.revision()}")
        self.auth.delete_role(f"role{self.etcd.revision()}")

    def refused(self, *args):
        path = os.path.join(self.directory, "refused")
        os.makedirs(path, exist_ok=True)
        result = subprocess.run([*wrapper(), self.program(), *args,
                                 f"etcd://{self.etcd.endpoint}{self.keys.prefix.decode()}", path],
                                capture_output=True, text=True, check=False)
        self.assertEqual((1, ""), (result.returncode, result.stdout))
        return result.stderr.removeprefix("etcdfs: ").removesuffix("\n")

    def assert_changes_come(self, mounted):
        self.keys.put("f", "2")
        mounted.settle()
        self.assertEqual(b"2", mounted.read("f"))

    def test_given(self):
        """Nobody logs in."""
        token = self.token()
        logins = self.etcd.calls("Authenticate")
        mounted = self.mount(f"--auth-jwt-token={token}")
        self.assertEqual(b"1", mounted.read("f"))
        self.assert_changes_come(mounted)
        self.assertEqual(logins, self.etcd.calls("Authenticate"))
        self.assertNotIn(token, open(mounted.log.path, encoding="utf-8").read())

    def test_refused(self):
        for args in (["--auth-jwt-token=a.b.c"], [f"--auth-jwt-token-file={self.file}"]):
            self.write("a.b.c")
            with self.subTest(args):
                self.assertEqual(f"etcd at {self.etcd.endpoint} refused: {INVALID}",
                                 self.refused(*args))
        self.write("")
        self.assertEqual(f"--auth-jwt-token-file {self.file}: is empty",
                         self.refused(f"--auth-jwt-token-file={self.file}"))
        os.remove(self.file)
        self.assertEqual(f"--auth-jwt-token-file {self.file}: No such file or directory",
                         self.refused(f"--auth-jwt-token-file={self.file}"))

    def test_renewed(self):
        """The next connection has what the file holds then."""
        self.write(self.token())
        mounted = self.mount(f"--auth-jwt-token-file={self.file}", endpoint=self.proxy.endpoint,
                             allow=["lost contact"])
        self.outdate()
        self.write(self.token())
        self.proxy.refuse()
        mounted.wait_state("reconnecting")
        self.proxy.accept()
        mounted.wait_state("live")
        self.assert_changes_come(mounted)

    def test_out_of_date(self):
        """The tree stays; another token in the file is all that it takes."""
        self.write(self.token())
        mounted = self.mount(f"--auth-jwt-token-file={self.file}", endpoint=self.proxy.endpoint,
                             allow=["lost contact", f"denies access: {OLD}"])
        self.outdate()
        self.proxy.cut()
        self.assertEqual(OLD, mounted.wait_state("denied")["last_error"])
        self.assertEqual(b"1", mounted.read("f"))
        self.write(self.token())
        mounted.wait_state("live")
        self.assert_changes_come(mounted)


if __name__ == "__main__":
    case.main()
