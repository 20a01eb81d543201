"""Calls without media that are answered and hung up, by an Erlang process of their own, or by the dialplan."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.bench.contenders import ALONE, ERLANG, SOCKET, Speaks
from scripts.bench.peers.callers import answered_and_hung_up
from scripts.bench.results import Measured, Unit
from scripts.bench.turns import Turn, Workload

AT_ONCE = {1: 60, 10: 400, 100: 400}
"""Calls at a time, and how many of them are made."""
_POLLED = {1: 20, 10: 100, 100: 100}


def rate(at_once: int) -> str:
    return f"{at_once} at a time"


def cpu(at_once: int) -> str:
    return f"{at_once} at a time, CPU of the switch"


def to_handler(at_once: int, part: str) -> str:
    return f"{at_once} at a time, dialled to handler, {part}"


def measure(turn: Turn) -> Iterator[Measured]:
    turn.switch.api("fsctl loglevel err")
    _make(turn, 20, 1)
    for at_once in AT_ONCE:
        count = turn.requests(AT_ONCE[at_once], polled=_POLLED[at_once])
        took, (found, delays) = turn.switch.cpu_of(lambda: _make(turn, count, at_once))  # noqa: B023
        yield found
        yield Measured(cpu(at_once), Unit.MICROSECONDS, took / count * 1e6)
        for part, delay in zip(("p50", "p99"), delays, strict=False):
            yield Measured(to_handler(at_once, part), Unit.MICROSECONDS, delay)


def _make(turn: Turn, count: int, at_once: int) -> tuple[Measured, list[float]]:
    """And the microseconds from dialling to the handler, p50 and p99, where there is one."""
    if turn.contender.speaks is Speaks.ERLANG:
        found, *delays, ended = turn.shared.erlang().measure("calls", f"'{turn.switch.node}'", count, at_once)
        return Measured(rate(at_once), Unit.RATE, found, lost=count - int(ended)), delays
    handled = turn.contender is not ALONE
    seconds, ended, delays = answered_and_hung_up(*turn.switch.event_socket, count, at_once, handled)
    return Measured(rate(at_once), Unit.RATE, ended / seconds, lost=count - int(ended)), delays


CALLS = Workload("calls", "Calls, answered and hung up", measure, (ALONE, *ERLANG, SOCKET))
