#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Passwords: where they come from, and that nobody finds them anywhere else."""

import os
import pty
import select
import signal
import socket
import subprocess
import sys
import termios

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import case  # noqa: E402
from etcd import free_port  # noqa: E402
from mount import Mount, daemons, find_mount, unmount_from_background, wrapper  # noqa: E402
from proxy import Proxy  # noqa: E402
from wait import LIMIT, Deadline  # noqa: E402

USER = "root"  # etcd's
PASSWORD = "Correct,Horse=Battery:Staple"
LOGIN = f"{USER}:{PASSWORD}"
ESCAPED = PASSWORD.replace(",", "\\,")

# (arguments, variables)
WAYS = [
    (["--user", LOGIN], {}),
    ([f"--user={LOGIN}"], {}),
    (["--user", USER, "--password", PASSWORD], {}),
    ([f"--password={PASSWORD}", f"--user={USER}"], {}),
    (["-o", f"allow_other,user={USER}:{ESCAPED},umask=077"], {}),
    ([f"-ouser={USER},password={ESCAPED},umask=077"], {}),
    ([], {"ETCDCTL_USER": LOGIN}),
    ([], {"ETCDCTL_USER": USER, "ETCDCTL_PASSWORD": PASSWORD}),
    # A variable that nobody needs is no less secret.
    ([f"--user={LOGIN}"], {"ETCDCTL_USER": f"x:{PASSWORD}", "ETCDCTL_PASSWORD": PASSWORD}),
]


def token_ways(token):
    return [
        (["--auth-jwt-token", token], {}),
        ([f"--auth-jwt-token={token}"], {}),
        ([f"-oauth_jwt_token={token},umask=077"], {}),
        ([], {"ETCDCTL_AUTH_JWT_TOKEN": token}),
    ]


def allowed(args):
    """ARGS without what fusermount3 refuses to an ordinary user."""
    return [arg.replace("allow_other,", "") for arg in args]


def read(path):
    with open(path, "rb") as file:
        return file.read()


class SecretsTest(case.MountTest):
    secrets = (PASSWORD, ESCAPED, "Battery", "Horse", "Staple")

    def setUp(self):
        super().setUp()
        self.own_etcd()
        self.keys.put("f", "1")
        self.point = os.path.join(self.directory, "mnt")
        os.mkdir(self.point)
        self.addCleanup(self.unmount_rest)
        self.source = f"etcd://{self.etcd.endpoint}{self.keys.prefix.decode()}"
        self.password_file = os.path.join(self.directory, "password")
        self.write_password(PASSWORD)

    def enable_auth(self):
        self.etcd.call("auth/user/add", {"name": USER, "password": PASSWORD})
        self.etcd.call("auth/user/grant", {"user": USER, "role": "root"})
        self.etcd.call("auth/enable", {})

    def take_token(self):
        """It is the secret now."""
        self.enable_auth()
        token = self.etcd.call("auth/authenticate", {"name": USER, "password": PASSWORD})["token"]
        self.secrets = (token,)
        return token

    def write_password(self, password):
        with open(self.password_file, "w", encoding="utf-8") as file:
            file.write(f"{password}\n")

    def change_password(self, password):
        """In etcd and in the file."""
        subprocess.run(["etcdctl", "--endpoints", self.etcd.endpoint, "--user", LOGIN,
                        "user", "passwd", USER, "--interactive=false"], check=True,
                       env={**os.environ, "ETCDCTL_API": "3"}, input=password, text=True,
                       stdout=subprocess.DEVNULL)
        self.write_password(password)

    def command(self, *args, source=None):
        return [*wrapper(), self.program(), source or self.source, self.point, *args]

    def run_program(self, *args, source=None, **env):
        """To its end, or into the background.  It has no terminal."""
        return subprocess.run(self.command(*args, source=source), env={**os.environ, **env},
                              check=False, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, start_new_session=True,
                              timeout=Deadline("etcdfs").left())

    def start_program(self, *args, source=None, env=None):
        """As a child that ends with the test; what it says is a pipe."""
        process = subprocess.Popen(self.command(*args, source=source),
                                   env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   start_new_session=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def unmount_rest(self):
        """What a failed test has left."""
        if find_mount(self.point) is not None:
            self.unmount()

    def unmount(self):
        unmount_from_background(self.point)

    def assert_mounted(self, result):
        self.assertEqual((0, "", ""), (result.returncode, result.stdout, result.stderr))
        self.assertEqual(b"1", read(os.path.join(self.point, "f")))

    def assert_refused(self, result, says):
        """One line on standard error, nothing mounted; the line has no password."""
        self.assertIsNone(find_mount(self.point))
        self.assertGreater(result.returncode, 0, result.stderr)
        lines = [line for line in result.stderr.splitlines() if not line.startswith("==")]
        self.assertEqual(1, len(lines), lines)
        self.assertRegex(lines[0], says)
        self.assert_silent(result.stderr.encode(), "standard error")

    def assert_silent(self, text, where):
        for secret in self.secrets:
            self.assertNotIn(secret.encode(), text, f"a secret in {where}")

    def assert_clean(self, pid):
        for name in ("cmdline", "environ", "mountinfo", "mounts"):
            text = read(f"/proc/{pid}/{name}")
            self.assertTrue(text)
            self.assert_silent(text, f"/proc/{pid}/{name}")

    def assert_all_clean(self):
        """Once it is mounted."""
        [daemon] = daemons(self.point)
        self.assert_clean(daemon)
        self.assertIsNotNone(find_mount(self.point))
        self.assert_silent(read("/proc/self/mountinfo"), "mountinfo")
        self.assert_silent(read(os.path.join(self.point, ".etcdfs", "status")), "status")


class Hidden(SecretsTest):
    def test_in_the_background(self):
        self.enable_auth()
        for args, env in WAYS:
            with self.subTest(args=args, env=env):
                self.assert_mounted(self.run_program(*allowed(args), **env))
                self.assert_all_clean()
                self.unmount()

    def test_tokens_in_the_background(self):
        for args, env in token_ways(self.take_token()):
            with self.subTest(args=args, env=env):
                self.assert_mounted(self.run_program(*args, **env))
                self.assert_all_clean()
                self.unmount()

    def test_both_processes_before_the_mount(self):
        """The one that a person started waits for the one in the background."""
        for args, env in WAYS + token_ways(ESCAPED):
            with self.subTest(args=args, env=env), socket.create_server(("127.0.0.1", 0)) as silent:
                silent.settimeout(LIMIT)
                source = f"etcd://127.0.0.1:{silent.getsockname()[1]}/x/"
                process = self.start_program(*allowed(args), f"--dial-timeout={LIMIT}s",
                                             source=source, env=env)
                connection, _ = silent.accept()
                both = daemons(self.point)
                self.assertEqual(2, len(both))
                for pid in both:
                    self.assert_clean(pid)
                silent.close()
                connection.close()
                for pid in set(both) - {process.pid}:
                    os.kill(pid, signal.SIGTERM)
                process.wait(Deadline("etcdfs ends").left())
                self.assert_silent(process.stdout.read(), "the error")

    def test_in_the_log(self):
        self.assert_absent_in_log(WAYS[:1] + WAYS[-2:])

    def test_tokens_in_the_log(self):
        self.assert_absent_in_log(token_ways(self.take_token())[1:2])

    def assert_absent_in_log(self, ways):
        """With -d, which logs most."""
        for args, env in ways:
            with self.subTest(args=args, env=env):
                process = self.start_program("-d", *args, env=env)
                said = b""
                while b"is mounted on" not in said:
                    line = process.stdout.readline()
                    self.assertTrue(line, said)
                    said += line
                self.assertEqual(b"1", read(os.path.join(self.point, "f")))
                self.unmount()
                said += process.stdout.read()
                self.assertEqual(0, process.wait(), said)
                self.assert_silent(said, "the log")

    def test_in_a_source(self):
        """A mistake, but no reason to tell it."""
        for arg in (f"etcd://{LOGIN}@127.0.0.1:1/", f"etcds://{LOGIN}@127.0.0.1:1/x"):
            with self.subTest(arg):
                result = subprocess.run([*wrapper(), self.program(), arg, self.point], check=False,
                                        stdin=subprocess.DEVNULL, capture_output=True, text=True)
                self.assert_refused(result, "source.*--user")
        result = subprocess.run([*wrapper(), self.program(), self.point], check=False, text=True,
                                env={**os.environ, "ETCDCTL_ENDPOINTS": f"http://{LOGIN}@h:1"},
                                stdin=subprocess.DEVNULL, capture_output=True)
        self.assert_refused(result, "ETCDCTL_ENDPOINTS.*--user")


class Sources(SecretsTest):
    """Where a password comes from."""

    def test_a_file(self):
        self.enable_auth()
        for args, env in ((["--user", USER, f"--password-file={self.password_file}"], {}),
                          (["-o", f"user={USER},password_file={self.password_file}"], {}),
                          (["--password-file", self.password_file], {"ETCDCTL_USER": USER})):
            with self.subTest(args=args, env=env):
                self.assert_mounted(self.run_program(*args, **env))
                self.unmount()

    def test_a_relative_file(self):
        """It is read again, by a daemon that has changed its directory."""
        self.enable_auth()
        proxy = Proxy(free_port(), self.etcd.port)
        self.addCleanup(proxy.close)
        source = self.source.replace(self.etcd.endpoint, proxy.endpoint)
        self.assert_mounted(self.run_program("--user", USER, "--password-file",
                                             os.path.relpath(self.password_file), source=source))
        mount = Mount(self.program(), self.keys, self.directory)
        proxy.refuse()
        mount.wait_state("reconnecting")
        self.change_password("another")
        proxy.accept()
        mount.wait_state("live")
        self.unmount()

    def test_an_etcd_without_authentication(self):
        """Who logs in there is as welcome as everybody."""
        self.assert_mounted(self.run_program("--user", LOGIN))
        self.unmount()

    def test_a_wrong_password(self):
        self.enable_auth()
        self.assert_refused(self.run_program("--user", f"{USER}:not the {PASSWORD}"),
                            f"{self.etcd.endpoint}.*(authentication|password)")

    def test_no_terminal(self):
        for args, env in ((["--user", USER], {}), ([], {"ETCDCTL_USER": USER}),
                          (["-o", f"user={USER}"], {})):
            with self.subTest(args=args, env=env):
                self.assert_refused(self.run_program(*args, **env),
                                    f"{USER}.*no terminal.*--password-file")


class Terminal(SecretsTest):
    """The password is asked for."""

    def setUp(self):
        super().setUp()
        self.person, self.terminal = pty.openpty()
        self.addCleanup(os.close, self.person)
        self.addCleanup(os.close, self.terminal)
        self.screen = b""

    def start(self):
        """The program on a terminal of its own, at its question."""
        self.process = subprocess.Popen(
            ["setsid", "--ctty", *self.command("--user", USER)], stdin=self.terminal,
            stdout=self.terminal, stderr=self.terminal)
        self.addCleanup(self.process.wait)
        self.addCleanup(self.process.kill)
        deadline = Deadline("the question")
        while not self.screen.endswith(f"{USER} in etcd: ".encode()):
            self.look(deadline.left())

    def look(self, seconds):
        """Adds what the screen shows next, if anything comes."""
        if select.select([self.person], [], [], seconds)[0]:
            self.screen += os.read(self.person, 4096)

    def echoes(self):
        return bool(termios.tcgetattr(self.terminal)[3] & termios.ECHO)

    def type(self, text):
        """Returns the exit status, and what was said after the question."""
        os.write(self.person, text)
        return self.process.wait(Deadline("etcdfs ends").left()), self.said()

    def said(self):
        """What came after the question."""
        asked = len(self.screen)
        os.write(self.terminal, b"$ ")  # as the shell would now
        while not self.screen.endswith(b"$ "):
            self.look(LIMIT)
        return self.screen[asked:].removesuffix(b"$ ").decode().strip()

    def interrupt(self):
        """Until the program has gone: a Ctrl-C between its question and its read is
        only noticed at the next."""
        deadline = Deadline("etcdfs ends")
        while self.process.poll() is None:
            os.write(self.person, b"\x03")
            try:
                self.process.wait(min(0.1, deadline.left()))
            except subprocess.TimeoutExpired:
                pass
        return self.process.returncode

    def test_asked(self):
        self.enable_auth()
        self.assertTrue(self.echoes())
        self.start()
        self.assertFalse(self.echoes())
        self.assertEqual((0, ""), self.type(f"{PASSWORD}\n".encode()))
        self.assertTrue(self.echoes())
        self.assert_silent(self.screen, "the terminal")
        self.assertEqual(b"1", read(os.path.join(self.point, "f")))
        self.unmount()

    def test_nothing_typed(self):
        self.start()
        status, said = self.type(b"\n")
        self.assertGreater(status, 0)
        self.assertRegex(said, f"^etcdfs: no password of {USER} was typed$")
        self.assertIsNone(find_mount(self.point))

    def test_interrupted(self):
        """Ctrl-C ends it, and the terminal echoes again."""
        self.start()
        os.write(self.person, b"half")
        self.assertEqual(-signal.SIGINT, self.interrupt())
        self.assertEqual("", self.said())
        self.assertTrue(self.echoes())
        self.assertIsNone(find_mount(self.point))


if __name__ == "__main__":
    case.main()
