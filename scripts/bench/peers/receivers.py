"""Those who receive a contender's events, whatever they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Protocol

from scripts.bench.contenders import Speaks
from scripts.bench.errors import BenchError
from scripts.bench.peers.event_socket import SocketPeers
from scripts.bench.peers.received import Delays, Received
from scripts.bench.peers.thin import ABSENT, BENCH, ThinPeers
from scripts.bench.shared import COOKIE, Shared
from scripts.bench.turns import Turn

_IDLE = 5.0
"""Seconds without an event after which the rest counts as lost."""


class Receiver(Enum):
    """ERL decodes each event, as an application does. THIN reads it and looks whether one is missing, no more: nearly
    all that is measured is the switch. It is a C node, or a client of mod_event_socket."""

    ERL = "erl node"
    THIN = "thin receiver"


class Receivers(Protocol):
    def end(self) -> Received:
        """Once all have all, or nothing comes any more. Raises BenchError."""


def kinds(turn: Turn) -> list[Receiver]:
    """Those that there are for this contender, here."""
    if turn.contender.speaks is not Speaks.ERLANG:
        return [Receiver.THIN]
    if turn.contender.tls:
        return [Receiver.ERL]  # C nodes have no TLS
    return [Receiver.ERL, Receiver.THIN] if isinstance(turn.shared.thin, Path) else [Receiver.ERL]


def listening(
    turn: Turn, kind: Receiver, nodes: int, events: int, *, delays: bool = False, subclasses: int = 0
) -> Receivers:
    """So many of them, connected and subscribed, each of which is to get `events`. delays: whether those of an ERL are
    to be looked at. subclasses: how many it asks for beside. Raises BenchError."""
    if turn.contender.speaks is not Speaks.ERLANG:
        port, password = turn.switch.event_socket
        return SocketPeers(port, password, clients=nodes, events=events, kind=turn.contender.speaks.value, idle=_IDLE)
    if kind is Receiver.THIN:
        return _Thin(_thin(turn, nodes, events), nodes * events)
    function = "latencies" if delays else "events"
    return _Erl(turn, nodes, events, function, [subclasses] if subclasses else [])


def subscribed(turn: Turn, events: int, options: str) -> Receivers:
    """An ERL that gets its events by a subscription. options: its, as Erlang writes them. Raises BenchError."""
    return _Erl(turn, 1, events, "subscribed", [options])


def received(turn: Turn, receivers: Receivers, events: int, rate: int = 0, headers: int = 75) -> tuple[float, Received]:
    """Have so many fired; the processor time that they took the switch, in seconds, and what came of them."""

    def fire() -> Received:
        turn.switch.fire(events, rate, headers)
        return receivers.end()

    return turn.switch.cpu_of(fire)


@contextmanager
def idle_links(turn: Turn, count: int) -> Iterator[None]:
    """While so many C nodes are connected, each with an event handler for events that do not come. Raises
    BenchError."""
    peers = _thin(turn, count, 0, ABSENT)
    try:
        yield
    finally:
        peers.close()


def needs_thin(shared: Shared) -> str | None:
    """What lacks for C nodes, in a few words."""
    return shared.thin if isinstance(shared.thin, str) else None


def _thin(turn: Turn, links: int, events: int, subclass: str = BENCH) -> ThinPeers:
    if not isinstance(turn.shared.thin, Path):
        raise BenchError(turn.shared.thin)
    where = (turn.shared.thin, turn.switch.node, COOKIE, turn.shared.epmd_port)
    return ThinPeers(*where, links=links, events=events, idle=_IDLE, subclass=subclass)


class _Thin:
    def __init__(self, peers: ThinPeers, expected: int) -> None:
        self._peers = peers
        self._expected = expected

    def end(self) -> Received:
        found = self._peers.end()
        events = int(found["received"])
        delays = Delays(found["p50"], found["p99"], found["longest"]) if events else None
        lost = max(self._expected - events, int(found["disordered"]))
        return Received(events, lost, found["microseconds"] / 1e6, delays)


class _Erl:
    def __init__(self, turn: Turn, nodes: int, events: int, function: str, more: Sequence[object]) -> None:
        self._peers = [turn.erlang(number) for number in range(nodes)]
        self._events = events
        self._function = function
        for peer in self._peers:
            peer.begin(function, f"'{turn.switch.node}'", events, int(_IDLE * 1000), *more)
        for peer in self._peers:
            peer.wait_until_listening()

    def end(self) -> Received:
        """With delays: those of the node that had the longest."""
        found = [peer.end() for peer in self._peers]
        lost = int(sum(numbers[-1] for numbers in found))
        events = self._events * len(found) - lost
        if self._function == "latencies":
            p50, p99, longest, _ = max(found, key=lambda numbers: numbers[2])
            return Received(events, lost, 0.0, Delays(p50, p99, longest))
        return Received(events, lost, max(numbers[0] for numbers in found) / 1e6)
