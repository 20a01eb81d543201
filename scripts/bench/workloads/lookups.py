"""XML look-ups: user_exists, for which FreeSWITCH asks who is bound to the directory."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.bench.contenders import COMPILED, THEIRS
from scripts.bench.results import Measured, Unit
from scripts.bench.turns import Turn, Workload

NOBODY, ANSWERED = "nobody bound", "answered by another node"


def measure(turn: Turn) -> Iterator[Measured]:
    asking, answering, node = turn.shared.erlang(), turn.shared.erlang(1), f"'{turn.switch.node}'"
    count = turn.requests(1500, polled=80)
    yield from _of(NOBODY, *asking.measure("lookups", node, count, '"false"'))
    answering.measure("directory", node)
    asking.measure("lookups", node, turn.requests(100, polled=20), '"true"')
    took, found = turn.switch.cpu_of(lambda: asking.measure("lookups", node, count, '"true"'))
    yield from _of(ANSWERED, *found)
    yield Measured(f"{ANSWERED}, CPU of the switch", Unit.MICROSECONDS, took / count * 1e6)


def _of(what: str, p50: float, p99: float) -> Iterator[Measured]:
    yield Measured(f"{what}, p50", Unit.MICROSECONDS, p50)
    yield Measured(f"{what}, p99", Unit.MICROSECONDS, p99)


LOOKUPS = Workload("lookups", "XML look-ups, one after the other", measure, (COMPILED, THEIRS))
