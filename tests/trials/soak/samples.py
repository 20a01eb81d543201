"""A soak in which all went well, to try tables and pictures with."""

from __future__ import annotations

from scripts.trials.soak.counts import BUCKETS, Count, Counts, Kind
from scripts.trials.soak.growth import Rest
from scripts.trials.soak.result import Result
from scripts.trials.soak.series import Sample
from scripts.trials.usage import Usage

REST = Rest(Usage(threads=38, descriptors=22, memory=64_000), objects=300_000)


def count(asked: int, answered: int, doubled: int = 0, *, milliseconds: float = 1.0) -> Count:
    buckets = [0] * BUCKETS
    buckets[40] = answered
    return Count(asked, answered, doubled, milliseconds / 1000, tuple(buckets))


def well() -> Counts:
    return {kind: count(100, 100) for kind in Kind}


def samples(minutes: int, memory: int = 64_000, a_minute: float = 0.0) -> tuple[Sample, ...]:
    return tuple(
        Sample(minute * 60.0, Usage(60, 40, int(memory + minute * a_minute)), dict.fromkeys(Kind, minute * 600), 0, 5)
        for minute in range(minutes + 1)
    )


def result(counts: Counts | None = None, *, after: Rest = REST, a_minute: float = 0.0, tracebacks: int = 0) -> Result:
    return Result(1800.0, counts or well(), samples(30, a_minute=a_minute), REST, after, tracebacks, 0)
