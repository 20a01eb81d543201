"""Markdown."""

from __future__ import annotations

import pytest

from scripts.bench.results import Measured, Sample, Unit
from scripts.bench.summary import rows
from scripts.bench.table import number, of_rows
from tests.bench.samples import SAMPLES


@pytest.mark.parametrize(
    ("value", "text"),
    [(123_456.7, "123,457"), (100.0, "100"), (99.94, "99.9"), (10.0, "10.0"), (9.876, "9.88"), (-0.5, "-0.50")],
)
def test_digits(value: float, text: str) -> None:
    assert number(value) == text


def test_a_table_for_each_unit_with_a_column_for_each_contender_that_has_figures() -> None:
    assert (
        of_rows(rows([sample for sample in SAMPLES if sample.workload == "api"]))
        == """\
| µs                 | mod_erlang_py       | mod_erlang_event          | times as good |
|--------------------|---------------------|---------------------------|---------------|
| one at a time, p50 | 60.0 (50.0 to 90.0) | 10,200 (10,100 to 10,300) | 170.00        |

| /s                | two OTP nodes | mod_erlang_py |
|-------------------|---------------|---------------|
| from 20 processes | 60,000        | 20,000        |"""
    )


def test_what_a_contender_has_not_and_what_was_lost() -> None:
    samples = [
        Sample("events", "compiled", 1, Measured("a", Unit.RATE, 1.0, lost=1_200)),
        Sample("events", "max-event-bulk", 1, Measured("b", Unit.RATE, 2.0, at=1_000)),
    ]
    assert (
        of_rows(rows(samples))
        == """\
| /s       | mod_erlang_py        | its max-event-bulk 5000 |
|----------|----------------------|-------------------------|
| a        | 1.00, **1,200 lost** | -                       |
| b: 1,000 | -                    | 2.00                    |"""
    )
