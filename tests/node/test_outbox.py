"""Outbox: order, and nobody who waits for a peer."""

from __future__ import annotations

import random
import socket
import struct
import threading
from collections.abc import Callable, Sequence
from functools import partial

import pytest

from mod_erlang_py.distribution.connection import Frames
from mod_erlang_py.node.outbox import ANSWERS, Outbox, Room
from mod_erlang_py.node.pool import STEP, Pool
from mod_erlang_py.node.streams.tcp import TcpStream
from mod_erlang_py.node.threads import Threads
from tests.node.conftest import tcp_pair
from tests.waiting import wait_until

Pair = tuple[socket.socket, socket.socket]
BIG = Room(1 << 30, 1 << 20)


class Tap(TcpStream):
    """A stream that takes nothing while it is shut, as if its socket were full. reasons: why it was shut down."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self.reasons: list[str] = []
        self.ended = threading.Event()
        self._open = threading.Event()
        self._open.set()
        self.shut = self._open.clear
        self.open = self._open.set

    def send(self, buffers: Sequence[bytes | memoryview]) -> int:
        return super().send(buffers) if self._open.is_set() else 0

    def _shut_down(self) -> None:
        self.reasons.append(self.why)
        super()._shut_down()
        self.ended.set()

    def wait_writable(self) -> None:
        self._open.wait()
        super().wait_writable()


class Bench:
    """An outbox on one end of a connection; the other end is `peer`."""

    def __init__(self, pair: Pair, threads: Threads, room: Room = BIG, pool: Pool[Outbox] | None = None) -> None:
        self.sock, self.peer = pair
        self.started: list[str] = []
        self._threads = threads
        self.tap = Tap(self.sock)
        self.pool: Pool[Outbox] = pool or Pool(1 << 30)
        self.outbox = Outbox(self.tap, room, self._start, self.pool)

    def _start(self, name: str, target: Callable[[], None]) -> None:
        self.started.append(name)
        self._threads.start(name, target)

    def fill(self, size: int = 1000) -> bytes:
        """Put frames until some have to wait, if only for a moment; what was put."""
        sent = b""
        while not self.outbox.backlog:
            frame = _frame(len(sent), size)
            self.outbox.put(frame)
            sent += frame
        return sent


def _frame(number: int, size: int) -> bytes:
    return struct.pack(">II", number, size) + bytes([number & 0xFF]) * size


def _frames(whole: Sequence[bytes]) -> Frames:
    """As they are made for events: of two buffers each."""
    buffers = [part for frame in whole for part in (frame[:4], frame[4:])]
    return Frames(buffers, len(whole), sum(map(len, whole)))


def _read(peer: socket.socket, size: int, chunk: int = 65536) -> bytes:
    parts = []
    while size:
        part = peer.recv(min(chunk, size))
        assert part, "closed too early"
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def test_a_frame_goes_out_at_once_without_a_thread(pair: Pair, threads: Threads) -> None:
    bench = Bench(pair, threads)
    bench.outbox.put(b"hello")
    assert bench.peer.recv(100) == b"hello"
    assert (bench.started, bench.outbox.writes, bench.outbox.backlog) == ([], 1, 0)


def test_nothing_blocks_while_the_peer_does_not_read(pair: Pair, threads: Threads) -> None:
    bench = Bench(pair, threads)
    first = bench.fill()
    more = [_frame(number, 5000) for number in range(2000)]
    for frame in more:
        bench.outbox.put(frame)
    sent = first + b"".join(more)
    assert bench.started == ["writer"]
    assert bench.outbox.backlog > 5_000_000
    assert _read(bench.peer, len(sent)) == sent
    wait_until(lambda: bench.outbox.backlog == 0)
    bench.outbox.close()


def test_a_frame_larger_than_the_socket_takes_is_sent_in_parts(pair: Pair, threads: Threads) -> None:
    bench = Bench(pair, threads)
    frame = random.Random(1).randbytes(3_000_000)
    bench.outbox.put(frame)
    assert 0 < bench.outbox.backlog < len(frame)
    bench.outbox.put(b"after")
    assert _read(bench.peer, len(frame) + 5, chunk=4097) == frame + b"after"
    bench.outbox.close()


def test_order_holds_between_direct_writes_and_the_writer_thread(pair: Pair, threads: Threads) -> None:
    """The peer reads in fits, so that frames go out directly, wait, and go out directly again, again and again."""
    bench = Bench(pair, threads)
    count = 3000
    producers = 4

    def produce(who: int) -> None:
        sizes = random.Random(who)
        for number in range(count):
            size = sizes.randrange(200)
            bench.outbox.put(struct.pack(">III", size, who, number) + b"." * size)
        done.append(who)

    done: list[int] = []
    for who in range(producers):
        threads.start("producer", partial(produce, who))
    seen: list[list[int]] = [[] for _ in range(producers)]
    fits = random.Random(9)
    for _ in range(count * producers):
        size, who, number = struct.unpack(">III", _read(bench.peer, 12))
        seen[who].append(number)
        assert _read(bench.peer, size) == b"." * size
        if fits.random() < 0.01:  # the producers get ahead
            wait_until(lambda: bench.outbox.backlog or len(done) == producers)
    assert seen == [list(range(count))] * producers
    assert bench.started.count("writer") == len(bench.started) <= 1
    bench.outbox.close()


def test_close_forgets_what_waits_and_ends_the_writer(pair: Pair, threads: Threads) -> None:
    bench = Bench(pair, threads)
    bench.fill()
    bench.outbox.put(b"more")
    bench.outbox.close()
    bench.sock.shutdown(socket.SHUT_RDWR)  # as Link.end does: it wakes the writer
    assert bench.outbox.backlog == 0
    assert threads.join(10) == []
    bench.outbox.put(b"too late")
    assert (bench.outbox.backlog, bench.tap.reasons) == (0, [])


def test_close_ends_a_writer_that_has_nothing_to_do(pair: Pair, threads: Threads) -> None:
    bench = Bench(pair, threads)
    sent = bench.fill()
    _read(bench.peer, len(sent))
    wait_until(lambda: bench.outbox.backlog == 0)
    bench.outbox.close()
    assert threads.join(10) == []


@pytest.mark.parametrize("room", [Room(10_000, 1 << 20), Room(1 << 30, 10)], ids=["bytes", "messages"])
def test_what_outgrows_the_room_ends_the_link_once(pair: Pair, threads: Threads, room: Room) -> None:
    bench = Bench(pair, threads, room)
    for number in range(10_000):
        bench.outbox.put(_frame(number, 1000))
    assert len(bench.tap.reasons) == 1
    assert "unread" in bench.tap.reasons[0]
    assert bench.outbox.backlog == 0
    bench.sock.shutdown(socket.SHUT_RDWR)


def test_what_stays_within_the_room_is_kept(pair: Pair, threads: Threads) -> None:
    bench = Bench(pair, threads, Room(10_000, 1 << 20))
    bench.tap.shut()
    for _ in range(20):
        bench.outbox.put(b"x" * 1000)
    assert bench.tap.reasons == []
    bench.tap.open()
    assert _read(bench.peer, 20_000) == b"x" * 20_000
    bench.outbox.close()


def test_a_broken_socket_ends_the_link_from_a_direct_write(pair: Pair, threads: Threads) -> None:
    bench = Bench(pair, threads)
    bench.sock.shutdown(socket.SHUT_WR)
    bench.outbox.put(b"one")
    bench.outbox.put(b"two")
    assert len(bench.tap.reasons) == 1
    assert bench.tap.reasons[0].startswith("write: ")


def test_a_broken_socket_ends_the_link_from_the_writer(pair: Pair, threads: Threads) -> None:
    bench = Bench(pair, threads)
    bench.fill()
    bench.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    bench.peer.close()  # a reset
    assert bench.tap.ended.wait(10)
    assert [reason.partition(":")[0] for reason in bench.tap.reasons] == ["write"]
    assert threads.join(10) == []


def test_writes_counts_what_the_socket_took(pair: Pair, threads: Threads) -> None:
    bench = Bench(pair, threads)
    bench.outbox.put(b"goes, ")
    bench.tap.shut()
    bench.outbox.put(b"waits, ")
    bench.outbox.put(b"waits")
    assert (bench.outbox.writes, bench.outbox.backlog) == (1, 12)
    bench.tap.open()
    assert _read(bench.peer, 18) == b"goes, waits, waits"
    wait_until(lambda: bench.outbox.backlog == 0)
    assert bench.outbox.writes > 1
    bench.outbox.close()


def test_whoever_has_more_for_a_socket_that_was_full_sends_what_waited(
    pair: Pair, threads: Threads, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the writer thread, which may wait for the interpreter longer than the socket is full."""
    bench = Bench(pair, threads)
    asleep = threading.Event()
    monkeypatch.setattr(bench.tap, "wait_writable", asleep.wait)
    bench.tap.shut()
    bench.outbox.put(b"waited, ")
    bench.tap.open()
    assert bench.outbox.offer([_frames([b"more"])]) == 1
    assert _read(bench.peer, 12) == b"waited, more"
    assert (bench.started, bench.outbox.backlog) == (["writer"], 0)
    asleep.set()
    bench.outbox.put(b", and more")
    assert _read(bench.peer, 10) == b", and more"
    bench.outbox.close()
    assert threads.join(10) == []


def test_offering_to_an_outbox_without_room_sends_what_waits(
    pair: Pair, threads: Threads, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(pair, threads, Room(1 << 20, 2))
    asleep = threading.Event()
    monkeypatch.setattr(bench.tap, "wait_writable", asleep.wait)
    bench.tap.shut()
    assert [bench.outbox.offer([_frames([b"x"])]) for _ in range(4)] == [1, 1, 0, 0]
    bench.tap.open()
    assert [bench.outbox.offer([_frames([b"y"])]) for _ in range(2)] == [0, 1]
    assert _read(bench.peer, 3) == b"xxy"
    asleep.set()
    bench.outbox.close()
    assert threads.join(10) == []


def test_what_is_appended_goes_with_the_next(pair: Pair, threads: Threads) -> None:
    bench = Bench(pair, threads)
    bench.outbox.append(b"late, ")
    assert bench.outbox.writes == 0
    bench.outbox.put(b"prompt")
    assert (_read(bench.peer, 12), bench.outbox.writes) == (b"late, prompt", 1)
    bench.outbox.append(b"never")
    bench.outbox.close()
    bench.outbox.append(b"never")
    bench.sock.close()
    assert bench.peer.recv(10) == b""


def test_offered_frames_go_out_gathered_and_in_order(pair: Pair, threads: Threads) -> None:
    bench = Bench(pair, threads)
    frames = [_frame(number, 10) for number in range(200)]
    assert bench.outbox.offer([_frames(frames)]) == 200
    assert _read(bench.peer, 200 * 18) == b"".join(frames)
    assert bench.outbox.writes <= 4
    assert bench.started == []


@pytest.mark.parametrize("room", [Room(10_000, 1 << 20), Room(1 << 30, 10)], ids=["bytes", "messages"])
def test_offered_frames_are_dropped_beyond_the_room_but_replies_are_not(
    pair: Pair, threads: Threads, room: Room
) -> None:
    bench = Bench(pair, threads, room)
    bench.tap.shut()
    sent = [b"waits"]
    bench.outbox.put(sent[0])
    offered = [_frame(number, 900) for number in range(100)]
    taken = bench.outbox.offer([_frames(offered[:40]), _frames(offered[40:])])
    assert 0 < taken < 12
    assert bench.outbox.offer([_frames(offered[:40]), _frames(offered[40:])]) == 0
    bench.outbox.put(b"reply")
    sent += [*offered[:taken], b"reply"]
    bench.tap.open()
    assert _read(bench.peer, len(b"".join(sent))) == b"".join(sent)
    assert bench.tap.reasons == []
    wait_until(lambda: bench.outbox.backlog == 0)
    assert bench.outbox.offer([_frames([b"again"])]) == 1
    assert _read(bench.peer, 5) == b"again"
    bench.outbox.close()


@pytest.mark.parametrize("way", ["put", "offer", "gathering"])
def test_an_error_of_ours_in_a_write_ends_the_link_too(
    pair: Pair, threads: Threads, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, way: str
) -> None:
    def fail(buffers: object) -> int:
        raise ZeroDivisionError

    bench = Bench(pair, threads)
    monkeypatch.setattr(bench.tap, "send", fail)
    if way == "put":
        bench.outbox.put(b"lost")
    elif way == "offer":
        bench.outbox.offer([_frames([b"lost"])])
    else:
        with bench.outbox.gathering():
            bench.outbox.put(b"lost")
    assert bench.tap.reasons == ["ZeroDivisionError in writing"]
    assert "ZeroDivisionError" in caplog.text
    assert bench.peer.recv(10) == b""
    assert (bench.outbox.backlog, bench.outbox.offer([_frames([b"more"])])) == (0, 0)


def test_an_error_of_ours_in_the_writer_ends_the_link_too(
    pair: Pair, threads: Threads, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    bench = Bench(pair, threads)
    monkeypatch.setattr(bench.tap, "wait_writable", fail)
    bench.tap.shut()
    bench.outbox.put(b"waits")
    assert bench.tap.ended.wait(10)
    assert threads.join(10) == []
    assert bench.tap.why == "ZeroDivisionError in writing"
    assert "ZeroDivisionError" in caplog.text
    assert bench.outbox.offer([_frames([b"more"])]) == 0


@pytest.mark.parametrize("way", ["put", "offer"])
def test_without_a_thread_to_write_the_link_ends(
    pair: Pair, threads: Threads, missing: set[str], caplog: pytest.LogCaptureFixture, way: str
) -> None:
    """Nobody might come to send what waits. Whoever had something for the peer is not told."""
    missing.add("writer")
    bench = Bench(pair, threads)
    bench.tap.shut()
    if way == "put":
        bench.outbox.put(b"waits")
    else:
        bench.outbox.offer([_frames([b"waits"])])
    assert bench.tap.why == "write: can't start new thread"
    assert bench.peer.recv(10) == b""
    assert (bench.outbox.backlog, bench.outbox.offer([_frames([b"more"])])) == (0, 0)
    assert not caplog.records  # the link's end is told, with the reason


def test_what_is_put_while_more_comes_goes_out_with_that(pair: Pair, threads: Threads) -> None:
    bench = Bench(pair, threads)
    bench.outbox.put(b"one ", lambda: True)
    bench.outbox.put(b"two ", lambda: True)
    assert bench.outbox.writes == 0
    bench.outbox.put(b"three", lambda: False)
    assert (bench.peer.recv(100), bench.outbox.writes) == (b"one two three", 1)
    bench.outbox.put(b"four", lambda: True)
    bench.outbox.flush()
    assert (bench.peer.recv(100), bench.outbox.writes) == (b"four", 2)
    bench.outbox.flush()
    assert bench.outbox.writes == 2


def test_no_more_than_a_few_wait_for_more(pair: Pair, threads: Threads) -> None:
    bench = Bench(pair, threads)
    for _ in range(ANSWERS - 1):
        bench.outbox.put(b"x", lambda: True)
    assert bench.outbox.writes == 0
    bench.outbox.put(b"x", lambda: True)
    assert bench.peer.recv(100) == b"x" * ANSWERS


def test_beyond_what_all_may_keep_each_has_its_share(pair: Pair, threads: Threads) -> None:
    """Events are lost then; and at twice as much the link of the one who has most ends, whoever adds to it."""
    pool: Pool[Outbox] = Pool(64 * STEP)
    with tcp_pair() as other:
        first, second = Bench(pair, threads, pool=pool), Bench(other, threads, pool=pool)
        for bench in (first, second):
            bench.fill(STEP)
        frames = [_frames([_frame(0, STEP)]) for _ in range(80)]
        taken = first.outbox.offer(frames)
        assert 50 < taken < 80
        assert pool.full
        assert second.outbox.offer(frames[:20]) == 20
        assert second.outbox.offer(frames[20:]) < 20
        assert first.outbox.offer(frames) == 0
        second.outbox.put(_frame(0, 10))
        assert first.tap.reasons == []
        pool.resize(16 * STEP)
        second.outbox.put(_frame(0, 10))
        assert first.tap.reasons[0].startswith("outbox-bytes-total: it left most of ")
        assert second.tap.reasons == []
        assert 15 * STEP < pool.total < 36 * STEP
        second.outbox.close()
        assert pool.total == 0


@pytest.mark.parametrize("how", ["put", "gathering"])
def test_a_moment_without_memory_stops_nothing(
    pair: Pair, threads: Threads, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    bench = Bench(pair, threads)

    def gathered() -> None:
        with bench.outbox.gathering():
            bench.outbox.put(b"one")

    with monkeypatch.context() as without:
        without.setattr(bench.outbox, "_gather", _no_memory)
        with pytest.raises(MemoryError):
            gathered() if how == "gathering" else bench.outbox.put(b"one")
    bench.outbox.put(b"two")
    assert bench.peer.recv(6, socket.MSG_WAITALL) == b"onetwo"


def _no_memory() -> Sequence[bytes | memoryview]:
    raise MemoryError
