"""What a link, what it asked for, and an attached call take in RAM."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.bench.contenders import ALONE, COMPILED, SOCKET, THEIRS, Speaks
from scripts.bench.peers.event_socket import EventSocket
from scripts.bench.peers.receivers import idle_links, needs_thin
from scripts.bench.peers.thin import ABSENT
from scripts.bench.results import Measured, Unit
from scripts.bench.turns import Turn, Workload
from scripts.bench.workloads.foreign import hold

_LINKS = 100
_SUBCLASSES = 2_000
_CALLS, _POLLED_CALLS = 400, 100
LINK = "a link with an event handler"
SUBCLASS = "a subclass that it asked for"
CALL = "a call of one leg, parked, of FreeSWITCH's own and with its process"


def measure(turn: Turn) -> Iterator[Measured]:
    """Calls first: what links leave behind is used again."""
    if turn.contender is not SOCKET:
        yield _calls(turn)
    if turn.contender is not ALONE:
        yield _links(turn)
    if turn.contender.speaks is Speaks.ERLANG:
        count = turn.events(_SUBCLASSES, polled=_SUBCLASSES // 10)
        before = _memory(turn)
        turn.shared.erlang().measure("subclasses", f"'{turn.switch.node}'", count)
        yield Measured(SUBCLASS, Unit.KIB, (_memory(turn) - before) / count)


def _links(turn: Turn) -> Measured:
    _hold_links(turn, 1)  # the first one takes what all share
    before = _memory(turn)
    with_links = _hold_links(turn, _LINKS)
    return Measured(LINK, Unit.KIB, (with_links - before) / _LINKS)


def _hold_links(turn: Turn, count: int) -> float:
    """The memory while so many are there."""
    if turn.contender.speaks is not Speaks.ERLANG:
        clients = [EventSocket(*turn.switch.event_socket) for _ in range(count)]
        for client in clients:
            client.ask(f"event plain CUSTOM {ABSENT}")
        found = _memory(turn)
        for client in clients:
            client.close()
        return found
    with idle_links(turn, count):
        return _memory(turn)


def _calls(turn: Turn) -> Measured:
    count = turn.requests(_CALLS, polled=_POLLED_CALLS)
    turn.switch.api("fsctl loglevel err")
    _park(turn, 20)
    before = _memory(turn)
    _park(turn, count)
    return Measured(CALL, Unit.KIB, (_memory(turn) - before) / count)


def _park(turn: Turn, calls: int) -> None:
    if turn.contender is not ALONE:
        hold(turn, calls)
        return
    with EventSocket(*turn.switch.event_socket) as client:
        for _ in range(calls):
            client.api("originate null/1 parked- XML bench")


def _memory(turn: Turn) -> float:
    turn.switch.settle()
    return turn.switch.memory()


MEMORY = Workload("memory", "Memory", measure, (ALONE, COMPILED, THEIRS, SOCKET), rounds=3, lacks=needs_thin)
