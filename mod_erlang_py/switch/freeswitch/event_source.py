"""Events from the switch: an EventConsumer of mod_python3's bindings, whose queue is filled without the GIL.

The bindings hold the GIL while they bind, which waits for a lock that a thread of the switch may hold while it needs
the GIL: so binding and popping go past them, by ctypes, to the same object.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from ctypes import byref, c_uint32, c_void_p
from functools import cache
from typing import Any

from mod_erlang_py.errors import SwitchError
from mod_erlang_py.switch.port import Event, Headers, Peek

from .event_json import parse
from .events import ALL, CUSTOM, create, event_id
from .ffi import SUCCESS, EventStruct, lib, quick, take_string

QUEUE_LENGTH = 100_000
"""Events the queue holds (SWITCH_CORE_QUEUE_LEN, as in mod_erlang_event)."""
SHED_AT = 95_000
SHED_TO = 80_000
"""With so many waiting, the oldest are given up unread, so that the queue never refuses one: that would be an ERR line
of the switch for each."""


MAX_UNWANTED = 256
"""Events that are discarded in one pop before it comes back."""
WASTE = 64
"""Events that may wait to be destroyed."""


class Consumer:
    """An EventConsumer of the bindings. queue: its switch_queue_t, for `length` events. nodes: where its enodes are."""

    def __init__(self, length: int) -> None:
        import freeswitch  # exists only inside mod_python3

        self._consumer: Any = freeswitch.EventConsumer(None, "", length)
        self.this = int(self._consumer.this)
        self.queue = int(self._consumer.events)
        self.nodes = int(self._consumer.enodes)

    def clean_up(self) -> None:
        """Unbind, and destroy what is queued. It cannot be used again."""
        lib()._ZN13EventConsumer7cleanupEv(self.this)


class Waste:
    """Events that are done with. They go to a consumer, which destroys many of them in one call: to let go of the GIL
    for each, and wait for it, would cost as much as destroying it."""

    def __init__(self) -> None:
        self._consumer: Consumer | None = None
        self._count = 0

    def add(self, event: c_void_p) -> None:
        if self._consumer is None:
            self._consumer = Consumer(WASTE)
        if quick().switch_queue_trypush(self._consumer.queue, event) != SUCCESS:
            lib().switch_event_destroy(byref(event))
            return
        self._count += 1
        if self._count == WASTE:
            self.destroy()

    def __len__(self) -> int:
        return self._count

    def destroy(self) -> None:
        if self._consumer is not None:
            self._consumer.clean_up()
            self._consumer = None
            self._count = 0


class ConsumerSource:
    """The EventSource of port.py."""

    def __init__(self) -> None:
        self._consumer = Consumer(QUEUE_LENGTH)
        self._queue = self._consumer.queue
        self._waste = Waste()
        # switch_event_node_t *enodes[SWITCH_EVENT_ALL + 1]; uint32_t node_index (switch_cpp.h; SWIG cannot set it)
        nodes = self._consumer.nodes
        self._nodes = (c_void_p * (len(event_names()) + 1)).from_address(nodes)
        self._node_index = c_uint32.from_address(nodes + ctypes.sizeof(self._nodes))
        self._lock = threading.Lock()
        self._bound: list[str] = []
        self._dropped = 0
        self._closed = False

    def want(self, names: frozenset[str]) -> None:
        wanted = frozenset(event_names()) if ALL in names else names
        with self._lock:
            if self._closed:
                return
            for name in [name for name in self._bound if name not in wanted]:
                self._unbind(name)
            for name in sorted(wanted.difference(self._bound)):
                self._bind(name)

    def _bind(self, name: str) -> None:
        bound = lib()._ZN13EventConsumer4bindEPKcS1_(self._consumer.this, name.encode(), None)
        self._bound.append(name)
        if not bound or self._node_index.value != len(self._bound):
            raise SwitchError("EventConsumer::bind", f"{name} refused, or an EventConsumer of another layout")

    def _unbind(self, name: str) -> None:
        """The consumer only adds to its nodes: the last one takes the place of the one that goes."""
        index = self._bound.index(name)
        node = c_void_p(self._nodes[index])
        lib().switch_event_unbind(byref(node))
        last = self._bound.pop()
        if last != name:
            self._nodes[index] = self._nodes[len(self._bound)]
            self._bound[index] = last
        self._nodes[len(self._bound)] = None
        self._node_index.value = len(self._bound)

    def pop(self, timeout: float, wanted: Callable[[Peek], bool] = lambda _: True) -> Event | None:
        popped = c_void_p()
        for _ in range(MAX_UNWANTED):
            if quick().switch_queue_trypop(self._queue, byref(popped)) != SUCCESS:
                if timeout <= 0:
                    return None
                if len(self._waste) > WASTE // 4:
                    self._waste.destroy()
                if lib().switch_queue_pop_timeout(self._queue, byref(popped), int(timeout * 1_000_000)) != SUCCESS:
                    return None
            if not popped.value:
                return None
            try:
                peek = StructPeek(popped.value)
                if wanted(peek):
                    return read(peek)
            finally:
                self._waste.add(popped)
            timeout = 0
        return None

    def _shed(self) -> None:
        """Give up the oldest when too many wait."""
        if quick().switch_queue_size(self._queue) <= SHED_AT:
            return
        while quick().switch_queue_size(self._queue) > SHED_TO:
            event = c_void_p()
            if quick().switch_queue_trypop(self._queue, byref(event)) != SUCCESS:
                return
            self._waste.add(event)
            self._dropped += 1

    def dropped(self) -> int:
        self._shed()
        dropped, self._dropped = self._dropped, 0
        return dropped

    def wake(self) -> None:
        quick().switch_queue_interrupt_all(self._queue)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._consumer.clean_up()
        self._waste.destroy()


class StructPeek:
    """A switch_event_t, looked at where it lies."""

    __slots__ = ("address", "name", "struct", "subclass")

    def __init__(self, address: int) -> None:
        self.address = address
        self.struct = EventStruct.from_address(address)
        self.name = event_names()[self.struct.event_id]
        self.subclass: bytes | None = None
        if self.name == CUSTOM and self.struct.subclass_name:
            self.subclass = ctypes.string_at(self.struct.subclass_name)

    @property
    def uuid(self) -> bytes | None:
        return self._header(b"Unique-ID")

    @property
    def sequence(self) -> int:
        return int(self._header(b"Event-Sequence") or 0)

    def _header(self, name: bytes) -> bytes | None:
        value: bytes | None = quick().switch_event_get_header_idx(self.address, name, -1)
        return value


def sequence() -> int:
    """The switch counts the events that are made."""
    made = create("CHANNEL_DATA")
    try:
        assert made.value is not None
        return StructPeek(made.value).sequence
    finally:
        quick().switch_event_destroy(byref(made))


def read(peek: StructPeek) -> Event:
    """The whole event. The GIL is let go of for the switch's half of the work: in a call's steps others wait for it."""
    text = c_void_p()
    lib().switch_event_serialize_json(peek.address, byref(text))
    names, values = parse(take_string(text.value))
    body = peek.struct.body
    if not body:
        return Event(peek.name, Headers(names, values, peek.uuid))
    # The serializer shows a body as two headers more, Content-Length and _body.
    return Event(peek.name, Headers(names[:-2], values[:-2], peek.uuid), ctypes.string_at(body))


@cache
def event_names() -> tuple[str, ...]:
    """The names of all event types, by switch_event_types_t, without ALL."""
    last = event_id(ALL)
    assert last is not None
    names: list[bytes] = [quick().switch_event_name(number) for number in range(last)]
    return tuple(name.decode() for name in names)
