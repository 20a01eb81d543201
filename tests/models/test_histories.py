"""Long histories that hypothesis draws: what happens, and after how many points who goes on."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from mod_erlang_py.config.disposition import Continue, Hangup, Park, Transfer
from mod_erlang_py.etf import Pid
from tests.models.calls import CallWorld
from tests.models.played import PlayedNode
from tests.models.scheduler import Scheduler
from tests.models.schedules import DEPTH, Drawn, InTurn, Some, drawn
from tests.models.test_subscriptions import SubscriptionWorld
from tests.models.world import World

UUIDS = ("5f0d8f4e-call", "77aa01bc-call")
DEEPER = settings(
    max_examples=60 * (1 + 20 * DEPTH),
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


class History(RuleBasedStateMachine):
    """Of one world; with more depth, every line of the package is a point."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.scheduler = self.stack.enter_context(Scheduler(InTurn(), lines=DEPTH > 0).instead())

    def begin(self, world: World) -> None:
        """world: whose threads are started, and wait for something to do."""
        self.scheduler.run()

    @rule(schedule=drawn(), points=st.integers(1, 200))
    def some_go_on(self, schedule: Drawn, points: int) -> None:
        self.scheduler.schedule = Some(schedule, points)
        self.scheduler.run()

    @rule()
    def all_go_on(self) -> None:
        self.scheduler.schedule = InTurn()
        self.scheduler.run()

    def teardown(self) -> None:
        with self.stack:
            self.scheduler.schedule = InTurn()
            self.scheduler.run()
            self.look()

    def look(self) -> None:
        raise NotImplementedError


class CallHistory(History):
    """Two calls, three nodes; each process takes one call."""

    @initialize(on_exit=st.sampled_from([Continue(), Hangup(), Park(), Transfer("9999")]))
    def make(self, on_exit: Continue | Hangup | Park | Transfer) -> None:
        self.world = CallWorld(self.scheduler, on_exit)
        self.world.node("three@localhost")
        self.names = 0
        self.processes: list[tuple[PlayedNode, Pid | str]] = []
        for uuid in UUIDS:
            self.world.switch.session(uuid)
        self.begin(self.world)

    def _process(self, node: int, by_name: bool) -> tuple[PlayedNode, Pid | str]:
        at = list(self.world.nodes.values())[node]
        self.names += 1
        self.processes.append((at, f"desk{self.names}" if by_name else self.world.pid(at)))
        return self.processes[-1]

    @rule(uuid=st.sampled_from(UUIDS), node=st.integers(0, 2))
    def erlang(self, uuid: str, node: int) -> None:
        at, name = self._process(node, by_name=True)
        self.world.begin(f"erlang {name}", self.world.erlang, uuid, f"{name} {at.name}", serves=True)

    @rule(uuid=st.sampled_from(UUIDS), node=st.integers(0, 2), by_name=st.booleans())
    def handlecall(self, uuid: str, node: int, by_name: bool) -> None:
        at, to = self._process(node, by_name)
        self.world.begin(f"handlecall {to}", self.world.handlecall, uuid, at, to)

    @rule(uuid=st.sampled_from(UUIDS), parked=st.booleans())
    def nohandle(self, uuid: str, parked: bool) -> None:
        self.world.begin("nohandle", self.world.nohandle, uuid, parked, None)

    @rule(uuid=st.sampled_from(UUIDS))
    def event(self, uuid: str) -> None:
        self.world.begin("event", self.world.event, uuid)

    @rule(uuid=st.sampled_from(UUIDS))
    def hang_up(self, uuid: str) -> None:
        self.world.begin("hangup", self.world.switch.hang_up, uuid)

    @rule(back=st.integers(1, 4))
    def die(self, back: int) -> None:
        for at, to in self.processes[-back : len(self.processes) - back + 1]:
            self.world.begin(f"exit of {to}", at.die, to)

    @rule(node=st.integers(0, 2))
    def go_down(self, node: int) -> None:
        at = list(self.world.nodes.values())[node]
        self.world.begin(f"end of {at.name}", at.go_down)

    @rule(count=st.integers(1, 4))
    def lose(self, count: int) -> None:
        self.world.begin("loss", self.world.lose, count)

    def look(self) -> None:
        self.world.look()
        self.world.end_calls()
        self.world.look()
        self.world.end()


class SubscriptionHistory(History):
    """One subscription after the other, of one process."""

    @initialize(call=st.booleans(), window=st.none() | st.integers(1, 3), by_name=st.booleans())
    def make(self, call: bool, window: int | None, by_name: bool) -> None:
        self.world = SubscriptionWorld(self.scheduler, call, window, by_name)
        self.begin(self.world)

    @rule()
    def subscribe(self) -> None:
        if self.world.own is None:
            self.scheduler.start("subscribe", self.world.subscribe)
            self.all_go_on()

    @rule()
    def unsubscribe(self) -> None:
        self.scheduler.start("unsubscribe", self.world.unsubscribe)

    @rule()
    def fire(self) -> None:
        self.scheduler.start("event", self.world.fire)

    @rule(count=st.integers(1, 4))
    def acknowledge(self, count: int) -> None:
        self.scheduler.start("ack", partial(self.world.acknowledge, count))

    @rule()
    def die(self) -> None:
        self.scheduler.start("exit", partial(self.world.peer.die, self.world.to))

    @rule()
    def go_down(self) -> None:
        self.scheduler.start("nodedown", self.world.peer.go_down)

    @rule()
    def hang_up(self) -> None:
        if self.world.options.call is not None:
            self.scheduler.start("hangup", partial(self.world.switch.hang_up, UUIDS[0]))

    def look(self) -> None:
        self.world.look()
        self.world.end()
        self.world.look()


TestCallHistory = CallHistory.TestCase
TestSubscriptionHistory = SubscriptionHistory.TestCase
TestCallHistory.settings = TestSubscriptionHistory.settings = DEEPER
