"""Applications that parked calls execute, until it is known that they are done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from scripts.bench.contenders import COMPILED
from scripts.bench.errors import BenchError
from scripts.bench.results import Measured, Unit
from scripts.bench.turns import Turn, Workload

CALLS = 100
AT_ONCE = (100, 2_000)
"""That wait, of all the calls together."""
_EXECUTES = 8_000
_ONE_BY_ONE = 100
ALONE = "1 at a time"


def rate(at_once: int) -> str:
    return f"{at_once:,} at a time, of {CALLS} calls"


def cpu(at_once: int) -> str:
    return f"{rate(at_once)}, CPU of the switch"


def measure(turn: Turn) -> Iterator[Measured]:
    turn.switch.api("fsctl loglevel err")
    erlang, node = turn.shared.erlang(), f"'{turn.switch.node}'"
    calls = [_park(turn) for _ in range(CALLS)]
    erlang.measure("execute", node, calls[0], 20)
    turn.switch.look_at_idle()
    one_by_one = erlang.measure("execute", node, calls[0], turn.requests(_ONE_BY_ONE, 0))
    for part, found in zip(("p50", "p99"), one_by_one, strict=True):
        yield Measured(f"{ALONE}, {part}", Unit.MILLISECONDS, found / 1e3)
    count = turn.requests(_EXECUTES, 0)
    for at_once in AT_ONCE:
        yield from _together(turn, calls, at_once, count)


def _together(turn: Turn, calls: Sequence[str], at_once: int, count: int) -> Iterator[Measured]:
    processes = min(at_once, count)
    ask = ("executes", f"'{turn.switch.node}'", f"[{', '.join(calls)}]", processes, count // processes)
    took, (done, lost) = turn.switch.cpu_of(lambda: turn.shared.erlang().measure(*ask))
    yield Measured(rate(at_once), Unit.RATE, done, lost=int(lost))
    yield Measured(cpu(at_once), Unit.MICROSECONDS, took / count * 1e6)


def _park(turn: Turn) -> str:
    """Its UUID, as Erlang writes it. Raises BenchError."""
    answer = turn.switch.api("originate null/1 parked XML bench")
    said, _, uuid = answer.strip().partition(" ")
    if said != "+OK":
        raise BenchError(f"no call: {answer.strip()}")
    return f'"{uuid}"'


EXECUTES = Workload("executes", "Executes of parked calls, {execute, UUID, set, ...}", measure, (COMPILED,))
