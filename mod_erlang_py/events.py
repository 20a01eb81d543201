"""Events on their way from the switch to the event handlers of the nodes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from mod_erlang_py.delivery import Delivery
from mod_erlang_py.dist.connection import frame_prefix
from mod_erlang_py.etf import Atom, Pid
from mod_erlang_py.etf.event import EventEncoder, event
from mod_erlang_py.filters import Filters, passes
from mod_erlang_py.node import traffic
from mod_erlang_py.node.link import Link, send_control
from mod_erlang_py.subscription import CUSTOM, NOTHING, Subscription, union
from mod_erlang_py.switch.port import Event, Headers, Switch

log = logging.getLogger(__name__)

VERSION = b"\x83"
IDLE = 3600.0
"""Seconds after which a pump without events looks around; nothing depends on it."""
MAX_ROUTES = 2000
SUBCLASS = b"Event-Subclass"


@dataclass(eq=False)
class EventHandler:
    """A node's event handler: one process, and what it wants. Exists as long as the link.

    pid: None until register_event_handler, and when the process has ended. listening: whether noevents would end
    something.
    """

    delivery: Delivery
    pid: Pid | None = None
    listening: bool = False
    subscription: Subscription = NOTHING
    filters: Filters = ()
    creates: int = 0
    hangups: int = 0
    control: bytes = field(default=b"", repr=False)

    @property
    def active(self) -> bool:
        return self.listening and self.pid is not None


class Events:
    """Who listens, and the pump that takes each event from the switch, encodes it once and hands it out.

    bulk: the most messages gathered in one write. The lock is never held across a call into the switch that could
    take its time; it is held while frames are handed to outboxes, which never wait.
    """

    def __init__(self, switch: Switch, encoder: EventEncoder, bulk: int) -> None:
        self._switch = switch
        self._encoder = encoder
        self._bulk = bulk
        self._lock = threading.Lock()
        self._binding = threading.Lock()
        self._handlers: dict[Link, EventHandler] = {}
        self._routes: dict[tuple[str, bytes | None], tuple[EventHandler, ...]] = {}
        self._source = switch.events()
        self._stopping = False

    # what the requests do

    def register(self, link: Link, pid: Pid) -> None:
        """The process becomes the handler of its node, in place of the one before."""

        def change(handler: EventHandler) -> None:
            handler.pid = pid
            handler.control = send_control(link.local, pid)
            handler.listening = True

        self._change(link, change)

    def subscribe(self, link: Link, change: Callable[[Subscription], Subscription]) -> None:
        """Change what the node's handler wants; in force when this returns."""

        def apply(handler: EventHandler) -> None:
            handler.subscription = change(handler.subscription)
            handler.listening = True

        self._change(link, apply)

    def nix(self, link: Link, change: Callable[[Subscription], Subscription]) -> None:
        """As subscribe, but who never listened does not begin to."""

        def apply(handler: EventHandler) -> None:
            handler.subscription = change(handler.subscription)

        self._change(link, apply)

    def noevents(self, link: Link) -> bool:
        """Nothing more, from now on. False when nobody was listening."""
        with self._lock:
            known = self._handlers.get(link)
            if known is None or not known.listening:
                return False
        self._change(link, _silence)
        return True

    def filters(self, link: Link, change: Callable[[Filters], Filters]) -> None:
        def apply(handler: EventHandler) -> None:
            handler.filters = change(handler.filters)

        self._change(link, apply)

    def exited(self, link: Link, pid: Pid) -> None:
        """A process has ended: if it was the handler, nobody listens."""
        with self._lock:
            known = self._handlers.get(link)
            if known is None or known.pid != pid:
                return

        def change(handler: EventHandler) -> None:
            if handler.pid == pid:
                handler.pid = None
                _silence(handler)

        self._change(link, change)

    def down(self, link: Link) -> None:
        with self._lock:
            known = self._handlers.pop(link, None)
            self._routes.clear()
        if known is not None:
            self._bind()

    def handler(self, link: Link) -> EventHandler | None:
        with self._lock:
            return self._handlers.get(link)

    def _change(self, link: Link, change: Callable[[EventHandler], None]) -> None:
        with self._lock:
            if link.ended:
                return  # `down` has been, or will be, here
            handler = self._handlers.get(link)
            if handler is None:
                handler = self._handlers[link] = EventHandler(Delivery(link, "events"))
            change(handler)
            self._routes.clear()
        self._bind()

    def _bind(self) -> None:
        """Have the switch deliver what somebody wants now, and nothing else."""
        with self._binding:
            with self._lock:
                wanted = union(handler.subscription for handler in self._handlers.values() if handler.active)
            if not self._stopping:
                self._source.want(wanted)

    # the pump

    def run(self) -> None:
        """The pump's thread."""
        while not self._stopping:
            first = self._source.pop(IDLE)
            if first is None:
                continue
            frames: dict[EventHandler, list[bytes]] = {}
            self._hand_out(first, frames)
            for _ in range(self._bulk - 1):
                more = self._source.pop(0)
                if more is None:
                    break
                self._hand_out(more, frames)
            self._send(frames)
        self._source.close()

    def _hand_out(self, what: Event, frames: dict[EventHandler, list[bytes]]) -> None:
        """Append the event's frame to those of every handler that wants it."""
        payload = b""
        for handler in self._route(what):
            if traffic.is_shown():
                traffic.sent(handler.delivery.link.name, handler.pid, (Atom(what.name), list(what.headers)))
            if handler.filters and not passes(handler.filters, what):
                continue
            if not payload:
                payload = VERSION + event(encode(self._encoder, what))
            frame = frame_prefix(handler.control, len(payload)) + payload
            if handler in frames:
                frames[handler].append(frame)
            else:
                frames[handler] = [frame]
            if what.name == "CHANNEL_CREATE":
                handler.creates += 1
            elif what.name == "CHANNEL_HANGUP_COMPLETE":
                handler.hangups += 1

    def _route(self, what: Event) -> tuple[EventHandler, ...]:
        subclass = what.header(SUBCLASS) if what.name == CUSTOM else None
        key = (what.name, subclass)
        route = self._routes.get(key)
        if route is None:
            with self._lock:
                route = tuple(
                    handler
                    for handler in self._handlers.values()
                    if handler.active and handler.subscription.wants(what.name, subclass)
                )
                if len(self._routes) >= MAX_ROUTES:
                    self._routes.clear()
                self._routes[key] = route
        return route

    def _send(self, frames: dict[EventHandler, list[bytes]]) -> None:
        dropped = self._source.dropped()
        with self._lock:
            for handler, some in frames.items():
                if handler.active:
                    handler.delivery.send(some)
            if dropped:
                for handler in self._handlers.values():
                    if handler.active:
                        handler.delivery.missed(dropped)
        for handler in frames:
            handler.delivery.report(self._switch)

    def stop(self) -> None:
        self._stopping = True
        self._source.wake()


def encode(encoder: EventEncoder, what: Event) -> bytes:
    """`[UUID | Headers]`, without a version byte."""
    headers = Headers.of(what.headers)
    return encoder.headers(headers.names, headers.values, what.body, what.header(b"Unique-ID"))


def _silence(handler: EventHandler) -> None:
    handler.listening = False
    handler.subscription = NOTHING
