"""What is kept for all peers together, in bytes: what one may keep, a hundred may not.

Who keeps more or less than before tells so in STEPs, so that what is small, as nearly all is, costs a comparison.
"""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

STEP = 64 * 1024
"""Bytes."""

H = TypeVar("H")


class Pool(Generic[H]):
    """limit: bytes of all holders together."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._kept: dict[H, int] = {}
        self._total = 0
        self.full = self.over = False
        """Whether they keep as much as they may; twice as much."""
        self.share = limit
        """Bytes that each of those who keep something may have when it is full."""

    @property
    def total(self) -> int:
        """Of all holders, as they told last."""
        return self._total

    def resize(self, limit: int) -> None:
        with self._lock:
            self._limit = limit
            self._update()

    def keep(self, holder: H, size: int) -> None:
        """The holder keeps so many bytes now."""
        with self._lock:
            self._total += size - self._kept.pop(holder, 0)
            if size:
                self._kept[holder] = size
            self._update()

    def most(self) -> H | None:
        """Who keeps most."""
        with self._lock:
            return max(self._kept, key=self._kept.__getitem__, default=None)

    def _update(self) -> None:
        self.full = self._total >= self._limit
        self.over = self._total > 2 * self._limit
        self.share = self._limit // max(1, len(self._kept))
