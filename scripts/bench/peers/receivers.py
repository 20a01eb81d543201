"""Those who receive a contender's events, whatever they are."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Protocol

from scripts.bench.contenders import Speaks
from scripts.bench.errors import BenchError
from scripts.bench.peers.event_socket import SocketPeers
from scripts.bench.peers.received import Delays, Received
from scripts.bench.peers.thin import ThinPeers
from scripts.bench.shared import COOKIE
from scripts.bench.turns import Turn


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
    return [Receiver.ERL, Receiver.THIN] if isinstance(turn.shared.thin, Path) else [Receiver.ERL]


def listening(
    turn: Turn, kind: Receiver, nodes: int, events: int, idle: float = 5.0, delays: bool = False
) -> Receivers:
    """So many of them, connected and subscribed, each of which is to get `events`. idle: seconds without one after
    which the rest counts as lost. delays: whether those of an ERL are to be looked at. Raises BenchError."""
    if turn.contender.speaks is not Speaks.ERLANG:
        port, password = turn.switch.event_socket
        return SocketPeers(port, password, clients=nodes, events=events, kind=turn.contender.speaks.value, idle=idle)
    if kind is Receiver.THIN:
        if not isinstance(turn.shared.thin, Path):
            raise BenchError(turn.shared.thin)
        return _Thin(
            ThinPeers(
                turn.shared.thin,
                turn.switch.node,
                COOKIE,
                turn.shared.epmd_port,
                links=nodes,
                events=events,
                idle=idle,
            ),
            nodes * events,
        )
    return _Erl(turn, nodes, events, idle, delays)


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
    def __init__(self, turn: Turn, nodes: int, events: int, idle: float, delays: bool) -> None:
        self._peers = [turn.shared.erlang(number) for number in range(nodes)]
        self._events = events
        self._delays = delays
        for peer in self._peers:
            peer.begin("latencies" if delays else "events", f"'{turn.switch.node}'", events, int(idle * 1000))
        for peer in self._peers:
            peer.wait_until_listening()

    def end(self) -> Received:
        """With delays: those of the node that had the longest."""
        found = [peer.end() for peer in self._peers]
        lost = int(sum(numbers[-1] for numbers in found))
        events = self._events * len(found) - lost
        if self._delays:
            p50, p99, longest, _ = max(found, key=lambda numbers: numbers[2])
            return Received(events, lost, 0.0, Delays(p50, p99, longest))
        return Received(events, lost, max(numbers[0] for numbers in found) / 1e6)
