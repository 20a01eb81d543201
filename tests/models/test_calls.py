"""The life of a call: attach, take over, end, lost, let go. Every two and three of them at once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import combinations, permutations

import pytest

from mod_erlang_py.config.disposition import Hangup
from mod_erlang_py.node.target import Target
from tests.models.calls import UUID, CallWorld
from tests.models.reduction import cover
from tests.models.scheduler import Scheduler
from tests.models.schedules import DEPTH, InTurn, explore

DESK = "desk one@localhost"


def handlecall(world: CallWorld) -> None:
    world.begin("handlecall", world.handlecall, UUID, world.two, world.pid(world.two))


def handlecall_by_name(world: CallWorld) -> None:
    world.begin("handlecall by name", world.handlecall, UUID, world.two, "desk2")


def handlecall_meanwhile(world: CallWorld) -> None:
    """Once the dialplan asks."""

    def run() -> None:
        world.scheduler.block(lambda: UUID in world._calls._candidates, "the dialplan to ask")
        world.handlecall(UUID, world.two, world.pid(world.two))

    world.begin("handlecall", run)


def nohandle(world: CallWorld) -> None:
    world.begin("nohandle", world.nohandle, UUID, False, None)


def hang_up(world: CallWorld) -> None:
    world.begin("hangup", world.switch.hang_up, UUID)


def die(world: CallWorld) -> None:
    world.begin("exit", world.one.die, "desk")


def die_by_pid(world: CallWorld) -> None:
    world.begin("exit of the pid", world.one.die, world.one.pid)


def go_down(world: CallWorld) -> None:
    world.begin("nodedown", world.one.go_down)


def event(world: CallWorld) -> None:
    world.begin("event", world.event, UUID)


def lose(world: CallWorld) -> None:
    world.begin("loss", world.lose, 3)


def erlang(world: CallWorld) -> None:
    world.begin("erlang", world.erlang, UUID, DESK, serves=True)


def handlecall_one(world: CallWorld) -> None:
    world.begin("handlecall of one", world.handlecall, UUID, world.one, world.one.pid)


def change(world: CallWorld) -> None:
    target = Target(world.one.link, "desk")
    world.begin("session_event", world._calls.change, target, lambda now: now)


def refused(world: CallWorld) -> None:
    world.two.dead.add("nobody")
    world.begin("handlecall for nobody", world.handlecall, UUID, world.two, "nobody")


OPERATIONS = (handlecall, nohandle, hang_up, die, go_down, event, lose, change, refused)


def parked(operations: tuple[Callable[[CallWorld], None], ...], scheduler: Scheduler) -> Callable[[], None]:
    """A call that the dialplan has given to a process, and that is parked."""
    world = CallWorld(scheduler, Hangup("NORMAL_CLEARING") if go_down in operations else None)
    return _after(world, erlang, operations)


def _after(
    world: CallWorld, first: Callable[[CallWorld], None] | None, operations: tuple[Callable[[CallWorld], None], ...]
) -> Callable[[], None]:
    world.switch.session(UUID)
    scheduler = world.scheduler
    if first is not None:
        schedule, scheduler.schedule = scheduler.schedule, InTurn()
        first(world)
        scheduler.run()
        scheduler.schedule = schedule
        scheduler.story.clear()
    for operation in operations:
        operation(world)

    def look() -> None:
        world.look()
        world.end_calls()
        world.look()
        world.end()

    return look


def asked(operations: tuple[Callable[[CallWorld], None], ...], scheduler: Scheduler) -> Callable[[], None]:
    """A call for which the dialplan asks for a process meanwhile."""
    return _after(CallWorld(scheduler), None, (erlang, *operations))


def unanswered(operations: tuple[Callable[[CallWorld], None], ...], scheduler: Scheduler) -> Callable[[], None]:
    """A call for which the dialplan asks a node that does not answer; each operation ends that at once."""
    world = CallWorld(scheduler)
    world.one.dumb = True
    look = _after(world, None, (erlang, *operations))

    def in_time() -> None:
        assert scheduler.clock < 1, "it has waited for the answer"
        look()

    return in_time


def taken(operations: tuple[Callable[[CallWorld], None], ...], scheduler: Scheduler) -> Callable[[], None]:
    """A call that a process takes by its pid meanwhile."""
    return _after(CallWorld(scheduler), None, (handlecall_one, *operations))


def _names(operations: tuple[Callable[[CallWorld], None], ...]) -> str:
    return "-".join(one.__name__ for one in operations)


Operations = tuple[Callable[[CallWorld], None], ...]

LONG: set[frozenset[Callable[[CallWorld], None]]] = {
    frozenset(pair)
    for pair in [
        *((refused, other) for other in (handlecall, nohandle, hang_up, die, go_down, event)),
        *((hang_up, other) for other in (handlecall, nohandle, go_down, change, die, event)),
        (handlecall, go_down),
        (handlecall, event),
    ]
}
"""Pairs with thousands of schedules that differ: of these, with a parked call, all with few changes are tried; all of
the others are covered as a whole."""

PAIRS = [pair for pair in permutations(OPERATIONS, 2) if frozenset(pair) in LONG] + [(handlecall, handlecall_by_name)]
WHOLE = [pair for pair in combinations(OPERATIONS, 2) if frozenset(pair) not in LONG]
LONG_ALONE = (handlecall, hang_up, refused)
"""Those with thousands when a process is asked for, or takes the call, meanwhile."""


@pytest.mark.parametrize("operations", PAIRS, ids=_names)
def test_two_at_once_with_a_parked_call(operations: Operations) -> None:
    explore(partial(parked, operations), 1 + DEPTH)


@pytest.mark.parametrize("operations", WHOLE, ids=_names)
def test_all_of_two_at_once_with_a_parked_call(operations: Operations) -> None:
    cover(partial(parked, operations))


@pytest.mark.parametrize("operation", LONG_ALONE)
def test_one_while_a_process_is_asked_for(operation: Callable[[CallWorld], None]) -> None:
    explore(partial(asked, (operation,)), 1 + DEPTH)


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if one not in LONG_ALONE])
def test_all_of_one_while_a_process_is_asked_for(operation: Callable[[CallWorld], None]) -> None:
    cover(partial(asked, (operation,)))


def test_one_while_nobody_answers() -> None:
    explore(partial(unanswered, (handlecall_meanwhile,)), 1 + DEPTH)


@pytest.mark.parametrize("operation", [hang_up, go_down, die])
def test_all_of_one_while_nobody_answers(operation: Callable[[CallWorld], None]) -> None:
    cover(partial(unanswered, (operation,)))


@pytest.mark.parametrize("operation", LONG_ALONE)
def test_one_while_a_process_takes_it(operation: Callable[[CallWorld], None]) -> None:
    explore(partial(taken, (operation,)), 1 + DEPTH)


@pytest.mark.parametrize("operation", [one for one in (die_by_pid, *OPERATIONS) if one not in LONG_ALONE])
def test_all_of_one_while_a_process_takes_it(operation: Callable[[CallWorld], None]) -> None:
    cover(partial(taken, (operation,)))
