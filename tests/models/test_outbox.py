"""What is on its way to a peer: several who send, a writer thread, a socket that takes what it likes, an end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import combinations_with_replacement

import pytest

from mod_erlang_py.distribution.connection import Frames
from mod_erlang_py.errors import Exhausted
from mod_erlang_py.node.outbox import Outbox, Room
from mod_erlang_py.node.pool import Pool
from mod_erlang_py.node.streams.stream import Stream
from tests.models.scheduler import Scheduler
from tests.models.schedules import DEPTH, explore

SIZE = 4
"""Of a frame: two letters that say whose it is, and a number."""


class PlayedStream(Stream):
    """room: how many bytes it takes; it has room for all again when somebody waits for that. breaks: it does not take
    any then."""

    def __init__(self, scheduler: Scheduler, room: int, breaks: bool) -> None:
        super().__init__()
        self._scheduler = scheduler
        self._room = room
        self._breaks = breaks
        self.taken = b""

    def recv(self, size: int) -> bytes:
        raise AssertionError("nobody reads here")

    def send(self, buffers: Sequence[bytes | memoryview]) -> int:
        self._scheduler.calling("send")
        if self.why or (self._breaks and not self._room):
            raise OSError("broken")
        some = b"".join(buffers)[: self._room]
        self.taken += some
        self._room -= len(some)
        return len(some)

    def wait_writable(self) -> None:
        self._scheduler.calling("wait_writable")
        if not self._breaks:
            self._room = max(self._room, 6)

    def set_timeout(self, seconds: float | None) -> None:
        raise AssertionError("nobody reads here")

    def _shut_down(self) -> None:
        self._scheduler.calling("shut_down")

    def close(self) -> None:
        raise AssertionError("the reader's")


class OutboxWorld:
    def __init__(self, scheduler: Scheduler, room: int, breaks: bool, no_thread: bool) -> None:
        self.scheduler = scheduler
        self.stream = PlayedStream(scheduler, room, breaks)
        self._no_thread = no_thread
        self.outbox = Outbox(self.stream, Room(1000, 100), self._start, Pool(1 << 20))
        self.sent: dict[str, list[bytes]] = {}
        self.ended = False

    def _start(self, name: str, run: Callable[[], None]) -> None:
        if self._no_thread:
            raise Exhausted("no thread")
        self.scheduler.start(name, run, serves=True)

    def frame(self, who: str) -> bytes:
        frames = self.sent.setdefault(who, [])
        frames.append(f"{who}{len(frames):02}".encode())
        return frames[-1]

    def put(self, who: str) -> None:
        """Two, one after the other."""
        for _ in range(2):
            self.outbox.put(self.frame(who))

    def put_more(self, who: str) -> None:
        """One of which more comes, and that."""
        self.outbox.put(self.frame(who), lambda: True)
        self.outbox.flush()

    def gather(self, who: str) -> None:
        with self.outbox.gathering():
            self.outbox.put(self.frame(who))
            self.outbox.put(self.frame(who))

    def offer(self, who: str) -> None:
        frames = [Frames((frame[:2], frame[2:]), 1, SIZE) for frame in (self.frame(who), self.frame(who))]
        self.outbox.offer(frames)

    def end(self, who: str) -> None:
        """As Link.end, and the reader that wakes from it."""
        self.outbox.flush()
        self.stream.shut_down("the end")
        self.outbox.close()
        self.ended = True

    def look(self) -> None:
        taken = self.stream.taken
        whole = [taken[at : at + SIZE] for at in range(0, len(taken) - len(taken) % SIZE, SIZE)]
        for who, frames in self.sent.items():
            of_it = [frame for frame in whole if frame.startswith(who.encode())]
            assert of_it == frames[: len(of_it)], taken
            if not self.stream.why:
                assert of_it == frames, f"{frames[len(of_it) :]} waits for ever"
        if self.stream.why:
            assert self.outbox._closed
            assert not self.outbox._waiting
        assert self.outbox._bytes == self.outbox._messages == 0
        assert self.outbox.stalled == 0.0


DOES = {
    "put": OutboxWorld.put,
    "put_more": OutboxWorld.put_more,
    "gather": OutboxWorld.gather,
    "offer": OutboxWorld.offer,
    "end": OutboxWorld.end,
}
STREAMS = {
    "takes all": (1000, False, False),
    "takes six bytes at a time": (6, False, False),
    "breaks": (6, True, False),
    "no thread": (6, False, True),
}


def sending(operations: tuple[str, ...], stream: str, scheduler: Scheduler) -> Callable[[], None]:
    world = OutboxWorld(scheduler, *STREAMS[stream])
    for number, operation in enumerate(operations):
        scheduler.start(operation, partial(DOES[operation], world, f"{operation[0]}{number}"))
    return world.look


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("operations", [*combinations_with_replacement(DOES, 2)], ids="-".join)
def test_two_at_once(operations: tuple[str, ...], stream: str) -> None:
    explore(partial(sending, operations, stream), 2 + DEPTH)


@pytest.mark.parametrize("operations", [("put", "gather", "offer"), ("put_more", "offer", "end")], ids="-".join)
def test_three_at_once(operations: tuple[str, ...]) -> None:
    explore(partial(sending, operations, "takes six bytes at a time"), 1 + DEPTH)
