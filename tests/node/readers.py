"""A Reader on a stream that a test writes, with jobs that a test holds up."""

from __future__ import annotations

import queue
import struct
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence

from mod_erlang_py.errors import ProtocolViolation
from mod_erlang_py.etf import Pid, Term
from mod_erlang_py.node.pool import Pool
from mod_erlang_py.node.reader import Intake, Job, Reader
from mod_erlang_py.node.streams.stream import Stream
from mod_erlang_py.node.threads import Threads
from mod_erlang_py.node.watch import Watch
from tests.waiting import DEADLINE

INTAKE = Intake(frame=1 << 20, running=256, waiting=1000, waiting_bytes=1 << 30)

Step = tuple[int, int]
"""A sender, and the number of its job."""


def pid(number: int) -> Pid:
    return Pid("peer@localhost", number, 0, 7)


class PipedStream(Stream):
    """A Stream whose incoming side the test writes."""

    protocol = "pipe"

    def __init__(self) -> None:
        super().__init__()
        self.incoming: queue.SimpleQueue[bytes | Exception] = queue.SimpleQueue()

    def recv(self, size: int) -> bytes:
        data = self.incoming.get()
        if isinstance(data, Exception):
            raise data
        return data

    def send(self, buffers: Sequence[bytes | memoryview]) -> int:
        raise AssertionError("a reader does not write")

    def wait_writable(self) -> None:
        raise AssertionError("a reader does not write")

    def set_timeout(self, seconds: float | None) -> None:
        raise AssertionError("a reader waits without an end")

    def _shut_down(self) -> None:
        self.incoming.put(b"")

    def close(self) -> None:
        """There is nothing to give back."""


class Bench:
    """A running Reader. ask(sender, number) sends a job; `ran` has those that are done, in order. terms: of jobs."""

    def __init__(self, threads: Threads, pool: Pool[Reader] | None = None) -> None:
        self.threads = threads
        self.start = threads.start
        self.stream = PipedStream()
        self.watch = Watch()
        self.pool: Pool[Reader] = pool or Pool(1 << 30)
        self.left_behind = 0
        self.terms: dict[Step, Term] = {}
        self.reader = self.make()
        self.ran: list[Step] = []
        self.failing: set[Step] = set()
        self.ran_in: dict[Step, int] = {}
        self.overlapping: list[Step] = []
        self.ended: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._changed = threading.Condition()
        self._started: set[Step] = set()
        self._gates: dict[Step, threading.Event] = {}
        self._busy: dict[int, threading.Lock] = defaultdict(threading.Lock)
        threads.start("watch", self.watch.run)

    def make(self, trailing: bytes = b"") -> Reader:
        """A reader of the stream. trailing: what came with the handshake."""
        return Reader(
            self.stream,
            INTAKE,
            self._receive,
            lambda: None,
            self._ended,
            self.watch,
            lambda name, target: self.start(name, target),
            self.pool,
            lambda: self.left_behind,
            trailing,
        )

    def read(self) -> None:
        self.threads.start("reader", self.reader.read)

    def frame(self, sender: int, number: int, slow: bool = False) -> bytes:
        """slow: the job does not end before release()."""
        if slow:
            self._gates[sender, number] = threading.Event()
        return struct.pack(">III", 8, sender, number)

    def ask(self, sender: int, number: int, slow: bool = False) -> None:
        self.stream.incoming.put(self.frame(sender, number, slow))

    def release(self, *steps: Step) -> None:
        for step in steps:
            self._gates[step].set()

    def wait_started(self, *steps: Step) -> None:
        self._wait(lambda: self._started.issuperset(steps), f"{steps} did not start")

    def wait_ran(self, *steps: Step) -> None:
        self._wait(lambda: set(self.ran).issuperset(steps), f"{steps} did not run")

    def held_up(self) -> list[Step]:
        """Jobs that began and wait for their release."""
        with self._changed:
            return self._unreleased()

    def wait_moved(self, ran: int) -> None:
        """Until more than `ran` jobs are done, or one is held up."""
        self._wait(lambda: len(self.ran) > ran or bool(self._unreleased()), "nothing moves")

    def started(self, step: Step) -> bool:
        return step in self._started

    def close(self) -> None:
        """The peer closes; all gates are opened."""
        self.release(*self._gates)
        self.stream.incoming.put(b"")
        self.watch.stop()

    def _unreleased(self) -> list[Step]:
        return [step for step in self._started if step in self._gates and not self._gates[step].is_set()]

    def _wait(self, true: Callable[[], bool], told: str) -> None:
        with self._changed:
            assert self._changed.wait_for(true, DEADLINE), f"{told}; done: {self.ran}"

    def _receive(self, body: bytes) -> Job | None:
        if not body:
            return None
        if len(body) != 8:
            raise ProtocolViolation("no job")
        sender, number = struct.unpack(">II", body)
        if not sender:
            raise ZeroDivisionError
        return Job(pid(sender), lambda: self._run(sender, number), self.terms.get((sender, number)))

    def _run(self, sender: int, number: int) -> None:
        step = (sender, number)
        alone = self._busy[sender].acquire(blocking=False)
        with self._changed:
            self._started.add(step)
            self._changed.notify_all()
        gate = self._gates.get(step)
        if gate is not None:
            assert gate.wait(DEADLINE), f"{step} was never released"
        with self._changed:
            self.ran.append(step)
            self.ran_in[step] = threading.get_ident()
            if not alone:
                self.overlapping.append(step)
            self._changed.notify_all()
        if alone:
            self._busy[sender].release()
        if step in self.failing:
            raise ValueError(step)

    def _ended(self, reason: str) -> None:
        self.ended.put(reason)
