"""What sipp says of its calls, and what the other side does."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.trials.soak.counts import NOTHING, Count
from scripts.trials.soak.phones import checked, told_by_sipp
from tests.trials.soak.samples import count

STATISTICS = "StartTime;TotalCallCreated;SuccessfulCall(P);SuccessfulCall(C);FailedCall(C);\n"


def test_the_last_line_counts_and_times_are_milliseconds(tmp_path: Path) -> None:
    (tmp_path / "sipp_123_.csv").write_text(f"{STATISTICS}0;10;1;3;0;\n0;30;2;29;1;\n")
    (tmp_path / "sipp_123_rtt.csv").write_text("Date_ms;response_time_ms;rtd_no\n1.5;12;1\n2.5;8.5;1\n")
    found = told_by_sipp(tmp_path)
    assert (found.asked, found.answered, found.open) == (30, 29, 1)
    assert (sum(found.buckets), found.worst) == (2, 0.012)


def test_one_that_says_nothing_has_made_none(tmp_path: Path) -> None:
    assert told_by_sipp(tmp_path) == NOTHING


@pytest.mark.parametrize(
    ("handled", "lost", "doubled"),
    [(count(30, 30), 0, 0), (count(30, 29), 1, 0), (count(31, 30), 0, 1), (count(30, 30, 1), 0, 1)],
)
def test_a_call_counts_when_it_went_well_on_both_sides(handled: Count, lost: int, doubled: int) -> None:
    found = checked(count(30, 30), handled)
    assert (found.open, found.doubled) == (lost, doubled)
    assert checked(count(30, 28), handled).open >= 2
