"""Events that are done with."""

from __future__ import annotations

from ctypes import byref, c_void_p

from mod_erlang_py.switch.freeswitch.ffi import keeping_gil, without_gil
from mod_erlang_py.switch.freeswitch.structs import SUCCESS

from .consumer import Consumer

LENGTH = 64
"""Events that may wait to be destroyed."""


class Waste:
    """They go to a consumer, which destroys many of them in one call: to let go of the GIL for each, and to wait for it
    again, would cost as much as destroying it. By one thread at a time."""

    def __init__(self) -> None:
        self._push = keeping_gil().switch_queue_trypush
        self._consumer: Consumer | None = None
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, event: int) -> None:
        if self._consumer is None:
            self._consumer = Consumer(LENGTH)
        if self._push(self._consumer.queue, event) != SUCCESS:
            without_gil().switch_event_destroy(byref(c_void_p(event)))
            return
        self._count += 1
        if self._count == LENGTH:
            self.destroy()

    def destroy(self) -> None:
        consumer, self._consumer, self._count = self._consumer, None, 0
        if consumer is not None:
            consumer.clean_up()
