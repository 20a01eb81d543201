"""What an event of another call costs while a process has one."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.bench.contenders import ALONE, COMPILED, PYTHON, THEIRS
from scripts.bench.errors import BenchError
from scripts.bench.results import Measured, Unit
from scripts.bench.turns import Turn, Workload

NAME, UUID = "CHANNEL_EXECUTE_COMPLETE", "00000000-0000-4000-8000-000000000000"
"""Of the events that are fired: one which FreeSWITCH itself does nothing with, of a call that there is not."""
COUNT = 40_000
COST = "CPU of the switch"
"""With one call attached; of FreeSWITCH alone, with none."""
NET_COST = f"{COST}, net"


def fired(turn: Turn, count: int) -> float:
    """The processor time that each took, in microseconds; without what the switch takes anyway."""
    took = turn.switch.fire_to_the_end(count, name=NAME, subclass="-", uuid=UUID)
    return took / count * 1e6


def hold(turn: Turn, calls: int) -> None:
    """Have an Erlang process for each of so many more calls. Raises BenchError."""
    (held,) = turn.shared.erlang().measure("hold", f"'{turn.switch.node}'", calls)
    if held != calls:
        raise BenchError(f"{held:.0f} of {calls} calls came to their process")


def measure(turn: Turn) -> Iterator[Measured]:
    count = turn.events(COUNT, polled=COUNT)
    if turn.contender is not ALONE:
        hold(turn, 1)
    fired(turn, count // 10)
    cost = fired(turn, count)
    yield Measured(COST, Unit.MICROSECONDS, cost)
    if turn.contender is not ALONE and (alone := turn.alone.get(COST)) is not None:
        yield Measured(NET_COST, Unit.MICROSECONDS, cost - alone)


FOREIGN = Workload("foreign", "An event of another call, 75 headers", measure, (ALONE, COMPILED, PYTHON, THEIRS))
