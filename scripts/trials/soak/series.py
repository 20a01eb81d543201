"""What there was over the time, in bounded memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from scripts.trials.soak.counts import Counts, Kind
from scripts.trials.usage import Usage

MOST = 720


@dataclass(frozen=True)
class Sample:
    """seconds: since the beginning. done, doubled, open: until then; see counts.Count."""

    seconds: float
    usage: Usage
    done: Mapping[Kind, int]
    doubled: int
    open: int


def sample(seconds: float, usage: Usage, found: Counts) -> Sample:
    return Sample(
        seconds,
        usage,
        {kind: count.answered for kind, count in found.items()},
        sum(count.doubled for count in found.values()),
        sum(count.open for count in found.values()),
    )


class Series:
    """Samples at even distances. When there are too many, every second one is forgotten, and of those to come."""

    def __init__(self, most: int = MOST) -> None:
        self.samples: list[Sample] = []
        self._most = most
        self._stride = 1
        self._given = 0

    def add(self, one: Sample) -> None:
        if self._given % self._stride == 0:
            self.samples.append(one)
        self._given += 1
        if len(self.samples) > self._most:
            self.samples = self.samples[::2]
            self._stride *= 2
