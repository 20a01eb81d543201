"""Medians, spreads and ratios of what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from scripts.bench.results import Sample, Unit


@dataclass(frozen=True)
class Spread:
    """Of one figure's rounds. lost: in all of them."""

    median: float
    least: float
    most: float
    rounds: int
    lost: int = 0


@dataclass(frozen=True)
class Row:
    """A figure, and how each contender that has it did, by name."""

    workload: str
    what: str
    unit: Unit
    at: int | None
    spreads: dict[str, Spread]

    def times_as_good(self, contender: str, others: Sequence[str]) -> float | None:
        """As the best of the others; above 1 it is better. None where a figure is missing, or not above 0."""
        theirs = [self.spreads[other].median for other in others if other in self.spreads]
        ours = self.spreads.get(contender)
        if not theirs or ours is None or min(*theirs, ours.median) <= 0:
            return None
        return ours.median / max(theirs) if self.unit.more_is_better else min(theirs) / ours.median


def spread(values: Sequence[float], lost: int = 0) -> Spread:
    """Of at least one value."""
    return Spread(median(values), min(values), max(values), len(values), lost)


def rows(samples: Sequence[Sample]) -> list[Row]:
    """A row for each figure, in the order in which they came first."""
    found: dict[tuple[str, str, Unit, int | None], dict[str, list[Sample]]] = {}
    for sample in samples:
        measured = sample.measured
        key = (sample.workload, measured.what, measured.unit, measured.at)
        found.setdefault(key, {}).setdefault(sample.contender, []).append(sample)
    return [
        Row(
            *key,
            {
                contender: spread([one.measured.value for one in own], sum(one.measured.lost for one in own))
                for contender, own in by_contender.items()
            },
        )
        for key, by_contender in found.items()
    ]


def find(rows: Sequence[Row], workload: str, what: str, at: int | None = None) -> Row | None:
    return next((row for row in rows if (row.workload, row.what, row.at) == (workload, what, at)), None)
