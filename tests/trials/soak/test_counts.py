"""How many, how long."""

from __future__ import annotations

import re

import pytest

from scripts.trials.soak.counts import BUCKETS, NOTHING, Count, Kind, bucket, counts, none, together
from scripts.trials.soak.nodes import SOURCE
from tests.trials.soak.samples import count


def test_the_kinds_are_those_of_the_erlang_nodes() -> None:
    listed = re.search(r"-define\(KINDS, \[(.*?)\]\)", SOURCE.read_text(), re.DOTALL)
    assert listed
    assert [word.strip() for word in listed[1].split(",")] == [kind.name.lower() for kind in Kind]
    assert f"-define(BUCKETS, {BUCKETS})." in SOURCE.read_text()


def test_what_the_nodes_tell_is_read() -> None:
    row = [5, 4, 1, 2_000_000, *[0] * 40, 4, *[0] * (BUCKETS - 41)]
    found = counts(row + [0] * len(row) * (len(Kind) - 1))
    assert found[Kind.API] == Count(5, 4, 1, 2.0, tuple(row[4:]))
    assert found[Kind.API].open == 1
    assert found[Kind.VISIT] == NOTHING


def test_nodes_together() -> None:
    one, other = none(), none()
    one[Kind.SIP], other[Kind.SIP] = count(5, 4, milliseconds=9.0), count(1, 1, 1)
    assert together([one, other])[Kind.SIP] == count(6, 5, 1, milliseconds=9.0)


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0.0, 0), (1e-6, 0), (2e-6, 4), (2**-0.5, 77), (1.0, 79), (1e9, 119)]
)
def test_a_time_has_its_bucket(seconds: float, expected: int) -> None:
    assert bucket(seconds) == expected


def test_how_long_most_took() -> None:
    """No less than it was, and no more than a fifth above."""
    buckets = [0] * BUCKETS
    for milliseconds in range(1, 1001):
        buckets[bucket(milliseconds / 1000)] += 1
    found = Count(1000, 1000, 0, 1.0, tuple(buckets))
    assert 0.5 <= found.within(0.5) <= 0.6
    assert 0.99 <= found.within(0.99) <= 1.0
    assert found.within(1.0) == 1.0
    assert NOTHING.within(0.99) == 0.0
