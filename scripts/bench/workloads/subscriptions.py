"""What a process that subscribed gets: beside subscriptions to other events, and in each format."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.bench.contenders import COMPILED
from scripts.bench.peers.receivers import received, subscribed
from scripts.bench.results import Measured, Unit
from scripts.bench.turns import Turn, Workload

LIST = "as a list"
_THREE = '{headers, ["Event-Name", "Number", "Sent"]}'
FORMATS = {
    LIST: "[]",
    "as a map": "[{format, map}]",
    "three of the headers, as a list": f"[{_THREE}]",
    "three of the headers, as a map": f"[{{format, map}}, {_THREE}]",
}
"""How it gets them, and the options that it subscribes with."""
IN_ALL = (1, 10, 100, 1_000)
BY_SUBSCRIPTIONS = "by subscriptions of its node"
"""One gets the events, each of the others asks for a subclass of its own that does not come."""
_EVENTS = 10_000


def delivered(what: str) -> str:
    return f"delivered, {what}"


def cpu(what: str) -> str:
    return f"CPU of the switch, {what}"


def measure(turn: Turn) -> Iterator[Measured]:
    list(_burst(turn, LIST, FORMATS[LIST]))  # the first one of a process takes longer
    for what, options in FORMATS.items():
        yield from _burst(turn, what, options)
    there = 1
    for in_all in IN_ALL:
        turn.shared.erlang().measure("subscriptions", f"'{turn.switch.node}'", in_all - there)
        there = in_all
        yield from _burst(turn, BY_SUBSCRIPTIONS, FORMATS[LIST], in_all)


def _burst(turn: Turn, what: str, options: str, at: int | None = None) -> Iterator[Measured]:
    count = turn.events(_EVENTS, 0)
    took, found = received(turn, subscribed(turn, count, options), count)
    yield Measured(delivered(what), Unit.RATE, found.rate, at=at, lost=found.lost)
    if found.events:
        yield Measured(cpu(what), Unit.MICROSECONDS, took / found.events * 1e6, at=at)


SUBSCRIPTIONS = Workload("subscriptions", "A burst of events to a subscription, 75 headers", measure, (COMPILED,))
