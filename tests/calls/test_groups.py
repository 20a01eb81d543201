"""Which member of a process group gets a call."""

from __future__ import annotations

import logging
from collections import Counter
from typing import cast

import pytest

from mod_erlang_py.calls.groups import Groups
from mod_erlang_py.calls.loads import Loads
from mod_erlang_py.config.strategy import Hash, LeastCalls, Random, Strategy
from mod_erlang_py.etf import Pid
from mod_erlang_py.switch.port import Session

MEMBERS = [Pid("desk@localhost", number, 0, 1) for number in range(100, 108)]


class Call:
    uuid = "the call"

    def __init__(self, **variables: str) -> None:
        self._variables = variables

    def variable(self, name: str) -> bytes | None:
        return self._variables[name].encode() if name in self._variables else None


class Bench:
    def __init__(self) -> None:
        self.loads = Loads()
        self.groups = Groups(self.loads, Random())

    def order(self, members: list[Pid] = MEMBERS, **variables: str) -> list[Pid]:
        """In which they are tried, all in vain."""
        call = object()
        found = list(self.groups.order(cast(Session, Call(**variables)), call, members))
        self.loads.forget(call)
        return found

    def give(self, pid: Pid, calls: int = 1) -> None:
        for _ in range(calls):
            self.loads.count(object(), pid)


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.mark.parametrize("strategy", [Random(), LeastCalls(), Hash("caller")], ids=str)
def test_each_member_is_tried_once(bench: Bench, strategy: Strategy) -> None:
    bench.groups.configure(strategy)
    assert sorted(bench.order(caller="1"), key=str) == MEMBERS
    assert bench.order([]) == []


def test_random(bench: Bench) -> None:
    assert {bench.order()[0] for _ in range(500)} == set(MEMBERS)


def test_least_calls(bench: Bench) -> None:
    bench.groups.configure(LeastCalls())
    assert {bench.order()[0] for _ in range(500)} == set(MEMBERS)
    for _ in range(3 * len(MEMBERS)):
        bench.give(bench.order()[0])
    assert {bench.loads.of(pid) for pid in MEMBERS} == {3}
    for number, pid in enumerate(MEMBERS):
        bench.give(pid, number)
    assert bench.order() == MEMBERS


def test_calls_that_come_at_once_see_each_other(bench: Bench) -> None:
    """None has its process yet."""
    bench.groups.configure(LeastCalls())
    calls = [object() for _ in range(3 * len(MEMBERS))]
    tried = [bench.groups.order(cast(Session, Call()), call, MEMBERS) for call in calls]
    first = [next(order) for order in tried]
    assert set(Counter(first).values()) == {3}
    assert next(tried[0]) != first[0]  # which was not there
    assert bench.loads.of(first[0]) == 2
    for call in calls:
        bench.loads.forget(call)
    assert len(bench.loads) == 0


def test_a_hash_stays_with_its_member(bench: Bench) -> None:
    bench.groups.configure(Hash("caller"))
    chosen = {number: bench.order(caller=str(number))[0] for number in range(1000)}
    assert all(60 < count < 200 for count in Counter(chosen.values()).values())
    gone = MEMBERS[3]
    left = [pid for pid in MEMBERS if pid != gone]
    after = {number: bench.order(left, caller=str(number))[0] for number in chosen}
    assert {number for number in chosen if chosen[number] != after[number]} == {
        number for number, pid in chosen.items() if pid == gone
    }


def test_without_the_variable_there_is_nothing_to_hash(bench: Bench) -> None:
    bench.groups.configure(Hash("caller"))
    assert {bench.order()[0] for _ in range(500)} == set(MEMBERS)


def test_a_call_may_say_otherwise(bench: Bench) -> None:
    bench.groups.configure(LeastCalls())
    bench.give(MEMBERS[0])
    assert bench.order()[-1] == MEMBERS[0]
    assert {bench.order(erlang_pg_strategy="random")[-1] for _ in range(500)} == set(MEMBERS)
    hashed = {bench.order(erlang_pg_strategy="hash caller", caller="7")[0] for _ in range(50)}
    assert len(hashed) == 1


def test_what_a_call_says_may_be_nonsense(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.groups.configure(LeastCalls())
    bench.give(MEMBERS[0])
    with caplog.at_level(logging.ERROR):
        assert bench.order(erlang_pg_strategy="nonsense")[-1] == MEMBERS[0]
    assert "the call: erlang_pg_strategy='nonsense': expected random, least_calls or hash VARIABLE" in caplog.text
