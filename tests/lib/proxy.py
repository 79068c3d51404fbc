#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A TCP proxy that stands between etcdfs and etcd and is told to misbehave.

    proxy.py [HOST:]PORT TARGET

HOST is an address of this machine (127.0.0.1; an IPv6 one in brackets); TARGET is a
port of 127.0.0.1, HOST:PORT or unix:PATH.  Orders are lines on standard input until
it ends, each answered by "ok" or "error ..."; they are also the methods of Proxy.
WAY is up (to etcd), down (to the client) or, if left out, both.

    hold [WAY]          bytes stop, connections stay up; new ones are taken, in silence
    flow [WAY]          and go on, none lost
    delay MS [WAY]      each byte takes so long
    cut                 every connection ends with a reset
    cut_after N WAY     N more bytes pass, then the connection that carried the last
                        of them is closed
    refuse              new connections are refused (and the old ones cut)
    blackhole           a new connection's SYN is dropped (and the old ones are cut)
    accept              new connections are taken again
    retarget TARGET     from the next connection on
"""

import asyncio
import socket
import struct
import sys
import threading

UP, DOWN = WAYS = ("up", "down")
ORDERS = ("hold", "flow", "delay", "cut", "cut_after", "refuse", "blackhole", "accept", "retarget")
CHUNK = 1 << 16
# So many chunks wait in a proxy that delays or holds; then the sender feels it.
CHUNKS = 16


class Proxy:
    """Its methods may be called from any thread; they return once it is so."""

    def __init__(self, port, target, host="127.0.0.1"):
        self.port = port
        self.host = host
        self.target = target
        self.endpoint = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self.accepted = 0  # connections so far
        self._ways = {way: _Way() for way in WAYS}
        # the loop's thread's:
        self._carrying = set()  # tasks, one for each connection
        self._listening = None  # the task that accepts
        self._filler = None
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self.accept()

    def accept(self):
        self._run(self._accept())

    def refuse(self):
        self._run(self._refuse())

    def blackhole(self):
        self._run(self._blackhole())

    def cut(self):
        self._run(self._cut())

    def hold(self, *ways):
        self._tell(ways, lambda way: way.flowing.clear())

    def flow(self, *ways):
        self._tell(ways, lambda way: way.flowing.set())

    def delay(self, milliseconds, *ways):
        self._tell(ways, lambda way: setattr(way, "delay", float(milliseconds) / 1000))

    def cut_after(self, count, way):
        self._tell((way,), lambda way: setattr(way, "left", int(count)))

    def retarget(self, target):
        self.target = target

    def close(self):
        self.refuse()

    # In the loop's thread.

    def _run(self, coroutine):
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def _tell(self, ways, order):
        async def tell():
            for way in ways or WAYS:
                order(self._ways[way])
        self._run(tell())

    def _listen(self, **options):
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        listener = socket.create_server((self.host, self.port), family=family, **options)
        listener.setblocking(False)
        return listener

    async def _accept(self):
        await self._refuse()
        self._listening = self._loop.create_task(self._serve(self._listen()))

    async def _blackhole(self):
        """Linux drops the SYN when a listener's backlog is full."""
        await self._refuse()
        listener = self._listen(backlog=0)
        self._filler = (socket.create_connection(listener.getsockname()[:2]), listener)

    async def _refuse(self):
        if self._listening:
            await _end(self._listening)
            self._listening = None
        for end in self._filler or ():
            end.close()
        self._filler = None
        await self._cut()

    async def _cut(self):
        for task in list(self._carrying):
            await _end(task)

    async def _serve(self, listener):
        with listener:
            while True:
                client, _ = await self._loop.sock_accept(listener)
                task = self._loop.create_task(self._carry(client))
                self._carrying.add(task)
                task.add_done_callback(self._carrying.discard)

    async def _carry(self, client):
        ends = [client]
        try:
            ends.append(await self._dial())
            self.accepted += 1
            for end in ends:
                if end.family != socket.AF_UNIX:
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await _all(_pump(*ends, self._ways[UP]), _pump(*reversed(ends), self._ways[DOWN]))
        except _Cut:
            pass
        except (OSError, asyncio.CancelledError):
            for end in ends:
                _reset(end)
        finally:
            for end in ends:
                end.close()

    async def _dial(self):
        """TARGET may not be an address: a name, or a path."""
        target = str(self.target)
        if target.startswith("unix:"):
            server = socket.socket(socket.AF_UNIX)
            server.setblocking(False)
            await self._loop.sock_connect(server, target.removeprefix("unix:"))
            return server
        host, _, port = target.rpartition(":")
        server = await self._loop.run_in_executor(
            None, socket.create_connection, (host.strip("[]") or "127.0.0.1", int(port)))
        server.setblocking(False)
        return server


class _Way:
    """What happens to the bytes of one way, over all connections."""

    def __init__(self):
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.delay = 0.0
        self.left = None  # bytes until the cut; None: no cut

    def allow(self, data):
        """What of DATA may pass, and whether the connection ends with it."""
        if self.left is None:
            return data, not data
        data = data[:self.left]
        self.left -= len(data)
        if self.left:
            return data, not data
        self.left = None
        return data, True


class _Cut(Exception):
    """The connection has carried its last byte."""


async def _pump(source, sink, way):
    chunks = asyncio.Queue(CHUNKS)  # (when to send, bytes); no bytes: the end
    await _all(_read(source, chunks, way), _write(sink, chunks, way))


async def _read(source, chunks, way):
    loop, data = asyncio.get_running_loop(), True
    while data:
        data = await loop.sock_recv(source, CHUNK)
        await chunks.put((loop.time() + way.delay, data))


async def _write(sink, chunks, way):
    loop, ended = asyncio.get_running_loop(), False
    while not ended:
        due, data = await chunks.get()
        await _until(due)
        await way.flowing.wait()
        allowed, ended = way.allow(data)
        await loop.sock_sendall(sink, allowed)
    if data:
        raise _Cut
    sink.shutdown(socket.SHUT_WR)


async def _until(due):
    loop, came = asyncio.get_running_loop(), asyncio.Event()
    if due > loop.time():
        loop.call_at(due, came.set)
        await came.wait()


async def _all(*coroutines):
    """Runs them together; the first that fails ends the others."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _end(task):
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _reset(end):
    """Makes the peer see a reset, not an end."""
    if end.family != socket.AF_UNIX:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def main():
    host, _, port = sys.argv[1].rpartition(":")
    proxy = Proxy(int(port), sys.argv[2], host.strip("[]") or "127.0.0.1")
    for line in sys.stdin:
        try:
            order, *words = line.split()
            if order not in ORDERS:
                raise ValueError(f"no such order: {order}")
            getattr(proxy, order)(*words)
            print("ok", flush=True)
        except (KeyError, OSError, TypeError, ValueError) as error:
            print("error", error, flush=True)


if __name__ == "__main__":
    main()
