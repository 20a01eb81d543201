"""What a subscription wants: handle_msg_event, _nixevent, _setevent in handle_msg.c, and the test in event_handler."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mod_erlang_py.events.interest import NOTHING, Interest, Names
from mod_erlang_py.switch.port import ALL, CUSTOM

TYPES = ["CUSTOM", "HEARTBEAT", "API", "TRAP"]
SUBCLASSES = [b"a::b", b"c::d"]


def names(*words: str) -> Names:
    """As a request lists them: the words after CUSTOM are subclasses."""
    before, custom, after = _split(words)
    return Names(frozenset((*before, *custom)), frozenset(word.encode() for word in after))


def _split(words: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    if CUSTOM not in words:
        return words, (), ()
    at = words.index(CUSTOM)
    return words[:at], (CUSTOM,), words[at + 1 :]


ADD, NIX, SET = "add", "nix", "set"

# what was asked, then: what is wanted of HEARTBEAT, API, and of CUSTOM without subclass, a::b, c::d
TABLE: list[tuple[list[tuple[str, Names]], str]] = [
    ([], "-----"),
    ([(ADD, names("HEARTBEAT"))], "+----"),
    ([(ADD, names("HEARTBEAT", "API"))], "++---"),
    ([(ADD, names("HEARTBEAT")), (ADD, names("API"))], "++---"),
    ([(ADD, names("CUSTOM"))], "--+--"),
    ([(ADD, names("CUSTOM", "a::b"))], "--++-"),
    ([(ADD, names("CUSTOM", "a::b")), (ADD, names("CUSTOM", "c::d"))], "--+++"),
    ([(ADD, names("HEARTBEAT", "CUSTOM", "a::b"))], "+-++-"),
    ([(ADD, names("ALL"))], "+++++"),
    ([(ADD, names("ALL")), (ADD, names("HEARTBEAT"))], "+++++"),
    ([(ADD, names("HEARTBEAT", "API")), (NIX, names("API"))], "+----"),
    ([(ADD, names("HEARTBEAT")), (NIX, names("HEARTBEAT"))], "-----"),
    ([(NIX, names("HEARTBEAT"))], "-----"),
    ([(NIX, names("HEARTBEAT")), (ADD, names("HEARTBEAT"))], "+----"),
    ([(ADD, names("HEARTBEAT", "API")), (NIX, names("ALL"))], "-----"),
    ([(ADD, names("ALL")), (NIX, names("ALL"))], "-----"),
    # one less of ALL leaves the others, CUSTOM too
    ([(ADD, names("ALL")), (NIX, names("HEARTBEAT"))], "-++++"),
    ([(ADD, names("ALL")), (NIX, names("HEARTBEAT")), (NIX, names("API"))], "--+++"),
    ([(ADD, names("ALL")), (NIX, names("HEARTBEAT")), (ADD, names("HEARTBEAT"))], "+++++"),
    ([(ADD, names("ALL")), (NIX, names("HEARTBEAT")), (ADD, names("ALL"))], "+++++"),
    # CUSTOM itself cannot be nixed, its subclasses can
    ([(ADD, names("CUSTOM", "a::b", "c::d")), (NIX, names("CUSTOM", "a::b"))], "--+-+"),
    ([(ADD, names("CUSTOM", "a::b")), (NIX, names("CUSTOM"))], "--++-"),
    # subclasses survive what nixes all types
    ([(ADD, names("CUSTOM", "a::b")), (NIX, names("ALL")), (ADD, names("CUSTOM"))], "--++-"),
    # exactly these
    ([(ADD, names("HEARTBEAT")), (SET, names("API"))], "-+---"),
    ([(ADD, names("ALL")), (SET, names("API"))], "-+---"),
    ([(ADD, names("CUSTOM", "a::b")), (SET, names("CUSTOM", "c::d"))], "--+-+"),
]


def apply(steps: list[tuple[str, Names]]) -> Interest:
    now = NOTHING
    for step, asked in steps:
        now = now.add(asked) if step == ADD else now.nix(asked) if step == NIX else NOTHING.add(asked)
    return now


def shown(interest: Interest) -> str:
    asked = [("HEARTBEAT", None), ("API", None), (CUSTOM, None), (CUSTOM, b"a::b"), (CUSTOM, b"c::d")]
    return "".join("+" if interest.wants(*one) else "-" for one in asked)


@pytest.mark.parametrize(("steps", "expected"), TABLE)
def test_table(steps: list[tuple[str, Names]], expected: str) -> None:
    assert shown(apply(steps)) == expected


def test_an_empty_subclass_is_none() -> None:
    """switch_event_create_subclass sets none for CUSTOM without one; event_handler lets those pass."""
    assert apply([(ADD, names("CUSTOM"))]).wants(CUSTOM, b"")


REQUESTS = st.builds(
    Names,
    st.frozensets(st.sampled_from([*TYPES, ALL]), min_size=1),
    st.frozensets(st.sampled_from(SUBCLASSES)),
)
STEPS = st.lists(st.tuples(st.sampled_from([ADD, NIX, SET]), REQUESTS), max_size=6)


@given(STEPS, REQUESTS)
def test_what_was_added_is_wanted(steps: list[tuple[str, Names]], added: Names) -> None:
    interest = apply(steps).add(added)
    for event_type in added.types - {ALL, CUSTOM}:
        assert interest.wants(event_type, None)
    if CUSTOM in added.types:
        assert all(interest.wants(CUSTOM, subclass) for subclass in added.subclasses)


@given(STEPS, REQUESTS)
def test_what_was_nixed_is_not(steps: list[tuple[str, Names]], nixed: Names) -> None:
    interest = apply(steps).nix(nixed)
    for event_type in nixed.types - {ALL, CUSTOM}:
        assert not interest.wants(event_type, None)
