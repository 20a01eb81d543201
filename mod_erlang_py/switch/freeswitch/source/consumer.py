"""A queue of events that the switch fills: EventConsumer, the class of libfreeswitch behind mod_python3's bindings.

Its callback is C, so no event waits for Python. It is made and used by ctypes: the bindings would keep the GIL, also
while they wait for a thread of the switch that may need it.
"""

from __future__ import annotations

import ctypes
from collections.abc import Collection, Iterable
from ctypes import byref, c_uint32, c_void_p

from mod_erlang_py.errors import SwitchError
from mod_erlang_py.switch.freeswitch.events import event_names
from mod_erlang_py.switch.freeswitch.ffi import keeping_gil, without_gil
from mod_erlang_py.switch.freeswitch.structs import ConsumerStruct

ROOM = 4096
"""Bytes for the object, which has about 830."""


class Consumer:
    """queue: its switch_queue_t, for `length` events, which it owns. bound: the types of events that go into it.

    The object is not Python's memory: one that was not cleaned up may still be called by the switch.
    """

    def __init__(self, length: int) -> None:
        self._this: int = keeping_gil().calloc(1, ROOM)
        without_gil()._ZN13EventConsumerC1EPKcS1_i(self._this, None, None, length)
        self.queue: int = ConsumerStruct.from_address(self._this).events
        nodes = self._this + ctypes.sizeof(ConsumerStruct)
        self._nodes = (c_void_p * (len(event_names()) + 1)).from_address(nodes)
        self._node_index = c_uint32.from_address(nodes + ctypes.sizeof(self._nodes))
        self.bound: list[str] = []

    def bind(self, types: Iterable[str]) -> None:
        """Have the events of these types queued too. Raises SwitchError."""
        for name in sorted(set(types).difference(self.bound)):
            bound = without_gil()._ZN13EventConsumer4bindEPKcS1_(self._this, name.encode(), None)
            if not bound or self._node_index.value != len(self.bound) + 1:
                raise SwitchError("EventConsumer::bind", f"{name} refused, or an EventConsumer of another layout")
            self.bound.append(name)

    def unbind_all_but(self, types: Collection[str]) -> None:
        """No events of other types any more."""
        for name in set(self.bound).difference(types):
            self._unbind(self.bound.index(name))

    def _unbind(self, index: int) -> None:
        """The consumer only adds to its nodes: the last one takes the place of the one that goes."""
        node = c_void_p(self._nodes[index])
        without_gil().switch_event_unbind(byref(node))
        last = len(self.bound) - 1
        self.bound[index] = self.bound[last]
        self.bound.pop()
        self._nodes[index] = self._nodes[last]
        self._nodes[last] = None
        self._node_index.value = last

    def clean_up(self) -> None:
        """Unbind everything, and destroy what is queued. It cannot be used again."""
        without_gil()._ZN13EventConsumer7cleanupEv(self._this)
        keeping_gil().free(self._this)
