"""Requests without a network: a switch, a link and a node that do as a test says."""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import fields
from functools import partial
from typing import Any

from mod_erlang_py import etf
from mod_erlang_py.config.settings import Config
from mod_erlang_py.distribution.control import ControlMessage, SpawnRequest, encode_control
from mod_erlang_py.errors import SwitchError
from mod_erlang_py.etf import Atom, Limits, Pid, Reference, Term
from mod_erlang_py.node.threads import Threads
from mod_erlang_py.node.workers import Workers
from mod_erlang_py.requests import Context, Dispatcher
from mod_erlang_py.requests.context import as_text
from mod_erlang_py.switch.port import ApiResult, Encoder, Event, EventSource, Form, Module, Settings
from tests.waiting import DEADLINE

OURS = Pid("freeswitch@localhost", 1, 0, 42)
SENDER = Pid("peer@localhost", 90, 0, 7)
OTHER = Pid("peer@localhost", 91, 0, 7)
SPAWNED = Pid("freeswitch@localhost", 2, 1, 42)
JOB = "7f3c2143-55db-422f-bd15-0fa93ac78cb7"


class FakeSwitch:
    """commands: by name, in lower case; each gets its arguments. executed: what was asked for, in order. sessions: the
    UUIDs of the calls that there are; looked_for: how often one was looked for."""

    description = "fake switch"

    def __init__(self) -> None:
        self.commands: dict[str, Callable[[bytes], ApiResult]] = {
            "echo": lambda arguments: ApiResult(True, True, arguments),
        }
        self.executed: list[tuple[str, bytes]] = []
        self.fired: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.sessions: set[str] = set()
        self.looked_for = 0

    def execute(self, command: str, arguments: bytes) -> ApiResult:
        self.executed.append((command, arguments))
        known = self.commands.get(command.lower())
        return known(arguments) if known else ApiResult(False, False, b"INVALID COMMAND!\n")

    def fire(self, event: Event) -> None:
        self.fired.put(event)

    def locate(self, uuid: str, ended: bool = False) -> AbstractContextManager[object]:
        self.looked_for += 1
        return nullcontext(self if uuid in self.sessions else None)

    def create_uuid(self) -> str:
        return JOB

    def event_type(self, name: str) -> str | None:
        return name.upper()

    def events(self, encoders: Mapping[Form, Encoder]) -> EventSource:
        raise SwitchError("events", "none here")

    def hostname(self) -> str:
        return "host"

    def settings(self, file: str) -> Settings:
        return Settings()

    def log_handler(self) -> logging.Handler:
        return logging.NullHandler()

    def load(self, module: Module) -> None:
        """Nothing loads here."""

    def unload(self) -> None:
        """Nothing was loaded."""


class FakeLink:
    """sent: to whom, and the term of each message, as the peer would decode it. signals: what else went to the peer."""

    local = OURS

    def __init__(self, name: str = "peer@localhost") -> None:
        self.name = name
        self.knows_aliases = True
        self.requests = self.denied = 0
        self.sent: queue.SimpleQueue[tuple[Any, Term]] = queue.SimpleQueue()
        self.signals: list[ControlMessage] = []
        self.ended: list[str] = []

    def send(self, to: Pid | Reference, term: Term) -> None:
        self.sent.put((to, etf.decode(etf.encode(term), limits=Limits(elements=10_000_000))))

    def signal(self, message: ControlMessage) -> None:
        encode_control(message)
        self.signals.append(message)

    def fresh_pid(self) -> Pid:
        return SPAWNED

    def end(self, reason: str) -> None:
        self.ended.append(reason)


class FakeProcesses:
    """refused: who was told by a monitor of his that there is nobody. monitors: who has one, and of whom."""

    def __init__(self) -> None:
        self.linked: list[Pid] = []
        self.monitors: set[tuple[Pid, Pid | str]] = set()
        self.refused: list[Pid] = []

    def stands(self, link: object, pid: Pid, to: Pid | str, reference: Reference) -> bool:
        return (pid, to) in self.monitors

    def refuse(self, link: object, pid: Pid, to: Pid | str) -> bool:
        if (pid, to) not in self.monitors:
            return False
        self.refused.append(pid)
        return True

    def link(self, link: object, pid: Pid) -> None:
        self.linked.append(pid)


class FakeAsking:
    """waiting: the references that an answer is waited for under. by: whose answers alone would have counted."""

    def __init__(self) -> None:
        self.waiting: set[Reference] = set()
        self.by: list[object] = []

    def answered(self, reference: Reference, answer: Term, by: object = None) -> bool:
        self.by.append(by)
        return reference in self.waiting


class FakeNode:
    """links: the others that are up."""

    def __init__(self, link: FakeLink, config: Config) -> None:
        self.config = config
        self.processes = FakeProcesses()
        self.links: list[FakeLink] = []
        self._link = link

    def link_to(self, name: str) -> FakeLink | None:
        return next((link for link in (self._link, *self.links) if link.name == name), None)

    def send(self, to: Pid, term: Term) -> None:
        self._link.send(to, term)


class Bench:
    """A Dispatcher. ask(term) is what a sender gets at once, as a list."""

    def __init__(self, threads: Threads, config: Config | None = None) -> None:
        self.switch = FakeSwitch()
        self.link = FakeLink()
        config = config or Config()
        self.node = FakeNode(self.link, config)
        self.workers = Workers(threads, 128, 10_000, 1 << 26)
        self.waiting = FakeAsking()
        parts: dict[str, Any] = dict.fromkeys(field.name for field in fields(Context))
        parts |= {"node": self.node, "switch": self.switch, "workers": self.workers}
        parts |= {"asking": self.waiting, "text": partial(as_text, config.encoding)}
        self.context = Context(**parts)
        self.dispatcher = Dispatcher(self.context, etf.LIMITS)

    def ask(self, term: Term, sender: Pid | None = SENDER) -> list[Term]:
        self.receive(etf.encode(term), sender)
        replies = []
        while not self.link.sent.empty():
            to, reply = self.link.sent.get()
            assert to == sender
            replies.append(reply)
        return replies

    def receive(self, payload: bytes, sender: Pid | None = SENDER, to: Pid | str = "foo") -> None:
        link: Any = self.link
        job = self.dispatcher.received(link, sender, to, payload)
        if job is not None:
            assert job.sender == sender
            job.run()

    def spawn(self, message: SpawnRequest, payload: bytes) -> None:
        link: Any = self.link
        job = self.dispatcher.spawned(link, message, payload)
        if job is not None:
            assert job.sender == message.from_pid
            job.run()

    def later(self) -> tuple[Pid, Term]:
        """The next message that is sent."""
        return self.link.sent.get(timeout=DEADLINE)


def api(command: Term, *arguments: Term) -> Term:
    return (Atom("api"), command, *arguments)


def bgapi(command: Term, *arguments: Term) -> Term:
    return (Atom("bgapi"), command, *arguments)
