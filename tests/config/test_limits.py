"""The settings that bound what a peer can cost."""

from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mod_erlang_py.config.limits import PARSERS, Limits
from mod_erlang_py.config.reload import CHANGEABLE, compare
from mod_erlang_py.config.settings import Config, field_of, read, values_of, with_values
from mod_erlang_py.errors import ConfigError
from mod_erlang_py.etf import small

names = st.sampled_from([*PARSERS])
numbers = st.integers(-(2**41), 2**41)


@st.composite
def settings(draw: st.DrawFn) -> tuple[list[tuple[str, str]], dict[str, int]]:
    """Limits as a file has them, and the numbers in them."""
    given = draw(st.dictionaries(names, st.integers(4096, 10_000)))
    given = {name: number for name, number in given.items() if parsed(name, str(number)) is not None}
    return [(name, str(number)) for name, number in given.items()], given


def parsed(name: str, value: str) -> int | None:
    try:
        return PARSERS[name](value)
    except ValueError:
        return None


def test_there_is_one_of_each() -> None:
    """Each has a reader, a default that it would take, and can change while nodes are connected."""
    for one in fields(Limits):
        name = one.name.replace("_", "-")
        assert field_of(name) == one.name
        assert parsed(name, str(one.default)) == one.default
        assert one.name in CHANGEABLE
    assert len(PARSERS) == len(fields(Limits))


def test_small_terms_are_within_the_lowest() -> None:
    """Since they are not counted. One byte of a term is an element at most."""
    assert parsed("max-term-bytes", str(small.MAX_SIZE - 1)) is None
    assert parsed("max-term-elements", str(small.MAX_SIZE - 1)) is None
    assert parsed("max-term-depth", str(small.MAX_LEVELS - 1)) is None


@given(names, numbers)
def test_a_number_is_taken_or_its_range_is_told(name: str, number: int) -> None:
    config, wrong = read([(name, str(number))])
    if parsed(name, str(number)) is None:
        assert config == Config()
        (error,) = wrong
        lowest, highest = map(int, error.expected.removeprefix("a whole number from ").split(" to "))
        assert not lowest <= number <= highest
    else:
        assert wrong == []
        assert values_of(config)[field_of(name)] == number
        assert with_values(config, {field_of(name): getattr(Limits(), field_of(name))}) == Config()


@given(names, st.text())
def test_whatever_text_is_a_number_or_told(name: str, value: str) -> None:
    config, wrong = read([(name, value)])
    assert [error.param for error in wrong] == ([] if parsed(name, value) is not None else [name])
    assert wrong == [] or config == Config()


@given(settings(), settings())
def test_a_reload_changes_them_all(
    before: tuple[list[tuple[str, str]], dict[str, int]], after: tuple[list[tuple[str, str]], dict[str, int]]
) -> None:
    old, new = read(before[0])[0], read(after[0])[0]
    found = compare(old, new)
    assert found.config == new
    assert found.pending == ()
    assert {change.name for change in found.changed} == {
        name
        for name in PARSERS
        if before[1].get(name, getattr(Limits(), field_of(name)))
        != after[1].get(name, getattr(Limits(), field_of(name)))
    }


def test_a_wrong_one_stays_as_it_was() -> None:
    old = read([("max-nodes", "7"), ("max-fetches", "8")])[0]
    new, wrong = read([("max-nodes", "0"), ("max-fetches", "9")])
    assert [str(error) for error in wrong] == ["max-nodes='0': expected a whole number from 1 to 100000"]
    found = compare(old, new, wrong)
    assert (found.config.limits.max_nodes, found.config.limits.max_fetches) == (7, 9)
    assert [str(change) for change in found.changed] == ["max-fetches 8 -> 9"]


def test_a_misspelt_one() -> None:
    _, (error,) = read([("max-node", "7")])
    assert isinstance(error, ConfigError)
    assert error.expected == "a setting of erlang_event.conf, perhaps max-nodes"


@pytest.mark.parametrize("name", PARSERS)
def test_the_highest_and_the_lowest(name: str) -> None:
    with pytest.raises(ValueError, match="a whole number") as raised:
        PARSERS[name]("")
    lowest, highest = map(int, str(raised.value).removeprefix("a whole number from ").split(" to "))
    assert (parsed(name, str(lowest)), parsed(name, str(highest))) == (lowest, highest)
    assert parsed(name, str(lowest - 1)) is parsed(name, str(highest + 1)) is None
