"""Completing events, delivering them, and the queues they are received from.

Source: switch_event.c: switch_event_prep_for_delivery_detailed, switch_event_base_add_header and
switch_event_dup.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from email.utils import formatdate

from mod_erlang_py.errors import SwitchError
from mod_erlang_py.switch.port import ALL, BatchOfOne, Encoder, Event, Form, Wanted
from mod_erlang_py.switch.simulated.core import Core
from mod_erlang_py.switch.simulated.event_types import EVENT_TYPES, UNIQUE_HEADERS
from mod_erlang_py.switch.simulated.origin import Origin
from mod_erlang_py.switch.simulated.words import c_string

Header = tuple[bytes, bytes]

QUEUE_LENGTH = 10_000
"""Events that a source holds before it drops."""

_KNOWN = frozenset(EVENT_TYPES)
_SUBCLASS = b"event-subclass"


OnFull = Callable[[int], None]
"""Called with the limit once per stretch of dropping, without a lock held."""

OnClose = Callable[["EventSource"], None]


class ReceivedEvent(BatchOfOne):
    """The port's Received."""

    __slots__ = ("_encoded", "_encoders", "_event", "name", "subclass", "uuid")

    def __init__(self, event: Event, encoders: Mapping[Form, Encoder]) -> None:
        self._event = event
        self._encoders = encoders
        self._encoded: dict[Form, bytes] = {}
        self.name = event.name
        self.subclass = event.subclass
        self.uuid = event.uuid

    @property
    def sequence(self) -> int:
        return self._event.sequence

    def header(self, name: bytes) -> bytes | None:
        return self._event.header(name)

    def headers(self) -> Sequence[Header]:
        return self._event.headers

    @property
    def body(self) -> bytes | None:
        return self._event.body

    def encoded(self, form: Form) -> bytes:
        if form not in self._encoded:
            names, values = zip(*self._event.headers, strict=True) if self._event.headers else ((), ())
            self._encoded[form] = self._encoders[form](names, values, self._event.body, self.uuid)
        return self._encoded[form]


class EventSource:
    """A queue of events; the port's EventSource."""

    implementation = "simulated"
    reason = ""

    def __init__(self, limit: int, encoders: Mapping[Form, Encoder], on_close: OnClose, on_full: OnFull) -> None:
        """limit: events."""
        self._limit = limit
        self._encoders = encoders
        self._on_close = on_close
        self._on_full = on_full
        self._changed = threading.Condition()
        self._wanted = Wanted()
        self._watched: frozenset[bytes] = frozenset()
        self._queue: deque[Event] = deque()
        self._dropping = False
        self._lost = 0
        self._woken = False
        self._closed = False

    def want(self, wanted: Wanted) -> None:
        with self._changed:
            self._wanted = wanted

    def watch(self, uuid: bytes) -> None:
        with self._changed:
            self._watched |= {uuid}

    def unwatch(self, uuid: bytes) -> None:
        with self._changed:
            self._watched -= {uuid}

    def take(self, timeout: float, most: int) -> list[ReceivedEvent]:
        """Nothing at once after close(), and once after wake(), even if that came before."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._woken or self._closed, timeout)
            if self._woken:
                self._woken = False
                return []
            events = [self._queue.popleft() for _ in range(min(most, len(self._queue)))]
        return [ReceivedEvent(event, self._encoders) for event in events]

    def lost(self) -> int:
        with self._changed:
            lost, self._lost = self._lost, 0
            return lost

    def wake(self) -> None:
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._queue.clear()
            self._changed.notify_all()
        self._on_close(self)

    def may_want(self, name: str) -> bool:
        """Whether it wants some events of that type."""
        return bool(self._watched) or name in self._wanted.types or ALL in self._wanted.types

    def offer(self, event: Event) -> None:
        """Queue the event if it is wanted. Never waits."""
        with self._changed:
            if self._closed or not (self._wanted.has(event.name, event.subclass) or event.uuid in self._watched):
                return
            if len(self._queue) < self._limit:
                self._dropping = False
                self._queue.append(event)
                self._changed.notify()
                return
            self._lost += 1
            first, self._dropping = not self._dropping, True
        if first:
            self._on_full(self._limit)


class EventBus:
    def __init__(self, core: Core, on_full: OnFull, limit: int = QUEUE_LENGTH) -> None:
        self._core = core
        self._on_full = on_full
        self._limit = limit
        self._lock = threading.Lock()
        self._sequence = 0
        self._sources: tuple[EventSource, ...] = ()
        self._open = True

    def source(self, encoders: Mapping[Form, Encoder]) -> EventSource:
        source = EventSource(self._limit, encoders, self._remove, self._on_full)
        with self._lock:
            self._sources += (source,)
        return source

    def fire(self, event: Event, origin: Origin) -> None:
        """Complete and deliver. Raises SwitchError for an unknown type."""
        self.deliver(self.complete(event, origin))

    def complete(self, event: Event, origin: Origin) -> Event:
        """The event as a receiver sees it: FreeSWITCH's own headers first, then the maker's, then the body.

        In a CUSTOM event Event-Subclass is the very first: a receiver gets a copy, which begins with it.
        A maker's header with an empty value takes away those of that name. Texts end at a zero byte, as in C.
        Raises SwitchError for an unknown type.
        """
        if event.name not in _KNOWN:
            raise SwitchError("fire", f"no such event type: {event.name}")
        headers = self._own_headers(event.name, origin)
        mine = [(c_string(name), c_string(value)) for name, value in event.headers]
        if event.name == "CUSTOM":
            subclass = event.header(_SUBCLASS)
            mine = [header for header in mine if header[0].lower() != _SUBCLASS]
            if subclass:
                headers.insert(0, (b"Event-Subclass", c_string(subclass)))
        unique = event.name in UNIQUE_HEADERS
        for header in mine:
            _add(headers, header, unique)
        return Event(event.name, tuple(headers), None if event.body is None else c_string(event.body))

    def make(self, name: str, headers: list[Header], origin: Origin) -> Event:
        """An event of a known type whose headers need no care: no zero bytes, no empty values. Cheap."""
        return Event(name, (*self._own_headers(name, origin), *headers))

    def wanted(self, name: str) -> bool:
        """Whether anybody wants events of that type now."""
        return self._open and any(source.may_want(name) for source in self._sources)

    def deliver(self, event: Event) -> None:
        """To every source that wants it. After close() to nobody."""
        if self._open:
            for source in self._sources:
                source.offer(event)

    def close(self) -> None:
        self._open = False

    def _remove(self, source: EventSource) -> None:
        with self._lock:
            self._sources = tuple(other for other in self._sources if other is not source)

    def sequence(self) -> int:
        """The next number."""
        with self._lock:
            self._sequence += 1
            return self._sequence

    def _own_headers(self, name: str, origin: Origin) -> list[Header]:
        now = time.time_ns() // 1000
        sequence = self.sequence()
        seconds = now // 1_000_000
        texts: Iterable[tuple[str, str]] = (
            ("Event-Name", name),
            ("Core-UUID", self._core.uuid),
            ("FreeSWITCH-Hostname", self._core.hostname),
            ("FreeSWITCH-Switchname", self._core.switchname),
            ("FreeSWITCH-IPv4", self._core.ipv4),
            ("FreeSWITCH-IPv6", self._core.ipv6),
            ("Event-Date-Local", time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))),
            ("Event-Date-GMT", formatdate(seconds, usegmt=True)),
            ("Event-Date-Timestamp", str(now)),
            ("Event-Calling-File", origin.file),
            ("Event-Calling-Function", origin.function),
            ("Event-Calling-Line-Number", str(origin.line)),
            ("Event-Sequence", str(sequence)),
        )
        return [(key.encode(), os.fsencode(value)) for key, value in texts]


def _add(headers: list[Header], header: Header, unique: bool) -> None:
    name, value = header
    if unique or not value:
        wanted = name.lower()
        headers[:] = [other for other in headers if other[0].lower() != wanted]
    if value:
        headers.append(header)
