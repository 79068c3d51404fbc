# SPDX-License-Identifier: Apache-2.0
"""What the fake answers: the truth, and at which requests to depart from it."""

import asyncio
import itertools

from google.protobuf import text_format

from etcd_messages import pb
from fake_store import Refusal, Store
from fake_watch import Pace, Watch

METHODS = {
    "/etcdserverpb.KV/Range": ("Range", pb.RangeRequest),
    "/etcdserverpb.KV/Txn": ("Txn", pb.TxnRequest),
    "/etcdserverpb.Watch/Watch": ("Watch", pb.WatchRequest),
    "/etcdserverpb.Auth/Authenticate": ("Authenticate", pb.AuthenticateRequest),
    "/etcdserverpb.Maintenance/Status": ("Status", pb.StatusRequest),
}
INVALID_ARGUMENT, FAILED_PRECONDITION, UNIMPLEMENTED, UNAUTHENTICATED = 3, 9, 12, 16
STALL_SECONDS = 1


def say(*words):
    print(*words, flush=True)


def one_line(message):
    return text_format.MessageToString(message, as_one_line=True)


class Call:
    """A call of a client, and its watches if it is one for them."""

    def __init__(self, number, stream):
        self.number = number
        self.stream = stream
        self.method, self.request_type = METHODS.get(stream.path, (stream.path, None))
        self.token = stream.metadata.get("token", "")
        self.watches = {}
        self._checking = False  # whether it stalls

    def answer(self, message):
        self.stream.send(message.SerializeToString())
        if self.method != "Watch":
            self.stream.end(0)

    def watch_stall(self):
        """Once it is blocked, says when it stays so."""
        if self.stream.blocked and not self._checking:
            self._checking = True
            asyncio.get_running_loop().call_later(STALL_SECONDS, self._check, self.stream.sent)

    def _check(self, sent):
        self._checking = False
        if self.stream.blocked and self.stream.sent == sent and not self.stream.closed:
            say("stalled", self.number)
        else:
            self.watch_stall()


class Auth:
    """Who may read, if not everybody."""

    def __init__(self):
        self.user = None  # (name, password)
        self._tokens = set()
        self._numbers = itertools.count(1)

    def token_for(self, request):
        if not self.user:
            raise Refusal(FAILED_PRECONDITION, "etcdserver: authentication is not enabled")
        if (request.name, request.password) != self.user:
            raise Refusal(INVALID_ARGUMENT,
                          "etcdserver: authentication failed, invalid user ID or password")
        token = f"token.{next(self._numbers)}"
        self._tokens.add(token)
        return token

    def check(self, token):
        if not self.user:
            return
        if not token:
            raise Refusal(INVALID_ARGUMENT, "etcdserver: user name is empty")
        if token not in self._tokens:
            raise Refusal(UNAUTHENTICATED, "etcdserver: invalid auth token")

    def expire(self):
        self._tokens.clear()


class Fake:
    """The service of a Connection."""

    def __init__(self):
        self.store = Store()
        self.pace = Pace()
        self.auth = Auth()
        self.version = "3.5.16"
        self.claim = pb.ResponseHeader()
        self.greeting = None
        self.held = {}  # method: [what serves a request...]
        self.faults = []  # [methods, requests until then or None for each, action]
        self.calls = {}  # stream: Call
        self._numbers = itertools.count(1)

    def header(self, **fields):
        header = pb.ResponseHeader(**{"cluster_id": 1, "member_id": 2, "raft_term": 3,
                                      "revision": self.store.revision, **fields})
        header.MergeFrom(self.claim)
        return header

    def watch_calls(self):
        return [call for call in self.calls.values() if call.method == "Watch"]

    # What clients do.

    def connected(self, connection):
        say("connected", connection.number)
        return self.greeting

    def disconnected(self, connection):
        say("disconnected", connection.number)

    def pinged(self, connection):
        say("pinged", connection.number)

    def opened(self, stream):
        call = self.calls[stream] = Call(next(self._numbers), stream)
        say("opened", call.number, call.method, stream.connection.number, call.token or "-")
        if not call.request_type:
            stream.end(UNIMPLEMENTED, f"unknown method {stream.path}")

    def closed(self, stream, how):
        say("closed", self.calls.pop(stream).number, how)

    def drained(self, stream):
        self._pump(self.calls[stream])

    def message(self, stream, data):
        call = self.calls.get(stream)
        if not call:
            return
        request = call.request_type.FromString(data)
        method = call.method
        if method == "Watch" and request.HasField("progress_request"):
            method = "Progress"
        say("request", call.number, method, one_line(request))
        if method in self.held:
            self.hold(call, method, request)
        else:
            self._serve(call, method, request)

    def hold(self, call, method, request):
        """This one and those after it."""
        waiting = self.held.setdefault(method, [])
        waiting.append(lambda: self._serve(call, method, request))

    def release(self, method):
        for serve in self.held.pop(method, ()):
            serve()

    # Answers.

    def _serve(self, call, method, request):
        act = self._fault(method) or Fake.tell_truth
        act(self, call, method, request)

    def _fault(self, method):
        """The action for this request, if one is due; all that wait come nearer."""
        due = None
        for fault in list(self.faults):
            methods, left, action = fault
            if method not in methods:
                continue
            if left is not None:
                fault[1] -= 1
                if fault[1]:
                    continue
                self.faults.remove(fault)
            due = due or action
        return due

    def tell_truth(self, call, method, request, alter=None):
        """ALTER has fields of the answer to set, of the type of the answer."""
        try:
            answer = getattr(self, "answer_" + method.lower())(call, request)
        except Refusal as refusal:
            call.stream.end(refusal.code, refusal.text)
            return
        if answer:
            answer.MergeFrom(alter or type(answer)())
            call.answer(answer)
        self._pump(call)

    def answer_range(self, call, request):
        self.auth.check(call.token)
        return self._ranged(request)

    def _ranged(self, request):
        kvs = self.store.range(request.key, request.range_end, request.revision)
        new = [kv for kv in kvs if kv.mod_revision >= request.min_mod_revision]
        limit = 0 if request.count_only else request.limit or len(new)
        answer = pb.RangeResponse(header=self.header(), kvs=new[:limit], count=len(kvs),
                                  more=not request.count_only and len(new) > limit)
        if request.keys_only:
            for kv in answer.kvs:
                kv.ClearField("value")
        return answer

    def answer_txn(self, call, request):
        """Without comparisons, of which the messages have none, it succeeds."""
        self.auth.check(call.token)
        return pb.TxnResponse(
            header=self.header(), succeeded=True,
            responses=[pb.ResponseOp(response_range=self._ranged(op.request_range))
                       for op in request.success])

    def answer_authenticate(self, _call, request):
        return pb.AuthenticateResponse(header=self.header(revision=0),
                                       token=self.auth.token_for(request))

    def answer_status(self, _call, _request):
        return pb.StatusResponse(header=self.header(), version=self.version)

    def answer_watch(self, call, request):
        """A refused watch is refused in band: created and canceled at once."""
        create = request.create_request
        watch_id = create.watch_id or next(n for n in itertools.count() if n not in call.watches)
        try:
            self.auth.check(call.token)
            if watch_id in call.watches:
                raise Refusal(0, "mvcc: duplicate watch ID provided on the WatchStream")
        except Refusal as refusal:
            return pb.WatchResponse(header=self.header(), watch_id=-1, created=True,
                                    canceled=True, cancel_reason=refusal.text)
        call.watches[watch_id] = Watch(call.stream, create, watch_id, self.store, self.pace)
        return pb.WatchResponse(header=self.header(), watch_id=watch_id, created=True)

    def answer_progress(self, call, _request):
        """Nothing while a watch of the stream is behind."""
        if not all(watch.synced for watch in call.watches.values()):
            return None
        return pb.WatchResponse(header=self.header(), watch_id=-1)

    # Watches.

    def pump(self):
        for call in self.watch_calls():
            self._pump(call)

    def _pump(self, call):
        for watch in list(call.watches.values()):
            if watch.compacted:
                self.cancel(call, watch, compact_revision=self.store.compacted,
                            header=self.header(revision=0))
            else:
                watch.pump(self.header())
        call.watch_stall()

    def cancel(self, call, watch, **fields):
        del call.watches[watch.id]
        call.answer(pb.WatchResponse(**{"header": self.header(), "watch_id": watch.id,
                                        "canceled": True, **fields}))

    def progress(self):
        for call in self.watch_calls():
            for watch in call.watches.values():
                if watch.synced:
                    call.answer(pb.WatchResponse(header=self.header(), watch_id=watch.id))
