"""What was measured, as data and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import Any


class Unit(Enum):
    """What a value is; the values are what tables show. more_is_better: of two values, which one wins."""

    RATE = "/s"
    MICROSECONDS = "µs"
    MILLISECONDS = "ms"
    KIB = "KiB"

    @property
    def more_is_better(self) -> bool:
        return self is Unit.RATE


@dataclass(frozen=True)
class Measured:
    """One value. what: of which figure; the same in each round and for each contender. at: where the figure is one over
    a number of something, that number. lost: how many units of the work did not come back."""

    what: str
    unit: Unit
    value: float
    at: int | None = None
    lost: int = 0


@dataclass(frozen=True)
class Sample:
    """A value, and who had it where: the workload's name, the contender's, the round from 1."""

    workload: str
    contender: str
    round: int
    measured: Measured


@dataclass(frozen=True)
class Failure:
    """A turn that ended before its time, and why."""

    workload: str
    contender: str
    round: int
    reason: str


@dataclass(frozen=True)
class Machine:
    """What the run was on. versions: of FreeSWITCH, Python, OTP. load: the load averages at the start and the end."""

    processors: int
    model: str
    kernel: str
    versions: dict[str, str]
    preloaded: str
    commit: str
    load: tuple[float, float]


@dataclass(frozen=True)
class Results:
    """All of a run. began: UTC, ISO 8601. seconds: how long it took. skipped: workload -> why it was left out."""

    command: str
    began: str
    seconds: float
    machine: Machine
    samples: tuple[Sample, ...]
    failures: tuple[Failure, ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()


def to_json(results: Results) -> str:
    """The samples last, a line each."""

    def plain(value: object) -> object:
        if isinstance(value, Unit):
            return value.value
        raise TypeError(value)

    given = asdict(results)
    samples = [json.dumps(sample, ensure_ascii=False, default=plain) for sample in given.pop("samples")]
    head = json.dumps(given, indent=1, ensure_ascii=False).removesuffix("\n}")
    return head + ',\n "samples": [\n  ' + ",\n  ".join(samples) + "\n ]\n}\n"


def from_json(text: str) -> Results:
    """What to_json gave. Raises ValueError, KeyError, TypeError for anything else."""
    given: dict[str, Any] = json.loads(text)
    machine = given["machine"] | {"load": tuple(given["machine"]["load"])}
    return Results(
        command=given["command"],
        began=given["began"],
        seconds=given["seconds"],
        machine=Machine(**machine),
        samples=tuple(
            Sample(**sample | {"measured": Measured(**sample["measured"] | {"unit": Unit(sample["measured"]["unit"])})})
            for sample in given["samples"]
        ),
        failures=tuple(Failure(**failure) for failure in given["failures"]),
        skipped=tuple((name, reason) for name, reason in given["skipped"]),
    )


def read(file: Path) -> Results:
    return from_json(file.read_text())


def values(samples: Sequence[Sample], contender: str, what: str, at: int | None = None) -> list[float]:
    """In the order of the rounds."""
    return [
        sample.measured.value
        for sample in samples
        if sample.contender == contender and (sample.measured.what, sample.measured.at) == (what, at)
    ]
