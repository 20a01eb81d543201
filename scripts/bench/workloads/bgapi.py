"""{bgapi, echo, "hello"}, until bgok comes."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.bench.contenders import COMPILED, THEIRS
from scripts.bench.results import Measured, Unit
from scripts.bench.turns import Turn, Workload

AT_ONCE = (1, 20)


def measure(turn: Turn) -> Iterator[Measured]:
    peer, node = turn.shared.erlang(), f"'{turn.switch.node}'"
    peer.measure("jobs", node, turn.requests(100, polled=20), 1)
    for at_once in AT_ONCE:
        rate, p50, p99 = peer.measure("jobs", node, turn.requests(2000, polled=100), at_once)
        yield Measured(f"jobs, {at_once} at a time", Unit.RATE, rate)
        yield Measured(f"from the request to bgok, {at_once} at a time, p50", Unit.MICROSECONDS, p50)
        yield Measured(f"from the request to bgok, {at_once} at a time, p99", Unit.MICROSECONDS, p99)


BGAPI = Workload("bgapi", '`{bgapi, echo, "hello"}`', measure, (COMPILED, THEIRS))
