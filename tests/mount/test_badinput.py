#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What people get wrong, and values at the edges: a clear line or no trouble."""

import http.server
import os
import shlex
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import case  # noqa: E402
import inotify  # noqa: E402
from certs import Authority  # noqa: E402
from etcd import TlsEtcd, free_port  # noqa: E402
from mount import find_mount, privileged, unmount_command, wrapper  # noqa: E402
from proxy import Proxy  # noqa: E402
from wait import SLOW, Deadline  # noqa: E402


class Refused(case.MountTest):
    """One line on standard error, a non-zero exit, nothing mounted."""

    def setUp(self):
        super().setUp()
        self.point = os.path.join(self.directory, "mnt")
        os.mkdir(self.point)
        self.source = f"etcd://{self.keys.etcd.endpoint}{self.keys.prefix.decode()}"

    def run_program(self, *args, **env):
        return subprocess.run([*wrapper(), self.program(), *args], check=False, text=True,
                              env={**os.environ, **env}, stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=Deadline("etcdfs").left())

    def assert_refused(self, *args, says=".", **env):
        """Returns the line."""
        result = self.run_program(*args, **env)
        if find_mount(self.point) is not None:
            subprocess.run(unmount_command(self.point), check=False)
            self.fail(f"mounted: {args}")
        lines = [line for line in result.stderr.splitlines() if not line.startswith("==")]
        self.assertNotEqual(0, result.returncode, lines)
        self.assertGreater(result.returncode, 0, "no signal")
        self.assertEqual(1, len(lines), f"{args}: {lines}")
        self.assertEqual("", result.stdout)
        self.assertRegex(lines[0], says)
        return lines[0]

    def test_sources(self):
        for source in ("", "nonsense", "http://127.0.0.1:2379", "etcdx://127.0.0.1:2379",
                       "etcd:", "etcd:/", "etcd://", "etcd:///x",
                       "etcd://127.0.0.1:", "etcd://127.0.0.1:0", "etcd://127.0.0.1:65536",
                       "etcd://127.0.0.1:port", "etcd://127.0.0.1:-1", "etcd://127.0.0.1:2379,",
                       "etcd://,127.0.0.1:2379", "etcd://a:1,,b:2", "etcd://a b:1",
                       "etcd://127.0.0.1:2379\n", "etcd://::1:2379", "etcd://[::1",
                       "etcd://127.0.0.1:2379/%", "etcd://127.0.0.1:2379/%zz"):
            with self.subTest(source):
                self.assert_refused(source, self.point, says="etcdfs")

    def test_options(self):
        for args in (["--nope"], ["-o", "nope"], ["-o", "nope=1"], ["-x"], ["--dial-timeout=soon"],
                     ["--dial-timeout"], ["--command-timeout=-1s"], ["-o", "umask=999"],
                     ["-o", "uid=somebody"], ["--endpoints="]):
            with self.subTest(args):
                self.assert_refused(self.source, self.point, *args, says="etcdfs")

    def test_arguments(self):
        self.assert_refused(says="mount point|MOUNTPOINT|usage")
        self.assert_refused(self.source, self.point, "more")

    def assert_each_refused(self, *cases):
        """Each is (says, arguments, variables or nothing); the mount point is added."""
        for says, args, *env in cases:
            with self.subTest(args=args, env=env):
                self.assert_refused(*args, self.point, says=says, **(env[0] if env else {}))

    def test_tls(self):
        plain = self.keys.etcd.endpoint
        self.assert_each_refused(
            ("--cacert.*etcd://.*etcds://", [self.source, "--cacert=c"]),
            ("--cert.*etcd://.*etcds://", [self.source, "--cert=c", "--key=k"]),
            ("--insecure-skip-tls-verify.*etcds://", [self.source, "--insecure-skip-tls-verify"]),
            ("--key.*ETCDCTL_ENDPOINTS=http://.*https://", ["--key=k"],
             {"ETCDCTL_ENDPOINTS": f"http://{plain}"}),
            ("--cacert.*--endpoints=http://", [f"--endpoints=http://{plain}", "--cacert=c"]),
            ("--endpoints.*with TLS and some without", ["--endpoints=http://a,https://b"]),
            ("ETCDCTL_ENDPOINTS.*some without", [], {"ETCDCTL_ENDPOINTS": "unix:/a,https://b"}),
            ("--cert.*--key", ["etcds://a", "--cert=c"]),
            ("--key.*--cert", ["etcds://a", "--key=c"]),
            ("ETCDCTL_KEY.*--cert", ["etcds://a"], {"ETCDCTL_KEY": "k"}),
            ("--cacert.*file is missing", ["etcds://a", "--cacert="]),
            ("--insecure-skip-tls-verify=yes", ["etcds://a", "--insecure-skip-tls-verify=yes"]),
            ("ETCDCTL_INSECURE_SKIP_TLS_VERIFY=yes", ["etcds://a"],
             {"ETCDCTL_INSECURE_SKIP_TLS_VERIFY": "yes"}))

    def test_tls_files(self):
        """Each is named with what is wrong with it, before any server is asked."""
        ca = Authority(self.directory, "ca")
        client = ca.client("joe")
        pem = {"--cacert": ca.cert, "--cert": client.cert, "--key": client.key}
        for flag, variable in (("--cacert", "ETCDCTL_CACERT"), ("--cert", "ETCDCTL_CERT"),
                               ("--key", "ETCDCTL_KEY")):
            for file, why in self.bad_files():
                given = {**pem, flag: file}
                flags = [f"{name}={value}" for name, value in given.items()]
                self.assert_each_refused((f"{flag} {file}: {why}", ["etcds://127.0.0.1:1", *flags]))
            others = [f"{name}={value}" for name, value in pem.items() if name != flag]
            self.assert_each_refused((f"{flag} /nowhere/x: No such file",
                                      ["etcds://127.0.0.1:1", *others], {variable: "/nowhere/x"}))

    def bad_files(self):
        """(name, what the system says of it) of files that nobody can read."""
        yield "/nowhere/x", "No such file or directory"
        yield self.directory, "Is a directory"
        if not privileged():  # root reads everything
            locked = os.path.join(self.directory, "locked")
            if not os.path.exists(locked):
                os.mknod(locked, 0)
            yield locked, "Permission denied"

    def test_tls_that_is_not_there(self):
        """The server speaks in the clear."""
        self.assert_refused(self.source.replace("etcd:", "etcds:"), self.point, "--dial-timeout=2s",
                            says=f"{self.keys.etcd.endpoint}.*TLS")

    def test_logins(self):
        self.assert_each_refused(
            ("--password .*--user", [self.source, "--password=p"]),
            ("--password-file .*--user", [self.source, "--password-file=p"]),
            ("--password and --password-file", [self.source, "--user=u", "--password=p",
                                                "--password-file=f"]),
            ("NAME:PASSWORD and --password ", [self.source, "--user=u:p", "--password=p"]),
            ("NAME:PASSWORD and --password-file", [self.source, "--user=u:p",
                                                   "--password-file=f"]),
            ("--user: .*name.*empty", [self.source, "--user="]),
            ("--user: .*name.*empty", [self.source, "-o", "user=:p"]),
            ("--user: .*password.*empty", [self.source, "--user=u:"]),
            ("--password is empty", [self.source, "--user=u", "--password="]),
            ("ETCDCTL_USER: .*name.*empty", [self.source], {"ETCDCTL_USER": ":p"}))

    def test_password_files(self):
        empty, newline, fifo = (os.path.join(self.directory, name) for name in ("e", "n", "p"))
        for name, text in ((empty, ""), (newline, "\n")):
            with open(name, "w", encoding="utf-8") as file:
                file.write(text)
        os.mkfifo(fifo)
        other = "not a regular file"
        for name, why in (*self.bad_files(), (empty, "there is no password"),
                          (newline, "there is no password"), (fifo, other), ("/dev/null", other)):
            self.assert_each_refused((f"--password-file {name}: {why}",
                                      [self.source, "--user=u", f"--password-file={name}"]))

    def test_mount_points(self):
        missing = os.path.join(self.directory, "missing")
        self.assert_refused(self.source, missing, says="missing.*[Nn]o such file")
        file = os.path.join(self.directory, "file")
        with open(file, "w", encoding="utf-8"):
            self.assert_refused(self.source, file, says="file.*[Nn]ot a directory")

    def test_a_mount_point_in_use(self):
        self.keys.put("f", "1")
        mount = self.mount(directory=self.directory)
        result = self.run_program(self.source, mount.path)
        self.assertGreater(result.returncode, 0)
        self.assertEqual(1, len(result.stderr.splitlines()), result.stderr)
        self.assertIn(mount.path, result.stderr)
        self.assertEqual(b"1", mount.read("f"), "the first is still there")

    def test_no_server_listens(self):
        """Each endpoint is named with its reason, within the dial timeout."""
        one, two = free_port(), free_port()
        began = time.monotonic()
        line = self.assert_refused(f"etcd://127.0.0.1:{one},127.0.0.1:{two}/x/", self.point,
                                   "--dial-timeout=1s")
        took = time.monotonic() - began
        for port in (one, two):
            self.assertRegex(line, f"127.0.0.1:{port}[^0-9].*[Rr]efused")
        if not SLOW:
            self.assertLess(took, 1.5)

    def test_no_server_listens_on_a_socket(self):
        socket = os.path.join(self.directory, "socket")
        for args in ([f"--endpoints=unix:{socket}"], [f"--endpoints=unix://{socket}"],
                     [f"etcd://{socket.replace('/', '%2F')}/x/"]):
            with self.subTest(args):
                self.assert_refused(*args, self.point, "--dial-timeout=1s", says=f"unix:{socket}")

    def test_a_server_that_says_nothing(self):
        proxy = Proxy(free_port(), self.keys.etcd.port)
        self.addCleanup(proxy.close)
        proxy.hold()
        began = time.monotonic()
        self.assert_refused(f"etcd://{proxy.endpoint}/x/", self.point, "--dial-timeout=1s",
                            says=f"{proxy.endpoint}.*(time|answer|deadline)")
        if not SLOW:
            self.assertLess(time.monotonic() - began, 1.5)

    def test_a_server_that_is_no_etcd(self):
        """It speaks HTTP, but not gRPC."""
        server = http.server.HTTPServer(("127.0.0.1", free_port()),
                                        http.server.BaseHTTPRequestHandler)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        server.RequestHandlerClass.log_message = lambda *args: None
        threading.Thread(target=server.serve_forever).start()
        endpoint = f"127.0.0.1:{server.server_port}"
        self.assert_refused(f"etcd://{endpoint}/x/", self.point, "--dial-timeout=1s",
                            says=endpoint)

    def test_a_name_that_does_not_resolve(self):
        self.assert_refused("etcd://no-such-host.invalid:2379/", self.point, "--dial-timeout=1s",
                            says="no-such-host.invalid:2379")

    @case.privileged_only("only root can hide /dev/fuse")
    def test_no_dev_fuse(self):
        """In a mount namespace whose /dev has the null device and no more."""
        dev = os.path.join(self.directory, "dev")
        os.mkdir(dev)
        with open(os.path.join(dev, "null"), "w", encoding="utf-8"):
            pass
        command = shlex.join([*wrapper(), self.program(), self.source, self.point, "-f"])
        result = subprocess.run(
            ["unshare", "-m", "sh", "-c", f"mount --bind /dev/null {shlex.quote(dev)}/null && "
             f"mount --rbind {shlex.quote(dev)} /dev && exec {command}"],
            check=False, text=True, stdin=subprocess.DEVNULL, capture_output=True)
        self.assertGreater(result.returncode, 0)
        lines = [line for line in result.stderr.splitlines() if not line.startswith("==")]
        self.assertEqual(1, len(lines), lines)
        self.assertRegex(lines[0], "/dev/fuse")

    @case.user_only("root may mount anywhere")
    def test_a_mount_point_of_somebody_else(self):
        self.assert_refused(self.source, "/usr", says="/usr")

    def test_help_and_version(self):
        for args, says in ((["-h"], "etcdfs.*MOUNTPOINT"), (["--help"], "--endpoints"),
                           (["-V"], r"etcdfs \d"), (["--version"], r"etcdfs \d")):
            result = self.run_program(*args)
            self.assertEqual((0, ""), (result.returncode, result.stderr))
            self.assertRegex(result.stdout, f"(?s){says}")


class OtherWays(case.MountTest):
    """Endpoints and prefix need not be in the source."""

    def shown(self, *args, env=None, source=()):
        """What is mounted with ARGS and the variables ENV, and a SOURCE if there is one."""
        point = os.path.join(self.directory, "mnt")
        os.makedirs(point, exist_ok=True)
        result = subprocess.run([*wrapper(), self.program(), *source, point, *args], check=False,
                                env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL,
                                capture_output=True, text=True)
        names = os.listdir(point)
        if find_mount(point) is not None:
            subprocess.run(unmount_command(point), check=True)
        self.assertEqual((0, ""), (result.returncode, result.stderr))
        return names

    def test_flags_variables_and_o(self):
        self.keys.put("f", "1")
        endpoint, prefix = self.keys.etcd.endpoint, self.keys.prefix.decode()
        for args, env in (
                ([f"--endpoints={endpoint}", f"--prefix={prefix}"], {}),
                (["--endpoints", f"http://{endpoint}", "--prefix", prefix], {}),
                (["-o", f"endpoints={endpoint},prefix={prefix}"], {}),
                ([f"--prefix={prefix}"], {"ETCDCTL_ENDPOINTS": endpoint}),
                ([f"--prefix={prefix}", f"--endpoints={endpoint}"],
                 {"ETCDCTL_ENDPOINTS": "127.0.0.1:1", "ETCDCTL_DIAL_TIMEOUT": "3s"})):
            with self.subTest(args=args, env=env):
                self.assertEqual(["f"], self.shown(*args, env=env))

    def test_with_tls(self):
        ca = Authority(self.directory, "ca")
        joe = ca.client("joe")
        etcd = TlsEtcd(self.directory, ca.server("server", "127.0.0.1"), clients=ca).start()
        self.addCleanup(etcd.stop)
        etcd.put("/f", "1")
        files = {"cacert": ca.cert, "cert": joe.cert, "key": joe.key}
        flags = [f"--{name}={file}" for name, file in files.items()]
        options = ["-o", ",".join(f"{name}={file}" for name, file in files.items())]
        variables = {f"ETCDCTL_{name.upper()}": file for name, file in files.items()}
        url = f"https://{etcd.tls_endpoint}"
        tls = [f"etcds://{etcd.tls_endpoint}"]
        for source, args, env in (
                (tls, flags, {}), (tls, options, {}), (tls, [], variables),
                ([], [f"--endpoints={url}", *flags], {}),
                ([], [f"--endpoints={etcd.tls_endpoint}", *flags], {}),
                ([], [], {"ETCDCTL_ENDPOINTS": etcd.tls_endpoint, **variables}),
                ([], flags[1:], {"ETCDCTL_ENDPOINTS": url, "ETCDCTL_CACERT": ca.cert}),
                ([], [f"--endpoints={url}", *flags[1:], "--insecure-skip-tls-verify"], {}),
                # In the clear, whatever the variables say.
                ([f"etcd://{etcd.endpoint}"], [], variables),
                ([], [f"--endpoints={etcd.url}"], variables)):
            with self.subTest(source=source, args=args, env=env):
                self.assertEqual(["f"], self.shown(*args, env=env, source=source))

    def test_a_prefix_that_ends_inside_a_component(self):
        """A prefix is bytes, not a directory."""
        self.keys.put("app/a", "1")
        self.keys.put("apple", "2")
        self.assertEqual({"le", "a"}, set(self.shown(f"--endpoints={self.keys.etcd.endpoint}",
                                               f"--prefix={self.keys.prefix.decode()}app")))

    def test_one_of_two_endpoints_is_dead(self):
        self.keys.put("f", "1")
        dead = f"127.0.0.1:{free_port()}"
        for endpoints in (f"{dead},{self.keys.etcd.endpoint}", f"{self.keys.etcd.endpoint},{dead}"):
            self.assertEqual(["f"], self.shown(f"--endpoints={endpoints}",
                                               f"--prefix={self.keys.prefix.decode()}"))


class Edges(case.MountTest):
    def test_a_prefix_that_matches_nothing(self):
        """An empty directory, and keys appear when they come."""
        nothing = f"etcd://{self.keys.etcd.endpoint}/nothing-{os.getpid()}/"
        mount = self.mount(source=nothing)
        self.assertEqual([], os.listdir(mount.path))
        watcher = self.watcher()
        watcher.add(mount.path, inotify.CHANGES)
        etcd, prefix = self.keys.etcd, f"/nothing-{os.getpid()}/"
        etcd.put(f"{prefix}f", "1")
        self.assertEqual(["CREATE f", "MODIFY f", "CLOSE_WRITE f"],
                         [str(event) for event in watcher.until_closed("f")])
        self.assertEqual(b"1", mount.read("f"))
        etcd.delete(f"{prefix}f")
        self.assertEqual("DELETE f", str(watcher.next()))
        self.assertEqual([], os.listdir(mount.path))

    def test_the_whole_key_space(self):
        """No prefix at all."""
        etcd = self.own_etcd()
        for key in ("plain", "/slashed", "/d/f"):
            etcd.put(key, key)
        mount = self.mount(source=f"etcd://{etcd.endpoint}")
        self.assertEqual(["d", "plain", "slashed"],
                         [name for name in mount.list() if not name.startswith("Edges")])
        self.assertEqual(b"/d/f", mount.read("d", "f"))

    def test_values_of_every_size(self):
        """Empty to 1.5 MiB, from the seed and as changes, growing and shrinking."""
        self.own_etcd("--max-request-bytes", "4194304")
        sizes = [0, 1, 4096, 100000, 1 << 20, 3 << 19]
        for size in sizes:
            self.keys.put(f"seed-{size}", b"s" * size)
        mount = self.mount()
        for size in sizes + sizes[::-1]:
            self.assertEqual(b"s" * size, mount.read(f"seed-{size}"))
            self.keys.put("f", b"f" * size)
            mount.settle()
            self.assertEqual(size, os.stat(mount.join("f")).st_size)
            self.assertEqual(b"f" * size, mount.read("f"))

    def test_more_than_one_response_of_changes(self):
        """A transaction of 20 MiB, which etcd sends in fragments."""
        self.own_etcd("--max-request-bytes", str(64 << 20))
        mount = self.mount()
        values = {f"k{i}": bytes([i + 1]) * (1 << 20) for i in range(20)}
        self.keys.txn(values)
        mount.settle()
        for name, value in values.items():
            self.assertEqual(value, mount.read(name))

    def test_a_key_that_is_the_prefix_itself(self):
        self.keys.put("", "root's own")
        self.keys.put("f", "1")
        mount = self.mount()
        self.assertEqual([".value", "f"], mount.list())
        self.assertEqual(b"root's own", mount.read(".value"))
        self.assertEqual(self.keys.prefix, os.getxattr(mount.join(".value"), "user.etcd.key"))
        watcher = self.watcher()
        watcher.add(mount.path, inotify.CHANGES)
        self.keys.put("", "new")
        self.assertEqual(["MODIFY .value", "CLOSE_WRITE .value"],
                         [str(event) for event in watcher.until_closed(".value")])
        self.keys.delete("")
        self.assertEqual("DELETE .value", str(watcher.next()))
        self.assertEqual(["f"], mount.list())


if __name__ == "__main__":
    case.main()
