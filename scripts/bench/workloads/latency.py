"""How long an event is on its way while they come at a steady rate, and the rate at which that ends."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.bench.contenders import ALONE, COMPILED, PYTHON, SOCKET, THEIRS_5000, TLS
from scripts.bench.peers.received import Received
from scripts.bench.peers.receivers import Receiver, kinds, listening, received
from scripts.bench.results import Measured, Unit
from scripts.bench.turns import Turn, Workload

RATES = (1_000, 10_000)
CONTENDERS = (COMPILED, PYTHON, THEIRS_5000, SOCKET)
"""mod_erlang_event with its defaults does not get that far."""
RUNAWAY = 100_000.0
"""Microseconds that one event in a hundred takes: more come than are taken."""
SLOWEST, STEP = 5_000, 1.2
_WARM_UP = 200


def on_its_way(rate: int, receiver: Receiver, part: str) -> str:
    return f"{rate:,} a second to a{'n' if receiver is Receiver.ERL else ''} {receiver.value}, {part}"


def cpu(rate: int, receiver: Receiver) -> str:
    return f"{on_its_way(rate, receiver, 'CPU of the switch')}, net"


def generator(rate: int) -> str:
    return f"{rate:,} a second to nobody, CPU of the switch"


def measure(turn: Turn) -> Iterator[Measured]:
    turn.switch.fire_to_the_end(_WARM_UP)
    for rate in RATES:
        count = int(rate * turn.seconds(1.5))
        if turn.contender is ALONE:
            yield Measured(generator(rate), Unit.MICROSECONDS, turn.switch.fire_to_the_end(count, rate) / count * 1e6)
            continue
        for receiver in kinds(turn):
            receivers = listening(turn, receiver, 1, count, delays=True)
            took, found = received(turn, receivers, count, rate)
            yield from _delays(rate, receiver, found)
            if (alone := turn.alone.get(generator(rate))) is not None:
                yield Measured(cpu(rate, receiver), Unit.MICROSECONDS, took / count * 1e6 - alone)


def _delays(rate: int, receiver: Receiver, found: Received) -> Iterator[Measured]:
    if found.delays:
        yield Measured(on_its_way(rate, receiver, "p50"), Unit.MICROSECONDS, found.delays.p50, lost=found.lost)
        yield Measured(on_its_way(rate, receiver, "p99"), Unit.MICROSECONDS, found.delays.p99)
        yield Measured(on_its_way(rate, receiver, "the longest"), Unit.MICROSECONDS, found.delays.longest)


def measure_limit(turn: Turn) -> Iterator[Measured]:
    """The rate rises until something is lost, or one event in a hundred takes 100 ms."""
    turn.switch.fire_to_the_end(_WARM_UP)
    receiver = kinds(turn)[-1]
    rate, reached = SLOWEST, 0
    while _keeps_up(turn, receiver, rate):
        rate, reached = int(rate * STEP), rate
    yield Measured(limit(receiver), Unit.RATE, reached)


def limit(receiver: Receiver) -> str:
    return (
        f"75 headers to a {receiver.value}, the highest rate before p99 is over {RUNAWAY / 1000:.0f} ms or one is lost"
    )


def _keeps_up(turn: Turn, receiver: Receiver, rate: int) -> bool:
    count = int(rate * turn.seconds(0.8))
    receivers = listening(turn, receiver, 1, count, delays=True)
    _, found = received(turn, receivers, count, rate)
    return not found.lost and found.delays is not None and found.delays.p99 < RUNAWAY


LATENCY = Workload("latency", "How long an event of 75 headers is on its way", measure, (ALONE, *CONTENDERS, TLS))
LIMIT = Workload("limit", "Up to the breaking point", measure_limit, CONTENDERS)
