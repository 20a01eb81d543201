"""What is on its way to a peer.

Whoever has something for the peer adds it to what waits and, unless somebody is sending already, sends: until nothing
waits, or the socket takes no more. So what comes while one thread sends is gathered in its next write, and no thread
waits for another: the lock is never held across a send, which lets go of the GIL. When the socket was full the writer
thread waits for it, and sends what nobody else has sent by then: alone it could not keep up with a busy interpreter.
Nothing of this raises: what can be sent no more shuts the stream down, so that the link's reader ends the link.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from mod_erlang_py.distribution.connection import Frames
from mod_erlang_py.errors import Exhausted

from .pool import STEP, Pool
from .streams.stream import Stream

log = logging.getLogger(__name__)

GATHER = 512
"""Buffers in one write: half of IOV_MAX, and of events a megabyte."""
ANSWERS = 16
"""Answers that go out in one write, when so many requests came in one read."""
TURNS = 8
"""Writes in a row by a thread that has something else to do; then the writer thread goes on."""


@dataclass(frozen=True, slots=True)
class Room:
    """What may wait for one peer. Events and log lines are dropped beyond it; replies end the link beyond twice it."""

    bytes: int
    messages: int


class Outbox:
    """The frames for one peer, in order.

    start: starts a thread, or raises Exhausted. Without a writer thread what waits might wait for ever, so that ends
    the link too. pool: of the outboxes of all peers: when it is full, each takes events as far as its share goes; at
    twice as much the link of the one that has most ends.
    """

    def __init__(
        self, stream: Stream, room: Room, start: Callable[[str, Callable[[], None]], None], pool: Pool[Outbox]
    ) -> None:
        self._stream = stream
        self._room = room
        self._start = start
        self._pool = pool
        self._reported = 0
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._waiting: deque[Frames] = deque()
        self._bytes = 0
        self._messages = 0
        self._sending = False
        self._writer = False
        self._writers_turn = False
        self._blocked_at: float | None = None
        self._closed = False
        self._full = False
        self.writes = 0
        """How many writes took something; the ticker looks whether it moved."""

    @property
    def backlog(self) -> int:
        """Bytes that wait because the socket takes no more."""
        return self._bytes if self._blocked_at is not None else 0

    def resize(self, room: Room) -> None:
        """What waits already stays."""
        self._room = room

    @property
    def stalled(self) -> float:
        """Seconds since the socket last took something, while something waits for it; else 0."""
        blocked_at = self._blocked_at
        return time.monotonic() - blocked_at if blocked_at is not None else 0.0

    def put(self, frame: bytes, more_comes: Callable[[], bool] = lambda: False) -> None:
        """Send a frame, or let it wait its turn. Never lost while the link is up.

        more_comes: whether whoever put it will put another at once, or flush; asked with the lock held.
        """
        if self._pool.over and (most := self._pool.most()) is not None:
            most.give_up()
        with self._lock:
            if self._closed:
                return
            self._add(Frames((frame,), 1, len(frame)))
            full = self._bytes > 2 * self._room.bytes or self._messages > 2 * self._room.messages
            if full:
                why = f"it left {self._bytes} bytes in {self._messages} replies unread"
            elif self._sending or (self._messages < ANSWERS and more_comes()):
                return
            else:
                gathered = self._next()
        if full:
            self._end(why)
        else:
            self._send(gathered)

    def flush(self) -> None:
        """Send what waits because more was to come."""
        if not self._waiting:
            return
        with self._lock:
            if self._sending:
                return
            gathered = self._next()
        self._send(gathered)

    def append(self, frame: bytes) -> None:
        """Send a frame that nobody waits for together with what is sent next."""
        with self._lock:
            if not self._closed:
                self._add(Frames((frame,), 1, len(frame)))

    @contextmanager
    def gathering(self) -> Iterator[None]:
        """What is put or offered within the `with` block goes out at its end, in one write. Not to wait in."""
        with self._lock:
            ours = not self._sending and not self._closed
            self._sending |= ours
        try:
            yield
        finally:
            if ours:
                with self._lock:
                    self._sending = False
                    gathered = self._next()
                self._send(gathered)

    def offer(self, frames: Sequence[Frames]) -> int:
        """Send frames that may be lost; how many of them, from the first, will be sent.

        Once the room is used up, nothing is taken until half of it is free again.
        """
        with self._lock:
            if self._closed:
                return 0
            taken = 0
            if not self._full or self._half_free():
                self._full = False
                for some in frames:
                    fitting = self._fitting(some) if self._waiting else some
                    self._add(fitting)
                    taken += fitting.number
                    if self._full:
                        break
            if self._sending or not self._waiting:
                return taken
            gathered = self._next()
        self._send(gathered)
        return taken

    def _fitting(self, frames: Frames) -> Frames:
        """Those, from the first, that there is room for."""
        room, space = self._room.messages - self._messages, self._most() - self._bytes
        if frames.number <= room and frames.size <= space:
            return frames
        self._full = True
        per_frame = len(frames.buffers) // frames.number
        count = size = 0
        while count < room:
            more = sum(map(len, frames.buffers[count * per_frame : (count + 1) * per_frame]))
            if size + more > space:
                break
            count, size = count + 1, size + more
        return Frames(frames.buffers[: count * per_frame], count, size)

    def _half_free(self) -> bool:
        return self._bytes <= self._most() // 2 and self._messages <= self._room.messages // 2

    def _most(self) -> int:
        """Bytes that there is room for."""
        return min(self._room.bytes, self._pool.share) if self._pool.full else self._room.bytes

    def _report(self) -> None:
        """With the lock held: tell the pool how much waits."""
        if abs(self._bytes - self._reported) >= STEP:
            self._reported = self._bytes
            self._pool.keep(self, self._bytes)

    def give_up(self) -> None:
        """End the link: of all it has most that waits."""
        self._end(f"outbox-bytes-total: it left most of {self._pool.total} bytes unread that wait for all nodes")

    def _add(self, frames: Frames) -> None:
        if frames.number:
            self._waiting.append(frames)
            self._bytes += frames.size
            self._messages += frames.number
            self._report()

    def _next(self) -> Sequence[bytes | memoryview]:
        """With the lock held, while nobody else sends: what to send; nothing when nothing waits."""
        gathered = self._gather()  # first: when there is no memory for it, somebody else may send
        self._sending = bool(gathered)
        return gathered

    def _send(self, gathered: Sequence[bytes | memoryview]) -> None:
        """Be the one who sends, while the socket takes everything and for a few turns; then the writer is woken."""
        try:
            full = False
            for _ in range(TURNS):
                if full or not gathered:
                    break
                taken = self._stream.send(gathered)
                with self._lock:
                    full = self._took(taken, gathered)
                    gathered = self._next()
            if not gathered:
                return
            with self._changed:
                self._sending = False
                if not self._closed:
                    self._wake_writer()
        except Exception as error:
            self._fail(error)

    def _wake_writer(self) -> None:
        self._writers_turn = True
        if self._writer:
            self._changed.notify()
        else:
            self._start("writer", self._write)
            self._writer = True

    def _write(self) -> None:
        """The writer thread, from the first frame that had to wait to the end of the link: sends once the socket takes
        something again, unless somebody who has more for it was first."""
        while True:
            with self._changed:
                while not self._writers_turn and not self._closed:
                    self._changed.wait()
                if self._closed:
                    return
            try:
                self._stream.wait_writable()
            except Exception as error:
                self._fail(error)
                return
            with self._changed:
                self._writers_turn = False
                if self._closed:
                    return
                if self._sending:
                    continue
                gathered = self._next()
            self._send(gathered)

    def _gather(self) -> Sequence[bytes | memoryview]:
        if len(self._waiting) == 1:
            return self._waiting[0].buffers[:GATHER]
        gathered: list[bytes | memoryview] = []
        for frames in self._waiting:
            gathered += frames.buffers
            if len(gathered) >= GATHER:
                break
        return gathered[:GATHER]

    def _took(self, taken: int, gathered: Sequence[bytes | memoryview]) -> bool:
        """Forget what the socket took of what it was given. Whether it is full now."""
        if self._closed:
            return False
        full = taken < sum(map(len, gathered))
        if taken:
            self.writes += 1
        if not full:
            self._blocked_at = None
        elif taken or self._blocked_at is None:
            self._blocked_at = time.monotonic()
        self._bytes -= taken
        self._report()
        while taken:
            first = self._waiting[0]
            if taken < first.size:
                self._waiting[0] = _rest(first, taken)
                break
            taken -= first.size
            self._messages -= first.number
            self._waiting.popleft()
        return full

    def _fail(self, error: Exception) -> None:
        """Nothing can be sent any more."""
        if self._closed:
            return  # the stream may be closed already
        if isinstance(error, (OSError, Exhausted)):
            self._end(f"write: {error}")
        else:
            log.error("writing failed", exc_info=error)
            self._end(f"{type(error).__name__} in writing")

    def _end(self, reason: str) -> None:
        self._stream.shut_down(reason)
        self.close()

    def close(self) -> None:
        """Forget what waits, and take nothing more; the writer thread ends."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._bytes = self._messages = self._reported = 0
            self._pool.keep(self, 0)
            self._blocked_at = None
            self._changed.notify()


def _rest(frames: Frames, taken: int) -> Frames:
    """What is left when so many bytes are gone. It counts as before, until all are."""
    left = frames.size - taken
    first = 0
    while taken >= len(frames.buffers[first]):
        taken -= len(frames.buffers[first])
        first += 1
    return Frames([memoryview(frames.buffers[first])[taken:], *frames.buffers[first + 1 :]], frames.number, left)
