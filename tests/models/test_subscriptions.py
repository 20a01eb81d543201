"""The life of a subscription: add, change, event, ack, end by whoever it is. Every two at once, with the pump."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import combinations, permutations
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mod_erlang_py.calls.ends import has_ended
from mod_erlang_py.calls.waiting import NoAnswer
from mod_erlang_py.errors import NotConnected
from mod_erlang_py.etf import Pid, Reference
from mod_erlang_py.events.interest import EVERYTHING, NOTHING, Interest
from mod_erlang_py.events.own_subscriptions import Options, OwnSubscription, OwnSubscriptions
from mod_erlang_py.node.target import Target
from mod_erlang_py.requests import targets
from mod_erlang_py.switch.port import Form
from tests.models.played import NUMBER
from tests.models.reduction import cover
from tests.models.scheduler import Scheduler
from tests.models.schedules import DEPTH, InTurn, explore
from tests.models.world import MANY, World

UUID = "5f0d8f4e-call"
CHANGES = 1 + DEPTH


class Counted(OwnSubscriptions):
    """ended: whose `end` said that it was the one, with how many messages the node had been sent then."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.ended: list[tuple[OwnSubscription, int]] = []

    def end(self, own: OwnSubscription, last: bytes = b"") -> bool:
        ended = super().end(own, last)
        if ended:
            self.ended.append((own, len(cast(Any, own.target.link).messages)))
        return ended


class SubscriptionWorld(World):
    """One node, and one subscription of one of its processes. call: whether it is to a call. window: see ack."""

    def __init__(
        self, scheduler: Scheduler, call: bool = False, window: int | None = None, by_name: bool = False
    ) -> None:
        super().__init__(scheduler, bulk=2)
        self._own_subscriptions = Counted(
            self._subscriptions, {}, self._exists, partial(has_ended, cast(Any, self.switch)), MANY
        )
        self.peer = self.node("one@localhost")
        self.to: Pid | str = "desk" if by_name else self.peer.pid
        self.options = Options(Form.STRING, EVERYTHING, call=UUID.encode() if call else None, window=window)
        self.own: OwnSubscription | None = None
        self.since = 0
        self.acknowledged = 0
        self.left = 0
        self.refused = False
        if call:
            self.switch.session(UUID)

    def subscribe(self) -> None:
        """As the request of that name."""
        own = self._own_subscriptions.subscribe(self.peer.pid, Target(self.peer.link, self.to), self.options)
        if own is None:
            return
        self.since = self.switch.number + 1
        self.own = own
        context: Any = SimpleNamespace(asking=self._asking, node=self)
        try:
            leave = targets.watch(context, own.target, lambda _: self._own_subscriptions.gone(own))
        except (NoAnswer, NotConnected):
            self.refused = True
            self._own_subscriptions.end(own)
            return

        def counted() -> None:
            self.left += 1
            leave()

        self._own_subscriptions.watched(own, counted)
        self._own_subscriptions.open(own)

    def unsubscribe(self) -> None:
        if self.own is not None:
            self._own_subscriptions.unsubscribe(self.own.reference, self.peer.name)

    def acknowledge(self, count: int) -> None:
        if self.own is not None and self._own_subscriptions.acknowledge(self.own.reference, count):
            self.acknowledged += count

    def fire(self) -> None:
        if self.options.call is None or not self.switch.session(UUID).hung_up:
            self.switch.fire_of(UUID if self.options.call else None, "CHANNEL_STATE")

    def look(self) -> None:
        own = self.own
        if own is None:
            return
        ends = [sent for one, sent in self._own_subscriptions.ended if one is own]  # type: ignore[attr-defined]
        assert len(ends) == own.subscription.ended, "one of them is told that it was the one"
        about = [
            (at, term) for at, (_, term) in enumerate(self.peer.messages) if Reference.of(term[1]) == own.reference
        ]
        seen = [term[0].value for _, term in about]
        assert not ends or not about or about[-1][0] < ends[0], f"something came after the end: {seen}"
        assert "unsubscribed" not in seen[:-1], seen
        numbers = [int(dict(term[2][1:])[NUMBER]) for _, term in about if term[0].value == "event"]
        fired = self.switch.fired.get(UUID.encode() if self.options.call else None, [])
        due = [number for number in fired if number >= min([self.since, *numbers[:1]])]
        assert numbers == due[: len(numbers)], f"{numbers} of {due}"
        window = self.options.window
        if window is not None:
            assert len(numbers) <= window + self.acknowledged
        if own.subscription.ended:
            assert self.left or self.refused, "its target is watched still"
        elif window is None:
            assert numbers == due, f"{numbers} of {due}"
        else:
            assert own.flow is not None
            assert numbers + [0] * own.flow.waiting == numbers + [0] * (len(due) - len(numbers))
            assert own.flow.unacknowledged == min(window, own.flow.unacknowledged)
            assert not own.flow.waiting or own.flow.unacknowledged == window
        if own.flow is not None and own.subscription.ended:
            assert own.flow._backlog.bytes == 0


def subscribe(world: SubscriptionWorld) -> None:
    world.scheduler.start("subscribe", world.subscribe)


def unsubscribe(world: SubscriptionWorld) -> None:
    world.scheduler.start("unsubscribe", world.unsubscribe)


def fire(world: SubscriptionWorld) -> None:
    def twice() -> None:
        world.fire()
        world.fire()

    world.scheduler.start("events", twice)


def acknowledge(world: SubscriptionWorld) -> None:
    world.scheduler.start("ack", partial(world.acknowledge, 1))


def die(world: SubscriptionWorld) -> None:
    world.scheduler.start("exit", partial(world.peer.die, world.to))


def go_down(world: SubscriptionWorld) -> None:
    world.scheduler.start("nodedown", world.peer.go_down)


def hang_up(world: SubscriptionWorld) -> None:
    world.scheduler.start("hangup", partial(world.switch.hang_up, UUID))


Operation = Callable[[SubscriptionWorld], None]
ENDINGS = (unsubscribe, die, go_down)
OPERATIONS = (*ENDINGS, fire, acknowledge)


def standing(
    operations: tuple[Operation, ...], call: bool, window: int | None, by_name: bool, scheduler: Scheduler
) -> Callable[[], None]:
    """A subscription that is open."""
    world = SubscriptionWorld(scheduler, call, window, by_name)
    schedule, scheduler.schedule = scheduler.schedule, InTurn()
    subscribe(world)
    scheduler.run()
    world.fire()
    scheduler.run()
    scheduler.schedule = schedule
    return _looking(world, operations)


def beginning(
    operations: tuple[Operation, ...], call: bool, window: int | None, by_name: bool, scheduler: Scheduler
) -> Callable[[], None]:
    """One that is asked for meanwhile."""
    return _looking(SubscriptionWorld(scheduler, call, window, by_name), (subscribe, *operations))


def _looking(world: SubscriptionWorld, operations: tuple[Operation, ...]) -> Callable[[], None]:
    for operation in operations:
        operation(world)

    def look() -> None:
        world.look()
        world.end()
        world.look()

    return look


def _names(operations: object) -> str | None:
    return "-".join(one.__name__ for one in operations) if isinstance(operations, tuple) else None


@pytest.mark.parametrize("operations", [*combinations(OPERATIONS, 2)], ids=_names)
@pytest.mark.parametrize("window", [None, 1])
def test_all_of_two_at_once(operations: tuple[Operation, ...], window: int | None) -> None:
    cover(partial(standing, operations, False, window, False))


@pytest.mark.parametrize(
    "operations", [pair for one in OPERATIONS for pair in ((one, hang_up), (hang_up, one))], ids=_names
)
@pytest.mark.parametrize("window", [None, 1])
def test_with_the_end_of_its_call(operations: tuple[Operation, ...], window: int | None) -> None:
    explore(partial(standing, operations, True, window, False), CHANGES)


@pytest.mark.parametrize("by_name", [False, True])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_all_of_one_while_it_begins(operation: Operation, by_name: bool) -> None:
    cover(partial(beginning, (operation,), False, None, by_name))


@pytest.mark.parametrize("by_name", [False, True])
def test_the_end_of_its_call_while_it_begins(by_name: bool) -> None:
    explore(partial(beginning, (hang_up,), True, None, by_name), CHANGES)


# --- the event handler of a node ------------------------------------------------------------------------------------


class HandlerWorld(World):
    """quiet_since: how many messages the node had been sent when `noevents` was answered."""

    def __init__(self, scheduler: Scheduler) -> None:
        super().__init__(scheduler, bulk=2)
        self.peer = self.node("one@localhost")
        self.quiet_since: int | None = None

    def register(self) -> None:
        if not self.peer.ended:
            register = partial(self._event_handlers.register, self.peer.link, self.peer.pid)
            self._watching.register(Target(self.peer.link, self.peer.pid), register)

    def want(self, what: Interest = EVERYTHING) -> None:
        self._event_handlers.change(self.peer.link, lambda _: what)

    def noevents(self) -> None:
        if self._event_handlers.noevents(self.peer.link):
            self.quiet_since = len(self.peer.messages)


def handled(operations: tuple[str, ...], scheduler: Scheduler) -> Callable[[], None]:
    """A node whose handler is there, and wants everything."""
    world = HandlerWorld(scheduler)
    schedule, scheduler.schedule = scheduler.schedule, InTurn()
    scheduler.start("register", world.register)
    scheduler.start("event", world.want)
    scheduler.run()
    scheduler.schedule = schedule
    does: dict[str, Callable[[], object]] = {
        "register": world.register,
        "noevents": world.noevents,
        "die": partial(world.peer.die, world.peer.pid),
        "go_down": world.peer.go_down,
        "setevent": partial(world.want, NOTHING),
        "fire": lambda: [world.switch.fire_of(None, "HEARTBEAT") for _ in range(3)],
    }
    for operation in operations:
        scheduler.start(operation, does[operation])

    def look() -> None:
        numbers = [int(dict(term[1][1:])[NUMBER]) for _, (_, term) in enumerate(world.peer.messages)]
        fired = world.switch.fired.get(None, [])
        assert numbers == sorted(set(numbers))
        assert set(numbers) <= set(fired)
        if world.quiet_since is not None:
            assert len(world.peer.messages) == world.quiet_since, "something came after noevents was answered"
        if set(operations) <= {"register", "fire"}:
            assert numbers == fired
        handler = world._event_handlers.of(world.peer.link)
        if world.peer.pid in world.peer.dead and not world.peer.ended:
            assert handler is not None
            assert handler.target is None, "it is dead, and the handler still"
        world.end()

    return look


HANDLER = ("register", "noevents", "die", "go_down", "setevent", "fire")


@pytest.mark.parametrize("operations", [*permutations(HANDLER, 2)], ids="-".join)
def test_a_handler(operations: tuple[str, ...]) -> None:
    explore(partial(handled, operations), CHANGES)
