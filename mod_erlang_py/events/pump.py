"""Events on their way from the switch to the event handlers of the nodes."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

from mod_erlang_py.distribution.connection import frame_prefix
from mod_erlang_py.etf import Atom, Pid
from mod_erlang_py.etf.event import EventEncoder, event
from mod_erlang_py.events.delivery import Delivery, Tally
from mod_erlang_py.events.filters import Filters, passes
from mod_erlang_py.events.interest import ALL, NOTHING, Subscription, union
from mod_erlang_py.node import traffic
from mod_erlang_py.node.link import Link, send_control
from mod_erlang_py.node.threads import prefer_this_thread
from mod_erlang_py.switch.port import Event, Headers, Peek, Switch

log = logging.getLogger(__name__)

VERSION = b"\x83"
IDLE = 3600.0
"""Seconds after which a pump without events looks around; nothing depends on it."""
GATHER = 0.0005
"""Seconds: events that follow each other faster are left to gather for as long, which costs the switch's threads, the
pump and the peer less than being woken for each."""
MAX_ROUTES = 2000
LINGER = 30.0
"""Seconds for which all events stay bound after the last call."""


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


class CallEvents(Protocol):
    """The calls that are attached to processes, which get their events beside the event handlers."""

    def __len__(self) -> int: ...

    def want(self, what: Peek) -> bool:
        """Whether deliver would do anything with the event."""

    def deliver(self, what: Event, headers: Callable[[], bytes]) -> None:
        """headers: makes the event's `[UUID | Headers]`."""

    def look_after(self) -> None:
        """Events were dropped."""


class NoCalls:
    def __len__(self) -> int:
        return 0

    def want(self, what: Peek) -> bool:
        return False

    def deliver(self, what: Event, headers: Callable[[], bytes]) -> None: ...

    def look_after(self) -> None: ...


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
        self._past = Tally()
        self._routes: dict[tuple[str, bytes | None], tuple[EventHandler, ...]] = {}
        self._source = switch.events()
        self._stopping = False
        self._calls: CallEvents = NoCalls()
        self._call_frames: dict[Link, list[bytes]] = {}
        self._calls_bound = False
        self._calls_ended = 0.0

    # what the requests do

    def register(self, link: Link, pid: Pid) -> None:
        """The process becomes the handler of its node, in place of the one before."""

        def change(handler: EventHandler) -> None:
            if handler.pid not in (None, pid):
                handler = self._renew(link, handler)
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

        def change(handler: EventHandler) -> None:
            self._silence(link, handler)

        self._change(link, change)
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
                self._silence(link, handler).pid = None

        self._change(link, change)

    def down(self, link: Link) -> None:
        with self._lock:
            known = self._handlers.pop(link, None)
            self._routes.clear()
            if known is not None:
                self._past = self._past.plus([known.delivery])
        if known is not None:
            self._bind()

    def handler(self, link: Link) -> EventHandler | None:
        with self._lock:
            return self._handlers.get(link)

    def tally(self) -> Tally:
        """Of all links, those that are down included."""
        with self._lock:
            return self._past.plus(handler.delivery for handler in self._handlers.values())

    def configure(self, bulk: int) -> None:
        self._bulk = bulk

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

    def _silence(self, link: Link, handler: EventHandler) -> EventHandler:
        handler = self._renew(link, handler)
        handler.listening = False
        handler.subscription = NOTHING
        return handler

    def _renew(self, link: Link, handler: EventHandler) -> EventHandler:
        """Another in the handler's place: what the pump has in hand for the one that was is not sent any more."""
        renewed = self._handlers[link] = replace(handler)
        handler.pid = None
        return renewed

    # what the calls do

    def attach_calls(self, calls: CallEvents) -> None:
        self._calls = calls

    def calls_changed(self) -> None:
        """A call was attached, or is no longer. While there are any all events are bound, and for LINGER more: else
        each call would cost a hundred bindings."""
        if not self._calls:
            self._calls_ended = time.monotonic()
        elif not self._calls_bound:
            self._calls_bound = True
            self._bind()

    def send(self, link: Link, frame: bytes) -> None:
        """Send a call's event, which counts as an event of its node, with the others of this round. In the pump's
        thread."""
        self._call_frames.setdefault(link, []).append(frame)

    def flush(self) -> None:
        """Send the calls' events that wait for the end of this round. In the pump's thread."""
        frames, self._call_frames = self._call_frames, {}
        with self._lock:
            for link, some in frames.items():
                if link.ended:
                    continue  # `down` has been, or will be, here
                handler = self._handlers.get(link)
                if handler is None:
                    handler = self._handlers[link] = EventHandler(Delivery(link, "events"))
                handler.delivery.send(some)

    def _linger(self) -> None:
        """The last call is long gone: bind what the handlers want, and no more."""
        if self._calls_bound and not self._calls and time.monotonic() - self._calls_ended > LINGER:
            self._calls_bound = False
            self._bind()
            if self._calls:  # attached meanwhile, by a thread that still saw all events bound
                self.calls_changed()

    def _bind(self) -> None:
        """Have the switch deliver what somebody wants now, and nothing else."""
        with self._binding:
            with self._lock:
                wanted = union(handler.subscription for handler in self._handlers.values() if handler.active)
            if self._calls_bound:
                wanted = frozenset({ALL})
            if not self._stopping:
                self._source.want(wanted)

    # the pump

    def run(self) -> None:
        """The pump's thread."""
        prefer_this_thread()
        while not self._stopping:
            frames: dict[EventHandler, list[bytes]] = {}
            what = self._next()
            left = self._bulk
            while what is not None:
                try:
                    self._hand_out(what, frames)
                except Exception:
                    log.exception("event %s could not be handed out", what.name)
                left -= 1
                what = self._source.pop(0, self._is_wanted) if left else None
            self._send(frames)
            self._linger()
        self._source.close()

    def _next(self) -> Event | None:
        """Wait for an event."""
        what = self._source.pop(0, self._is_wanted)
        if what is not None:
            return what
        began = time.monotonic()
        what = self._source.pop(LINGER if self._calls_bound else IDLE, self._is_wanted)
        if what is not None and time.monotonic() - began < GATHER:
            time.sleep(GATHER)
        return what

    def _is_wanted(self, what: Peek) -> bool:
        return bool(self._route(what)) or self._calls.want(what)

    def _hand_out(self, what: Event, frames: dict[EventHandler, list[bytes]]) -> None:
        """Append the event's frame to those of every handler that wants it; tell the call that it is about."""
        headers = b""

        def encoded() -> bytes:
            nonlocal headers
            headers = headers or encode(self._encoder, what)
            return headers

        payload = b""
        for handler in self._route(what):
            if handler.filters and not passes(handler.filters, what):
                continue
            if traffic.is_shown():
                traffic.sent(handler.delivery.link.name, handler.pid, (Atom(what.name), list(what.headers)))
            payload = payload or VERSION + event(encoded())
            frame = frame_prefix(handler.control, len(payload)) + payload
            if handler in frames:
                frames[handler].append(frame)
            else:
                frames[handler] = [frame]
            if what.name == "CHANNEL_CREATE":
                handler.creates += 1
            elif what.name == "CHANNEL_HANGUP_COMPLETE":
                handler.hangups += 1
        self._calls.deliver(what, encoded)

    def _route(self, what: Peek) -> tuple[EventHandler, ...]:
        key = (what.name, what.subclass)
        route = self._routes.get(key)
        if route is None:
            with self._lock:
                route = tuple(
                    handler
                    for handler in self._handlers.values()
                    if handler.active and handler.subscription.wants(*key)
                )
                if len(self._routes) >= MAX_ROUTES:
                    self._routes.clear()
                self._routes[key] = route
        return route

    def _send(self, frames: dict[EventHandler, list[bytes]]) -> None:
        if self._call_frames:
            self.flush()
        dropped = self._source.dropped()
        with self._lock:
            for handler, some in frames.items():
                if handler.active:
                    handler.delivery.send(some)
            if dropped:
                for handler in self._handlers.values():
                    if handler.active:
                        handler.delivery.missed(dropped)
            handlers = list(self._handlers.values())
        for handler in handlers:
            handler.delivery.report(self._switch)
        if dropped:
            self._calls.look_after()

    def stop(self) -> None:
        self._stopping = True
        self._source.wake()


def encode(encoder: EventEncoder, what: Event) -> bytes:
    """`[UUID | Headers]`, without a version byte."""
    headers = what.headers
    if isinstance(headers, Headers):
        return encoder.headers(headers.names, headers.values, what.body, headers.uuid)
    return encoder.headers([name for name, _ in headers], [value for _, value in headers], what.body, what.uuid)
