"""The source that needs nothing but Python."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Mapping, Sequence
from ctypes import byref, c_void_p

from mod_erlang_py.switch.freeswitch.events import create, destroy, event_names, header
from mod_erlang_py.switch.freeswitch.ffi import keeping_gil, without_gil
from mod_erlang_py.switch.freeswitch.structs import SUCCESS, EventStruct
from mod_erlang_py.switch.port import ALL, CUSTOM, Encoder, Form, Wanted

from . import waste
from .consumer import Consumer
from .received import ReceivedEvent

QUEUE_LENGTH = 100_000
"""Events the queue holds (SWITCH_CORE_QUEUE_LEN, as in mod_erlang_event)."""
SHED_AT = 0.95
SHED_TO = 0.8
"""When so much of the queue waits, the oldest are given up, so that it never refuses one: that would be an ERR line of
the switch for each."""
MAX_UNWANTED = 256
"""Events that one take discards before it returns."""
NARROW_AFTER = 300
"""Unwanted events that are discarded after the last unwatch before their types are unbound. Each costs 30 us in all; to
unbind and bind all types again costs up to 8 ms, and 186 lines of the log. So, whatever the calls do, they cost no more
than about twice the least."""


class PythonSource:
    """The EventSource of switch/port, over a Consumer.

    A consumer can be bound to types only: while a call is watched, to all of them. What nobody wants is discarded here,
    unread.
    """

    implementation = "python"

    def __init__(self, encoders: Mapping[Form, Encoder], length: int = QUEUE_LENGTH, reason: str = "") -> None:
        self.reason = reason
        self._encoders = encoders
        self._names = (*event_names(), ALL)
        self._consumer = Consumer(length)
        self._queue = self._consumer.queue
        self._shed_at, self._shed_to = int(length * SHED_AT), int(length * SHED_TO)
        self._waste = waste.Waste()
        self._taken: list[ReceivedEvent] = []
        self._taker = 0  # the thread that has them
        self._lost = 0
        self._lost_told = 0
        # Held by take, and by close once take has returned.
        self._taking = threading.Lock()
        # Held while the bindings change; after _taking.
        self._binding = threading.Lock()
        self._wanted = Wanted()
        self._watched: set[bytes] = set()
        self._wide = False  # whether all types are bound
        self._discarded = 0  # since the last unwatch
        # Held for a moment, after all others.
        self._waking = threading.Lock()
        # An event that is none, put into the queue to wake the one that waits there.
        self._token = create("CLONE").value
        self._token_queued = False
        self._woken = False
        self._closed = False

    # what is delivered

    def want(self, wanted: Wanted) -> None:
        with self._binding:
            self._wanted = wanted
            self._bind()

    def watch(self, uuid: bytes) -> None:
        self._watched.add(uuid)
        with self._binding:
            if not self._wide:
                self._wide = True
                self._bind()

    def unwatch(self, uuid: bytes) -> None:
        self._watched.discard(uuid)
        self._discarded = 0

    @property
    def bound(self) -> frozenset[str]:
        """The types that the switch delivers now."""
        return frozenset(self._consumer.bound)

    def _bind(self) -> None:
        if not self._closed:
            everything = self._wide or ALL in self._wanted.types
            types = frozenset(event_names()) if everything else self._wanted.types
            self._consumer.bind(types)
            self._consumer.unbind_all_but(types)

    def _narrow(self) -> None:
        """No longer all types, if nothing is watched."""
        with self._binding:
            if not self._watched:
                self._wide = False
                self._bind()

    def _look(self, event: int) -> ReceivedEvent | None:
        """The event, if it is to be delivered."""
        struct = EventStruct.from_address(event)
        name = self._names[struct.event_id]
        subclass = None
        if name == CUSTOM and struct.subclass_name:
            subclass = ctypes.string_at(struct.subclass_name)
        if self._wanted.has(name, subclass) or (self._watched and header(event, b"Unique-ID") in self._watched):
            return ReceivedEvent(event, name, subclass, self._encoders)
        return None

    # taking

    def take(self, timeout: float, most: int) -> Sequence[ReceivedEvent]:
        with self._taking:
            self._taker = threading.get_ident()
            self._let_go()
            if self._closed:
                self._waste.destroy()
                return ()
            if self._was_woken():
                return ()
            self._shed()
            discarded = self._pop(timeout, most)
            if self._wide and not self._watched:
                self._discarded += discarded
                if self._discarded >= NARROW_AFTER:
                    self._narrow()
            return self._taken

    def _let_go(self) -> None:
        """What the last take returned is done with."""
        taken, self._taken = self._taken, []
        for received in taken:
            self._waste.add(received.end())

    def _pop(self, timeout: float, most: int) -> int:
        """Take events from the queue; returns how many were discarded."""
        trypop, queue = keeping_gil().switch_queue_trypop, self._queue
        popped = c_void_p()
        place = byref(popped)
        discarded = 0
        while len(self._taken) < most and discarded < MAX_UNWANTED:
            if trypop(queue, place) != SUCCESS:
                if self._taken or discarded or timeout <= 0 or self._was_woken():
                    break
                if len(self._waste) > waste.LENGTH // 4:
                    self._waste.destroy()
                if without_gil().switch_queue_pop_timeout(queue, place, int(timeout * 1_000_000)) != SUCCESS:
                    break
            event = popped.value
            assert event is not None
            if event == self._token:
                self._token_queued = False
                if self._was_woken():
                    break
                continue
            received = self._look(event)
            if received is not None:
                self._taken.append(received)
            else:
                self._waste.add(event)
                discarded += 1
        return discarded

    def _shed(self) -> None:
        """Give up the oldest when too many wait."""
        quick = keeping_gil()
        if quick.switch_queue_size(self._queue) < self._shed_at:
            return
        popped = c_void_p()
        while quick.switch_queue_size(self._queue) > self._shed_to:
            if quick.switch_queue_trypop(self._queue, byref(popped)) != SUCCESS:
                return
            event = popped.value
            assert event is not None
            if event == self._token:
                self._token_queued = False
                continue
            if self._look(event) is not None:
                self._lost += 1
            self._waste.add(event)

    def lost(self) -> int:
        told, self._lost_told = self._lost_told, self._lost
        return self._lost_told - told

    # waking, and the end

    def wake(self) -> None:
        with self._waking:
            if not self._closed:
                self._wake()

    def _wake(self) -> None:
        """When the queue has no room for the token, nobody waits, and who takes looks at _woken before he does."""
        self._woken = True
        if not self._token_queued:
            self._token_queued = True  # first: once it is in the queue, who takes may have had it
            if keeping_gil().switch_queue_trypush(self._queue, self._token) != SUCCESS:
                self._token_queued = False

    def _was_woken(self) -> bool:
        """Whether there was a wake, which has now had its effect."""
        if not self._woken:
            return False
        with self._waking:  # its token is in the queue now, if it was to be
            self._woken = False
            return True

    def close(self) -> None:
        with self._waking:
            if self._closed:
                return
            self._closed = True
            self._wake()
        with self._taking, self._binding:
            if self._taker == threading.get_ident():
                self._let_go()  # else the one who has them may be reading them: his next take does
            if not self._token_queued:
                destroy(c_void_p(self._token))
            self._consumer.clean_up()
            self._waste.destroy()
