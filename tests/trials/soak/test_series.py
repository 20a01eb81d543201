"""Samples over any time, in bounded memory."""

from __future__ import annotations

from itertools import pairwise

from scripts.trials.soak.series import Series, sample
from tests.trials.soak.samples import REST, count, samples, well


def test_a_day_of_samples_is_thinned_and_still_all_of_the_day() -> None:
    series = Series(most=100)
    for one in samples(24 * 60):
        series.add(one)
    at = [one.seconds for one in series.samples]
    assert 50 <= len(at) <= 100
    assert at[0] == 0.0
    assert at[-1] > 23 * 3600
    assert len({later - earlier for earlier, later in pairwise(at)}) == 1


def test_few_are_all_kept() -> None:
    series = Series()
    for one in samples(30):
        series.add(one)
    assert tuple(series.samples) == samples(30)


def test_what_is_under_way_and_doubled_is_that_of_all_kinds() -> None:
    found = well()
    first, second, *_ = found
    found[first], found[second] = count(10, 7, 1), count(10, 9, 2)
    taken = sample(1.0, REST.usage, found)
    assert (taken.open, taken.doubled, taken.done[first]) == (4, 3, 7)
