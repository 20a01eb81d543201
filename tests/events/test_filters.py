"""Filters: the commands of handle_msg_filter, and the test in event_handler of mod_erlang_event.c."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mod_erlang_py.events.filters import (
    FEW,
    Added,
    Command,
    Condition,
    Deleted,
    Filter,
    Filters,
    Invalid,
    after,
    command,
    condition,
)
from mod_erlang_py.switch.port import Event, Headers, Received
from mod_erlang_py.switch.simulated.events import ReceivedEvent
from mod_erlang_py.switch.simulated.regex import matcher

ADDED_AND_DELETED = [
    (b"Header value", ("added", b"Header", b"value")),
    (b"add Header value", ("added", b"Header", b"value")),
    (b"ADD Header value", ("added", b"Header", b"value")),
    (b"Header value with blanks", ("added", b"Header", b"value with blanks")),
    (b"  Header value", ("added", b"Header", b"value")),
    (b"Header +value", ("added", b"Header", b"+value")),
    (b"Header -value", ("added", b"Header", b"-value")),
    (b"Header /^v.*e$/i", ("added", b"Header", b"/^v.*e$/i")),
    (b"Header -/x/", ("added", b"Header", b"-/x/")),
    (b"add add value", ("added", b"add", b"value")),
    (b"delete Header", ("deleted", b"Header", b"")),
    (b"delete Header value", ("deleted", b"Header", b"value")),
    (b"DELETE Header", ("deleted", b"Header", b"")),
    (b"delete all", ("deleted", b"all", b"")),
    (b"delete ALL", ("deleted", b"ALL", b"")),
]

INVALID = [b"", b" ", b"Header", b"delete", b"add", b"add Header", b"Header /(/", b"Header -/[/", b"Header /open"]


def shown(done: Command) -> tuple[str, bytes, bytes] | None:
    """As the reply shows it."""
    match done:
        case Added(added):
            return ("added", added.header, added.value)
        case Deleted(header, value):
            return ("deleted", header, value)
    return None


@pytest.mark.parametrize(("text", "outcome"), ADDED_AND_DELETED, ids=lambda value: str(value))
def test_commands(text: bytes, outcome: object) -> None:
    assert shown(command(text, matcher)) == outcome


@pytest.mark.parametrize("text", INVALID)
def test_malformed_commands_change_nothing(text: bytes) -> None:
    before = filters(b"A b")
    done = command(text, matcher)
    assert isinstance(done, Invalid)
    assert after(before, [done]) is before


def filters(*texts: bytes) -> Filters:
    done = [command(text, matcher) for text in texts]
    assert not any(isinstance(one, Invalid) for one in done)
    return after(Filters(), done)


def event(*headers: tuple[bytes, bytes]) -> Received:
    return ReceivedEvent(
        Event("HEARTBEAT", Headers([name for name, _ in headers], [value for _, value in headers], None)), {}
    )


A_YES = (b"Header-A", b"yes")
A_NO = (b"Header-A", b"no")
B_ONE = (b"Header-B", b"1")


@pytest.mark.parametrize(
    ("texts", "headers", "sent"),
    [
        ([], [A_YES], True),
        ([b"Header-A yes"], [A_YES], True),
        ([b"Header-A yes"], [(b"Header-A", b"YES")], True),
        ([b"Header-A yes"], [(b"header-a", b"yes")], True),
        ([b"header-a yes"], [A_YES], True),
        ([b"Header-A yes"], [A_NO], False),
        ([b"Header-A yes"], [B_ONE], True),  # the header is not there
        ([b"Header-A yes"], [], True),
        ([b"Header-A +yes"], [A_YES], True),
        ([b"Header-A +yes"], [A_NO], False),
        ([b"Header-A -yes"], [A_YES], False),
        ([b"Header-A -yes"], [A_NO], True),
        ([b"Header-A -yes"], [B_ONE], True),
        ([b"Header-A - yes"], [A_YES], False),
        ([b"Header-A -+yes"], [A_YES], True),  # the last sign counts
        ([b"Header-A +-yes"], [A_YES], False),
        ([b"Header-A -"], [A_YES], False),  # no value: the header's presence
        ([b"Header-A -"], [B_ONE], True),
        ([b"Header-A +"], [A_YES], True),
        ([b"Header-A +"], [A_NO], True),
        ([b"Header-A /^y/"], [A_YES], True),
        ([b"Header-A /^y/"], [A_NO], False),
        ([b"Header-A /^Y/"], [A_YES], False),
        ([b"Header-A /^Y/i"], [A_YES], True),
        ([b"Header-A /e/"], [A_YES], True),  # found anywhere
        ([b"Header-A -/^y/"], [A_YES], False),
        ([b"Header-A -/^y/"], [A_NO], True),
        ([b"Header-A +/^y/"], [A_NO], False),
        # in order, each for its header: the first that says no ends it
        ([b"Header-A yes", b"Header-B 1"], [A_YES, B_ONE], True),
        ([b"Header-A yes", b"Header-B 2"], [A_YES, B_ONE], False),
        ([b"Header-A no", b"Header-B 1"], [A_YES, B_ONE], False),
        ([b"Header-A yes", b"Header-A no"], [A_YES], False),  # two keeps of one header: nothing passes both
        ([b"Header-A -no", b"Header-A -never"], [A_YES], True),
        ([b"Header-A -no", b"Header-A -yes"], [A_YES], False),
        # the first of several headers of the name counts
        ([b"Header-A yes"], [A_YES, A_NO], True),
        ([b"Header-A yes"], [A_NO, A_YES], False),
    ],
)
def test_events(texts: Sequence[bytes], headers: Sequence[tuple[bytes, bytes]], sent: bool) -> None:
    assert filters(*texts).passes(event(*headers)) is sent


@pytest.mark.parametrize(
    ("deletion", "left"),
    [
        (b"delete A", [b"B"]),
        (b"delete a", [b"B"]),
        (b"delete A 1", [b"A", b"B"]),
        (b"delete A +1", [b"A", b"A", b"B"]),  # as it was written, or not at all
        (b"delete A x", [b"A", b"A", b"B"]),
        (b"delete C", [b"A", b"A", b"B"]),
        (b"delete all", []),
    ],
)
def test_deletions(deletion: bytes, left: list[bytes]) -> None:
    assert [one.header for one in after(filters(b"A 1", b"A 2", b"B 1"), [command(deletion, matcher)])] == left


def test_many_deletions_look_at_a_name_once() -> None:
    """A thousand of a thousand filters of long names took 1.6 s, for which others who ask for events wait."""
    looked = 0

    class Name(bytes):
        def lower(self) -> bytes:
            nonlocal looked
            looked += 1
            return super().lower()

    before = Filters(tuple(Filter(Name(b"A"), b"%d" % number, True, bool) for number in range(50)))
    looked = 0
    left = after(before, [Deleted(b"a", b"%d" % number) for number in range(10, 60)])
    assert [one.value for one in left if isinstance(one, Filter)] == [b"%d" % number for number in range(10)]
    assert looked <= 100


NAMES = st.sampled_from([b"Header-%d" % number for number in range(FEW + 4)])
VALUES = st.sampled_from([b"yes", b"no", b"1"])
OPERATORS = st.sampled_from([("==", b"yes"), ("/=", b"1"), ("exists", b"true"), ("exists", b"false")])


def added(text: bytes) -> Filter:
    done = command(text, matcher)
    assert isinstance(done, Added)
    return done.filter


TESTS = st.lists(
    st.builds(lambda name, value: added(name + b" " + value), NAMES, st.sampled_from([b"yes", b"-no", b"1"]))
    | st.builds(lambda name, test: condition(name, test[0], test[1], matcher), NAMES, OPERATORS),
    max_size=3 * FEW,
)


@given(TESTS, st.lists(st.tuples(NAMES.flatmap(lambda name: st.sampled_from([name, name.lower()])), VALUES)))
def test_many_are_as_each(tests: list[Filter | Condition], headers: list[tuple[bytes, bytes]]) -> None:
    """However many headers they are about, and however often the event has one."""
    received = event(*headers)
    each = [Filters((one,)).passes(received) for one in tests]
    assert Filters(tuple(tests)).passes(received) is all(each)
