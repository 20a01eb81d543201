"""What an event costs the switch when there is more of something: near the same, if it is well made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from scripts.bench.contenders import ALONE, COMPILED, PYTHON, THEIRS_5000, Contender
from scripts.bench.errors import BenchError
from scripts.bench.peers.receivers import Receiver, idle_links, listening, needs_thin, received
from scripts.bench.results import Measured, Unit
from scripts.bench.turns import Turn, Workload
from scripts.bench.workloads.foreign import fired, hold

LINKS = (1, 4, 16, 64)
HANDLERS = (0, 10, 100, 1_000)
FILTERS = (0, 10, 100, 1_000)
SUBCLASSES = (0, 10, 100, 1_000)
CALLS = (1, 10, 100, 500, 2_000)
FOREIGN = (5_000, 10_000, 20_000, 40_000)

BY_LINKS = "delivered, by links that receive it"
BY_HANDLERS = "delivered to one link, by links with a handler of other events"
BY_FILTERS = "delivered, by filters that it passes"
BY_SUBCLASSES = "delivered, by further subclasses asked for"
BY_CALLS = "of other calls, by attached calls"
BY_FOREIGN = "of other calls, by how many come in a burst, one call attached"
SERIES = (BY_LINKS, BY_HANDLERS, BY_FILTERS, BY_SUBCLASSES, BY_CALLS, BY_FOREIGN)
_MOST_HANDLERS = {THEIRS_5000: 100}
"""With those it polls 10,000 times a second."""
_MOST_CALLS = {THEIRS_5000: 500, PYTHON: 500}
"""The one takes a minute to have more; with more, the other takes all that FreeSWITCH leaves."""
_SAMPLE = 8_000
_QUICK = 10


def measure(turn: Turn) -> Iterator[Measured]:
    turn.switch.fire_to_the_end(500)
    if turn.contender is ALONE:
        yield from _by_foreign(turn)
        return
    yield from _by_links(turn)
    yield from _by_handlers(turn)
    yield from _by_filters(turn)
    yield from _by_subclasses(turn)
    hold(turn, 1)
    yield from _by_foreign(turn)
    yield from _by_calls(turn, held=1)


def _by_links(turn: Turn) -> Iterator[Measured]:
    for links in LINKS:
        cost = _delivered(turn, turn.events(_SAMPLE, 0) // links, links=links)
        yield Measured(BY_LINKS, Unit.MICROSECONDS, cost, at=links)


def _by_handlers(turn: Turn) -> Iterator[Measured]:
    for handlers in _within(turn, HANDLERS, _MOST_HANDLERS):
        with idle_links(turn, handlers):
            turn.switch.look_at_idle()
            cost = _delivered(turn, turn.events(_SAMPLE, 0))
        yield Measured(BY_HANDLERS, Unit.MICROSECONDS, cost, at=handlers)
    turn.switch.look_at_idle()


def _by_filters(turn: Turn) -> Iterator[Measured]:
    for filters in FILTERS:
        turn.shared.erlang().measure("filters", f"'{turn.switch.node}'", filters)
        cost = _delivered(turn, turn.events(_SAMPLE // 2, 0), Receiver.ERL)
        yield Measured(BY_FILTERS, Unit.MICROSECONDS, cost, at=filters)


def _by_subclasses(turn: Turn) -> Iterator[Measured]:
    for subclasses in SUBCLASSES:
        cost = _delivered(turn, turn.events(_SAMPLE // 2, 0), Receiver.ERL, subclasses=subclasses)
        yield Measured(BY_SUBCLASSES, Unit.MICROSECONDS, cost, at=subclasses)


def _by_foreign(turn: Turn) -> Iterator[Measured]:
    """With the calls that there are."""
    for count in FOREIGN:
        yield Measured(BY_FOREIGN, Unit.MICROSECONDS, fired(turn, turn.events(count, 0)), at=count)


def _by_calls(turn: Turn, held: int) -> Iterator[Measured]:
    for calls in _within(turn, CALLS, _MOST_CALLS):
        hold(turn, calls - held)
        held = calls
        turn.switch.look_at_idle()
        yield Measured(BY_CALLS, Unit.MICROSECONDS, fired(turn, turn.events(20_000, 0)), at=calls)


def _within(turn: Turn, numbers: Sequence[int], most: Mapping[Contender, int]) -> list[int]:
    """Those that it can be asked for."""
    limit = _QUICK if turn.quick else most.get(turn.contender, numbers[-1])
    return [number for number in numbers if number <= limit]


def _delivered(
    turn: Turn, count: int, receiver: Receiver = Receiver.THIN, *, links: int = 1, subclasses: int = 0
) -> float:
    """The processor time that each took, in microseconds, to each of the links. Raises BenchError."""
    receivers = listening(turn, receiver, links, count, subclasses=subclasses)
    took, found = received(turn, receivers, count)
    if found.lost:
        raise BenchError(f"{found.lost} events of {count} to {links} links are lost")
    return took / found.events * 1e6


GROWTH = Workload(
    "growth",
    "What an event of 75 headers costs when there is more",
    measure,
    (ALONE, COMPILED, PYTHON, THEIRS_5000),
    rounds=3,
    lacks=needs_thin,
)
