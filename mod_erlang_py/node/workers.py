"""Threads for work that takes its time and that nobody waits for: bgapi."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable

from mod_erlang_py.errors import Exhausted
from mod_erlang_py.node.threads import Threads

log = logging.getLogger(__name__)


class Workers:
    """Threads are started as jobs need them, and stay for the next ones.

    running: how many jobs run at once; further ones wait their turn. waiting: how many may wait. size: bytes of memory
    of all of them.
    """

    def __init__(self, threads: Threads, running: int, waiting: int, size: int) -> None:
        self._threads = threads
        self._running = running
        self._waiting = waiting
        self._size = size
        self._jobs: queue.SimpleQueue[tuple[Callable[[], None], int] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._started = 0
        self._unfinished = 0
        self._bytes = 0
        self._stopping = False

    def configure(self, running: int, waiting: int, size: int) -> None:
        """A thread too many ends with the next job it has."""
        self._size = size
        self._running = running
        self._waiting = waiting

    def submit(self, job: Callable[[], None], size: int) -> bool:
        """Run the job soon; whether it is at once, since a thread is free for it. What it raises is logged. After stop:
        never. size: bytes of memory that it is kept in.

        Raises Exhausted, and then never runs it: too many wait, or there is no thread for it and none that it could
        wait for.
        """
        with self._lock:
            if self._stopping:
                return False
            if self._unfinished >= self._running + self._waiting:
                raise Exhausted(f"max-waiting-jobs: {self._waiting} jobs wait already")
            if self._bytes + size > self._size:
                raise Exhausted(f"max-job-bytes: jobs of {self._bytes} bytes run or wait already")
            if self._started < min(self._unfinished + 1, self._running):
                self._add_worker()
            self._unfinished += 1
            self._bytes += size
            self._jobs.put((job, size))
            return self._unfinished <= self._started

    def _add_worker(self) -> None:
        try:
            self._threads.start("worker", self._work)
        except Exhausted as error:
            if not self._started:
                raise
            log.warning("a background job waits for one of %d threads: %s", self._started, error)
        else:
            self._started += 1

    def _work(self) -> None:
        while (next_one := self._jobs.get()) is not None and not self._stopping:
            job, size = next_one
            del next_one
            try:
                job()
            except Exception:
                log.exception("a background job failed")
            del job  # what it held is free before the next one comes
            with self._lock:
                self._bytes -= size
                self._unfinished -= 1
                if self._started > self._running:
                    self._started -= 1
                    return

    def stop(self) -> None:
        """Start nothing more; workers end when their job does."""
        with self._lock:
            self._stopping = True
            for _ in range(self._started):
                self._jobs.put(None)
