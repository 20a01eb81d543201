"""The worst message of each kind: what it costs is bounded, and nobody else waits for it."""

from __future__ import annotations

import struct
import threading
import time
from collections.abc import Callable

from mod_erlang_py import etf
from mod_erlang_py.distribution import control
from mod_erlang_py.distribution.connection import encode_frame
from mod_erlang_py.etf import Atom, Term
from scripts.bench.cpu import ProcessorClock
from scripts.trials.client import Client
from tests.conftest import RunningNode, StartNode
from tests.peers.erl import Erl
from tests.waiting import wait_until

WAIT = 1.0
"""Seconds of the node's processor time in which somebody else may wait at most; some of these took 5 to 31. What the
machine does meanwhile does not count."""
PRIME = 2**61 - 1
"""Python's hash of an integer is the remainder by it."""


def integer(number: int) -> bytes:
    size = (number.bit_length() + 7) // 8
    return b"n%c\0" % size + number.to_bytes(size, "little")


def row(elements: list[bytes]) -> bytes:
    return b"l" + struct.pack(">I", len(elements)) + b"".join(elements) + b"j"


def keys(count: int) -> bytes:
    """A map whose keys have one hash."""
    pairs = [integer(number * PRIME) + b"j" for number in range(10, 10 + count)]
    return b"\x83h\2w\6getpidt" + struct.pack(">I", count) + b"".join(pairs)


def nothing(elements: list[bytes]) -> bytes:
    return b"\x83h\2w\7nothing" + row(elements)


def fired(*headers: tuple[bytes, Term]) -> bytes:
    return etf.encode((Atom("sendevent"), Atom("CUSTOM"), b"py::weight", list(headers)))


PID = b"X" + b"w\x0epeer@localhost" + b"\0\0\0\1\0\0\0\0\0\0\0\1"
REGEX = b"Event-Name /(A|B|C|.)*(E+)+$/"

MESSAGES: dict[str, Callable[[], bytes]] = {
    "keys of one hash": lambda: keys(20_000),
    "as many as may be": lambda: keys(1000),
    "pids": lambda: nothing([PID] * 99_000),
    "big integers": lambda: nothing([integer(2**2000)] * 50_000),
    "lists of lists": lambda: nothing([b"j"] * 99_000),
    "atoms": lambda: nothing([b"v\0\xfa" + "\u00e9".encode() * 125] * 60_000),
    "headers": lambda: fired(*[(b"h%d" % number, b"v") for number in range(30_000)]),
    "headers that are taken": lambda: fired(*[(b"h%d" % number, b"v" * 200) for number in range(1000)]),
    "an array": lambda: fired((b"a", b"ARRAY::" + b"|:".join([b"x"] * 100_000))),
    "an array that is taken": lambda: fired((b"a", b"ARRAY::" + b"|:".join([b"x" * 60] * 1000))),
    "elements by their index": lambda: fired(*[(b"a[%d]" % (4 * number), b"x") for number in range(900)]),
    "escapes": lambda: fired((b"a", etf.Binary(b"%41" * 5_000_000))),
    "escapes that are taken": lambda: fired((b"a", b"%41" * 349_000)),
    "a body": lambda: fired((b"body", b"%41" * 300_000)),
    "headers of a command": lambda: etf.encode((Atom("sendmsg"), b"x", [(b"a", b"b")] * 30_000)),
    "arguments": lambda: etf.encode((Atom("api"), Atom("echo"), etf.Binary(b"x" * 15_000_000))),
    "in the background": lambda: etf.encode((Atom("bgapi"), Atom("echo"), b" origination_uuid=x" * 50_000)),
    "names of events": lambda: etf.encode((Atom("event"), *[b"E%d" % number for number in range(90_000)])),
    "subclasses": lambda: etf.encode((Atom("event"), Atom("CUSTOM"), *[b"%0250d" % one for one in range(990)])),
    "filters": lambda: etf.encode((Atom("filter"), *[b"H%d v" % number for number in range(90_000)])),
    "filters that are taken": lambda: etf.encode((Atom("filter"), *[b"Event-Name -v%d" % one for one in range(900)])),
    "regular expressions": lambda: etf.encode((Atom("filter"), *[REGEX] * 900)),
    "those that are taken": lambda: etf.encode((Atom("filter"), *[REGEX] * 20)),
    "their end": lambda: etf.encode((Atom("filter"), b"delete all", *[b"delete x"] * 900)),
    "options": lambda: etf.encode((Atom("subscribe"), Atom("all"), [(Atom("ack"), 1)] * 30_000)),
    "JSON": lambda: etf.encode((Atom("json_api"), {b"k%d" % number: [1] for number in range(30_000)})),
    "an answer": lambda: etf.encode((Atom("fetch_reply"), b"x", etf.Binary(b"<x/>" * 3_000_000))),
    "pieces of a text": lambda: etf.encode((Atom("api"), Atom("echo"), [etf.Binary(b"x")] * 90_000)),
}


class Others:
    """Another node, that asks and gets events all the time. worst: seconds that our node took meanwhile."""

    def __init__(self, node: RunningNode) -> None:
        self._clock = ProcessorClock(node.pid)
        self._client = Client(node.port, name="others@localhost")
        self._ask(Atom("register_event_handler"))
        self._ask((Atom("event"), Atom("CUSTOM"), b"py::others"))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        self.worst = 0.0
        self.rounds = 0

    def _ask(self, term: Term, answers: int = 1) -> None:
        self._client.send(term)
        while answers:
            answers -= self._client.receive().payload is not None

    def _run(self) -> None:
        while not self._stop.wait(0.002):
            began = self._clock.seconds()
            self._ask((Atom("api"), Atom("status"), b""))
            self._ask((Atom("sendevent"), Atom("CUSTOM"), b"py::others", [(b"a", b"b")]), answers=2)
            self.worst = max(self.worst, self._clock.seconds() - began)
            self.rounds += 1

    def close(self) -> None:
        self._stop.set()
        self._thread.join(30)
        self._client.close()


def test_the_worst_of_each_kind(node: RunningNode, peer: Erl) -> None:
    """One node sends it, at its biggest and at what is just taken; another one asks and gets events meanwhile."""
    others = Others(node)
    waited: dict[str, float] = {}
    try:
        with Client(node.port, name="worst@localhost") as client:
            client.send(Atom("register_event_handler"))
            while client.receive().payload is None:
                pass
            head = control.encode_control(control.RegSend(client.pid, "foo"))
            for kind, make in MESSAGES.items():
                frame = encode_frame(head, make())
                others.worst, before = 0.0, others.rounds
                client.send_frame(frame)
                while not (answer := client.receive().payload) or b"event" in answer[:12]:
                    pass
                while others.rounds < before + 2:
                    time.sleep(0.01)
                waited[kind] = others.worst
    finally:
        others.close()
    assert max(waited.values()) < WAIT, waited
    assert node.resident_kib() < 400_000
    assert "Traceback" not in node.log()
    assert peer.text(f"net_adm:ping('{node.name}')") == "pong"


def test_what_waits_is_bounded_in_memory(start_node: StartNode) -> None:
    """Requests of one process behind a slow one: each an empty list a hundred thousand times, 100 KB on the wire and 8
    MB in memory."""
    node = start_node("simulated", max_waiting_request_bytes="40000000")
    before = node.resident_kib()
    with Client(node.port, name="waits@localhost") as client, Client(node.port, name="others@localhost") as other:
        client.send((Atom("api"), Atom("msleep"), b"20000"))
        head = control.encode_control(control.RegSend(client.pid, "foo"))
        kept = b"\x83h\4w\3apiw\4echok\0\1x" + row([b"j"] * 99_000)  # what is behind the arguments is ignored
        client.send_frame(encode_frame(head, kept) * 10)
        client.wait_closed()
        other.send(Atom("getpid"))
        assert other.answer()[0].value == "ok"
    wait_until(lambda: "node down: waits@localhost, max-waiting-request-bytes: " in node.log(), told=node.log)
    assert node.resident_kib() - before < 150_000
