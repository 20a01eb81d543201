"""Events that are to be acknowledged."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from mod_erlang_py.node.target import Target

from .counts import Counts
from .subscription import MAX_HELD, MAX_HELD_BYTES, Held

MAX_HELD_BYTES_OF_NODE = 4 * MAX_HELD_BYTES
"""What waits for one node's processes to acknowledge."""


@dataclass(slots=True)
class Backlog:
    """bytes: of what waits for the processes of one node to acknowledge."""

    bytes: int = 0


class Flow(Held):
    """Of a subscription's events `window` at most are sent and not acknowledged; the others wait here.

    Beyond the room for them events are lost, until half of it is free again. How many is told to the target in their
    place, by what `lost` makes of the number: an encoded term.
    """

    def __init__(self, window: int, lost: Callable[[int], bytes], backlog: Backlog) -> None:
        super().__init__()
        self.window = window
        self.unacknowledged = 0
        self._told_of = lost
        self._backlog = backlog
        self._waiting: deque[bytes | int] = deque()  # a payload; or how many were lost there
        self._full = False
        self._target: Target | None = None
        self._counts = Counts("events")

    @property
    def is_open(self) -> bool:
        return self._target is not None

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def add(self, payload: bytes) -> None:
        if self._has_room(len(payload)):
            self._waiting.append(payload)
            self._bytes += len(payload)
            self._backlog.bytes += len(payload)
            self._release()
        else:
            self._lose()

    def open(self, target: Target, counts: Counts) -> Held:
        self._target, self._counts = target, counts
        counts.lost += self.lost
        self._release()
        return self

    def acknowledge(self, count: int) -> bool:
        """So many were; more than there are count as all. Whether a loss was told of."""
        self.unacknowledged = max(0, self.unacknowledged - count)
        return self._release()

    def close(self) -> None:
        """Forget what waits."""
        self._waiting.clear()
        self._backlog.bytes -= self._bytes
        self._bytes = 0

    def _has_room(self, size: int) -> bool:
        share = 2 if self._full else 1
        self._full = (
            len(self._waiting) >= MAX_HELD // share
            or self._bytes + size > MAX_HELD_BYTES // share
            or self._backlog.bytes + size > MAX_HELD_BYTES_OF_NODE // share
        )
        return not self._full

    def _lose(self) -> None:
        self.lost += 1
        self._counts.lost += 1
        if self._waiting and isinstance(self._waiting[-1], int):
            self._waiting[-1] += 1
        else:
            self._waiting.append(1)

    def _release(self) -> bool:
        """Send what may be sent. Whether a loss was told of."""
        told = False
        if self._target is None:
            return told
        with self._target.link.outbox.gathering():
            while self._waiting:
                first = self._waiting[0]
                if isinstance(first, int):
                    self._target.put(self._told_of(first))
                    self._counts.told(first)
                    told = True
                elif self.unacknowledged < self.window:
                    self._target.put(first)
                    self.unacknowledged += 1
                    self._counts.sent += 1
                    self._bytes -= len(first)
                    self._backlog.bytes -= len(first)
                else:
                    break
                self._waiting.popleft()
        return told
