"""Bursts: events fired as fast as FreeSWITCH can, to one node and to several."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.bench.contenders import ALONE, COMPILED, PYTHON, SOCKET, SOCKET_JSON, THEIRS, THEIRS_5000, TLS
from scripts.bench.peers.receivers import Receiver, kinds, listening, received
from scripts.bench.results import Measured, Unit
from scripts.bench.turns import Turn, Workload

USUAL = 75
HEADERS = (20, USUAL, 200)
NODES = (1, 4, 16)
_EVENTS = {1: 20_000, 4: 6_000, 16: 2_000}
"""To each of so many nodes; fewer of the long ones."""
_POLLED = 500


def delivered(headers: int, nodes: int, receiver: Receiver) -> str:
    return f"{headers} headers to {nodes} {receiver.value}{'s' if nodes > 1 else ''}, delivered"


def cpu(headers: int, nodes: int, receiver: Receiver) -> str:
    return f"{headers} headers to {nodes} {receiver.value}{'s' if nodes > 1 else ''}, CPU of the switch"


def net_cpu(headers: int, nodes: int, receiver: Receiver) -> str:
    return f"{cpu(headers, nodes, receiver)}, net"


def generator(headers: int) -> str:
    return f"{headers} headers to nobody, CPU of the switch"


def measure(turn: Turn) -> Iterator[Measured]:
    turn.switch.fire_to_the_end(500)  # to nobody: the first ones of a process take longer
    for headers in HEADERS:
        if turn.contender is ALONE:
            yield _to_nobody(turn, headers)
            continue
        if turn.contender.polls_events and headers != USUAL:
            continue
        for nodes in NODES:
            for receiver in kinds(turn):
                yield from _burst(turn, headers, nodes, receiver)


def _to_nobody(turn: Turn, headers: int) -> Measured:
    count = _count(turn, headers, 1)
    took = turn.switch.fire_to_the_end(count, headers=headers)
    return Measured(generator(headers), Unit.MICROSECONDS, took / count * 1e6)


def _burst(turn: Turn, headers: int, nodes: int, receiver: Receiver) -> Iterator[Measured]:
    count = _count(turn, headers, nodes)
    receivers = listening(turn, receiver, nodes, count)
    seconds, found = received(turn, receivers, count, headers=headers)
    took = seconds * 1e6
    yield Measured(delivered(headers, nodes, receiver), Unit.RATE, found.rate, lost=found.lost)
    if found.events:
        yield Measured(cpu(headers, nodes, receiver), Unit.MICROSECONDS, took / found.events)
        if (alone := turn.alone.get(generator(headers))) is not None:
            net = (took - alone * count) / found.events
            yield Measured(net_cpu(headers, nodes, receiver), Unit.MICROSECONDS, net)


def _count(turn: Turn, headers: int, nodes: int) -> int:
    return turn.events(_EVENTS[nodes] * USUAL // max(USUAL, headers), polled=_POLLED)


CONTENDERS = (ALONE, COMPILED, PYTHON, TLS, THEIRS, THEIRS_5000, SOCKET, SOCKET_JSON)
EVENTS = Workload("events", "A burst of events", measure, CONTENDERS)
