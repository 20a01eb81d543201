"""How many calls each process has."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence

from mod_erlang_py.etf import Pid


class Loads:
    """A call counts for the process that has it, or is about to: so do calls that come at once see each other.

    call: anything that can be told from another.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._whose: dict[object, Pid | str] = {}
        self._counts: Counter[Pid | str] = Counter()

    def count(self, call: object, to: Pid | str) -> None:
        """It counts for this process, and no more for another."""
        with self._lock:
            self._move(call, to)

    def count_for_least(self, call: object, members: Sequence[Pid]) -> Pid:
        """The process that has the fewest others; of several, the first. The call counts for it now."""
        with self._lock:
            self._move(call, None)
            least = min(members, key=lambda pid: self._counts[pid])
            self._move(call, least)
        return least

    def forget(self, call: object) -> None:
        """It counts for nobody any more."""
        with self._lock:
            self._move(call, None)

    def of(self, to: Pid | str) -> int:
        with self._lock:
            return self._counts[to]

    def __len__(self) -> int:
        """How many calls count."""
        return len(self._whose)

    def _move(self, call: object, to: Pid | str | None) -> None:
        """With the lock held."""
        before = self._whose.pop(call, None)
        if before is not None:
            self._counts[before] -= 1
            if not self._counts[before]:
                del self._counts[before]
        if to is not None:
            self._whose[call] = to
            self._counts[to] += 1
