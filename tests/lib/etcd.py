# SPDX-License-Identifier: Apache-2.0
"""A real etcd server with its own data and ports, and a quick way to talk to it.

Requests go through the server's JSON gateway over one kept-alive connection for
each thread, because a process for each put would be the slowest part of a test.
Keys and values are bytes; str is taken as UTF-8.
"""

import base64
import contextlib
import http.client
import itertools
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import threading

from wait import ENDS_WITH_US, LIMIT, Deadline

# Below the ports that the kernel gives to outgoing connections: a port that is
# closed for a while (a killed server) is not handed to somebody else, nor does a
# client that dials it connect to itself.
PORTS = range(20000, 32000)


_reserved = {}


def _reserve(port):
    """Whoever has bound the name has the port, whether it listens just now or not."""
    holder = socket.socket(socket.AF_UNIX)
    try:
        holder.bind(f"\0etcdfs-test-port-{port}")
    except OSError:
        holder.close()
        return False
    _reserved[port] = holder
    return True


def free_port():
    """A port of 127.0.0.1 that nobody listens on, and that no test gets before this
    process has ended."""
    while True:
        port = random.choice(PORTS)
        if not _reserve(port):
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


class EtcdError(Exception):
    """etcd answered, and the answer was no."""


class Unavailable(EtcdError):
    """Not now, or not by this member."""


# Of a token that is missing, expired, lost in a restart or older than the users are.
_NO_TOKEN = ("etcdserver: user name is empty", "etcdserver: invalid auth token",
             "etcdserver: revision of auth store is old")


# gRPC's codes for it: CANCELLED, UNKNOWN (what raft says passes through etcd as it is),
# DEADLINE_EXCEEDED, UNAVAILABLE.
_AWAY = (1, 2, 4, 14)


def to_bytes(data):
    return data.encode() if isinstance(data, str) else bytes(data)


def _encode(data):
    return base64.b64encode(to_bytes(data)).decode()


def _decode(text):
    return base64.b64decode(text or "")


def prefix_end(prefix):
    """The first key after all that begin with PREFIX."""
    end = bytearray(to_bytes(prefix))
    while end and end[-1] == 0xFF:
        end.pop()
    if not end:
        return b"\0"
    end[-1] += 1
    return bytes(end)


class KeyValue:
    """What etcd says of one key."""

    def __init__(self, kv):
        self.key = _decode(kv["key"])
        self.value = _decode(kv.get("value"))
        self.create_revision = int(kv["create_revision"])
        self.mod_revision = int(kv["mod_revision"])
        self.version = int(kv["version"])
        self.lease = int(kv.get("lease", 0))


def put_op(key, value, lease=0):
    return {"requestPut": {"key": _encode(key), "value": _encode(value), "lease": str(lease)}}


def delete_op(key):
    return {"requestDeleteRange": {"key": _encode(key)}}


class Client:
    """Requests to etcd at self.host and self.port."""

    timeout = None  # of each request, in seconds
    login = None  # name and password, where etcd asks who we are

    def __init__(self, host, port):
        self.host, self.port = host, port
        self._token = None
        self._connections = threading.local()

    def call(self, method, body):
        """One request of the gateway's /v3/kv/METHOD or, with a slash, /v3/METHOD."""
        path = f"/v3/{method}" if "/" in method else f"/v3/kv/{method}"
        try:
            return self._request_as_user(path, json.dumps(body))
        except (OSError, http.client.HTTPException):
            self._connections.current = None
            raise

    def _request_as_user(self, path, body):
        try:
            return self._request(path, body)
        except EtcdError as error:
            if not self.login or str(error) not in _NO_TOKEN:
                raise
        name, password = self.login
        self.log_out()  # with a bad token this would be refused, too
        answer = self._request("/v3/auth/authenticate",
                               json.dumps({"name": name, "password": password}))
        self._token = answer["token"]
        return self._request(path, body)

    def log_out(self):
        self._token = None

    def _request(self, path, body):
        connection = getattr(self._connections, "current", None)
        if connection is None or connection.port != self.port:
            connection = http.client.HTTPConnection(self.host, self.port, timeout=self.timeout)
            self._connections.current = connection
        headers = {"Authorization": self._token} if self._token else {}
        connection.request("POST", path, body, headers)
        response = connection.getresponse()
        answer = json.loads(response.read())
        if response.status != 200:
            kind = Unavailable if answer.get("code") in _AWAY else EtcdError
            raise kind(answer.get("error", str(answer)))
        return answer

    def put(self, key, value, lease=0):
        """Returns the revision of the put."""
        answer = self.call("put", put_op(key, value, lease)["requestPut"])
        return int(answer["header"]["revision"])

    def delete(self, key):
        answer = self.call("deleterange", delete_op(key)["requestDeleteRange"])
        return int(answer["header"]["revision"])

    def delete_prefix(self, prefix):
        answer = self.call("deleterange", {"key": _encode(to_bytes(prefix) or b"\0"),
                                           "range_end": _encode(prefix_end(prefix))})
        return int(answer["header"]["revision"])

    def txn(self, *ops):
        """All of OPS (put_op, delete_op) in one revision."""
        answer = self.call("txn", {"success": list(ops)})
        return int(answer["header"]["revision"])

    def range(self, prefix):
        """{key: KeyValue} of every key that begins with PREFIX."""
        answer = self.call("range", {"key": _encode(to_bytes(prefix) or b"\0"),
                                     "range_end": _encode(prefix_end(prefix))})
        return {kv.key: kv for kv in map(KeyValue, answer.get("kvs", []))}

    def history(self, prefix, first, last):
        """[(revision, [(key, value or None)...])...] of what begins with PREFIX, from
        the revision FIRST to LAST, which must be one of them."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=LIMIT)
        connection.request("POST", "/v3/watch", json.dumps({"create_request": {
            "key": _encode(prefix), "range_end": _encode(prefix_end(prefix)),
            "start_revision": str(first)}}))
        found = {}
        with contextlib.closing(connection), connection.getresponse() as answers:
            while last not in found:
                for event in json.loads(answers.readline())["result"].get("events", ()):
                    kv = event["kv"]
                    value = None if event.get("type") == "DELETE" else _decode(kv.get("value"))
                    found.setdefault(int(kv["mod_revision"]), []).append((_decode(kv["key"]), value))
        return sorted(found.items())

    def revision(self):
        return self.header()["revision"]

    def header(self):
        """revision, cluster_id, member_id and raft_term of a fresh answer."""
        answer = self.call("range", {"key": _encode("\0"), "count_only": True})
        return {name: int(value) for name, value in answer["header"].items()}

    def compact(self, revision):
        self.call("compaction", {"revision": str(revision), "physical": True})

    def grant(self, seconds):
        """A lease of so many seconds."""
        return int(self.call("lease/grant", {"TTL": str(seconds)})["ID"])

    def metrics(self):
        """What it tells Prometheus."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=LIMIT)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        return text

    def metric(self, name, label=""):
        """The sum of those called NAME (with LABEL)."""
        return sum(float(line.split()[-1]) for line in self.metrics().splitlines()
                   if re.match(rf"{name}\b", line) and label in line)

    def calls(self, method):
        """{code: how many} of the gRPC method's calls that have ended, the gateway's, too."""
        text = self.metrics()
        pattern = r'^grpc_server_handled_total{grpc_code="(\w+)",grpc_method="(\w+)",.*} (\d+)$'
        return {code: int(count) for code, name, count in re.findall(pattern, text, re.MULTILINE)
                if name == method}

    def until_calls(self, method, code, count, limit=LIMIT):
        """Until COUNT calls of the gRPC method have ended with CODE."""
        deadline = Deadline(f"{count} calls of {method}: {code}", limit)
        while self.calls(method)[code] < count:
            deadline.pause()


class Etcd(Client):
    """One server.  Ports, token and URLs stay the same over restart and restore."""

    name = "test"

    def __init__(self, directory, *args):
        self.directory = directory
        self.data = os.path.join(directory, "data")
        self.log = os.path.join(directory, "etcd.log")
        self.args = args
        self.process = None
        self._generation = 0
        super().__init__("127.0.0.1", None)
        self._take_ports()

    def _take_ports(self):
        self.port, self.peer_port = free_port(), free_port()
        self._name_urls()

    def _name_urls(self):
        self.endpoint = f"{self.host}:{self.port}"
        self.url = f"http://{self.endpoint}"
        self.peer_url = f"http://{self.host}:{self.peer_port}"

    def initial_cluster(self):
        return f"{self.name}={self.peer_url}"

    # The server.

    def command(self):
        return [*ENDS_WITH_US, "KILL", "etcd", "--name", self.name, "--data-dir", self.data,
                "--listen-client-urls", self.url, "--advertise-client-urls", self.url,
                "--listen-peer-urls", self.peer_url,
                "--initial-advertise-peer-urls", self.peer_url,
                "--initial-cluster", self.initial_cluster(),
                "--initial-cluster-token", "etcdfs-test",
                "--logger", "zap", "--log-outputs", "stderr", "--log-level", "warn",
                *self.args]

    def start(self):
        """Returns when the server answers a linearizable read."""
        fresh = not os.path.exists(self.data)
        deadline = Deadline("etcd answers")
        while True:
            self.launch()
            if self._wait_ready(deadline):
                return self
            if not fresh:
                raise RuntimeError(f"etcd did not start again, see {self.log}")
            shutil.rmtree(self.data, ignore_errors=True)
            self._take_ports()  # somebody was quicker

    def launch(self):
        """Starts it and does not wait."""
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def _wait_ready(self, deadline):
        while self.process.poll() is None:
            try:
                self.call("range", {"key": _encode("ready")})
                return True
            except (OSError, http.client.HTTPException, EtcdError):
                try:  # the bound of a poll, ended early when the server gives up
                    self.process.wait(timeout=min(0.02, deadline.left()))
                except subprocess.TimeoutExpired:
                    pass
        return False

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait()
            self.process = None

    def kill(self):
        """Like a crash: SIGKILL, nothing said to anybody."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process = None

    def wipe(self):
        """Stops the server and forgets all data."""
        self.stop()
        shutil.rmtree(self.data)

    def snapshot(self):
        """Saves a snapshot; returns its file."""
        self._generation += 1
        snapshot = os.path.join(self.directory, f"snapshot-{self._generation}.db")
        self._etcdctl("--endpoints", self.endpoint, "snapshot", "save", snapshot)
        return snapshot

    def restore(self, snapshot):
        """Stops the server and puts SNAPSHOT in the place of its data."""
        self.wipe()
        self._etcdctl("snapshot", "restore", snapshot, "--name", self.name,
                      "--data-dir", self.data,
                      "--initial-cluster", self.initial_cluster(),
                      "--initial-advertise-peer-urls", self.peer_url,
                      "--initial-cluster-token", "etcdfs-test")

    @staticmethod
    def _etcdctl(*args):
        subprocess.run(["etcdctl", *args], env={**os.environ, "ETCDCTL_API": "3"},
                       check=True, stdin=subprocess.DEVNULL, capture_output=True)


class TlsEtcd(Etcd):
    """One that listens with TLS, too, at tls_endpoint.  The tests' own requests stay in
    the clear: they must go on whatever the certificates are like."""

    def __init__(self, directory, certificate, *args, clients=None):
        """CERTIFICATE (certs.py) is the server's; CLIENTS: must have one of this Authority."""
        self.certificate = certificate
        self.clients = clients
        super().__init__(directory, *args)

    def _take_ports(self):
        super()._take_ports()
        self.tls_port = free_port()
        self.tls_endpoint = f"{self.host}:{self.tls_port}"

    def command(self):
        return [*super().command(),
                *tls_flags(self, self.tls_endpoint, self.certificate, self.clients)]


def tls_flags(etcd, endpoint, certificate, clients=None):
    """By which ETCD listens at ENDPOINT with TLS, too."""
    flags = ["--listen-client-urls", f"{etcd.url},https://{endpoint}",
             "--cert-file", certificate.cert, "--key-file", certificate.key]
    if clients:
        flags += ["--client-cert-auth", "--trusted-ca-file", clients.cert]
    return flags


class Auth:
    """ETCD's users, roles and permissions."""

    def __init__(self, etcd):
        self._etcd = etcd

    def _call(self, method, **body):
        self._etcd.call(f"auth/{method}", body)

    def enable(self):
        """From here on etcd asks everybody, and this test is root."""
        self.add_user("root", "root")
        self.add_role("root")
        self.grant_role("root", "root")
        self._etcd.login = "root", "root"
        self._call("enable")

    def disable(self):
        self._call("disable")
        self._etcd.login = None
        self._etcd.log_out()

    def add_user(self, user, password):
        self._call("user/add", name=user, password=password)

    def delete_user(self, user):
        self._call("user/delete", name=user)

    def set_password(self, user, password):
        self._call("user/changepw", name=user, password=password)

    def grant_role(self, user, role):
        self._call("user/grant", user=user, role=role)

    def revoke_role(self, user, role):
        self._call("user/revoke", name=user, role=role)

    def add_role(self, role):
        self._call("role/add", name=role)

    def delete_role(self, role):
        self._call("role/delete", role=role)

    def grant_read(self, role, key, end=None):
        """Of exactly the keys from KEY to END, or those that begin with KEY."""
        self._call("role/grant", name=role, perm={"permType": "READ", **self._range(key, end)})

    def revoke_read(self, role, key, end=None):
        self._call("role/revoke", role=role, **self._range(key, end))

    @staticmethod
    def _range(key, end):
        return {"key": _encode(key), "range_end": _encode(end or prefix_end(key))}


class Keys:
    """The keys of one test: those of ETCD that begin with PREFIX."""

    def __init__(self, etcd, prefix):
        self.etcd = etcd
        self.prefix = to_bytes(prefix)

    def full(self, name):
        return self.prefix + to_bytes(name)

    def put(self, name, value, lease=0):
        return self.etcd.put(self.full(name), value, lease)

    def delete(self, name):
        return self.etcd.delete(self.full(name))

    def txn(self, puts=None, deletes=()):
        """Puts every name of PUTS, deletes every name of DELETES: one revision."""
        return self.etcd.txn(*(put_op(self.full(name), value)
                               for name, value in (puts or {}).items()),
                             *(delete_op(self.full(name)) for name in deletes))

    def fill(self, puts, together=128, lease=0):
        """Puts each (name, value) of PUTS, quickly: as many TOGETHER in one revision as
        etcd takes by default."""
        ops = (put_op(self.full(name), value, lease) for name, value in puts)
        while some := list(itertools.islice(ops, together)):
            self.etcd.txn(*some)

    def all(self):
        """{name: KeyValue}, the prefix taken off."""
        kvs = self.etcd.range(self.prefix)
        return {key[len(self.prefix):]: kv for key, kv in kvs.items()}
