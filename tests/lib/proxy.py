# SPDX-License-Identifier: Apache-2.0
"""A TCP proxy that stands between etcdfs and etcd and is told to misbehave.

    proxy.hold()    bytes stop in both directions, connections stay up
    proxy.flow()    and go on, none lost
    proxy.cut()     every connection ends with a reset
    proxy.refuse()  new connections are refused (and the old ones cut)
    proxy.accept()  and taken again
"""

import socket
import struct
import threading


class Proxy:
    def __init__(self, port, target):
        """Listens on 127.0.0.1:PORT for TARGET, a port of 127.0.0.1."""
        self.port = port
        self.target = target
        self.endpoint = f"127.0.0.1:{port}"
        self.accepted = 0  # connections so far
        self._flowing = threading.Event()
        self._flowing.set()
        self._lock = threading.Lock()
        self._pairs = []  # protected by _lock
        self._listener = None
        self.accept()

    def accept(self):
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._serve, args=(self._listener,), daemon=True).start()

    def refuse(self):
        listener, self._listener = self._listener, None
        if listener:
            listener.shutdown(socket.SHUT_RDWR)  # wakes the thread in accept()
            listener.close()
        self.cut()

    def hold(self):
        self._flowing.clear()

    def flow(self):
        self._flowing.set()

    def cut(self):
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for end in pair:
                _reset(end)

    def close(self):
        self.refuse()
        self.flow()

    def _serve(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self._connect(client)

    def _connect(self, client):
        try:
            server = socket.create_connection(("127.0.0.1", self.target))
        except OSError:
            _reset(client)
            return
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self.accepted += 1
            self._pairs.append((client, server))
        for source, sink in ((client, server), (server, client)):
            threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source, sink):
        try:
            while data := source.recv(1 << 16):
                self._flowing.wait()
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            _reset(source)
            _reset(sink)


def _reset(end):
    """Closes so that the peer sees a reset, not an end."""
    try:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        end.shutdown(socket.SHUT_RD)  # wakes the thread in recv()
    except OSError:
        pass
    end.close()
