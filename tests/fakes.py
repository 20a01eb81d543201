"""A link without a peer, for what delivers to links."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import count
from typing import Any, cast

from mod_erlang_py import etf
from mod_erlang_py.distribution.connection import FrameReader, Frames, decode_body
from mod_erlang_py.distribution.control import SendSender
from mod_erlang_py.distribution.flags import OURS
from mod_erlang_py.distribution.forms import send_control
from mod_erlang_py.distribution.handshake_events import PeerNode
from mod_erlang_py.etf import Limits, Pid, Reference, Term
from mod_erlang_py.node.link import Link
from tests.waiting import wait_until

_numbers = count(1)  # of references; as those of a node's links


def _each(frames: Frames) -> list[bytes]:
    """Of those that are made of a prefix and a payload each."""
    return [b"".join(pair) for pair in zip(frames.buffers[::2], frames.buffers[1::2], strict=True)]


class FakeOutbox:
    """room: how many frames it still takes; None for any number."""

    def __init__(self) -> None:
        self.room: int | None = None
        self.batches: list[list[bytes]] = []

    def offer(self, frames: Sequence[Frames]) -> int:
        whole = [frame for some in frames for frame in _each(some)]
        taken = len(whole) if self.room is None else min(len(whole), self.room)
        if self.room is not None:
            self.room -= taken
        if taken:
            self.batches.append(whole[:taken])
        return taken

    def put(self, frame: bytes) -> None:
        self.batches.append([frame])

    def gathering(self) -> AbstractContextManager[None]:
        return nullcontext()


class FakeLink:
    """What those who deliver use of a Link."""

    def __init__(self, name: str = "peer@localhost") -> None:
        self.name = name
        self.ended = False
        self.local = Pid("freeswitch@localhost", 1, 0, 1)
        self.outbox = FakeOutbox()
        self.peer = PeerNode(name, OURS, 1)
        self.send_control = send_control(self.local, OURS)
        self.knows_monitors = True
        self.pid = Pid(name, 100, 0, 1)
        self.other = Pid(name, 101, 0, 1)
        self._found: list[tuple[Pid, Term]] = []
        self._looked_at = 0

    def reference(self) -> Reference:
        return Reference(self.local.node, self.local.creation, (next(_numbers), 0, 0))

    @property
    def link(self) -> Link:
        return cast(Link, self)

    def messages(self) -> list[tuple[Pid, Term]]:
        """To whom, and what, of all that it took so far."""
        while self._looked_at < len(self.outbox.batches):
            self._found += map(self._message, self.outbox.batches[self._looked_at])
            self._looked_at += 1
        return list(self._found)

    def _message(self, frame: bytes) -> tuple[Pid, Term]:
        (body,) = FrameReader(1 << 26).receive_data(frame)
        received = decode_body(body)
        assert isinstance(received.control, SendSender)
        assert received.control.from_pid == self.local
        assert received.payload is not None
        return received.control.to, etf.decode(received.payload, limits=Limits(elements=10_000_000))

    def wait_for(self, count: int) -> list[tuple[Pid, Term]]:
        """The messages, once there are so many."""
        return wait_until(lambda: found if len(found := self.messages()) >= count else None, told=self.messages) or []


def headers(term: Term) -> list[tuple[Any, Any]]:
    """The headers of an `{event, [UUID | Headers]}` in string encoding."""
    tag, content = term
    assert tag.value == "event"
    return list(content[1:])


def header(term: Term, name: bytes) -> Any:
    return dict(headers(term)).get(name)
