"""What several want together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mod_erlang_py.events.demand import Demand
from mod_erlang_py.events.interest import EVERYTHING, NOTHING, Interest
from mod_erlang_py.events.subscription import Subscription
from mod_erlang_py.node.target import Target
from mod_erlang_py.switch.port import ALL, CUSTOM, Form, Wanted
from tests.events.test_interest import ADD, NIX, STEPS, SUBCLASSES, TYPES, apply, names
from tests.fakes import FakeLink

LINK = FakeLink()
TARGET = Target(LINK.link, LINK.pid)
STRINGS = frozenset({Form.STRING})


def subscription(interest: Interest, form: Form = Form.STRING) -> Subscription:
    return Subscription(form, lambda _: None, target=TARGET, interest=interest)


def together(*interests: Interest) -> Wanted:
    demand = Demand()
    for interest in interests:
        demand.update(subscription(interest))
    return demand.wanted(STRINGS)


def test_several() -> None:
    api, custom = apply([(ADD, names("API"))]), apply([(ADD, names("CUSTOM", "a::b"))])
    assert together() == Wanted(forms=STRINGS)
    assert together(api, apply([(ADD, names("TRAP"))])).types == {"API", "TRAP"}
    assert together(api, custom) == Wanted(frozenset({"API", CUSTOM}), frozenset({b"a::b"}), STRINGS)
    assert ALL in together(api, apply([(ADD, names("ALL"))])).types
    # subclasses that are kept without the type
    assert together(apply([(ADD, names("CUSTOM", "a::b")), (NIX, names("ALL"))])).subclasses == frozenset()


@given(STEPS, STEPS)
def test_what_is_wanted_is_delivered(steps: list[tuple[str, object]], others: list[tuple[str, object]]) -> None:
    interest = apply(steps)  # type: ignore[arg-type]
    delivered = together(apply(others), NOTHING, interest)  # type: ignore[arg-type]
    for event_type in TYPES:
        for subclass in (None, *SUBCLASSES) if event_type == CUSTOM else (None,):
            if interest.wants(event_type, subclass):
                assert delivered.has(event_type, subclass)


FATES = st.sampled_from(["want", "nobody", "end"])


@given(st.lists(st.tuples(st.integers(0, 3), STEPS, st.sampled_from(Form), FATES), max_size=12))
def test_it_is_what_those_that_live_want(changes: list[tuple[int, list[tuple[str, object]], Form, str]]) -> None:
    """However they changed before; and a change is told of."""
    demand, ones = Demand(), [subscription(NOTHING) for _ in range(4)]
    before = demand.wanted(frozenset())
    for number, steps, form, fate in changes:
        one = ones[number]
        one.interest, one.form = apply(steps), form  # type: ignore[arg-type]
        one.target = None if fate == "nobody" else TARGET
        one.ended |= fate == "end"
        told = demand.update(one)
        now = demand.wanted(frozenset())
        assert told or now == before
        before = now
    fresh = Demand()
    for one in ones:
        fresh.update(one)
        demand.update(one)
    assert demand.wanted(frozenset()) == fresh.wanted(frozenset())


@pytest.mark.parametrize("interest", [EVERYTHING, apply([(ADD, names("API"))])])
def test_what_changes_nothing_is_not_told_of(interest: Interest) -> None:
    demand = Demand()
    one, two = subscription(interest), subscription(interest)
    assert demand.update(one)
    assert not demand.update(one)
    assert not demand.update(two)
    one.ended = True
    assert not demand.update(one)
    two.ended = True
    assert demand.update(two)
    assert not demand.update(two)
    assert demand.wanted(frozenset()) == Wanted()
