"""Notices a request that holds up the thread that reads its link, so that another thread reads on.

A request runs in the thread that read it: most are done in microseconds, and handing them to another thread would cost
more than they do. One that takes longer than PATIENCE loses its reader the reading. Go's runtime does the same with a
processor whose thread stays in a system call. While nothing runs, this thread waits for a signal, without a timer.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from typing import Protocol

log = logging.getLogger(__name__)

PATIENCE = 0.001
"""Seconds that a request may hold up its link."""

IDLE_LOOKS = 20
"""Looks without a running request after which the watch waits for a signal again."""


class Watched(Protocol):
    def overtake(self, now: float) -> bool:
        """Read on in another thread if a request has run too long; whether one is running."""


class Watch:
    def __init__(self) -> None:
        self._watched: set[Watched] = set()
        self._lock = threading.Lock()
        self._signal = threading.Event()
        self._stopping = threading.Event()
        self._looking = False

    def add(self, watched: Watched) -> None:
        with self._lock:
            self._watched.add(watched)

    def remove(self, watched: Watched) -> None:
        with self._lock:
            self._watched.discard(watched)

    def started(self) -> None:
        """A request began to run."""
        if not self._looking:
            self._looking = True
            self._signal.set()

    def run(self) -> None:
        while not self._stopping.is_set():
            self._signal.wait()
            self._signal.clear()
            idle = 0
            while idle < IDLE_LOOKS and not self._stopping.is_set():
                time.sleep(PATIENCE)  # half the cost of an Event's wait
                idle = 0 if self._look(time.perf_counter()) else idle + 1
            self._looking = False
            if self._look(time.perf_counter()):  # one that began before it could see that nobody looks
                self.started()
        self._look(math.inf)  # nobody looks any more: those that run now must not keep their link from its end

    def _look(self, now: float) -> bool:
        with self._lock:
            watched = tuple(self._watched)
        running = False
        for one in watched:
            try:
                running |= one.overtake(now)
            except Exception:
                log.exception("a request cannot be overtaken")
        return running

    def stop(self) -> None:
        self._stopping.set()
        self._signal.set()
