# SPDX-License-Identifier: Apache-2.0
"""A network of the test's own, to cut where the test likes.

The test enters a network namespace; in it is a bridge, and each host is one more
namespace with an interface on that bridge.  None of them has a name: descriptors
hold them, so they vanish with the test however it ends, and two runs on one machine
never meet.

A cut sends one host's packets to another host to a hardware address that nobody
has.  They vanish as in a broken cable, and neither side is told; unlike a firewall
it needs nothing that a kernel may lack.
"""

import ctypes
import itertools
import os
import subprocess
import sys
import threading

_CLONE_NEWNET = 0x40000000
_NOBODY = "02:00:00:00:00:00"
_SUBNET = "10.0.0"

_libc = ctypes.CDLL(None, use_errno=True)


def _unshare():
    """A new network namespace for this thread alone."""
    if _libc.unshare(_CLONE_NEWNET):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def enter_or_skip():
    """Takes the program, before it has threads, to a network of its own."""
    try:
        _unshare()
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    except OSError as error:
        print(f"1..0 # SKIP no network of our own: {error}")
        sys.exit(0)


def _open_namespace():
    """A descriptor that holds a new one."""
    opened = []

    def make():
        _unshare()
        opened.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY))
    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    return opened[0]


class Host:
    """Somebody on the bridge, who reaches it over DEVICE."""

    def __init__(self, address, device, namespace=None):
        """NAMESPACE: its descriptor, None for the test's own."""
        self.address = address
        self.device = device
        self.namespace = namespace

    def command(self, *command):
        """COMMAND as this host runs it."""
        if self.namespace is None:
            return list(command)
        return ["nsenter", f"--net={self.path()}", *command]

    def path(self):
        return f"/proc/{os.getpid()}/fd/{self.namespace}"

    def ip(self, *args):
        subprocess.run(self.command("ip", *args), check=True, stdin=subprocess.DEVNULL)


class Network:
    """One bridge in the test's namespace; `here` is the test itself."""

    def __init__(self):
        self.here = Host(f"{_SUBNET}.1", "bridge")
        self._ports = {}  # the bridge's end of the cable: its host
        self._numbers = itertools.count(2)
        self._cuts = set()  # (host, address)
        self.here.ip("link", "add", "bridge", "type", "bridge")
        self._set_up(self.here)

    @staticmethod
    def _set_up(host):
        host.ip("address", "add", f"{host.address}/24", "dev", host.device)
        host.ip("link", "set", host.device, "up")

    def add_host(self):
        number = next(self._numbers)
        host = Host(f"{_SUBNET}.{number}", "eth0", _open_namespace())
        port = f"port{number}"
        self._ports[port] = host
        self.here.ip("link", "add", port, "master", "bridge", "up", "type", "veth",
                     "peer", "name", host.device, "netns", host.path())
        host.ip("link", "set", "lo", "up")
        self._set_up(host)
        return host

    def vacant(self):
        """An address that nobody has."""
        return f"{_SUBNET}.{next(self._numbers)}"

    def black_hole(self):
        """An address from which the test hears nothing, not even that it is not there."""
        address = self.vacant()
        self._lose(self.here, address)
        return address

    def cut(self, source, target):
        """Whatever SOURCE sends to TARGET is lost from now on."""
        self._lose(source, target.address)
        self._cuts.add((source, target.address))

    @staticmethod
    def _lose(source, address):
        source.ip("neighbour", "replace", address, "lladdr", _NOBODY, "nud", "permanent",
                  "dev", source.device)

    def heal(self):
        """Nothing is cut any more."""
        for source, address in self._cuts:
            source.ip("neighbour", "delete", address, "dev", source.device)
        self._cuts.clear()

    def close(self):
        """Nobody may run on its hosts any more."""
        for port, host in self._ports.items():
            # A namespace goes later than its last descriptor, and the cable with it.
            self.here.ip("link", "delete", port)
            os.close(host.namespace)
        self.here.ip("link", "delete", "bridge")
