"""When bgapi is answered: the command runs, and the call that it names can be found."""

from __future__ import annotations

import threading

import pytest

from mod_erlang_py.etf import Atom, Term
from mod_erlang_py.requests import background
from mod_erlang_py.requests.background import named_calls
from mod_erlang_py.switch.port import ApiResult
from tests.requests.asking import JOB, Bench, bgapi
from tests.waiting import DEADLINE, wait_until

ANSWER: list[Term] = [(Atom("ok"), JOB.encode())]
ORIGINATE = bgapi(Atom("originate"), b"{origination_uuid=u1}loopback/park &park()")


class Originate:
    """A command that waits for go; and, before it makes its call, for somebody to look for that in vain."""

    def __init__(self, bench: Bench, *makes: str) -> None:
        self.bench = bench
        self.makes = makes
        self.go = threading.Event()
        self.answered_too_early = False
        bench.switch.commands["originate"] = self

    def __call__(self, arguments: bytes) -> ApiResult:
        switch = self.bench.switch
        for uuid in self.makes:
            seen = switch.looked_for
            wait_until(lambda: switch.looked_for > seen + 3)  # noqa: B023
            self.answered_too_early |= not self.bench.link.sent.empty()
            switch.sessions.add(uuid)
        assert self.go.wait(DEADLINE)
        return ApiResult(True, True, b"+OK")


def test_the_call_is_there(bench: Bench) -> None:
    originate = Originate(bench, "u1")
    assert bench.ask(ORIGINATE) == ANSWER
    assert not originate.answered_too_early
    originate.go.set()
    assert bench.later()[1] == (Atom("bgok"), JOB.encode(), b"+OK")


def test_each_of_several_calls_is_there(bench: Bench) -> None:
    originate = Originate(bench, "u1", "u2")
    several = bgapi(Atom("originate"), b"[origination_uuid=u1]a/1,[origination_uuid=u2]a/2 &park()")
    assert bench.ask(several) == ANSWER
    assert not originate.answered_too_early
    originate.go.set()


def test_a_command_that_ends_without_its_call(bench: Bench) -> None:
    bench.switch.commands["originate"] = lambda _: ApiResult(True, False, b"-ERR NO_ROUTE_DESTINATION")
    assert bench.ask(ORIGINATE)[0] == ANSWER[0]


def test_a_call_that_does_not_come(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "PATIENCE", 0.05)
    originate = Originate(bench)
    assert bench.ask(ORIGINATE) == ANSWER
    originate.go.set()


def test_who_waits_for_his_turn_is_answered_at_once(bench: Bench) -> None:
    bench.workers.configure(1, 1, 10_000)
    originate = Originate(bench, "u1")
    assert bench.ask(ORIGINATE) == ANSWER
    originate.makes = ()  # nobody looks for the call of the next one
    looked_for = bench.switch.looked_for
    assert bench.ask(bgapi(Atom("originate"), b"{origination_uuid=u2}a/1 &park()")) == ANSWER
    assert bench.switch.looked_for == looked_for
    originate.go.set()


def test_one_that_cannot_be_run(bench: Bench) -> None:
    bench.workers.configure(0, 0, 10_000)
    assert bench.ask(ORIGINATE) == [(Atom("error"), Atom("system_limit"))]
    assert bench.switch.executed == []


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (b"{origination_uuid=u1}loopback/1 &park()", ["u1"]),
        (b"{a=1,origination_uuid=u1,b=2}loopback/1 7501 XML default", ["u1"]),
        (b"{^^:a=1:origination_uuid=u1:b=2}loopback/1 &park()", ["u1"]),
        (b"{Origination_UUID='u 1'}loopback/1 &park()", ["u"]),
        (b"{origination_uuid='call@id.example'}sofia/x &park()", ["call@id.example"]),
        (b"<origination_uuid=u1>a/1,[origination_uuid=u2]a/2 &park()", ["u1", "u2"]),
        (b"[origination_uuid=u1]a/1|[origination_uuid=u2]a/2 &park()", ["u1"]),
        (b"{origination_uuid=u1}a/1 &bridge([origination_uuid=u2]a/2)", ["u1"]),
        (b"{origination_uuid=u1}a/1 '&bridge([origination_uuid=u2]a/2)'", ["u1"]),
        (b"{origination_uuid=${create_uuid()}}a/1 &park()", []),
        (b"{other_origination_uuid=u1}a/1 &park()", []),
        (b"{origination_uuid=}a/1 &park()", []),
        (b"", []),
    ],
)
def test_which_calls_are_named(arguments: bytes, expected: list[str]) -> None:
    assert named_calls(arguments) == expected
