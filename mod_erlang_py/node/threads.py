"""The threads of the node. All are daemons: an interpreter that ends never waits for one of them."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable

log = logging.getLogger(__name__)


class Threads:
    """Starts threads and, at the end, waits for them within a deadline."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[threading.Thread] = set()

    def start(self, name: str, target: Callable[[], None]) -> None:
        """Run `target` in a thread of its own; what it raises is logged."""
        thread = threading.Thread(target=self._run, args=(target,), name=f"erlang:{name}", daemon=True)
        with self._lock:  # join finds only threads that were started
            thread.start()
            self._running.add(thread)

    def _run(self, target: Callable[[], None]) -> None:
        try:
            target()
        except Exception:
            log.exception("thread %s failed", threading.current_thread().name)
        finally:
            with self._lock:
                self._running.discard(threading.current_thread())

    def join(self, seconds: float) -> list[str]:
        """Wait for all of them, but the caller's own. Returns the names of those that still run after `seconds`."""
        deadline = time.monotonic() + seconds
        with self._lock:
            threads = [thread for thread in self._running if thread is not threading.current_thread()]
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return [thread.name for thread in threads if thread.is_alive()]


NICENESS = -10


def prefer_this_thread() -> None:
    """Have the scheduler prefer the calling thread, where that is allowed: for one that serves everybody and competes
    with a thread for each call."""
    try:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
    except OSError as error:
        log.debug("%s keeps its priority: %s", threading.current_thread().name, error)
