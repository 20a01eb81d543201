"""What receivers of events have seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Delays:
    """Of events, from when they were fired until they were received; microseconds."""

    p50: float
    p99: float
    longest: float


@dataclass(frozen=True)
class Received:
    """events: all that came, to all receivers. lost: what did not, or not in its order. seconds: from when the first
    was sent until the last came. delays: None where they were not looked at."""

    events: int
    lost: int
    seconds: float
    delays: Delays | None = None

    @classmethod
    def of(cls, expected: int, seconds: float, delays: Sequence[float], disordered: int) -> Received:
        found = sorted(delays)
        taken = Delays(percentile(found, 0.5), percentile(found, 0.99), found[-1]) if found else None
        return cls(len(found), max(expected - len(found), disordered), seconds, taken)

    @property
    def rate(self) -> float:
        """A second."""
        return self.events / self.seconds if self.seconds > 0 else 0.0


def percentile(ordered: Sequence[float], part: float) -> float:
    """Of what is in ascending order and not empty."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]
