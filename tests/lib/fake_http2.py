# SPDX-License-Identifier: Apache-2.0
"""A gRPC server's half of HTTP/2, with every way to break it within reach.

It knows no method and no message.  A service gets the calls of a client:

    connected(connection)     returns the bytes to say instead of HTTP/2, or None
    disconnected(connection)
    pinged(connection)
    opened(stream)
    message(stream, bytes)
    drained(stream)           all that was sent is with the kernel
    closed(stream, how)       the last of a stream

All of one asyncio loop's thread.
"""

import asyncio
import collections
import itertools
import socket
import struct
import urllib.parse

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (DataReceived, PingReceived, RemoteSettingsChanged,
                       RequestReceived, StreamReset, WindowUpdated)
from h2.exceptions import ProtocolError
from hyperframe.frame import GoAwayFrame

# gRPC's prefix of a message: whether it is compressed, and its length.
PREFIX = struct.Struct(">BI")
# What the client may send us before we must say that we took it.
WINDOW = 1 << 20


class Stream:
    """One call.  Nothing is sent on it any more once it is `closed`."""

    def __init__(self, connection, number, headers):
        headers = dict(headers)
        self.connection = connection
        self.number = number
        self.path = headers[":path"]
        self.metadata = headers
        self.closed = False
        self.sent = 0  # bytes of messages, so far
        self._answered = False  # the headers are out
        self._in = bytearray()
        self._out = collections.deque()
        self._trailers = None

    @property
    def blocked(self):
        """Something waits for the client's window or for the kernel."""
        return bool(self._out)

    def send(self, message):
        if self.closed or self._trailers:
            return
        if not self._answered:
            self._headers((":status", "200"), ("content-type", "application/grpc"))
        self._out.append(memoryview(PREFIX.pack(0, len(message)) + message))
        self.flush()

    def end(self, code, text=""):
        """With a status of gRPC's, once all that was sent is out."""
        if self.closed:
            return
        status = (("grpc-status", str(code)),
                  ("grpc-message", urllib.parse.quote(text, safe=" !#$&'()*+,/:;<=>?@[]^_`{|}~")))
        if self._answered:
            self._trailers = status
            self.flush()
        else:
            self._headers((":status", "200"), ("content-type", "application/grpc"), *status,
                          end=True)

    def http(self, status):
        """No gRPC at all: an answer of HTTP's own."""
        if not self.closed and not self._answered:
            self._headers((":status", str(status)), ("content-type", "text/plain"), end=True)

    def reset(self, code):
        if not self.closed and self.connection.tell("reset_stream", self.number, code):
            self.connection.forget(self, f"reset {code}")

    def _headers(self, *headers, end=False):
        self._answered = True
        if self.connection.tell("send_headers", self.number, headers, end_stream=end) and end:
            self.connection.forget(self, "ended")

    # For the connection.

    def take(self, data):
        """The messages that are whole with DATA."""
        self._in += data
        while len(self._in) >= PREFIX.size:
            _, length = PREFIX.unpack_from(self._in)
            if len(self._in) < PREFIX.size + length:
                break
            yield bytes(self._in[PREFIX.size:PREFIX.size + length])
            del self._in[:PREFIX.size + length]

    def flush(self):
        """Sends what window and kernel take.  True: nothing is left."""
        while self._out and (size := self.connection.room(self)):
            head = self._out[0]
            self.connection.tell("send_data", self.number, head[:size])
            self.sent += min(size, len(head))
            self._out[0] = head[size:]
            if not self._out[0]:
                self._out.popleft()
        if self._out:
            return False
        if self._trailers and not self.closed:
            self._headers(*self._trailers, end=True)
        return True


class Connection(asyncio.Protocol):
    _numbers = itertools.count(1)

    def __init__(self, service):
        self.number = next(self._numbers)
        self.service = service
        self.http2 = None
        self.transport = None
        self.streams = {}
        self._writable = True

    def push(self):
        self.transport.write(self.http2.data_to_send())

    def tell(self, what, *args, **options):
        """A call of http2's that sends.  False: the client has gone, which http2 knows
        before we have seen all its events."""
        try:
            getattr(self.http2, what)(*args, **options)
        except ProtocolError:
            return False
        self.push()
        return True

    def room(self, stream):
        if not self._writable:
            return 0
        try:
            return min(self.http2.local_flow_control_window(stream.number),
                       self.http2.max_outbound_frame_size)
        except ProtocolError:
            return 0

    def forget(self, stream, how):
        if not stream.closed:
            stream.closed = True
            del self.streams[stream.number]
            self.service.closed(stream, how)

    # Ways to break it.

    def go_away(self, code, text=b""):
        """The frame alone: http2's own call would end the streams under way."""
        frame = GoAwayFrame(0, last_stream_id=self.http2.highest_inbound_stream_id,
                            error_code=code, additional_data=text)
        self.raw(frame.serialize())

    def raw(self, data):
        self.transport.write(data)

    def close(self):
        self.transport.close()

    def abort(self):
        """A reset of TCP, whatever is unsent."""
        end = self.transport.get_extra_info("socket")
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    # What asyncio calls.

    def connection_made(self, transport):
        self.transport = transport
        greeting = self.service.connected(self)
        if greeting is not None:
            transport.write(greeting)
            return
        self.http2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self.http2.initiate_connection()
        self.http2.increment_flow_control_window(WINDOW)
        self.push()

    def connection_lost(self, exc):
        for stream in list(self.streams.values()):
            self.forget(stream, "connection lost")
        self.service.disconnected(self)

    def pause_writing(self):
        self._writable = False

    def resume_writing(self):
        self._writable = True
        self._flush()

    def data_received(self, data):
        if not self.http2:
            return
        try:
            events = self.http2.receive_data(data)
        except ProtocolError:
            self.transport.abort()
            return
        for event in events:
            if on := self._on.get(type(event)):
                on(self, event)
        self.push()

    def _flush(self):
        for stream in list(self.streams.values()):
            if not stream.closed and stream.flush() and not stream.closed:
                self.service.drained(stream)

    def _on_request(self, event):
        stream = Stream(self, event.stream_id, event.headers)
        self.streams[stream.number] = stream
        self.service.opened(stream)

    def _on_data(self, event):
        self.http2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        if stream := self.streams.get(event.stream_id):
            for message in stream.take(event.data):
                self.service.message(stream, message)

    def _on_reset(self, event):
        if stream := self.streams.get(event.stream_id):
            self.forget(stream, f"reset by the client {int(event.error_code)}")

    def _on_window(self, event):
        self._flush()

    def _on_ping(self, event):
        self.service.pinged(self)

    _on = {RequestReceived: _on_request, DataReceived: _on_data, StreamReset: _on_reset,
           WindowUpdated: _on_window, RemoteSettingsChanged: _on_window, PingReceived: _on_ping}
