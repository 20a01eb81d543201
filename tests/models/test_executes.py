"""An `execute` that somebody waits for: exactly one answer, whatever comes at once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import permutations

import pytest

from mod_erlang_py.calls.executes import Completed, Failure, Wait
from mod_erlang_py.node.target import Target
from tests.models.scheduler import Scheduler
from tests.models.schedules import DEPTH, InTurn, explore
from tests.models.world import World

UUID = "5f0d8f4e-call"
APP_UUID = b"of the application"
SECONDS = 5.0


class ExecuteWorld(World):
    def __init__(self, scheduler: Scheduler) -> None:
        super().__init__(scheduler)
        self.peer = self.node("one@localhost")
        self.switch.session(UUID)
        self.wait_for: Wait | None = None
        self.answers: list[Completed | Failure] = []
        self.dropped = 0
        scheduler.start("executes", self._executes.run, serves=True)

    def wait(self) -> None:
        target = Target(self.peer.link, self.peer.pid)
        self.wait_for = self._executes.wait(UUID, "playback", APP_UUID, target, SECONDS, self.answers.append)

    def drop(self) -> None:
        if self.wait_for is not None:
            self.dropped += self._executes.drop(self.wait_for)

    def done(self) -> None:
        if not self.switch.session(UUID).hung_up:
            self.switch.fire_of(UUID, "CHANNEL_EXECUTE_COMPLETE", (b"Application-UUID", APP_UUID))
            self.switch.fire_of(UUID, "PRIVATE_COMMAND", (b"event-uuid", APP_UUID))

    def look(self) -> None:
        gone = self.peer.ended or self.peer.pid in self.peer.dead
        assert len(self.answers) + self.dropped <= 1, self.answers
        if self.wait_for is not None and self.wait_for.subscription.ended and not gone:
            assert len(self.answers) + self.dropped == 1, "it is over, and nobody was told"
        if self.wait_for is not None and not self.wait_for.subscription.ended:
            assert self.scheduler.clock < self.wait_for.deadline, "its time is over"
        if gone and self.wait_for is not None:
            assert self.wait_for.subscription.ended


def does(world: ExecuteWorld) -> dict[str, Callable[[], object]]:
    return {
        "wait": world.wait,
        "done": world.done,
        "drop": world.drop,
        "hangup": partial(world.switch.hang_up, UUID),
        "timeout": partial(world.scheduler.pass_time, 2 * SECONDS),
        "exit": partial(world.peer.die, world.peer.pid),
        "nodedown": world.peer.go_down,
        "loss": lambda: setattr(world.source, "lose", 5),
    }


OPERATIONS = ("done", "drop", "hangup", "timeout", "exit", "nodedown", "loss")


def waiting(operations: tuple[str, ...], scheduler: Scheduler) -> Callable[[], None]:
    world = ExecuteWorld(scheduler)
    if "wait" not in operations:
        schedule, scheduler.schedule = scheduler.schedule, InTurn()
        scheduler.start("wait", world.wait)
        scheduler.run()
        scheduler.schedule = schedule
    for operation in operations:
        scheduler.start(operation, does(world)[operation])

    def look() -> None:
        world.look()
        world.end()
        world.look()
        if world.wait_for is not None:
            assert world.wait_for.subscription.ended

    return look


@pytest.mark.parametrize("operations", [*permutations(OPERATIONS, 2)], ids="-".join)
def test_two_at_once(operations: tuple[str, ...]) -> None:
    explore(partial(waiting, operations), 1 + DEPTH)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_one_while_it_begins(operation: str) -> None:
    explore(partial(waiting, ("wait", operation)), 1 + DEPTH)
