"""What is on its way to a peer.

Whoever has something for the peer writes it at once, as long as the socket takes it; what it does not take waits here
for the writer thread. The lock is held across a send that cannot block, never across one that can.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .stream import Stream

GATHER = 64
"""Buffers in one write: well under IOV_MAX, and a socket buffer holds no more anyway."""


@dataclass(frozen=True, slots=True)
class Room:
    """What may wait for one peer. Events and log lines are dropped beyond it; replies end the link beyond twice it."""

    bytes: int = 64 * 1024 * 1024
    messages: int = 100_000


class Outbox:
    """The frames for one peer, in order.

    ended: called with the reason, and with no lock held, when the socket fails or replies outgrow twice the room.
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
        self._full = False
        self.writes = 0
        """How many writes took something; the ticker looks whether it moved."""

    @property
    def backlog(self) -> int:
        """Bytes that wait for the socket."""
        return self._bytes

    def resize(self, room: Room) -> None:
        """What waits already stays."""
        self._room = room

    def put(self, frame: bytes) -> None:
        """Send a frame, or let it wait its turn. Never lost while the link is up."""
        why = ""
        with self._changed:
            if self._closed:
                return
            try:
                self._send([frame])
            except OSError as error:
                why = f"write: {error}"
            if self._bytes > 2 * self._room.bytes or len(self._waiting) > 2 * self._room.messages:
                why = f"it left {self._bytes} bytes in {len(self._waiting)} replies unread"
            if why:
                self._closed = True
        if why:
            self._ended(why)

    def offer(self, frames: Sequence[bytes]) -> int:
        """Send frames that may be lost, gathered in one write; how many of them, from the first, will be sent.

        Once the room is used up, nothing is taken until half of it is free again. When the socket fails, the link's
        reader finds out and ends it: whoever calls this may hold a lock that the end of a link takes.
        """
        with self._changed:
            if self._closed or (self._full and not self._half_free()):
                return 0
            self._full = False
            taken = len(frames)
            if self._waiting:
                room = self._room.messages - len(self._waiting)
                size = self._bytes
                for taken, frame in enumerate(frames):
                    size += len(frame)
                    if taken >= room or size > self._room.bytes:
                        self._full = True
                        break
                else:
                    taken = len(frames)
            try:
                self._send(frames[:taken])
            except OSError:
                self._closed = True
                self._stream.shut_down()
        return taken

    def _half_free(self) -> bool:
        return self._bytes <= self._room.bytes // 2 and len(self._waiting) <= self._room.messages // 2

    def _send(self, frames: Sequence[bytes]) -> None:
        """Write what the socket takes now; the rest waits."""
        if self._waiting:
            for frame in frames:
                self._wait(frame)
            return
        done = 0
        while done < len(frames):
            gathered = frames[done : done + GATHER]
            taken = self._stream.send(gathered)
            if taken:
                self.writes += 1
            for frame in gathered:
                if taken < len(frame):
                    break
                taken -= len(frame)
                done += 1
            else:
                continue
            self._wait(memoryview(frames[done])[taken:] if taken else frames[done])
            for frame in frames[done + 1 :]:
                self._wait(frame)
            return

    def _wait(self, frame: bytes | memoryview) -> None:
        self._waiting.append(frame)
        self._bytes += len(frame)
        if not self._writer:
            self._writer = True
            self._start("writer", self._write)
        elif len(self._waiting) == 1:
            self._changed.notify()

    def _write(self) -> None:
        """The writer thread: from the first frame that had to wait to the end of the link."""
        while True:
            with self._changed:
                while not self._waiting and not self._closed:
                    self._changed.wait()
                if self._closed:
                    return
            try:
                self._stream.wait_writable()
                with self._changed:
                    if self._closed:
                        return
                    self._took(self._stream.send([self._waiting[i] for i in range(min(GATHER, len(self._waiting)))]))
            except (OSError, ValueError) as error:  # ValueError: closed meanwhile
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
