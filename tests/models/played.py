"""A switch and peers that are played, for the real objects between them.

Each call into the switch and each message that is sent is a point of the scheduler; nothing here takes a lock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, cast

from mod_erlang_py import etf
from mod_erlang_py.distribution.connection import FrameReader, Frames, decode_body
from mod_erlang_py.distribution.control import DemonitorP, MonitorP, RegSend, SendSender
from mod_erlang_py.distribution.control import Link as LinkSignal
from mod_erlang_py.distribution.flags import OURS
from mod_erlang_py.distribution.forms import send_control
from mod_erlang_py.distribution.handshake_events import PeerNode
from mod_erlang_py.etf import Atom, Pid, Reference, Term
from mod_erlang_py.node.link import Link
from mod_erlang_py.node.processes import NOPROC
from mod_erlang_py.switch.port import BatchOfOne, Event, Fetch, Form, Header, Section, Wanted
from tests.models.scheduler import Scheduler

KILLED = Atom("killed")
NUMBER = b"Event-Sequence"


@dataclass(frozen=True, slots=True)
class PlayedEvent(BatchOfOne):
    name: str
    uuid: bytes | None
    sequence: int
    more: tuple[Header, ...] = ()
    subclass: bytes | None = None
    body: bytes | None = None

    def headers(self) -> Sequence[Header]:
        own = [(b"Event-Name", self.name.encode()), (NUMBER, b"%d" % self.sequence)]
        return own + ([(b"Unique-ID", self.uuid)] if self.uuid else []) + list(self.more)

    def header(self, name: bytes) -> bytes | None:
        return dict(self.headers()).get(name)

    def encoded(self, form: Form) -> bytes:
        return etf.encode_bare([self.uuid or Atom("undefined"), *self.headers()])


class PlayedSource:
    """An EventSource. Who binds holds these locks: they keep an older wish from coming last, and nothing that the
    switch calls takes one of them (EventHandlers.of takes none)."""

    BINDING = ("Subscriptions._binding", "EventHandlers._lock")
    implementation = "played"
    reason = ""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self.wanted = Wanted()
        self.watched: set[bytes] = set()
        self._queue: deque[PlayedEvent] = deque()
        self._woken = False
        self.closed = False
        self.lose = 0
        """So many events are lost, of those that come next."""
        self._lost = 0

    def want(self, wanted: Wanted) -> None:
        self._scheduler.calling("want", self.BINDING)
        self.wanted = wanted

    def watch(self, uuid: bytes) -> None:
        self._scheduler.calling("watch", self.BINDING)
        self.watched.add(uuid)

    def unwatch(self, uuid: bytes) -> None:
        self._scheduler.calling("unwatch", self.BINDING)
        self.watched.discard(uuid)

    def come(self, event: PlayedEvent) -> None:
        if self.closed or not (event.uuid in self.watched or self.wanted.has(event.name, event.subclass)):
            return
        if self.lose:
            self.lose -= 1
            self._lost += 1
        else:
            self._queue.append(event)

    def take(self, timeout: float, most: int) -> Sequence[PlayedEvent]:
        self._scheduler.calling("take")
        if timeout and not self.closed:
            self._scheduler.block(self._has_come, "events", timeout)
        if self._woken:
            self._woken = False
            return ()
        return [self._queue.popleft() for _ in range(min(most, len(self._queue)))]

    def _has_come(self) -> bool:
        return bool(self._queue or self._woken or self._lost or self.closed)

    def lost(self) -> int:
        lost, self._lost = self._lost, 0
        return lost

    def wake(self) -> None:
        self._woken = True
        self._scheduler.calling("wake")

    def close(self) -> None:
        self.closed = True
        self._queue.clear()


class PlayedSession:
    """A call. done: what was done with it because its process was lost. in_application: whether its thread is in ours,
    as far as the switch knows. completed_at: the number of CHANNEL_HANGUP_COMPLETE."""

    def __init__(self, switch: PlayedSwitch, uuid: str) -> None:
        self._switch = switch
        self.uuid = uuid
        self.hung_up = False
        self.gone = False
        self.locked = False
        self.parked = False
        self.transferred = False
        self.in_application = False
        self.completed_at = 0
        self.done: list[str] = []
        self.variables: dict[str, bytes] = {}

    def variable(self, name: str) -> bytes | None:
        return self.variables.get(name)

    def is_controlled(self) -> bool:
        return self.parked

    def has_hung_up(self) -> bool:
        return self.hung_up

    def data(self) -> Event:
        self._switch.scheduler.calling("data")
        return Event("CHANNEL_DATA", ((b"Unique-ID", self.uuid.encode()),))

    def park(self) -> None:
        scheduler = self._switch.scheduler
        scheduler.calling("park")
        self.parked = True
        self._switch.fire_of(self.uuid, "CHANNEL_PARK")
        scheduler.block(lambda: not self.parked or self.hung_up or self.transferred, "its parking to end")
        self.parked = False

    def let_go(self) -> bool:
        self._switch.scheduler.calling("let_go")
        was, self.parked = self.parked, False
        return was

    def hangup(self, cause: str) -> None:
        self._switch.scheduler.calling("hangup")
        self.done.append(f"hangup {cause}")
        self._switch.hang_up(self.uuid)

    def transfer(self, extension: str, dialplan: str | None, context: str | None) -> None:
        self._switch.scheduler.calling("transfer")
        self.done.append(f"transfer {extension}")
        self.transferred = True

    def state(self) -> str:
        return "CS_EXECUTE"

    def send_message(self, headers: Sequence[Header]) -> bool:
        self._switch.scheduler.calling("send_message")
        return not self.hung_up

    def soft_lock(self, seconds: int) -> None:
        self._switch.scheduler.calling("soft_lock")
        self.locked = True

    def soft_unlock(self) -> None:
        self._switch.scheduler.calling("soft_unlock")
        self.locked = False


class PlayedBinding:
    """An XmlBinding. Choosing the sections takes no lock of the switch's and never waits."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self.sections = Section(0)

    def want(self, sections: Section) -> None:
        self._scheduler.calling("want of sections", ("Fetches._lock",))
        self.sections = sections

    def close(self) -> None:
        self._scheduler.calling("unbind")
        self.sections = Section(0)


class PlayedSwitch:
    """fired: the numbers of each call's events."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self.source = PlayedSource(scheduler)
        self.sessions: dict[str, PlayedSession] = {}
        self.number = 0
        self.fired: dict[bytes | None, list[int]] = {}
        self._uuids = 0

    def session(self, uuid: str) -> PlayedSession:
        return self.sessions.setdefault(uuid, PlayedSession(self, uuid))

    @contextmanager
    def locate(self, uuid: str, ended: bool = False) -> Iterator[PlayedSession | None]:
        self.scheduler.calling("locate")
        session = self.sessions.get(uuid)
        there = session is not None and (not session.hung_up or (ended and (session.locked or not session.gone)))
        yield session if there else None

    def sequence(self) -> int:
        self.scheduler.calling("sequence")
        self.number += 1
        return self.number

    def create_uuid(self) -> str:
        self.scheduler.calling("create_uuid")
        self._uuids += 1
        return f"uuid-{self._uuids}"

    def bind_xml(self, answer: Callable[[Fetch], bytes | None]) -> PlayedBinding:
        self.scheduler.calling("bind_xml")
        self.xml = PlayedBinding(self.scheduler)
        return self.xml

    def variable(self, name: bytes) -> bytes | None:
        self.scheduler.calling("variable")
        return None

    def xml_error(self, text: bytes) -> str | None:
        self.scheduler.calling("xml_error")
        return "broken"

    def fire(self, event: Event) -> None:
        """As a part of ours does it."""
        self.scheduler.calling("fire")
        self.fire_of(None, event.name)

    def fire_of(self, uuid: str | None, name: str, *more: Header) -> int:
        """An event of a call, or of none; its number."""
        self.number += 1
        about = uuid.encode() if uuid else None
        self.fired.setdefault(about, []).append(self.number)
        self.source.come(PlayedEvent(name, about, self.number, more))
        self.scheduler.point(f"{name} was fired")
        return self.number

    def hang_up(self, uuid: str) -> None:
        """As whoever ends a call; the rest of its end is its own thread's."""
        session = self.session(uuid)
        if session.hung_up:
            return
        session.hung_up = True
        self.fire_of(uuid, "CHANNEL_HANGUP")
        self.scheduler.start(f"end of {uuid}", lambda: self._end(session))

    def _end(self, session: PlayedSession) -> None:
        self.scheduler.block(lambda: not session.in_application, "the application to return")
        session.completed_at = self.number + 1
        self.fire_of(session.uuid, "CHANNEL_HANGUP_COMPLETE")
        self.fire_of(session.uuid, "CHANNEL_DESTROY")
        session.gone = True


class PlayedOutbox:
    """What waits for a peer, which is nothing: it takes all."""

    backlog = 0
    stalled = 0.0

    def __init__(self, node: PlayedNode) -> None:
        self._node = node

    def put(self, frame: bytes) -> None:
        self._node.scheduler.point(f"{self._node.name} is sent something")
        self._node.take(frame)

    def offer(self, frames: Sequence[Frames]) -> int:
        whole = [b"".join(pair) for some in frames for pair in zip(some.buffers[::2], some.buffers[1::2], strict=True)]
        for frame in whole:
            self.put(frame)
        return len(whole)

    def gathering(self) -> AbstractContextManager[None]:
        return nullcontext()


@dataclass
class Process:
    """messages: what it was sent while its node was up, in order."""

    alive: bool = True
    messages: list[Any] = field(default_factory=list)


class PlayedNode:
    """A peer, and the link to it, of which it plays the reader too. dead: names and pids of processes that ended."""

    knows_monitors = True
    knows_aliases = True
    requests = 0
    _references = 0

    def __init__(self, scheduler: Scheduler, name: str, hears: Hears, dumb: bool = False) -> None:
        self.scheduler = scheduler
        self.name = name
        self.ended = False
        self.local = Pid("freeswitch@localhost", 1, 0, 1)
        self.pid = Pid(name, 100, 0, 1)
        self.outbox = PlayedOutbox(self)
        self.peer = PeerNode(name, OURS, 1)
        self.send_control = send_control(self.local, OURS)
        self.dead: set[Pid | str] = set()
        self.messages: list[tuple[Pid | str, Any]] = []
        self.told_at: list[int] = []
        """Behind which event of the switch it was sent each."""
        self.dumb = dumb
        """Whether it answers nothing that it is asked."""
        self._hears = hears
        self._linked: set[Pid] = set()
        self._monitors: dict[Reference, Pid | str] = {}
        self._inbox: deque[Callable[[], None]] = deque()
        scheduler.start(f"reader of {name}", self._read, serves=True)

    @property
    def link(self) -> Link:
        return cast(Link, self)

    def reference(self) -> Reference:
        type(self)._references += 1
        return Reference(self.local.node, 1, (type(self)._references % (1 << 18), 0, 0))

    # what it is sent

    def take(self, frame: bytes) -> None:
        if self.ended:
            return
        (body,) = FrameReader(1 << 26).receive_data(frame)
        received = decode_body(body)
        assert isinstance(received.control, (RegSend, SendSender))
        assert received.payload is not None
        term: Term = etf.decode(received.payload)
        to = received.control.to if isinstance(received.control, SendSender) else received.control.to_name
        if to == "net_kernel":
            self._answer(term)
        else:
            self.messages.append((to, term))
            self.told_at.append(self._hears.number())

    def _answer(self, ping: Any) -> None:
        _, (_, reference), _ = ping
        if not self.dumb:
            self._inbox.append(lambda: self._hears.answered(Reference.of(reference), Atom("yes")))

    def signal(self, message: object) -> None:
        self.scheduler.point(f"a signal goes to {self.name}")
        if self.ended:
            return
        if isinstance(message, LinkSignal):
            if message.to_pid in self.dead:
                self._exit(message.to_pid, NOPROC)
            else:
                self._linked.add(message.to_pid)
        elif isinstance(message, MonitorP):
            if message.to in self.dead:
                self._down(message.ref, NOPROC)
            else:
                self._monitors[message.ref] = message.to
        elif isinstance(message, DemonitorP):
            self._monitors.pop(message.ref, None)
        else:
            raise AssertionError(message)

    def signal_later(self, message: object) -> None:
        self.signal(message)

    # what it does

    def die(self, who: Pid | str) -> None:
        """A process of it ends."""
        if who in self.dead:
            return
        self.dead.add(who)
        for pid in [pid for pid in self._linked if pid == who]:
            self._linked.discard(pid)
            self._exit(pid, KILLED)
        for reference in [reference for reference, to in self._monitors.items() if to == who]:
            del self._monitors[reference]
            self._down(reference, KILLED)
        self.scheduler.point(f"{who} of {self.name} has ended")

    def go_down(self) -> None:
        self.ended = True
        self.scheduler.point(f"{self.name} goes down")

    def say(self, what: Callable[[], None]) -> None:
        """Something comes over the link, and is done by its reader."""
        self._inbox.append(what)
        self.scheduler.point(f"{self.name} says something")

    def _exit(self, pid: Pid, reason: Term) -> None:
        self._inbox.append(lambda: self._hears.exit(self, pid, reason))

    def _down(self, reference: Reference, reason: Term) -> None:
        self._inbox.append(lambda: self._hears.monitor_down(self, reference, reason))

    def _read(self) -> None:
        while True:
            self.scheduler.block(lambda: self.ended or bool(self._inbox), "what comes")
            if self.ended:
                break
            self._inbox.popleft()()
        self._hears.link_down(self)


class Hears:
    """What a link's reader tells us."""

    def number(self) -> int:
        """Of the switch's last event."""
        raise NotImplementedError

    def answered(self, reference: Reference | None, answer: Term) -> None:
        raise NotImplementedError

    def exit(self, node: PlayedNode, pid: Pid, reason: Term) -> None:
        raise NotImplementedError

    def monitor_down(self, node: PlayedNode, reference: Reference, reason: Term) -> None:
        raise NotImplementedError

    def link_down(self, node: PlayedNode) -> None:
        raise NotImplementedError
