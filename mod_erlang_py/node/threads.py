"""The threads of the node. All are daemons: an interpreter that ends never waits for one of them."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable

from mod_erlang_py.errors import Exhausted

log = logging.getLogger(__name__)


class _Serving:
    """A thread that serves everybody."""

    failed = False


class Threads:
    """Starts threads and, at the end, waits for them within a deadline."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[threading.Thread] = set()
        self._serving: dict[str, _Serving] = {}  # the last one of each name

    def start(self, name: str, target: Callable[[], None]) -> None:
        """Run `target` in a thread of its own, for one link or one job; what it raises is logged. Raises Exhausted."""

        def run() -> None:
            try:
                target()
            except Exception:
                log.exception("thread erlang:%s failed", name)

        self._start(name, run)

    def serve(self, name: str, target: Callable[[], None]) -> bool:
        """The same for a thread that serves everybody. Whether it was started.

        One that cannot be started, or is ended by an error, is an ERR line and among the `failed` until one of its
        name is started again.
        """
        told = name in self.failed
        serving = self._serving[name] = _Serving()

        def run() -> None:
            try:
                target()
            except Exception:
                serving.failed = True
                log.exception("thread erlang:%s failed, which served everybody", name)

        try:
            self._start(name, run)
        except Exhausted as error:
            serving.failed = True
            if not told:
                log.error("thread erlang:%s is missing: %s", name, error)
            return False
        return True

    @property
    def failed(self) -> tuple[str, ...]:
        """The names of the serving threads that could not be started, or were ended by an error."""
        return tuple(name for name, serving in tuple(self._serving.items()) if serving.failed)

    def _start(self, name: str, run: Callable[[], None]) -> None:
        with self._lock:  # join finds only threads that were started
            try:
                thread = threading.Thread(target=run, name=f"erlang:{name}", daemon=True)
                thread.start()
            except (RuntimeError, MemoryError) as error:
                raise Exhausted(str(error) or "no memory for a thread") from None
            self._running = {one for one in self._running if one.is_alive()} | {thread}

    def join(self, seconds: float) -> list[str]:
        """Wait for all of them, but the caller's own, also for those that are started meanwhile. Returns the names of
        those that still run after `seconds`."""
        deadline = time.monotonic() + seconds
        while True:
            with self._lock:
                running = [one for one in self._running if one.is_alive() and one is not threading.current_thread()]
            if not running or time.monotonic() >= deadline:
                return [one.name for one in running]
            for thread in running:
                thread.join(max(0.0, deadline - time.monotonic()))


NICENESS = -10


def prefer_this_thread() -> None:
    """Have the scheduler prefer the calling thread, where that is allowed: for one that serves everybody and competes
    with a thread for each call."""
    try:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
    except OSError as error:
        log.debug("%s keeps its priority: %s", threading.current_thread().name, error)
