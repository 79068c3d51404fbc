#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Each option's wrong values: one line that names the option, and exit status 2 for what
cannot be, 1 for what is not there.  The tables have every option of --help."""

import os
import subprocess
import sys
from types import SimpleNamespace

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import case  # noqa: E402
import documented  # noqa: E402
from mount import find_mount, wrapper  # noqa: E402
from wait import SLOW  # noqa: E402

DURATIONS = ["", "soon", "5", "-1s", "0s", "1s1", "9999999999h", "5s "]
IDS = ["", "root", "-1", "4294967295", "1.5", "0x10"]
MASKS = ["", "999", "8", "1777", "-1", "u=rwx"]
THREADS = ["", "0", "-1", "10001", "many"]
SWITCHES = ["yes", "on", "2", "TRUe"]
FILES = [""]
EXISTING = "/etc/passwd"

# What cannot be, whatever the machine is like.  That a value is missing, or is there where
# none can be, is tried for all.
WRONG = {
    "--endpoints": ["", ",", "a:0", "a:65536", "a:port", "a b:1", "a:1,,b:1", "ftp://a:1",
                    "http://a,https://b", "[::1", "::1:2379", "unix:"],
    "--prefix": [],  # any bytes
    "--rev": ["", "0", "-1", "new", "1.5", "9223372036854775808"],
    "--discovery-srv": [""],
    "--discovery-srv-name": ["a"],  # without a domain
    "--insecure-discovery": SWITCHES,
    "--dial-timeout": DURATIONS,
    "--command-timeout": DURATIONS,
    "--keepalive-time": [*DURATIONS, "5s", "5999ms"],
    "--keepalive-timeout": DURATIONS,
    "--cacert": FILES,
    "--cert": [*FILES, EXISTING],  # without its key
    "--key": [*FILES, EXISTING],
    "--insecure-skip-tls-verify": SWITCHES,
    "--user": ["", ":", ":secret", "joe:"],
    "--password": ["", "secret"],  # whose?
    "--password-file": ["", EXISTING],
    "--auth-jwt-token": ["", "with blanks", "n\u00f6"],
    "--auth-jwt-token-file": FILES,
    "--retry": DURATIONS,
    "--bg": [],
    "--max-stale": [*DURATIONS, "999ms"],
    "--stale-policy": ["", "Serve", "die", "serve"],  # the last: when?
    "--uid": IDS,
    "--gid": IDS,
    "--umask": MASKS,
    "--fmask": MASKS,
    "--dmask": MASKS,
    "--executable": [],
    "--allow-other": [],
    "--config-file": [*FILES, "/", EXISTING],  # these are not of its form
    "--log-level": ["", "Info", "loud", "7"],
    "--mount-namespace": FILES,
    "--max-threads": THREADS,
    "--max-idle-threads": THREADS,
    "--foreground": [],
    "--debug": [],
    "--single-thread": [],
    "--help": [],
    "--version": [],
}

# What could be, and is not; with what must be given beside it.
NOT_THERE = {
    "--discovery-srv": (["no-such-domain.invalid"], ["--dial-timeout=5s"]),
    "--cacert": (["/nowhere/x", "/"], []),
    "--cert": (["/nowhere/x", "/"], [f"--key={EXISTING}"]),
    "--key": (["/nowhere/x", "/"], [f"--cert={EXISTING}"]),
    "--password-file": (["/nowhere/x", "/", "/dev/null"], ["--user=u"]),
    "--auth-jwt-token-file": (["/nowhere/x", "/", "/dev/null"], []),
    "--config-file": (["/nowhere/x"], []),
    "--mount-namespace": (["/nowhere/x", "/", "/dev/null", EXISTING], []),
}

CONTRADICTIONS = [
    ["--rev=1", "--max-stale=1m"],
    ["--single-thread", "--max-threads=2"],
    ["--single-thread", "--max-idle-threads=2"],
    ["--user=u:p", "--password=p"],
    ["--password-file=a", "--password=p", "--user=u"],
    ["--user=u:p", "--auth-jwt-token=t"],
    ["--auth-jwt-token=t", "--auth-jwt-token-file=f"],
    ["--endpoints=a:1", "--discovery-srv=b"],
]

# Those of etcdctl; the others are ours alone.
VARIABLES = {f"--{name}": "ETCDCTL_" + name.upper().replace("-", "_") for name in (
    "endpoints", "insecure-discovery", "dial-timeout", "command-timeout", "keepalive-time",
    "keepalive-timeout", "insecure-skip-tls-verify", "user", "auth-jwt-token")}


class BadValues(case.MountTest):
    def setUp(self):
        super().setUp()
        self.point = os.path.join(self.directory, "mnt")
        os.mkdir(self.point)
        self.options = documented.help_options(self.program())

    def refused(self, status, names, args, **env):
        # Nobody listens there, should it come so far.
        env = {"ETCDCTL_ENDPOINTS": "127.0.0.1:1", "ETCDCTL_DIAL_TIMEOUT": "1s", **env}
        result = subprocess.run([*wrapper(), self.program(), *args], check=False, text=True,
                                env={**os.environ, **env}, stdin=subprocess.DEVNULL,
                                capture_output=True)
        self.assertIsNone(find_mount(self.point), args)
        self.assertEqual((status, ""), (result.returncode, result.stdout), (args, result.stderr))
        lines = [line for line in result.stderr.splitlines() if not line.startswith("==")]
        self.assertEqual(1, len(lines), (args, lines))
        self.assertTrue(lines[0].startswith("etcdfs: "), lines)
        self.assertTrue(any(name in lines[0] for name in names), (args, lines))

    def test_the_tables_have_every_option(self):
        self.assertEqual(set(self.options), set(WRONG))
        files = {flag for flag, (_, value) in self.options.items() if value == "FILE"}
        self.assertLessEqual(files, set(NOT_THERE))
        self.assertLessEqual(documented.variables() - set(VARIABLES.values()), {
            # Any text, or what only the files tell, or nothing comes of it.
            "ETCDCTL_DISCOVERY_SRV", "ETCDCTL_DISCOVERY_SRV_NAME", "ETCDCTL_CACERT",
            "ETCDCTL_CERT", "ETCDCTL_KEY", "ETCDCTL_PASSWORD", "ETCDCTL_INSECURE_TRANSPORT",
            "ETCDCTL_MAX_REQUEST_BYTES", "ETCDCTL_MAX_RECV_BYTES"})

    def test_what_cannot_be(self):
        for flag, values in WRONG.items():
            for value in values[:2] if SLOW else values:  # a hundred starts are enough for it
                with self.subTest(flag, value=value):
                    self.refused(2, [flag, f"{value}: "], [self.point, f"{flag}={value}"])

    def test_within_o(self):
        for flag, values in WRONG.items():
            for value in values[:2]:
                with self.subTest(flag, value=value):
                    item = f"{flag[2:].replace('-', '_')}={value}".replace(",", "\\,")
                    self.refused(2, [flag, f"{value}: "], [self.point, "-o", item])

    def test_without_a_value(self):
        for flag, (_, value) in self.options.items():
            if value:
                with self.subTest(flag):
                    self.refused(2, [flag], [self.point, flag])

    def test_a_value_for_what_has_none(self):
        for flag, (_, value) in self.options.items():
            if not value and flag not in ("--insecure-discovery", "--insecure-skip-tls-verify"):
                with self.subTest(flag):
                    self.refused(2, [flag], [self.point, f"{flag}=true"])

    def test_variables(self):
        for flag, variable in VARIABLES.items():
            for value in WRONG[flag]:
                # Empty is none, and etcdctl raises what is too short.
                if value and (flag, value) not in {("--keepalive-time", short)
                                                   for short in ("0s", "5s", "5999ms")}:
                    with self.subTest(variable, value=value):
                        self.refused(2, [variable], [self.point], **{variable: value})

    def test_in_a_configuration_file(self):
        file = os.path.join(self.directory, "conf")
        for flag, values in WRONG.items():
            for value in values[:1]:
                if flag == "--config-file":
                    continue
                with self.subTest(flag, value=value):
                    with open(file, "w", encoding="utf-8") as conf:
                        conf.write(f"[etcdfs]\n{flag[2:]}={value}\n")
                    self.refused(2, [flag[2:], file], [self.point, f"--config-file={file}"])

    def test_what_is_not_there(self):
        for flag, (values, others) in NOT_THERE.items():
            for value in values:
                with self.subTest(flag, value=value):
                    self.refused(1, [flag, value], [self.point, f"{flag}={value}", *others])

    def test_contradictions(self):
        for flags in CONTRADICTIONS:
            with self.subTest(flags):
                self.refused(2, ["--"], [self.point, *flags])

    def test_of_etcdfs_wait(self):
        wrong = {"--revision": ["", "-1", "new", "1.5"], "--exists": ["", "/elsewhere"],
                 "--timeout": DURATIONS[:3], "--live": [], "--help": [],
                 "--version": []}
        command = self.wait_command(SimpleNamespace(path=self.point))
        self.assertEqual(set(documented.help_options(command[0])), set(wrong))
        cases = [[f"{flag}={value}"] for flag, values in wrong.items() for value in values]
        for args in [*cases, ["--revision"], ["--nope"], [], ["--live", "another"]]:
            with self.subTest(args):
                self.refused_wait(2, [*command, *([] if args == [] else ["--live"]), *args])
        self.refused_wait(1, [*command, "--live"], "not an etcdfs mount")
        self.refused_wait(1, [command[0], "/nowhere/x", "--live"], "No such file")

    def refused_wait(self, status, command, says=""):
        result = subprocess.run([*wrapper(), *command], check=False, text=True, capture_output=True)
        self.assertEqual((status, ""), (result.returncode, result.stdout), command)
        lines = [line for line in result.stderr.splitlines() if not line.startswith("==")]
        self.assertEqual(1, len(lines), (command, lines))
        self.assertRegex(lines[0], f"^etcdfs-wait: .*{says}")


if __name__ == "__main__":
    case.main()
