"""How long the regular expressions in filters may take.

Each is bounded by itself, but a node may have ten thousand subscriptions with 25 of them; the pump tries them all, and
everybody's events wait for it. So they have a part of each second, in which the nodes that use it have equal shares. Of
an event that comes when a node's is used up nobody knows whether its filters would pass it: it is lost to that node's
subscription, and counted.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence

from mod_erlang_py.log_lines import about
from mod_erlang_py.node.link import Link
from mod_erlang_py.switch.port import Received

log = logging.getLogger(__name__)

WINDOW = 1.0
"""Seconds."""


class Budget:
    """limit: seconds of each WINDOW, for all nodes. By the pump's thread alone; what it computes counts, not what it
    waits for."""

    def __init__(
        self,
        limit: float,
        now: Callable[[], float] = time.monotonic,
        computed: Callable[[], float] = time.thread_time,
    ) -> None:
        self.limit = limit
        self._now = now
        self._computed = computed
        self._over = 0.0
        self._nodes = 0
        """That used it in the window before."""
        self._used: dict[Link, float] = {}
        self._lost: Counter[Link] = Counter()

    def passing(self, link: Link, events: Sequence[Received], passes: Callable[[Received], bool]) -> Sequence[Received]:
        """Those that pass, as long as the node's share lasts."""
        found = []
        for number, received in enumerate(events):
            used = self._used.setdefault(link, 0.0)
            if used >= self._share():
                self._lost[link] += len(events) - number
                break
            began = self._computed()
            if passes(received):
                found.append(received)
            self._used[link] = used + self._computed() - began
        return found

    def _share(self) -> float:
        return self.limit / max(1, self._nodes, len(self._used))

    def next_window(self) -> Counter[Link]:
        """Begin one, if the last is over. Returns what was lost in that, which the log is told of."""
        now = self._now()
        lost: Counter[Link] = Counter()
        if now < self._over:
            return lost
        share = self._share()
        for link, count in self._lost.items():
            told = "max-regex-ms-per-second: %s: the regular expressions of its filters took %d ms: %d events are lost"
            log.warning(told, link.name, self._used[link] * 1000, count, extra=about(link.name))
        lost, self._lost = self._lost, lost
        self._over = now + WINDOW
        self._nodes = len(self._used)
        owed = ((link, used - share) for link, used in self._used.items() if not link.ended)
        self._used = {link: more for link, more in owed if more > 0}  # one event may take many shares
        return lost

    def patience(self, seconds: float) -> float:
        """How long the pump may wait for events: no longer than until what is lost is to be told."""
        return min(seconds, max(0.0, self._over - self._now())) if self._lost else seconds
