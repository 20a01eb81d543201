"""Whether there is ever more of something."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from scripts.trials.usage import Usage

WARM_UP_SHARE = 1 / 3
"""Of the time, in which memory is not judged: pools, caches and the allocator take what they keep."""
LEAST_SECONDS = 300.0
"""After the warm-up: less says nothing."""
ALLOWED = 0.05
"""Of the memory, from the end of the warm-up to the end of all. A tenth of a kilobyte left by each call is more, in a
day."""

OBJECTS_OF_A_CALL = 0.5
"""Of Python, left by each call: fewer than one."""
FREE_OBJECTS = 1000
"""What caches with a bound still take after the warm-up."""


@dataclass(frozen=True)
class Trend:
    """A line through memory over time. seconds: that it is long. middle: KiB, the median. rise: KiB, from its beginning
    to its end."""

    seconds: float
    middle: float
    rise: float

    @property
    def grows(self) -> bool:
        return self.rise > ALLOWED * self.middle


def trend(points: Sequence[tuple[float, int]]) -> Trend | None:
    """Of (seconds, KiB), the median of the slopes between any two (Theil and Sen), which a few peaks do not change.
    None: too short to tell."""
    if not points:
        return None
    end = points[-1][0]
    judged = [(at, value) for at, value in points if at >= end * WARM_UP_SHARE]
    long = end - judged[0][0]
    if long < LEAST_SECONDS:
        return None
    slopes = [
        (later[1] - earlier[1]) / (later[0] - earlier[0])
        for number, earlier in enumerate(judged)
        for later in judged[number + 1 :]
    ]
    return Trend(long, median(value for _, value in judged), median(slopes) * long)


@dataclass(frozen=True)
class Rest:
    """What the switch has while nothing is under way. objects: Python's, by their blocks of memory."""

    usage: Usage
    objects: int


def left(before: Rest, after: Rest, calls: int) -> list[str]:
    """What there is more of after so many calls, in a line each."""
    found = more(before.usage, after.usage)
    allowed = FREE_OBJECTS + calls * OBJECTS_OF_A_CALL
    if after.objects - before.objects > allowed:
        found.append(f"objects at rest: {before.objects}, then {after.objects}, after {calls} calls")
    return found


def more(before: Usage, after: Usage) -> list[str]:
    """What there is more of at rest, in a line each."""
    pairs = {
        "threads": (before.threads, after.threads),
        "descriptors": (before.descriptors, after.descriptors),
    }
    return [f"{name} at rest: {was}, then {now}" for name, (was, now) in pairs.items() if now > was]
