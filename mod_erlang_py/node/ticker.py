"""Keeps links alive and finds the dead ones, as `net_kernel` and `dist_util` do.

Every quarter of the tick time T: a link that wrote nothing since the last look gets a tick; one that read nothing for
a whole cycle (so after T to 1.25 T) is gone, and so is one whose peer takes nothing for as long.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from weakref import WeakKeyDictionary

from .link import Link

log = logging.getLogger(__name__)

INTENSITY = 4
"""Looks in a tick time (net_tickintensity)."""


class _Seen:
    """What a link had done at the last look, and for how many looks it did nothing."""

    def __init__(self) -> None:
        self.reads = -1
        self.writes = -1
        self.silent = 0
        self.stuck = 0


class Ticker:
    """links: those that are up now. tick_time: seconds; may be changed, and counts from the next look."""

    def __init__(self, links: Callable[[], Iterable[Link]], tick_time: float) -> None:
        self._links = links
        self.tick_time = tick_time
        self._stopping = threading.Event()
        self._seen: WeakKeyDictionary[Link, _Seen] = WeakKeyDictionary()  # no link is kept until the next look

    def run(self) -> None:
        while not self._stopping.wait(self.tick_time / INTENSITY):
            self.look()

    def look(self) -> None:
        """One look at every link."""
        for link in list(self._links()):
            try:
                self._look_at(link, self._seen.setdefault(link, _Seen()))
            except Exception:
                log.exception("the tick of %s failed", link.name)

    def _look_at(self, link: Link, seen: _Seen) -> None:
        reads, writes = link.reader.reads, link.outbox.writes
        idle = reads == seen.reads and not link.reader.held
        seen.silent = seen.silent + 1 if idle else 0
        stuck = writes == seen.writes and link.outbox.backlog > 0
        seen.stuck = seen.stuck + 1 if stuck else 0
        seen.reads = reads
        if seen.silent >= INTENSITY:
            link.end(f"not responding for {self.tick_time:g} s")
        elif seen.stuck >= INTENSITY:
            link.end(f"takes nothing for {self.tick_time:g} s")
        elif writes == seen.writes and not link.outbox.backlog:
            link.tick()
        seen.writes = link.outbox.writes

    def stop(self) -> None:
        self._stopping.set()
