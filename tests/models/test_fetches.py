"""A look-up that two processes are asked: the first good answer counts, and who will not answer is not waited for."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import permutations
from types import SimpleNamespace
from typing import Any

import pytest

from mod_erlang_py.etf import Atom, Pid
from mod_erlang_py.requests.xml import bind
from mod_erlang_py.switch.port import Fetch, Section
from mod_erlang_py.xml.fetches import Verdict
from mod_erlang_py.xml.limits import BadXml
from tests.models.played import PlayedNode
from tests.models.scheduler import Scheduler
from tests.models.schedules import DEPTH, InTurn, explore
from tests.models.world import TIMEOUT, World

ASKED = Fetch("directory", b"domain", b"name", b"example.com", None)
USER = b'<user id="7"/>'
OTHER = b'<user id="8"/>'


class FetchWorld(World):
    def __init__(self, scheduler: Scheduler) -> None:
        super().__init__(scheduler)
        self.one, self.two = self.node("one@localhost"), self.node("two@localhost")
        self.found: list[bytes | None] = []
        self.verdicts: list[tuple[bytes, Verdict]] = []

    def bind(self, node: PlayedNode) -> None:
        """As the request of that name."""
        context = SimpleNamespace(watching=self._watching, fetches=self._fetches, node=self)
        ask: Any = SimpleNamespace(
            sender=node.pid, link=node.link, context=context, term=(Atom("bind"), Atom("directory"))
        )
        bind(ask)

    def unbind(self, node: PlayedNode) -> None:
        self._fetches.unbind(node.pid, None)

    def look_up(self) -> None:
        self.found.append(self._fetches.answer(ASKED))

    def reply(self, node: PlayedNode, text: bytes) -> None:
        """Once it is asked."""
        self.scheduler.block(lambda: bool(node.messages or self.found), f"{node.name} to be asked")
        for to, question in node.messages:
            assert isinstance(to, Pid)
            try:
                verdict = self._fetches.reply(bytes(question[5]).decode(), node.link, to, text)
            except BadXml:
                continue
            self.verdicts.append((text, verdict))


def does(world: FetchWorld) -> dict[str, Callable[[], object]]:
    return {
        "good": partial(world.reply, world.one, USER),
        "other": partial(world.reply, world.two, OTHER),
        "nothing": partial(world.reply, world.one, b""),
        "nothing either": partial(world.reply, world.two, b""),
        "bad": partial(world.reply, world.two, b"<"),
        "exit": partial(world.one.die, world.one.pid),
        "nodedown": world.two.go_down,
        "unbind": partial(world.unbind, world.two),
        "timeout": partial(world.scheduler.pass_time, 2 * TIMEOUT),
        "stop": world._fetches.stop,
    }


OPERATIONS = ("good", "other", "nothing", "nothing either", "bad", "exit", "nodedown", "unbind", "timeout", "stop")
ENDS = {"one": {"good", "nothing", "exit"}, "two": {"other", "nothing either", "bad", "nodedown"}}
"""After which a process is not waited for any more."""


def looking_up(operations: tuple[str, ...], scheduler: Scheduler) -> Callable[[], None]:
    world = FetchWorld(scheduler)
    schedule, scheduler.schedule = scheduler.schedule, InTurn()
    for node in (world.one, world.two):
        scheduler.start("bind", partial(world.bind, node))
    scheduler.run()
    scheduler.schedule = schedule
    scheduler.start("look-up", world.look_up)
    for operation in operations:
        scheduler.start(operation, does(world)[operation])

    def look() -> None:
        (found,) = world.found
        taken = [text for text, verdict in world.verdicts if text and verdict is Verdict.TAKEN]
        assert len(taken) <= 1
        assert (found is not None) == bool(taken), f"{world.verdicts}, and what was found is {found!r}"
        assert found is None or taken[0] in found
        if all(ends & set(operations) for ends in ENDS.values()):
            assert scheduler.clock < 1, "it has waited for who had answered, or was gone"
        world.end()

    return look


@pytest.mark.parametrize("operations", [*permutations(OPERATIONS, 2)], ids="-".join)
def test_two_while_it_is_looked_up(operations: tuple[str, ...]) -> None:
    explore(partial(looking_up, operations), 1 + DEPTH)


def binding(operation: str, scheduler: Scheduler) -> Callable[[], None]:
    world = FetchWorld(scheduler)
    scheduler.start("bind", partial(world.bind, world.one))
    ends: dict[str, Callable[[], object]] = {
        "exit": partial(world.one.die, world.one.pid),
        "nodedown": world.one.go_down,
        "unbind": partial(world.unbind, world.one),
    }
    scheduler.start(operation, ends[operation])

    def look() -> None:
        bound = [pid for pid, _ in world._fetches.bindings()]
        assert operation == "unbind" or not bound, "it is gone, and bound still"
        assert world.switch.xml.sections == (Section.DIRECTORY if bound else Section(0))
        world.end()

    return look


@pytest.mark.parametrize("operation", ["exit", "nodedown", "unbind"])
def test_one_while_a_process_is_bound(operation: str) -> None:
    explore(partial(binding, operation), 2 + DEPTH)
