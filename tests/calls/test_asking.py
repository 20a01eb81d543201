"""What of finding a handler no peer can time: see tests/peers/test_calls.py for the rest."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from itertools import count
from typing import Any, cast

import pytest

from mod_erlang_py.calls.asking import Handler, Handlers, HungUp, NoAnswer, Outcome, Waiting
from mod_erlang_py.calls.dialplan import AskPid
from mod_erlang_py.etf import Atom, Pid, Reference, Term

THEIRS = Pid("peer@localhost", 7, 0, 3)


class Node:
    """A node with one link, whose peer does `then(reference)` when it is asked."""

    name = "freeswitch@localhost"
    pid = Pid("freeswitch@localhost", 1, 0, 1)

    def __init__(self, then: Callable[[Reference], None]) -> None:
        self.then = then
        self.monitors: list[Reference] = []
        self._numbers = count(1)
        self.processes = self.outbox = self

    def reference(self) -> Reference:
        return Reference(self.name, 1, (next(self._numbers), 0, 0))

    def connect(self, name: str, timeout: float) -> Any:
        return self

    def gathering(self) -> AbstractContextManager[None]:
        return nullcontext()

    def monitor(self, link: object, name: str, reference: Reference) -> None:
        self.monitors.append(reference)

    def demonitor(self, link: object, name: str, reference: Reference) -> None:
        self.monitors.remove(reference)

    def send_name(self, name: str, term: Any) -> None:
        reference = term[1][1] if name == "net_kernel" else term[2]
        self.then(reference)


class Bench:
    def __init__(self, timeout: float = 10) -> None:
        self.then: Callable[[Reference], object] = lambda reference: None
        self.node = Node(lambda reference: cast(None, self.then(reference)))
        self.handlers = Handlers(cast(Any, self.node), lambda text: text, timeout)
        self.waiting = Waiting()
        self.lost: list[Term] = []

    def named(self) -> Handler:
        return self.handlers.named(self.waiting, cast(Any, self.node), "desk")


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.then = lambda reference: bench.handlers.answered(reference, Atom("yes"))
    return bench


def test_a_registered_process_is_watched_until_it_is_left(bench: Bench) -> None:
    handler = bench.named()
    assert bench.node.monitors == [handler.monitor]
    assert bench.handlers.watch(handler, bench.lost.append)
    bench.handlers.leave(handler)
    bench.handlers.leave(handler)
    assert bench.node.monitors == []
    assert handler.monitor is not None
    bench.handlers.monitor_down(handler.monitor, Atom("noproc"))
    assert bench.lost == []


def test_a_registered_process_that_ends_before_its_call_is_announced(bench: Bench) -> None:
    handler = bench.named()
    assert handler.monitor is not None
    bench.handlers.monitor_down(handler.monitor, Atom("killed"))
    assert not bench.handlers.watch(handler, bench.lost.append)


def test_a_registered_process_that_ends_later(bench: Bench) -> None:
    handler = bench.named()
    assert handler.monitor is not None
    bench.handlers.watch(handler, bench.lost.append)
    bench.handlers.monitor_down(handler.monitor, True)
    bench.handlers.monitor_down(handler.monitor, True)
    assert bench.lost == [True]


def test_nobody_of_that_name(bench: Bench) -> None:
    bench.then = lambda reference: bench.handlers.monitor_down(bench.node.monitors[0], Atom("noproc"))
    with pytest.raises(NoAnswer, match="no such process"):
        bench.named()


def test_the_call_ends_while_its_process_is_asked(bench: Bench) -> None:
    def hang_up(reference: Reference) -> None:
        bench.waiting.hang_up()
        assert not bench.handlers.answered(reference, Atom("yes"))  # too late

    bench.then = hang_up
    with pytest.raises(HungUp):
        bench.named()
    assert bench.node.monitors == []


def test_the_call_ended_before_anybody_was_asked(bench: Bench) -> None:
    bench.waiting.hang_up()
    with pytest.raises(HungUp):
        bench.named()
    assert bench.node.monitors == []


def test_the_call_ends_after_the_answer(bench: Bench) -> None:
    bench.named()
    bench.waiting.hang_up()


def test_no_answer_in_time() -> None:
    bench = Bench(timeout=0.01)
    with pytest.raises(NoAnswer, match=r"no answer within 0.01 s"):
        bench.named()
    assert bench.node.monitors == []


def test_an_answer_when_the_time_is_up() -> None:
    outcome = Outcome()
    with pytest.raises(NoAnswer, match="no answer within 0 s"):
        outcome.wait(0)
    assert not outcome.settle(THEIRS)  # whoever answers learns that nobody waited


def test_whoever_is_first_settles_it() -> None:
    outcome = Outcome()
    assert outcome.settle(THEIRS)
    assert not outcome.settle(HungUp())
    assert outcome.wait(0) == THEIRS


def test_the_process_that_get_pid_names(bench: Bench) -> None:
    def answer(reference: Reference) -> None:
        threading.Thread(target=bench.handlers.answered, args=(reference, THEIRS)).start()

    bench.then = answer
    handler = bench.handlers.find("the call", bench.waiting, AskPid("desk"), "peer@localhost")
    assert (handler.to, handler.monitor, bench.node.monitors) == (THEIRS, None, [])
    assert bench.handlers.watch(handler, bench.lost.append)


def test_an_answer_that_is_no_pid(bench: Bench) -> None:
    with pytest.raises(NoAnswer, match="yes, which is no pid"):
        bench.handlers.find("the call", bench.waiting, AskPid("desk"), "peer@localhost")
