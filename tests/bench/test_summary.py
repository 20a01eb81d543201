"""Medians, spreads and ratios."""

from __future__ import annotations

import pytest

from scripts.bench.results import Measured, Sample, Unit, values
from scripts.bench.summary import Row, Spread, find, rows, spread
from scripts.bench.workloads import api
from tests.bench.samples import SAMPLES


def test_a_spread_is_the_median_and_what_the_rounds_were_between() -> None:
    assert spread([5.0, 1.0, 3.0]) == Spread(3.0, 1.0, 5.0, 3)
    assert spread([1.0, 2.0, 4.0, 8.0], lost=2) == Spread(3.0, 1.0, 8.0, 4, 2)


def test_a_row_for_each_figure_in_the_order_in_which_they_came() -> None:
    found = rows(SAMPLES)
    assert [(row.what, row.at) for row in found][:2] == [(api.P50, None), (api.rate(20), None)]
    assert [row.at for row in found][2:] == [1, 64]
    assert found[0].spreads == {
        "compiled": Spread(60.0, 50.0, 90.0, 3),
        "mod_erlang_event": Spread(10_200.0, 10_100.0, 10_300.0, 3),
    }
    assert values(SAMPLES, "compiled", api.P50) == [60.0, 50.0, 90.0]


def test_what_is_lost_adds_up_over_the_rounds() -> None:
    lost = [Sample("events", "compiled", number, Measured("x", Unit.RATE, 1.0, lost=number)) for number in (1, 2)]
    assert rows(lost)[0].spreads["compiled"].lost == 3


@pytest.mark.parametrize(
    ("unit", "ours", "theirs", "ratio"),
    [
        (Unit.RATE, 300.0, [100.0, 150.0], 2.0),
        (Unit.MICROSECONDS, 50.0, [400.0, 100.0], 2.0),
        (Unit.MILLISECONDS, 4.0, [2.0], 0.5),
        (Unit.RATE, 300.0, [], None),
        (Unit.MICROSECONDS, -1.0, [2.0], None),
        (Unit.MICROSECONDS, 1.0, [0.0], None),
    ],
)
def test_times_as_good_as_the_best_of_the_others(
    unit: Unit, ours: float, theirs: list[float], ratio: float | None
) -> None:
    others = {f"other{number}": spread([value]) for number, value in enumerate(theirs)}
    row = Row("w", "x", unit, None, {"ours": spread([ours]), **others})
    assert row.times_as_good("ours", ["other0", "other1"]) == ratio
    assert row.times_as_good("nobody", ["other0"]) is None


def test_find() -> None:
    found = rows(SAMPLES)
    assert find(found, "api", api.P50) is found[0]
    assert find(found, "growth", found[3].what, 64) is found[3]
    assert find(found, "api", "nothing") is None
