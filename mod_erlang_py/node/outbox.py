"""What is on its way to a peer.

Whoever has something for the peer writes it at once, as long as the socket takes it; what it does not take waits here
for the writer thread. The lock is held across a send that cannot block, never across one that can.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from .stream import Stream

GATHER = 64
"""Buffers in one write: well under IOV_MAX, and a socket buffer holds no more anyway."""


@dataclass(frozen=True, slots=True)
class Room:
    """What one outbox may hold: bytes and messages. Replies may exceed it by as much again before the link ends."""

    bytes: int = 64 * 1024 * 1024
    messages: int = 100_000


class Outbox:
    """The frames for one peer, in order.

    full: called, once and with no lock held, when replies outgrow twice the room.
    broken: called likewise when the socket fails.
    """

    def __init__(
        self,
        stream: Stream,
        room: Room,
        start: Callable[[str, Callable[[], None]], None],
        ended: Callable[[str], None],
    ) -> None:
        self._stream = stream
        self._room = room
        self._start = start
        self._ended = ended
        self._changed = threading.Condition(threading.Lock())
        self._waiting: deque[bytes | memoryview] = deque()
        self._bytes = 0
        self._writer = False
        self._closed = False
        self.writes = 0
        """How many writes took something; the ticker looks whether it moved."""

    @property
    def backlog(self) -> int:
        """Bytes that wait for the socket."""
        return self._bytes

    def put(self, frame: bytes) -> None:
        """Send a frame, or let it wait its turn. Never lost while the link is up."""
        why = ""
        with self._changed:
            if self._closed:
                return
            if not self._waiting:
                try:
                    taken = self._stream.send((frame,))
                except OSError as error:
                    why = f"write: {error}"
                else:
                    if taken:
                        self.writes += 1
                    if taken == len(frame):
                        return
                    self._wait(memoryview(frame)[taken:])
            else:
                self._wait(frame)
                if self._bytes > 2 * self._room.bytes or len(self._waiting) > 2 * self._room.messages:
                    why = f"it left {self._bytes} bytes in {len(self._waiting)} replies unread"
            if why:
                self._closed = True
        if why:
            self._ended(why)

    def _wait(self, frame: bytes | memoryview) -> None:
        self._waiting.append(frame)
        self._bytes += len(frame)
        if self._writer:
            self._changed.notify()
        else:
            self._writer = True
            self._start("writer", self._write)

    def _write(self) -> None:
        """The writer thread: from the first frame that had to wait to the end of the link."""
        while True:
            with self._changed:
                while not self._waiting and not self._closed:
                    self._changed.wait()
                if self._closed:
                    return
            self._stream.wait_writable()
            try:
                with self._changed:
                    if self._closed:
                        return
                    self._took(
                        self._stream.send([self._waiting[i] for i in range(min(GATHER, len(self._waiting)))])
                    )
            except OSError as error:
                self._ended(f"write: {error}")
                return

    def _took(self, taken: int) -> None:
        if taken:
            self.writes += 1
        self._bytes -= taken
        while taken:
            first = self._waiting[0]
            if taken < len(first):
                self._waiting[0] = memoryview(first)[taken:]
                return
            taken -= len(first)
            self._waiting.popleft()

    def close(self) -> None:
        """Forget what waits; the writer thread ends."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._bytes = 0
            self._changed.notify()
