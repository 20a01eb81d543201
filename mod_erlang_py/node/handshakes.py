"""Runs distribution's handshake machines over a stream, within SETUP_TIME."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from mod_erlang_py.distribution.handshake import AcceptorHandshake, InitiatorHandshake
from mod_erlang_py.distribution.handshake_events import (
    Established,
    Event,
    NameReceived,
    PeerNode,
    Status,
    StatusReceived,
)
from mod_erlang_py.errors import HandshakeError

from .streams.stream import Stream

SETUP_TIME = 7.0
"""Seconds for a whole handshake (kernel's net_setuptime)."""
CHUNK = 4096


class ClosedByPeer(HandshakeError):
    """It went away in the middle of the handshake."""


class NotAllowed(HandshakeError):
    """A node that may not connect, and is told so. reason: for our log."""


class Simultaneous(HandshakeError):
    """The peer is connecting to us at this moment, and its attempt is the one that counts."""


def accept(stream: Stream, handshake: AcceptorHandshake, status: Callable[[str], Status]) -> tuple[PeerNode, bytes]:
    """Be the acceptor. status: what to tell a node of that name; raises NotAllowed.

    Returns the peer, now known to have our cookie, and the bytes of the link that came along.
    Raises HandshakeError and OSError.
    """
    peer = ""
    try:
        for event in _events(stream, handshake):
            if isinstance(event, NameReceived):
                peer = event.name
                try:
                    refused = stream.refuses(peer.partition("@")[2])
                    if refused:
                        raise NotAllowed("send_name", f"{peer}: {refused}")
                    handshake.send_status(status(peer))
                except NotAllowed:
                    handshake.send_status(Status.NOT_ALLOWED)
                    _flush(stream, handshake, time.monotonic() + SETUP_TIME)
                    raise
            elif isinstance(event, Established):
                return event.peer, handshake.trailing_data
    except ClosedByPeer as error:
        if not peer:
            raise
        raise HandshakeError(error.step, f"closed by {peer}, which may know this node by another name") from None
    raise AssertionError("events end with Established or an error")


def connect(
    stream: Stream, handshake: InitiatorHandshake, replace: Callable[[], bool] = lambda: True
) -> tuple[PeerNode, bytes]:
    """Be the initiator; as `accept`.

    replace: asked when the peer holds a link under our name: whether that one is dead. Raises Simultaneous when it is
    not, or when the peer's own attempt counts.
    """
    try:
        for event in _events(stream, handshake):
            if event == StatusReceived(Status.ALIVE):
                dead = replace()
                handshake.answer_alive(dead)
                if not dead:
                    _flush(stream, handshake, time.monotonic() + SETUP_TIME)
                    raise Simultaneous("status", "alive")
            elif isinstance(event, Established):
                return event.peer, handshake.trailing_data
    except HandshakeError as error:
        if handshake.status is Status.NOK:
            raise Simultaneous(error.step, error.reason) from None
        raise
    raise AssertionError("events end with Established or an error")


def _events(stream: Stream, handshake: AcceptorHandshake | InitiatorHandshake) -> Iterator[Event]:
    deadline = time.monotonic() + SETUP_TIME
    try:
        while True:
            _flush(stream, handshake, deadline)
            stream.set_timeout(_left(deadline))
            data = stream.recv(CHUNK)
            if not data:
                raise ClosedByPeer("read", "closed by the peer")
            handshake.receive_data(data)
            for event in handshake.events_received():
                if isinstance(event, Established):
                    _flush(stream, handshake, deadline)
                    stream.set_timeout(None)
                yield event
    except TimeoutError:
        raise HandshakeError("read", f"not done within {SETUP_TIME:g} s") from None
    except HandshakeError:
        _flush(stream, handshake, deadline)  # its farewell, not_allowed
        raise


def _flush(stream: Stream, handshake: AcceptorHandshake | InitiatorHandshake, deadline: float) -> None:
    data = memoryview(handshake.data_to_send())
    while data:
        stream.set_timeout(_left(deadline))
        taken = stream.send([data])
        if not taken:
            stream.wait_writable()
        data = data[taken:]


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
