"""The source that is written in C, but for what follows: see _compiled.c.

It can be imported where that was built.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mod_erlang_py.switch.port import ALL, Form, Wanted

from . import _compiled
from .compiled_event import CompiledEvent

QUEUE_LENGTH = 100_000
QUEUE_BYTES = 512 * 1024 * 1024
"""What the queue holds, in events and in memory; with more, the oldest fifth is given up, or as many as it takes. An
event that might need more by itself is lost. Events of 75 headers take 4 KB in each form, so of those the number
counts."""


class CompiledSource:
    """The EventSource of switch/port.

    Each event of the switch is looked at where the switch dispatches it, and those that are wanted are encoded there,
    by what is in C the encoder of etf/event.py. So it needs no encoders; proof.py has compared it with them.
    """

    implementation = "compiled"
    reason = ""

    def __init__(self, names: tuple[str, ...], length: int = QUEUE_LENGTH, size: int = QUEUE_BYTES) -> None:
        """names: of all event types, by number, ALL the last. Raises OSError when there is no switch, or it refuses."""
        self._names = names
        self._source = _compiled.Source(names, CompiledEvent, length, size)

    def want(self, wanted: Wanted) -> None:
        every = ALL in wanted.types
        types = bytes(2 if every else name in wanted.types for name in self._names)
        self._source.want(types, list(wanted.subclasses), bits(wanted.forms))

    def watch(self, uuid: bytes) -> None:
        self._source.watch(uuid)

    def unwatch(self, uuid: bytes) -> None:
        self._source.unwatch(uuid)

    def take(self, timeout: float, most: int) -> Sequence[_compiled.Batch]:
        return self._source.take(timeout, most)

    def lost(self) -> int:
        return self._source.lost()

    def wake(self) -> None:
        self._source.wake()

    def close(self) -> None:
        self._source.close()


def bits(forms: Iterable[Form]) -> int:
    """A bit for each, as C has them."""
    return sum(1 << number for number, form in enumerate(Form) if form in forms)
