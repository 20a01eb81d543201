"""The parts of the service that calls and events go through, wired as service.py wires them, in a played switch."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any, cast

from mod_erlang_py.calls.applications import Applications
from mod_erlang_py.calls.asking import Asking
from mod_erlang_py.calls.calls import Call, Calls
from mod_erlang_py.calls.ends import has_ended
from mod_erlang_py.calls.executes import Executes
from mod_erlang_py.calls.groups import Groups
from mod_erlang_py.calls.loads import Loads
from mod_erlang_py.calls.parking import Parking
from mod_erlang_py.calls.watching import Watching
from mod_erlang_py.config.disposition import Continue, Disposition
from mod_erlang_py.config.strategy import Random
from mod_erlang_py.distribution.control import Exit
from mod_erlang_py.errors import NotConnected
from mod_erlang_py.etf import Pid, Reference, Term
from mod_erlang_py.etf.event import EventEncoder
from mod_erlang_py.events.event_handlers import EventHandlers
from mod_erlang_py.events.own_subscriptions import OwnSubscriptions
from mod_erlang_py.events.pump import Pump
from mod_erlang_py.events.shape import Format
from mod_erlang_py.events.subscriptions import Subscriptions
from mod_erlang_py.node.link import Link
from mod_erlang_py.node.processes import Processes
from mod_erlang_py.service import Service
from mod_erlang_py.switch.port import Form, Session
from mod_erlang_py.xml.fetches import Fetches
from mod_erlang_py.xml.limits import Limits
from tests.models.played import Hears, PlayedNode, PlayedSwitch
from tests.models.scheduler import Scheduler
from tests.models.schedules import InTurn

TIMEOUT = 5.0
MANY = 1000
XML_LIMITS = Limits(1000, 100, 50, 50)
ENCODER = EventEncoder(False).headers


class Grants(Calls):
    """Notes for each candidate the number that its first event has at most."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.since: dict[Call, int] = {}
        self.attached: list[Call] = []

    def candidate(self, session: Session, named: bytes = b"") -> Call:
        call = super().candidate(session, named)
        self.since[call] = cast(Any, self._switch).number + 1
        return call

    def attach(self, call: Call, *given: Any) -> None:
        self.attached.append(call)
        super().attach(call, *given)


class _Nobody:
    """A part that hears of everything, and does nothing."""

    def exited(self, *_: object) -> None: ...
    def down(self, *_: object) -> None: ...


class World(Hears):
    """bulk: the most events of one round of the pump."""

    def __init__(self, scheduler: Scheduler, on_exit: Disposition | None = None, bulk: int = 32) -> None:
        self.scheduler = scheduler
        self.switch = PlayedSwitch(scheduler)
        self.source = self.switch.source
        self.nodes: dict[str, PlayedNode] = {}
        self.name = "freeswitch@localhost"
        self.processes = Processes(MANY, MANY)
        switch: Any = self.switch
        self._logs: Any = _Nobody()
        self._subscriptions = Subscriptions(self.source, switch.fire)
        self._event_handlers = EventHandlers(self._subscriptions, Form.STRING)
        encoders = dict.fromkeys(((Format.LIST, Form.STRING), (Format.MAP, Form.STRING)), ENCODER)
        self._own_subscriptions = OwnSubscriptions(
            self._subscriptions, encoders, self._exists, partial(has_ended, switch), MANY
        )
        self._asking = Asking(cast(Any, self), lambda text: text, TIMEOUT)
        self._watching = Watching(self.processes, self._asking, self.exited)
        self._parking = Parking(switch, self._subscriptions, Form.STRING)
        loads = Loads()
        self._calls = Grants(
            switch,
            self.processes,
            self._subscriptions,
            self._asking,
            self._parking,
            ENCODER,
            Form.STRING,
            lambda text: text,
            on_exit or Continue(),
            loads,
        )
        groups = Groups(loads, Random())
        self._applications = Applications(
            cast(Any, self), self._calls, self._asking, groups, self._parking, lambda text: text
        )
        self._executes = Executes(switch, self._subscriptions, self._asking, Form.STRING, MANY, MANY)
        self._fetches = Fetches(switch, ENCODER, lambda text: text, TIMEOUT, MANY, XML_LIMITS, False)
        self._fetches.start()
        self._pump = Pump(self.source, self._subscriptions, bulk, 200, self._look_after)
        self._watch_log()
        scheduler.start("pump", self._pump.run, serves=True)

    def _exists(self, uuid: str) -> bool:
        with self.switch.locate(uuid, ended=True) as session:
            return session is not None

    _look_after: Any = Service._look_after

    # the node

    def connect(self, name: str, timeout: float) -> Link:
        """As Node.connect, but that no link is made."""
        node = self.nodes.get(name)
        if node is None or node.ended:
            raise NotConnected(name, "it is not there")
        return node.link

    def node(self, name: str, dumb: bool = False) -> PlayedNode:
        node = self.nodes[name] = PlayedNode(self.scheduler, name, self, dumb)
        return node

    # what comes over links

    exited: Any = Service.exited
    down: Any = Service.down

    def number(self) -> int:
        return self.switch.number

    def answered(self, reference: Reference | None, answer: Term) -> None:
        assert reference is not None
        self._asking.answered(reference, answer)

    def exit(self, node: PlayedNode, pid: Pid, reason: Term) -> None:
        if self.processes.exited(node.link, Exit(pid, node.local, reason)):
            self.exited(node.link, pid, reason)

    def monitor_down(self, node: PlayedNode, reference: Reference, reason: Term) -> None:
        Service.monitor_down(cast(Any, self), node.link, reference, reason)

    def link_down(self, node: PlayedNode) -> None:
        """As Node._down."""
        self.processes.forget(node.link)
        self.down(node.link)

    # what goes wrong without being raised

    def _watch_log(self) -> None:
        log = logging.getLogger("mod_erlang_py")
        log.handlers = [one for one in log.handlers if not isinstance(one, LogWatch)] + [LogWatch(self)]

    def logged(self, record: logging.LogRecord) -> None:
        if record.exc_info is not None and record.exc_info[1] is not None and not self.scheduler.wrong:
            self.scheduler.wrong.append(record.exc_info[1])

    # at the end

    def end_calls(self) -> None:
        """All calls end, one after the other."""
        self.scheduler.schedule = InTurn()
        for uuid in self.switch.sessions:
            self.scheduler.start(f"hangup of {uuid}", partial(self.switch.hang_up, uuid))
            self.scheduler.finish()
        assert not self._calls._attached
        assert not self._calls._candidates

    def end(self) -> None:
        """And all links do; then nothing is left of them."""
        self.end_calls()
        for node in self.nodes.values():
            self.scheduler.start(f"end of {node.name}", node.go_down)
            self.scheduler.finish()
        self._executes.stop()
        self.scheduler.finish()
        assert [task for task in self.scheduler.tasks if not task.done and task.name != "pump"] == []
        assert self.tables() == {}
        assert not self.switch.xml.sections
        assert self.source.wanted.types == frozenset()

    def tables(self) -> dict[str, object]:
        """What is left in them; nothing, once all calls, processes and links have ended."""
        left = {
            "Calls._attached": self._calls._attached,
            "Calls._candidates": self._calls._candidates,
            "Calls._loads": self._calls._loads,
            "Subscriptions._general": self._subscriptions._general,
            "Subscriptions._of_calls": self._subscriptions._of_calls,
            "Subscriptions._by_target": self._subscriptions._by_target,
            "Subscriptions._gathered": self._subscriptions._gathered,
            "OwnSubscriptions._all": self._own_subscriptions._all,
            "OwnSubscriptions._of_nodes": self._own_subscriptions._of_nodes,
            "EventHandlers._handlers": self._event_handlers._handlers,
            "EventHandlers._listening": self._event_handlers._listening,
            "Demand._counted": self._subscriptions._demand._counted,
            "Asking._questions": self._asking._questions,
            "Asking._late": self._asking._late,
            "Asking._monitors": self._asking._monitors,
            "Watching._names": self._watching._names,
            "Parking._runs": self._parking._runs,
            "Executes._waits": self._executes._waits,
            "Executes._of_nodes": self._executes._of_nodes,
            "Fetches._bindings": self._fetches._bindings,
            "Fetches._pending": self._fetches._pending,
            "EventSource.watched": self.source.watched,
        }
        return {name: table for name, table in left.items() if table}


class LogWatch(logging.Handler):
    """What is logged as an error with a traceback fails the run."""

    def __init__(self, world: World) -> None:
        super().__init__(logging.WARNING)
        self._world = world

    def emit(self, record: logging.LogRecord) -> None:
        self._world.logged(record)

    # one thread runs at a time, and none goes on in here
    def createLock(self) -> None:  # noqa: N802
        self.lock = None
