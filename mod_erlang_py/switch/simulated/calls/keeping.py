"""What keeps a channel that has ended from being destroyed: soft locks, and those who hold it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Keeping:
    """changed: the channel's, with its lock."""

    def __init__(self, changed: threading.Condition) -> None:
        self._changed = changed
        self._soft_lock = 0
        self._holders = 0
        self._destroyed = False

    def soft_lock(self, seconds: int) -> None:
        """Keep it for so long after its end; 0: no longer."""
        with self._changed:
            self._soft_lock = seconds
            self._changed.notify_all()

    @contextmanager
    def held(self, wanted: Callable[[], bool]) -> Iterator[bool]:
        """Not destroyed within the `with` block; False when it is already, or is not wanted."""
        with self._changed:
            there = not self._destroyed and wanted()
            self._holders += there
        try:
            yield there
        finally:
            with self._changed:
                self._holders -= there
                self._changed.notify_all()

    def wait(self) -> None:
        """Returns when it is neither soft-locked nor held, and will not be. By the channel's thread, at its end."""
        ended = time.monotonic()
        with self._changed:
            while (left := ended + self._soft_lock - time.monotonic()) > 0 and self._soft_lock:
                self._changed.wait(left)
            while self._holders:
                self._changed.wait()
            self._destroyed = True
