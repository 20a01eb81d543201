"""How long the regular expressions of filters may take, of all nodes together."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import cast

import pytest

from mod_erlang_py.events.budget import Budget
from mod_erlang_py.events.filters import Filter, Filters
from mod_erlang_py.switch.port import Received
from tests.events.pumping import Bench, numbers, settled
from tests.fakes import FakeLink
from tests.waiting import wait_until

UNIT = 1 / 128
"""Seconds; floats add it up without an error."""


class Clocks:
    """One that runs by itself, and one of what was computed: each test of an event takes `cost` of both."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.computed = 0.0
        self.cost = UNIT

    def budget(self, limit: float) -> Budget:
        return Budget(limit, lambda: self.now, lambda: self.computed)

    def passes(self, _: Received) -> bool:
        self.computed += self.cost
        self.now += self.cost
        return True


def events(count: int) -> Sequence[Received]:
    return [cast(Received, number) for number in range(count)]


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


def test_what_is_over_the_limit_is_lost_until_the_second_is_over(clocks: Clocks) -> None:
    budget, link = clocks.budget(5 * UNIT), FakeLink().link
    budget.next_window()
    assert budget.passing(link, events(3), clocks.passes) == events(3)
    assert budget.passing(link, events(9), clocks.passes) == events(2)
    assert budget.passing(link, events(1), clocks.passes) == []
    assert budget.next_window() == {}
    clocks.now += 1
    assert budget.next_window() == {link: 8}
    assert budget.passing(link, events(5), clocks.passes) == events(5)
    clocks.now += 1
    assert budget.next_window() == {}


def test_who_takes_much_leaves_the_others_their_share(clocks: Clocks) -> None:
    budget, greedy, modest = clocks.budget(10 * UNIT), FakeLink("greedy@x").link, FakeLink("modest@x").link
    for _ in range(3):
        budget.next_window()
        many = budget.passing(greedy, events(100), clocks.passes)
        assert budget.passing(modest, events(4), clocks.passes) == events(4)
        clocks.now += 1
    assert len(many) == 5
    assert set(budget.next_window()) == {greedy}


def test_one_event_that_takes_many_shares_is_paid_for_later(clocks: Clocks) -> None:
    budget, link = clocks.budget(10 * UNIT), FakeLink().link
    clocks.cost = 35 * UNIT
    budget.next_window()
    assert budget.passing(link, events(1), clocks.passes) == events(1)
    clocks.cost = UNIT
    done = []
    for _ in range(5):
        clocks.now += 1
        budget.next_window()
        done.append(len(budget.passing(link, events(3), clocks.passes)))
    assert done == [0, 0, 3, 3, 3]  # 25 and 15 too much, and the rest of the third is enough


def test_a_node_that_is_gone_owes_nothing_and_takes_no_share(clocks: Clocks) -> None:
    budget, gone, link = clocks.budget(10 * UNIT), FakeLink("gone@x"), FakeLink("here@x").link
    clocks.cost = 5.0
    budget.passing(gone.link, events(1), clocks.passes)
    gone.ended = True
    budget.next_window()
    clocks.cost = UNIT
    clocks.now += 1
    budget.passing(link, events(1), clocks.passes)
    clocks.now += 1
    budget.next_window()
    assert len(budget.passing(link, events(99), clocks.passes)) == 10


def test_the_pump_waits_no_longer_than_until_a_loss_is_told(clocks: Clocks) -> None:
    budget, link = clocks.budget(5 * UNIT), FakeLink().link
    budget.next_window()
    budget.passing(link, events(5), clocks.passes)
    assert budget.patience(3600) == 3600
    budget.passing(link, events(6), clocks.passes)
    assert 0 <= budget.patience(3600) <= 1


def burn(_: bytes) -> bool:
    """As a regular expression that goes back and forth."""
    until = time.thread_time() + 0.003
    while time.thread_time() < until:
        pass
    return True


def test_it_is_told_and_nobody_else_loses(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(regexes=1).start()
    try:
        greedy, modest = bench.link("HEARTBEAT", "TRAP", name="greedy@x"), bench.link("HEARTBEAT", name="modest@x")
        slow = Filters((Filter(b"N", b"/slow/", True, burn),))
        assert bench.subscriptions.change(bench.handler(greedy), filters=slow)
        with caplog.at_level(logging.WARNING):
            for _ in range(4):
                bench.fire("HEARTBEAT")
            settled(bench, greedy, modest)
            assert numbers(modest) == [1, 2, 3, 4]
            counts = bench.subscriptions.counts(greedy.link)
            wait_until(lambda: counts.lost >= 3, 10)  # without another event
        assert numbers(greedy)[:1] == [1]
        assert bench.subscriptions.counts(modest.link).lost == 0
        told = [record.getMessage() for record in caplog.records]
        assert told[0].startswith("max-regex-ms-per-second: greedy@x: the regular expressions of its filters took ")
        assert told[0].endswith(" ms: 3 events are lost")
        wait_until(lambda: "Lost 3 events!" in caplog.text, 10)
    finally:
        bench.stop()
