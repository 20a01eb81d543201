"""Events that are to be acknowledged."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from mod_erlang_py import etf
from mod_erlang_py.etf import Atom
from mod_erlang_py.events import flow as module
from mod_erlang_py.events.counts import Counts
from mod_erlang_py.events.flow import Backlog, Flow
from mod_erlang_py.node.target import Target
from tests.fakes import FakeLink


def lost(count: int) -> bytes:
    return etf.encode((Atom("lost"), count))


class Flowing:
    def __init__(self, window: int, backlog: Backlog | None = None) -> None:
        self.link = FakeLink()
        self.counts = Counts("events")
        self.flow = Flow(window, lost, backlog or Backlog())
        self.added = 0

    def open(self) -> None:
        assert self.flow.open(Target(self.link.link, self.link.pid), self.counts) is self.flow

    def add(self, count: int = 1) -> None:
        for _ in range(count):
            self.added += 1
            self.flow.add(etf.encode(self.added))

    def came(self) -> list[int | tuple[str, int]]:
        """The events' numbers, and how many are told to be lost."""
        return [("lost", term[1]) if isinstance(term, tuple) else term for _, term in self.link.messages()]


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_HELD", 8)


def test_no_more_than_the_window() -> None:
    one = Flowing(3)
    one.open()
    one.add(5)
    assert one.came() == [1, 2, 3]
    assert (one.flow.unacknowledged, one.flow.waiting) == (3, 2)
    one.flow.acknowledge(1)
    assert one.came() == [1, 2, 3, 4]
    one.flow.acknowledge(100)
    assert one.came() == [1, 2, 3, 4, 5]
    assert one.flow.unacknowledged == 1
    assert (one.counts.sent, one.counts.lost) == (5, 0)


def test_nothing_before_it_is_open() -> None:
    one = Flowing(2)
    one.add(3)
    assert not one.flow.is_open
    assert one.came() == []
    one.open()
    assert one.came() == [1, 2]
    assert one.flow.is_open


def test_what_is_lost_is_told_in_its_place() -> None:
    """And once there is half of the room again, events come again."""
    one = Flowing(1)
    one.open()
    one.add(12)  # 1 is sent, 2 to 9 wait, 10 to 12 are lost
    assert (one.flow.lost, one.counts.lost) == (3, 3)
    assert [one.flow.acknowledge(1) for _ in range(2)] == [False, False]
    one.add()  # there is room for one, but that is not half of it
    assert one.flow.lost == 4
    for _ in range(4):
        one.flow.acknowledge(1)
    one.add()
    assert one.flow.lost == 4
    told = [one.flow.acknowledge(1) for _ in range(5)]
    assert one.came() == [1, 2, 3, 4, 5, 6, 7, 8, 9, ("lost", 4), 14]
    assert told.count(True) == 1
    fired: list[object] = []
    one.counts.report(fired.append)
    assert len(fired) == 1
    assert (one.counts.sent, one.counts.lost) == (10, 4)


def test_what_was_lost_before_it_was_open_counts() -> None:
    one = Flowing(1)
    one.add(10)
    one.open()
    assert one.counts.lost == 2


def test_the_room_of_a_node_is_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_HELD_BYTES_OF_NODE", 20)
    backlog = Backlog()
    one, two = Flowing(1, backlog), Flowing(1, backlog)
    for each in (one, two):
        each.open()
        each.add(5)  # of 3 bytes
    assert (one.flow.waiting, one.flow.lost) == (4, 0)
    assert two.flow.lost == 2
    assert backlog.bytes == 18
    one.flow.close()
    two.flow.close()
    assert backlog.bytes == 0


class Machine(RuleBasedStateMachine):
    """Whatever is added and acknowledged: in order, no more than the window at once, and each event came or was told to
    be lost, in its place."""

    @initialize(window=st.integers(1, 4))
    def begin(self, window: int) -> None:
        self.backlog = Backlog()
        self.one = Flowing(window, self.backlog)
        self.sent = self.acknowledged = 0

    @rule(count=st.integers(1, 12))
    def add(self, count: int) -> None:
        self.one.add(count)

    @rule(count=st.integers(1, 6))
    def acknowledge(self, count: int) -> None:
        outstanding = self.one.flow.unacknowledged
        self.one.flow.acknowledge(count)
        self.acknowledged += min(count, outstanding)

    @rule()
    def open(self) -> None:
        if not self.one.flow.is_open:
            self.one.open()

    @invariant()
    def holds(self) -> None:
        one = self.one
        events = [came for came in one.came() if isinstance(came, int)]
        assert events == sorted(events)
        assert len(events) - self.acknowledged == one.flow.unacknowledged <= one.flow.window
        at = 0
        for came in one.came():
            if isinstance(came, int):
                assert came == at + 1
                at += 1
            else:
                at += came[1]
        assert one.flow.waiting <= 2 * 8  # an event, and a loss behind each
        assert self.backlog.bytes >= 0

    def teardown(self) -> None:
        if not hasattr(self, "one"):
            return
        one = self.one
        if not one.flow.is_open:
            one.open()
        while one.flow.waiting or one.flow.unacknowledged:
            one.flow.acknowledge(1)
        told = sum(came[1] for came in one.came() if not isinstance(came, int))
        assert told == one.flow.lost == one.counts.lost
        assert len([came for came in one.came() if isinstance(came, int)]) + told == one.added
        assert self.backlog.bytes == 0


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
