"""Calls that are handed to a member of a process group, and the same to a process of their own."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.bench.contenders import COMPILED
from scripts.bench.results import Measured, Unit
from scripts.bench.turns import Turn, Workload

AT_ONCE = 10
MEMBERS = 5
GROUP, NAME = f"pg:Group, {MEMBERS} members", "Name:!"
_CALLS = 400


def measure(turn: Turn) -> Iterator[Measured]:
    turn.switch.api("fsctl loglevel err")
    ways = {NAME: _by_name, GROUP: _by_group}
    for make in ways.values():
        make(turn, 40)
    for what, make in ways.items():
        count = turn.requests(_CALLS, 0)
        took, (rate, p50, _, ended) = turn.switch.cpu_of(lambda: make(turn, count))  # noqa: B023
        yield Measured(what, Unit.RATE, rate, lost=count - int(ended))
        yield Measured(f"{what}, CPU of the switch", Unit.MICROSECONDS, took / count * 1e6)
        yield Measured(f"{what}, dialled to handler, p50", Unit.MICROSECONDS, p50)


def _by_name(turn: Turn, count: int) -> list[float]:
    return turn.shared.erlang().measure("calls", f"'{turn.switch.node}'", count, AT_ONCE)


def _by_group(turn: Turn, count: int) -> list[float]:
    return turn.shared.erlang().measure("grouped", f"'{turn.switch.node}'", count, AT_ONCE, MEMBERS)


GROUPS = Workload("groups", f"Calls by way of a process group, {AT_ONCE} at a time", measure, (COMPILED,))
