"""Reads a link and has what arrives done, one reading thread at a time.

The jobs of one sender run in the order they came. A job that runs long keeps its thread, and its sender's later jobs
wait for it; another thread takes over the reading, so that nobody else does (see watch.py).
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from mod_erlang_py.distribution.connection import FrameReader
from mod_erlang_py.errors import ErlangNodeError, ProtocolViolation
from mod_erlang_py.etf import Pid

from .stream import Stream
from .watch import PATIENCE, Watch

log = logging.getLogger(__name__)

READ_SIZE = 65536
MAX_HELD = 256
"""Threads of one link that may be held up by a request at once; the requests of more senders wait for one of them."""
MAX_BEHIND = 100_000
"""Jobs of one sender that may wait behind a running one."""


@dataclass(frozen=True, slots=True)
class Job:
    """What a message asks for. sender: whose order it keeps."""

    sender: Pid | None
    run: Callable[[], None]


class Reader:
    """receive: what to do about a frame's body; may do it at once and return None, or return a Job.
    ended: called by the reading thread, once, with the reason why there is nothing more to read.
    """

    def __init__(
        self,
        stream: Stream,
        frames: FrameReader,
        receive: Callable[[bytes], Job | None],
        ended: Callable[[str], None],
        watch: Watch,
        start: Callable[[str, Callable[[], None]], None],
    ) -> None:
        self._stream = stream
        self._frames = frames
        self._receive = receive
        self._ended = ended
        self._watch = watch
        self._start = start
        self._inbox: deque[bytes] = deque()
        self._lock = threading.Lock()
        self._turn = 0
        self._since = 0.0
        self._running: Pid | None = None
        self._behind: dict[Pid | None, deque[Job]] = {}
        self._held_up = 0
        self._unserved: deque[Pid | None] = deque()
        self.reads = 0
        """How many reads gave something; the ticker looks whether it moved."""

    @property
    def held(self) -> bool:
        """Whether nobody reads just now, because a request keeps the reading thread."""
        return self._since != 0.0

    def feed(self, data: bytes) -> None:
        """Bytes that came with the handshake; before read only."""
        self._inbox.extend(self._frames.receive_data(data))

    def read(self) -> None:
        """The reading thread."""
        turn = self._turn
        inbox, recv, feed = self._inbox, self._stream.recv, self._frames.receive_data
        try:
            while True:
                while inbox:
                    job = self._receive(inbox.popleft())
                    if job is not None and not self._do(job, turn):
                        return
                data = recv(READ_SIZE)
                if not data:
                    reason = "closed by the peer"
                    break
                self.reads += 1
                inbox.extend(feed(data))
        except ErlangNodeError as error:
            reason = f"{error}"
        except OSError as error:
            reason = f"read: {error}"
        except Exception as error:
            log.exception("reading failed")
            reason = f"{type(error).__name__} in reading"
        self._ended(reason)

    def _do(self, job: Job, turn: int) -> bool:
        """Run the job, or let it wait behind its sender's earlier one. Whether this thread still reads."""
        with self._lock:
            behind = self._behind.get(job.sender)
            if behind is not None:
                if len(behind) >= MAX_BEHIND:
                    raise ProtocolViolation(f"{MAX_BEHIND} requests of {job.sender} wait for one that runs")
                behind.append(job)
                return True
            if self._held_up >= MAX_HELD:
                self._behind[job.sender] = deque((job,))
                self._unserved.append(job.sender)
                return True
            self._running = job.sender
            self._since = time.perf_counter()
        self._watch.started()
        _thread.reader = self
        _run(job)
        _thread.reader = None
        with self._lock:
            if self._turn == turn:
                self._since = 0.0
                return True
        self._finish(job.sender)
        return False

    def _finish(self, sender: Pid | None) -> None:
        """What the sender asked meanwhile, and senders for whom no thread was left; by a thread that does not read."""
        while True:
            with self._lock:
                behind = self._behind[sender]
                if not behind:
                    del self._behind[sender]
                    if not self._unserved:
                        self._held_up -= 1
                        return
                    sender = self._unserved.popleft()
                    continue
                job = behind.popleft()
            _run(job)

    def overtake(self, now: float, patience: float = PATIENCE) -> bool:
        with self._lock:
            if self._since == 0.0:
                return False
            if now - self._since < patience:
                return True
            self._behind[self._running] = deque()
            self._held_up += 1
            self._turn += 1
            self._since = 0.0
        try:
            self._start("reader", self.read)
        except RuntimeError as error:  # no more threads to be had
            self._ended(str(error))
        return True


_thread = threading.local()


def step_aside() -> None:
    """The calling thread is about to wait for somebody: if it reads a link, let another thread read on at once."""
    reader: Reader | None = getattr(_thread, "reader", None)
    if reader is not None:
        _thread.reader = None
        reader.overtake(time.perf_counter(), patience=0.0)


def _run(job: Job) -> None:
    try:
        job.run()
    except Exception:
        log.exception("a request of %s failed", job.sender)
