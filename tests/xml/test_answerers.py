"""How long a process is waited for, by what it has answered so far."""

from __future__ import annotations

from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from mod_erlang_py.node.link import Link
from mod_erlang_py.switch.port import Section
from mod_erlang_py.xml.answerers import MOMENT, STALLED, Answerer

TIMEOUT = 5.0


class Peer:
    """A link, and its outbox."""

    def __init__(self) -> None:
        self.stalled = 0.0
        self.outbox = self


def answerer(peer: Peer | None = None) -> Answerer:
    return Answerer(cast(Link, peer or Peer()), Section.DIRECTORY)


def test_one_that_answers() -> None:
    one = answerer()
    for now in range(100):
        assert one.patience(now, TIMEOUT) == TIMEOUT
        if now % 4 == 0:  # not everything
            one.answered()


def test_one_that_does_not() -> None:
    one = answerer()
    assert one.patience(100.0, TIMEOUT) == TIMEOUT
    assert one.patience(104.9, TIMEOUT) == TIMEOUT
    assert not one.owes
    assert one.patience(105.0, TIMEOUT) == MOMENT
    assert one.owes
    assert one.patience(105.25, TIMEOUT) == MOMENT - 0.25
    assert one.patience(105.0 + MOMENT, TIMEOUT) == 0
    assert one.patience(109.9, TIMEOUT) == 0
    assert one.patience(111.0, TIMEOUT) == MOMENT
    assert one.patience(112.0, TIMEOUT) == 0
    one.answered()
    assert not one.owes
    assert one.patience(112.0, TIMEOUT) == TIMEOUT


def test_a_look_up_may_be_shorter_than_a_moment() -> None:
    one = answerer()
    one.patience(100.0, 0.1)
    assert one.patience(101.0, 0.1) == 0.1


def test_one_whose_node_takes_nothing() -> None:
    """It has not been asked, so it owes nothing."""
    peer = Peer()
    one = answerer(peer)
    peer.stalled = STALLED
    assert one.patience(100.0, TIMEOUT) == 0
    peer.stalled = 0.0
    assert one.patience(200.0, TIMEOUT) == TIMEOUT


@given(st.lists(st.floats(0.0, 3.0), min_size=1, max_size=200))
def test_what_a_frozen_one_costs(pauses: list[float]) -> None:
    """A call that makes one look-up after the other: once the first is over, a tenth of its time at most."""
    one, now, waited = answerer(), 100.0, 0.0
    one.patience(now, TIMEOUT)
    began = now = now + TIMEOUT
    for pause in pauses:
        seconds = one.patience(now, TIMEOUT)
        waited += seconds
        now += seconds + pause
    assert waited <= MOMENT * ((now - began) / TIMEOUT + 1)
