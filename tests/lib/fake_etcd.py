#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""An etcd that misbehaves on command; without one it is a small truthful etcd.

    fake_etcd.py PORT

Listens on 127.0.0.1 until standard input ends.  Orders are lines on standard
input; each is answered by one line, "ok ..." or "error ...".  Every other line
says what a client did: S numbers its calls, C its connections.

    listening PORT                  the first line
    connected C | disconnected C | pinged C
    opened S METHOD C TOKEN         - if it brought no token
    request S METHOD MESSAGE        as protobuf text, in one line
    closed S HOW
    stalled S                       the client has taken nothing of what waits for long

METHOD is Range, Txn, Watch (to create one), Progress (a WatchProgressRequest),
Authenticate or Status; in orders also KV, which is Range or Txn.  MESSAGE is in
protobuf's text format.  In KEY, VALUE, PREFIX and BYTES a backslash and three octal
digits are a byte.

    sync                            an order: all that was done so far is told by now

The truth:

    put KEY VALUE | delete KEY      "ok REVISION"
    txn OP...                       OPs as above, all in one revision
    fill PREFIX KEYS BYTES [TIMES]  puts so many keys with values of so many bytes
                                    in one revision; and again
    compact REVISION
    rewind REVISION                 a backup of it was restored
    show PREFIX                     "ok KEY VALUE..."
    version TEXT                    what Status says
    auth USER PASSWORD | auth       who may read; everybody
    expire                          every token given out is invalid
    progress                        a progress notification on each synced watch

The lies of one answer, in place of the truth:

    at METHOD K ACTION              the K-th METHOD from now on; every one if K is *
    clear                           forgets all of these
    ACTION                          now, on each open watch stream
    on S ACTION                     now, on that call

    send MESSAGE                    this, whatever it is; ends a call that is not a watch
    alter MESSAGE                   (at) the truth with these fields set, lists extended
    claim HEADER                    (at) the truth, but for these fields of its header
    end CODE [TEXT]                 a status of gRPC's, 0 to 16
    http STATUS                     a status of HTTP's, and nothing of gRPC's
    rst CODE                        RST_STREAM
    goaway CODE [TEXT]              GOAWAY; the connection stays
    close | reset                   TCP ends; ends with a reset
    raw BYTES                       into the connection, as they are
    hold                            (at) the truth, once METHOD is released
    ignore                          (at) no answer, ever

The lies that last:

    claim HEADER | claim            what every header says; the truth again
    hold METHOD | release METHOD    requests wait; and are served in order
    quiet [N] | loud                watches send N more responses (0) with events and
                                    fall silent; and go on
    skip                            what watches have not sent yet they never will
    batch N                         revisions in one response while catching up
    fragment N...                   the next response with events, cut after so many
                                    events, then so many; "fragment" alone: not at all
    cancel [MESSAGE]                ends each watch, with these fields set
    greet BYTES | greet             what new connections get instead of HTTP/2; HTTP/2
"""

import asyncio
import contextlib
import sys

from google.protobuf import text_format

from etcd import prefix_end
from etcd_messages import pb
from fake_http2 import Connection
from fake_service import Fake, say
from fake_store import Refusal
from keyspace_log import escape, unescape

RESPONSES = {
    "Range": pb.RangeResponse, "Txn": pb.TxnResponse, "Watch": pb.WatchResponse,
    "Progress": pb.WatchResponse, "Authenticate": pb.AuthenticateResponse,
    "Status": pb.StatusResponse,
}
GROUPS = {"KV": ("Range", "Txn"), **{method: (method,) for method in RESPONSES}}


def parse(message, text):
    return text_format.Parse(text, message())


def parse_answer(method, text):
    if method not in RESPONSES:
        raise ValueError(f"{method} has no one type of answer")
    return parse(RESPONSES[method], text)


def methods(name):
    if name not in GROUPS:
        raise ValueError(f"no such METHOD: {name}")
    return GROUPS[name]


class Actions:
    """ACTION as a function of the fake, a call, its method and its request (None: of
    none, now)."""

    ONLY_AT = ("alter", "claim", "hold", "ignore")

    @classmethod
    def make(cls, method, text):
        word, _, rest = text.partition(" ")
        make = getattr(cls, "action_" + word, None)
        if not make:
            raise ValueError(f"no such action: {word}")
        return make(method, rest)

    @classmethod
    def check_now(cls, text):
        """Whether TEXT is an action that needs no request."""
        word, _, _ = text.partition(" ")
        if not hasattr(cls, "action_" + word):
            raise ValueError(f"no such order: {word}")
        if word in cls.ONLY_AT:
            raise ValueError(f"{word} is for an answer: at METHOD K {text}")

    @staticmethod
    def action_send(method, text):
        message = parse_answer(method, text)
        return lambda fake, call, *_: call.answer(message)

    @staticmethod
    def action_alter(method, text):
        message = parse_answer(method, text)
        return lambda fake, *request: fake.tell_truth(*request, alter=message)

    @staticmethod
    def action_claim(_method, text):
        header = parse(pb.ResponseHeader, text)
        return lambda fake, call, method, request: fake.tell_truth(
            call, method, request, alter=RESPONSES[method](header=header))

    @staticmethod
    def action_end(_method, text):
        code, _, reason = text.partition(" ")
        return lambda fake, call, *_, code=int(code): call.stream.end(code, reason)

    @staticmethod
    def action_http(_method, status):
        return lambda fake, call, *_, status=int(status): call.stream.http(status)

    @staticmethod
    def action_rst(_method, code):
        return lambda fake, call, *_, code=int(code): call.stream.reset(code)

    @staticmethod
    def action_goaway(_method, text):
        code, _, reason = text.partition(" ")
        return lambda fake, call, *_, code=int(code): call.stream.connection.go_away(
            code, unescape(reason.encode()))

    @staticmethod
    def action_close(_method, _text):
        return lambda fake, call, *_: call.stream.connection.close()

    @staticmethod
    def action_reset(_method, _text):
        return lambda fake, call, *_: call.stream.connection.abort()

    @staticmethod
    def action_raw(_method, text):
        return lambda fake, call, *_: call.stream.connection.raw(unescape(text.encode()))

    @staticmethod
    def action_hold(_method, _text):
        return Fake.hold

    @staticmethod
    def action_ignore(_method, _text):
        return lambda *_: None


class Orders:
    """Each method order_... is one; it takes the text after its name."""

    def __init__(self, fake):
        self.fake = fake

    def obey(self, line):
        word, _, rest = line.partition(" ")
        try:
            order = getattr(self, "order_" + word, None)
            answer = order(rest) if order else self._now(self.fake.watch_calls(), line)
        except (ValueError, IndexError, text_format.ParseError, Refusal) as error:
            say("error", " ".join(str(error).split()))
            return
        say("ok", *([] if answer is None else [answer]))

    def _now(self, calls, text):
        Actions.check_now(text)
        if not calls:
            raise ValueError("no such call is open")
        for call in calls:
            Actions.make(call.method, text)(self.fake, call, call.method, None)

    def order_sync(self, _text):
        """The answer is the sign: lines are in order."""

    # The truth.

    def _write(self, ops):
        revision = self.fake.store.write(ops)
        self.fake.pump()
        return revision

    @staticmethod
    def _ops(text):
        words = [unescape(word) for word in text.encode().split(b" ")]
        while words:
            op = words.pop(0)
            if op not in (b"put", b"delete"):
                raise ValueError(f"neither put nor delete: {op}")
            yield words.pop(0), words.pop(0) if op == b"put" else None

    def order_txn(self, text):
        return self._write(list(self._ops(text)))

    def order_put(self, text):
        return self.order_txn("put " + text)

    def order_delete(self, text):
        return self.order_txn("delete " + text)

    def order_fill(self, text):
        prefix, keys, size, *times = text.split(" ")
        prefix, value = unescape(prefix.encode()), b"x" * int(size)
        ops = [(prefix + b"%06d" % i, value) for i in range(int(keys))]
        for _ in range(int(times[0]) if times else 1):
            revision = self.fake.store.write(ops)
        self.fake.pump()
        return revision

    def order_compact(self, revision):
        self.fake.store.compact(int(revision))
        self.fake.pump()

    def order_rewind(self, revision):
        self.fake.store.rewind(int(revision))

    def order_show(self, prefix):
        prefix = unescape(prefix.encode())
        kvs = self.fake.store.range(prefix, prefix_end(prefix))
        return b" ".join(escape(word) for kv in kvs for word in (kv.key, kv.value)).decode()

    def order_version(self, text):
        self.fake.version = text

    def order_auth(self, text):
        self.fake.auth.user = tuple(text.split(" ")) if text else None

    def order_expire(self, _text):
        self.fake.auth.expire()

    def order_progress(self, _text):
        self.fake.progress()

    # The lies of one answer.

    def order_at(self, text):
        method, count, action = text.split(" ", 2)
        self.fake.faults.append([methods(method),
                                 None if count == "*" else int(count),
                                 Actions.make(method, action)])

    def order_clear(self, _text):
        self.fake.faults.clear()

    def order_on(self, text):
        number, _, action = text.partition(" ")
        self._now([call for call in self.fake.calls.values() if call.number == int(number)], action)

    # The lies that last.

    def order_claim(self, text):
        self.fake.claim = parse(pb.ResponseHeader, text)

    def order_hold(self, name):
        for method in methods(name):
            self.fake.held.setdefault(method, [])

    def order_release(self, name):
        for method in methods(name):
            self.fake.release(method)

    def order_quiet(self, text):
        self.fake.pace.left = int(text or 0)

    def order_loud(self, _text):
        self.fake.pace.left = None
        self.fake.pump()

    def order_skip(self, _text):
        for call in self.fake.watch_calls():
            for watch in call.watches.values():
                watch.skip()

    def order_batch(self, text):
        self.fake.pace.batch = int(text)

    def order_fragment(self, text):
        self.fake.pace.cuts = [int(word) for word in text.split()]

    def order_cancel(self, text):
        fields = parse(pb.WatchResponse, text)
        for call in self.fake.watch_calls():
            for watch in list(call.watches.values()):
                self.fake.cancel(call, watch, **{field.name: value
                                                 for field, value in fields.ListFields()})

    def order_greet(self, text):
        self.fake.greeting = unescape(text.encode()) if text else None


async def main():
    loop = asyncio.get_running_loop()
    fake = Fake()
    await loop.create_server(lambda: Connection(fake), "127.0.0.1", int(sys.argv[1]))
    say("listening", sys.argv[1])
    orders, lines = Orders(fake), asyncio.StreamReader(limit=1 << 30)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    async for line in lines:
        orders.obey(line.decode().rstrip("\n"))


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
