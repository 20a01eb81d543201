"""Whether there is ever more of something."""

from __future__ import annotations

import random

import pytest

from scripts.trials.soak.growth import more, trend
from scripts.trials.usage import Usage

MINUTES = [minute * 60.0 for minute in range(31)]


def test_what_is_taken_in_the_warm_up_and_noise_are_no_growth() -> None:
    noise = random.Random(1)
    points = [(at, (60_000 if at < 600 else 80_000) + noise.randrange(-3000, 3000)) for at in MINUTES]
    found = trend(points)
    assert found
    assert not found.grows, found
    assert (found.seconds, 77_000 < found.middle < 83_000) == (1200.0, True)


def test_a_peak_is_no_growth() -> None:
    found = trend([(at, 500_000 if at > 1700 else 80_000) for at in MINUTES])
    assert found
    assert not found.grows, found


def test_a_little_more_each_time_is_growth_whatever_the_noise() -> None:
    noise = random.Random(1)
    found = trend([(at, int(80_000 + at * 5 + noise.randrange(-1000, 1000))) for at in MINUTES])
    assert found
    assert found.grows
    assert found.rise == pytest.approx(6000, rel=0.2)


def test_less_than_five_minutes_say_nothing() -> None:
    assert trend([]) is None
    assert trend([(at, 80_000) for at in MINUTES[:8]]) is None
    assert trend([(at, 80_000) for at in MINUTES[:9]]) is not None


def test_what_is_left_at_rest() -> None:
    assert more(Usage(10, 20, 30), Usage(10, 19, 999)) == []
    assert more(Usage(10, 20, 30), Usage(11, 21, 30)) == [
        "threads at rest: 10, then 11",
        "descriptors at rest: 20, then 21",
    ]
