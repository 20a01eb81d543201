"""Reads a link and has what arrives done, one reading thread at a time.

The jobs of one sender run in the order they came. A job that runs long keeps its thread, and its sender's later jobs
wait for it; another thread takes over the reading, so that nobody else does (see watch.py). Where no thread is to be
had the reading waits for the job's end. Answers to what came in one read go out together, but wait for no job that runs
long.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from mod_erlang_py.config.limits import Limits
from mod_erlang_py.distribution.connection import FrameReader
from mod_erlang_py.errors import ErlangNodeError, Exhausted, ProtocolViolation
from mod_erlang_py.etf import Pid, Term, memory

from .pool import STEP, Pool
from .streams.stream import Stream
from .watch import PATIENCE, Watch

log = logging.getLogger(__name__)

READ_SIZE = 65536
JOB_SIZE = 1024
"""Bytes that a job counts for, besides its term: what it is made of takes about as much."""


@dataclass(frozen=True, slots=True)
class Intake:
    """What is taken from one peer at most.

    frame: bytes of one; OTP has no limit, a switch needs one. running: threads that may be held up by a request at
    once; the requests of more senders wait for one of them. waiting: jobs of one sender that may wait behind a running
    one. waiting_bytes: of memory, of all its jobs that wait, or have run long.
    """

    frame: int
    running: int
    waiting: int
    waiting_bytes: int

    @classmethod
    def of(cls, limits: Limits) -> Intake:
        return cls(
            limits.max_frame_bytes,
            limits.max_running_requests,
            limits.max_waiting_requests,
            limits.max_waiting_request_bytes,
        )


class Job(NamedTuple):
    """What a message asks for. sender: whose order it keeps. term: what is kept for it."""

    sender: Pid | None
    run: Callable[[], None]
    term: Term = None


class Reader:
    """receive: what to do about a frame's body; may do it at once and return None, or return a Job.
    flush: sends what waits for more answers to go out with (see answers_more); raises nothing.
    ended: called once, by the last thread that reads, with why the stream was shut down; no other thread ends a link.
    start: starts a thread, or raises Exhausted. pool: of the readers of all links, also of such as are down, until what
    they were asked is done: beyond it the link of the one that keeps most ends. left_behind: how many requests of the
    peer run that came over other links: they count as running. trailing: bytes that came with the
    handshake; may raise ProtocolViolation.
    """

    def __init__(
        self,
        stream: Stream,
        intake: Intake,
        receive: Callable[[bytes], Job | None],
        flush: Callable[[], None],
        ended: Callable[[str], None],
        watch: Watch,
        start: Callable[[str, Callable[[], None]], None],
        pool: Pool[Reader],
        left_behind: Callable[[], int],
        trailing: bytes = b"",
    ) -> None:
        self._stream = stream
        self._intake = intake
        self._frames = FrameReader(intake.frame)
        self._receive = receive
        self._flush = flush
        self._ended = ended
        self._watch = watch
        self._start = start
        self._inbox = deque(self._frames.receive_data(trailing))
        self._lock = threading.Lock()
        self._turn = 0
        self._since = 0.0
        self._pool = pool
        self._left_behind = left_behind
        self._running: Job | None = None
        self._overtaken: Job | None = None
        self._behind: dict[Pid | None, deque[tuple[Job, int]]] = {}
        self._long: dict[Pid | None, int] = {}  # bytes of those that run long
        self._bytes_behind = 0
        self._reported = 0
        self._over = self._given_up = False
        self._held_up = 0
        self._unserved: deque[Pid | None] = deque()
        self._told = False
        self.reads = 0
        """How many reads gave something; the ticker looks whether it moved."""

    def configure(self, intake: Intake) -> None:
        """From the next frame, and the next job, on."""
        self._intake = intake
        self._frames.max_frame = intake.frame

    @property
    def held_up(self) -> int:
        """How many threads are kept by requests that run long."""
        return self._held_up

    @property
    def held(self) -> bool:
        """Whether nobody reads just now, because a request keeps the reading thread."""
        return self._since != 0.0

    def answers_more(self) -> bool:
        """Whether there is more at hand than the request that runs: then an answer may wait for the next ones. It is
        flushed when all are answered, or one of them runs long."""
        return bool(self._inbox)

    def read(self) -> None:
        """Be the reading thread, to the end of the link or until another one takes over."""
        self._watch.add(self)
        self._read(turn=0)

    def _read(self, turn: int) -> None:
        inbox, stream, feed = self._inbox, self._stream, self._frames.receive_data
        try:
            self._count_long()
            while True:
                try:
                    while inbox:
                        body = inbox.popleft()
                        job = self._receive(body)
                        if job is not None and not self._do(job, turn):
                            return
                finally:
                    self._flush()
                if stream.why:
                    break  # what came before is done, what may still wait in the socket is not
                self._report()
                data = stream.recv(READ_SIZE)
                if not data:
                    stream.shut_down("closed by the peer")
                    break
                self.reads += 1
                inbox.extend(feed(data))
        except ErlangNodeError as error:
            stream.shut_down(f"{error}")
        except OSError as error:
            stream.shut_down(f"read: {error}")
        except MemoryError:
            stream.shut_down("no memory for what it sends")
        except Exception as error:
            log.exception("reading failed")
            stream.shut_down(f"{type(error).__name__} in reading")
        self._watch.remove(self)
        with self._lock:
            self._over = True
        self._report()
        self._ended(stream.why)

    def _do(self, job: Job, turn: int) -> bool:
        """Run the job, or let it wait behind its sender's earlier one. Whether this thread still reads."""
        if self._behind and self._waits(job):
            return True
        with self._lock:
            self._running = job
            self._since = time.perf_counter()
        self._watch.started()
        _thread.reader = self
        _run(job)
        _thread.reader = None
        with self._lock:
            if self._turn == turn:
                self._since = 0.0
                self._running = None
                return True
        self._finish(job.sender)
        return False

    def _waits(self, job: Job) -> bool:
        """Let it wait if it has to. By the reading thread between two jobs: others only end what runs."""
        most = max(1, self._intake.running - self._left_behind())  # one at least, whose thread does what waits
        if job.sender not in self._behind and self._held_up < most:
            return False
        size = _size(job)  # not with the lock held: to look at a big term takes a while
        with self._lock:
            behind = self._behind.get(job.sender)
            if behind is None:
                if self._held_up < most:
                    return False
                self._behind[job.sender] = behind = deque()
                self._unserved.append(job.sender)
            self._queue(behind, job, size)
            return True

    def _queue(self, behind: deque[tuple[Job, int]], job: Job, size: int) -> None:
        """With the lock held. Raises ProtocolViolation when too much waits."""
        most = self._intake
        if len(behind) >= most.waiting:
            told = f"max-waiting-requests: {most.waiting} requests of {job.sender} wait for one that runs"
            raise ProtocolViolation(told)
        self._count(size)
        behind.append((job, size))

    def _count_long(self) -> None:
        """Count what is kept for the job from which the reading was taken over, if it was. Raises ProtocolViolation
        when it is too much."""
        with self._lock:
            long, self._overtaken = self._overtaken, None
        if long is None:
            return
        size = _size(long)
        with self._lock:
            if long.sender in self._behind:  # it still runs
                self._count(size)
                self._long[long.sender] = size

    def _count(self, size: int) -> None:
        """With the lock held. Raises ProtocolViolation when too much is kept."""
        if self._bytes_behind + size > self._intake.waiting_bytes:
            told = f"max-waiting-request-bytes: {self._bytes_behind} bytes are kept for requests that wait or run long"
            raise ProtocolViolation(told)
        self._bytes_behind += size

    def _report(self) -> None:
        """Tell the pool how much is kept: of a link that is down, what is not done yet."""
        if abs(self._kept() - self._reported) < (1 if self._over else STEP):
            return
        with self._lock:
            if self._given_up:
                return
            self._reported = self._kept()
            self._pool.keep(self, self._reported)
        if self._pool.full and (most := self._pool.most()) is not None:
            most.give_up()

    def _kept(self) -> int:
        return self._bytes_behind + (0 if self._over else self._frames.held)

    def give_up(self) -> None:
        """End the link, and forget what waits: of all it has most that is kept for requests."""
        kept = f"most of {self._pool.total} bytes that are kept for requests of all nodes"
        with self._lock:
            self._given_up = True
            for behind in self._behind.values():
                self._bytes_behind -= sum(size for _, size in behind)
                behind.clear()
            self._pool.keep(self, 0)
        self._stream.shut_down(f"max-waiting-request-bytes-total: it has {kept}")

    def _finish(self, sender: Pid | None) -> None:
        """What the sender asked meanwhile, and senders for whom no thread was left; by a thread that does not read."""
        while (job := self._following(sender)) is not None:
            self._report()
            _run(job)
            sender = job.sender
        self._report()

    def _following(self, sender: Pid | None) -> Job | None:
        """What a thread does that has done a job of that sender."""
        with self._lock:
            self._bytes_behind -= self._long.pop(sender, 0)
            while not (behind := self._behind[sender]):
                del self._behind[sender]
                if not self._unserved:
                    self._held_up -= 1
                    return None
                sender = self._unserved.popleft()
            job, self._long[sender] = behind.popleft()
            return job

    def overtake(self, now: float, patience: float = PATIENCE) -> bool:
        with self._lock:
            if self._since == 0.0:
                return False
            if now - self._since < patience:
                return True
            self._take_over()
        self._flush()
        return True

    def _take_over(self) -> None:
        """With the lock held, while a job runs: have another thread read on, if one is to be had."""
        job = self._running
        assert job is not None
        try:
            self._start("reader", partial(self._read, self._turn + 1))
        except Exhausted as error:
            if not self._told:
                log.warning("a request of %s holds up its link: %s", job.sender, error)
            self._told = True
            return
        self._told = False
        self._running = None
        self._overtaken = job
        self._behind[job.sender] = deque()
        self._held_up += 1
        self._turn += 1
        self._since = 0.0


_thread = threading.local()


def step_aside() -> None:
    """The calling thread is about to wait for somebody: if it reads a link, let another thread read on at once."""
    reader: Reader | None = getattr(_thread, "reader", None)
    if reader is not None:
        _thread.reader = None
        reader.overtake(time.perf_counter(), patience=0.0)


def _size(job: Job) -> int:
    """Bytes of memory that it is kept in."""
    return JOB_SIZE + memory(job.term)


def _run(job: Job) -> None:
    try:
        job.run()
    except Exception:
        log.exception("a request of %s failed", job.sender)
