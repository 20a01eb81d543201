"""The order in which locks are taken, in all runs of this process together."""

from __future__ import annotations


class LockOrder:
    """Edges from a lock that was held to one that was taken then, by the names of their kinds."""

    def __init__(self) -> None:
        self.edges: dict[str, set[str]] = {}

    def add(self, held: str, taken: str) -> str | None:
        """The circle that this closes: then there can be a deadlock."""
        known = self.edges.setdefault(held, set())
        if taken not in known:
            known.add(taken)
            way = self._way(taken, held)
            if way is not None:
                return f"a circle of locks: {' -> '.join([held, *way])}"
        return None

    def _way(self, start: str, end: str) -> list[str] | None:
        """From one lock to another, over those that were taken in between."""
        ways = [[start]]
        seen = {start}
        while ways:
            way = ways.pop()
            if way[-1] == end:
                return way
            for further in self.edges.get(way[-1], set()) - seen:
                seen.add(further)
                ways.append([*way, further])
        return None


ORDER = LockOrder()
