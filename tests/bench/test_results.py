"""The JSON."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.bench.results import Measured, Sample, Unit, from_json, to_json
from tests.bench.samples import RESULTS

MEASURED = st.builds(
    Measured,
    what=st.text(max_size=20),
    unit=st.sampled_from(Unit),
    value=st.floats(allow_nan=False, allow_infinity=False),
    at=st.none() | st.integers(0, 10**6),
    lost=st.integers(0, 10**6),
)
SAMPLE = st.builds(Sample, st.text(max_size=9), st.text(max_size=9), st.integers(1, 9), MEASURED)


@given(st.lists(SAMPLE, max_size=5))
def test_what_is_written_can_be_read(samples: list[Sample]) -> None:
    results = replace(RESULTS, samples=tuple(samples))
    assert from_json(to_json(results)) == results


def test_a_unit_is_written_as_tables_have_it() -> None:
    assert json.loads(to_json(RESULTS))["samples"][0]["measured"]["unit"] == "µs"


@pytest.mark.parametrize("text", ["", "{}", "[]", to_json(RESULTS).replace("µs", "parsecs")])
def test_what_is_nothing_of_ours_is_refused(text: str) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        from_json(text)
