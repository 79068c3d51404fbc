# SPDX-License-Identifier: Apache-2.0
"""A certificate authority of a test's own, and what it signs: openssl does it.

    ca = Authority(directory, "ca")
    server = ca.server("m1", "127.0.0.1", "etcd.example")
    client = ca.client("alice")
    old = ca.server("old", "127.0.0.1", valid=EXPIRED)
    inner = Authority(directory, "inner", issuer=ca)

Each has the files .cert and .key, both PEM.  What an inner authority signs has the
authority's certificate behind its own, as a server or client must show it.
"""

import datetime
import ipaddress
import os
import subprocess

# From and until when, in days from now.
VALID = (-1, 3650)
EXPIRED = (-20, -10)
NOT_YET = (10, 20)

_CONFIG = """
[ca]
default_ca = test
[test]
database = {base}.index
serial = {base}.serial
new_certs_dir = {directory}
default_md = sha256
policy = subject
unique_subject = no
[subject]
commonName = supplied
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
extendedKeyUsage = serverAuth
subjectAltName = {names}
[client]
extendedKeyUsage = clientAuth
"""


def _openssl(*args):
    result = subprocess.run(["openssl", *args], stdin=subprocess.DEVNULL, capture_output=True,
                            text=True, check=False)
    if result.returncode:
        raise RuntimeError(f"openssl {args[0]}: {result.stderr}")


def _date(days):
    moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days)
    return moment.strftime("%Y%m%d%H%M%SZ")


def _alternative_name(name):
    try:
        return f"IP:{ipaddress.ip_address(name)}"
    except ValueError:
        return f"DNS:{name}"


def replace(path, *sources):
    """PATH holds what SOURCES do from now on: one rename, as a renewal does it."""
    with open(f"{path}.new", "w", encoding="ascii") as target:
        for source in sources:
            with open(source, encoding="ascii") as file:
                target.write(file.read())
    os.rename(f"{path}.new", path)


class Certificate:
    """The files DIRECTORY/NAME.cert and .key."""

    def __init__(self, directory, name):
        self.base = os.path.join(directory, name)
        self.cert = f"{self.base}.cert"
        self.key = f"{self.base}.key"

    def replace(self, other):
        """The files hold what OTHER's do from now on."""
        replace(self.cert, other.cert)
        replace(self.key, other.key)

    def request(self, common_name):
        """A new key, and a request for it; returns the request's file."""
        _openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                 "-subj", f"/CN={common_name}", "-keyout", self.key, "-out", f"{self.base}.csr")
        return f"{self.base}.csr"


class Authority(Certificate):
    """Signs its own certificate, or has ISSUER sign it."""

    def __init__(self, directory, name, issuer=None):
        super().__init__(directory, name)
        self.directory = directory
        self.is_root = issuer is None
        with open(f"{self.base}.index", "w", encoding="ascii"):
            pass
        (issuer or self).sign(self, name, "authority")

    def server(self, name, *names, valid=VALID):
        """For a server that is reached by NAMES, host names and addresses."""
        certificate = Certificate(self.directory, name)
        self.sign(certificate, name, "server", names, valid)
        return certificate

    def client(self, common_name, valid=VALID):
        """For a client; to etcd its common name is a user."""
        certificate = Certificate(self.directory, common_name)
        self.sign(certificate, common_name, "client", valid=valid)
        return certificate

    def sign(self, certificate, common_name, kind, names=("localhost",), valid=VALID):
        request = certificate.request(common_name)
        with open(f"{self.base}.conf", "w", encoding="ascii") as config:
            config.write(_CONFIG.format(base=self.base, directory=self.directory,
                                        names=",".join(map(_alternative_name, names))))
        signer = ["-selfsign"] if certificate is self else ["-cert", self.cert]
        _openssl("ca", "-batch", "-config", config.name, *signer, "-keyfile", self.key,
                 "-create_serial", "-notext", "-extensions", kind, "-in", request,
                 "-startdate", _date(valid[0]), "-enddate", _date(valid[1]),
                 "-out", certificate.cert)
        if not self.is_root:
            self._append_to(certificate)

    def _append_to(self, certificate):
        with open(self.cert, encoding="ascii") as mine:
            text = mine.read()
        with open(certificate.cert, "a", encoding="ascii") as file:
            file.write(text)
