# SPDX-License-Identifier: Apache-2.0
"""The stock kernels of Debian's releases, from the mirror that the machine uses.

Packages are got through an apt of our own: its lists are those of the release that
is asked for, whatever the machine's sources name, and nothing is installed.
"""

import glob
import lzma
import os
import re
import shutil
import subprocess

# The kernel, and the release whose stock kernel it is.
RELEASES = {"6.1": "bookworm", "6.12": "trixie"}
PACKAGE = "linux-image-amd64"
ORIGIN = "Debian"


class Unavailable(Exception):
    """No reason to fail, but one to say so."""


class Kernel:
    def __init__(self, directory):
        self.directory = directory
        self.image = self._only("boot/vmlinuz-*")

    def _only(self, pattern):
        """The one file that matches PATTERN."""
        file, = glob.glob(os.path.join(self.directory, pattern), recursive=True)
        return file

    def modules(self, name, setting=None):
        """The contents of the module NAME and of those it needs, in the order in which
        they are loaded.  None, when the kernel's SETTING says that it is part of it."""
        if setting and self._is_built_in(setting):
            return []
        content = self._module(name)
        needs = re.search(rb"\0depends=([^\0]*)", content)[1].decode()
        return [module for need in filter(None, needs.split(","))
                for module in self.modules(need)] + [content]

    def _is_built_in(self, setting):
        with open(self._only("boot/config-*"), encoding="utf-8") as config:
            return f"{setting}=y\n" in config

    def _module(self, name):
        stem = name.replace("_", "[-_]")
        path = self._only(f"**/kernel/**/{stem}.ko*")
        with (lzma.open if path.endswith(".xz") else open)(path, "rb") as file:
            return file.read()


def get(name, directory):
    """The kernel NAME, unpacked in DIRECTORY (once)."""
    unpacked = os.path.join(directory, "unpacked")
    if not os.path.exists(unpacked):
        package = Apt(RELEASES[name], os.path.join(directory, "apt")).download()
        if not os.path.basename(package).startswith(f"linux-image-{name}."):
            raise Unavailable(f"{RELEASES[name]} has {os.path.basename(package)}")
        _unpack(package, unpacked)
    return Kernel(unpacked)


def _unpack(package, directory):
    half = f"{directory}.half"
    shutil.rmtree(half, ignore_errors=True)
    os.makedirs(half)
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package],
                          stdout=subprocess.PIPE) as content:
        subprocess.run(["tar", "-x", "-C", half, "--wildcards", "./boot/*",
                        "*/kernel/fs/*", "*/kernel/lib/*"], stdin=content.stdout, check=True)
    os.rename(half, directory)
    os.remove(package)


class Apt:
    """The packages of one RELEASE; DIRECTORY is all that it touches."""

    def __init__(self, release, directory):
        self.directory = directory
        for folder in "lists/partial", "cache/archives/partial":
            os.makedirs(os.path.join(directory, folder), exist_ok=True)
        self.sources = os.path.join(directory, "sources.list")
        with open(self.sources, "w", encoding="utf-8") as file:
            file.write(f"deb {_signed_by()}{_mirror()} {release} main\n")
        self._get("update", "-o", "APT::Update::Error-Mode=any")

    def download(self):
        """The package of the kernel that PACKAGE stands for; a path."""
        depends = self._run("apt-cache", "depends", "--important", PACKAGE)
        found = re.search(r"Depends: (linux-image-\S+)", depends)
        if not found:
            raise Unavailable(f"no package {PACKAGE}")
        self._get("download", found[1])
        package, = glob.glob(os.path.join(self.directory, "*.deb"))
        return package

    def _get(self, *args):
        self._run("apt-get", "-q", *args)

    def _run(self, command, *args):
        own = {"Dir::Etc::sourcelist": self.sources, "Dir::Etc::sourceparts": "/dev/null",
               "Dir::State::lists": os.path.join(self.directory, "lists"),
               "Dir::Cache": os.path.join(self.directory, "cache"),
               "Acquire::Languages": "none", "Acquire::Retries": "2",
               "Acquire::http::Timeout": "20", "APT::Sandbox::User": ""}
        options = [word for name, value in own.items() for word in ("-o", f"{name}={value}")]
        result = subprocess.run([command, *options, *args], cwd=self.directory, check=False,
                                text=True, stdin=subprocess.DEVNULL, capture_output=True)
        if result.returncode:
            reason = (result.stderr.strip() or "no reason given").splitlines()[-1]
            raise Unavailable(f"{command} {args[0]}: {reason}")
        return result.stdout


def _mirror():
    """Where this machine gets Debian's packages."""
    if not shutil.which("apt-get"):
        raise Unavailable("no apt-get")
    targets = subprocess.run(["apt-get", "indextargets", "--format",
                              "$(ORIGIN) $(LABEL) $(REPO_URI)", "Identifier: Packages"],
                             check=False, text=True, capture_output=True)
    for line in targets.stdout.splitlines():
        origin, label, *where = line.split()
        if origin == label == ORIGIN and where:
            return where[0]
    raise Unavailable("no mirror of Debian among apt's sources")


def _signed_by():
    keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
    return f"[signed-by={keyring}] " if os.path.exists(keyring) else ""
