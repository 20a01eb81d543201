"""What of finding a call's process no peer can time: see tests/peers/test_calls.py for the rest."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from itertools import count
from typing import Any, cast

import pytest

from mod_erlang_py import etf
from mod_erlang_py.calls.asking import Asking, Found
from mod_erlang_py.calls.dialplan import AskPid, Named, Rpc, Wish
from mod_erlang_py.calls.waiting import HungUp, NoAnswer, Question, Taken, Waiting
from mod_erlang_py.distribution.connection import FrameReader, decode_body
from mod_erlang_py.distribution.flags import OURS
from mod_erlang_py.distribution.forms import send_control
from mod_erlang_py.errors import NotConnected
from mod_erlang_py.etf import Atom, Pid, Reference, Term
from mod_erlang_py.node.target import Target

THEIRS = Pid("peer@localhost", 7, 0, 3)
OTHERS = Pid("other@localhost", 7, 0, 3)


class Node:
    """A node with one link, whose peer does `then(reference)` when it is asked."""

    name = "freeswitch@localhost"
    local = Pid("freeswitch@localhost", 1, 0, 1)
    ended = False
    send_control = staticmethod(send_control(local, OURS))
    knows_monitors = True

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

    def put(self, frame: bytes) -> None:
        (body,) = FrameReader(1 << 20).receive_data(frame)
        term = etf.decode(decode_body(body).payload or b"")
        asked: Any = term[2] if term[0] == Atom("get_pid") else term[1][1]
        reference = Reference.of(asked)
        assert reference is not None
        self.then(reference)


class Bench:
    def __init__(self, timeout: float = 10) -> None:
        self.then: Callable[[Reference], object] = lambda reference: None
        self.node = Node(lambda reference: cast(None, self.then(reference)))
        self.asking = Asking(cast(Any, self.node), lambda text: text, timeout)
        self.waiting = Waiting()
        self.lost: list[Term] = []

    def named(self) -> Found:
        return self.asking.named(self.waiting, Target(cast(Any, self.node), "desk"))

    def down(self) -> None:
        """The node goes, as its reader tells all parts."""
        self.node.ended = True
        self.asking.down(cast(Any, self.node))


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.then = lambda reference: bench.asking.answered(reference, Atom("yes"))
    return bench


def test_a_registered_process_is_watched_until_it_is_left(bench: Bench) -> None:
    found = bench.named()
    assert bench.node.monitors == [found.monitor]
    assert bench.asking.watch(found, bench.lost.append)
    bench.asking.leave(found)
    bench.asking.leave(found)
    assert bench.node.monitors == []
    assert found.monitor is not None
    bench.asking.monitor_down(found.monitor, Atom("noproc"))
    assert bench.lost == []


def test_a_registered_process_that_ends_before_its_call_is_announced(bench: Bench) -> None:
    found = bench.named()
    assert found.monitor is not None
    bench.asking.monitor_down(found.monitor, Atom("killed"))
    assert not bench.asking.watch(found, bench.lost.append)


def test_a_registered_process_that_ends_later(bench: Bench) -> None:
    found = bench.named()
    assert found.monitor is not None
    bench.asking.watch(found, bench.lost.append)
    bench.asking.monitor_down(found.monitor, True)
    bench.asking.monitor_down(found.monitor, True)
    assert bench.lost == [True]


def test_a_node_that_knows_no_monitors_is_taken_at_its_word(bench: Bench) -> None:
    """A C node would not answer."""
    bench.node.knows_monitors = False
    bench.then = lambda reference: pytest.fail("it is asked nothing")
    found = bench.named()
    assert (found.target.to, found.monitor) == ("desk", None)
    assert bench.asking.watch(found, bench.lost.append)
    bench.asking.leave(found)
    assert bench.node.monitors == []
    bench.waiting.end(HungUp())
    with pytest.raises(HungUp):
        bench.named()


def test_nobody_of_that_name(bench: Bench) -> None:
    bench.then = lambda reference: bench.asking.monitor_down(bench.node.monitors[0], Atom("noproc"))
    with pytest.raises(NoAnswer, match="no such process"):
        bench.named()


@pytest.mark.parametrize("why", [HungUp(), Taken()])
def test_the_call_ends_while_its_process_is_asked(bench: Bench, why: HungUp | Taken) -> None:
    def end(reference: Reference) -> None:
        bench.waiting.end(why)
        assert not bench.asking.answered(reference, Atom("yes"))  # too late

    bench.then = end
    with pytest.raises(type(why)):
        bench.named()
    assert bench.node.monitors == []


def test_the_call_ended_before_anybody_was_asked(bench: Bench) -> None:
    bench.waiting.end(HungUp())
    bench.waiting.end(Taken())  # the first counts
    with pytest.raises(HungUp):
        bench.named()
    assert bench.node.monitors == []


def test_the_call_ends_after_the_answer(bench: Bench) -> None:
    bench.named()
    bench.waiting.end(HungUp())


def test_no_answer_in_time() -> None:
    bench = Bench(timeout=0.01)
    with pytest.raises(NoAnswer, match=r"no answer within 0.01 s"):
        bench.named()
    assert bench.node.monitors == []


def test_an_answer_when_the_time_is_up() -> None:
    question = Question()
    with pytest.raises(NoAnswer, match="no answer within 0 s"):
        question.wait(0)
    assert not question.settle(THEIRS)  # whoever answers learns that nobody waited


def test_whoever_is_first_settles_it() -> None:
    question = Question()
    assert question.settle(THEIRS)
    assert not question.settle(HungUp())
    assert question.wait(0) == THEIRS


def test_the_process_that_get_pid_names(bench: Bench) -> None:
    def answer(reference: Reference) -> None:
        threading.Thread(target=bench.asking.answered, args=(reference, THEIRS)).start()

    bench.then = answer
    found = bench.asking.find("the call", bench.waiting, AskPid("desk"), "peer@localhost")
    assert (found.target.to, found.monitor, bench.node.monitors) == (THEIRS, None, [])
    assert bench.asking.watch(found, bench.lost.append)


def test_an_answer_that_is_no_pid(bench: Bench) -> None:
    with pytest.raises(NoAnswer, match="yes, which is no pid"):
        bench.asking.find("the call", bench.waiting, AskPid("desk"), "peer@localhost")


@pytest.mark.parametrize("wish", [Named("desk"), AskPid("desk"), Rpc("module", "function")], ids=str)
def test_the_node_goes_while_it_is_asked(bench: Bench, wish: Wish) -> None:
    """Whoever waits hears of it at once, and nothing is left behind."""
    bench.then = lambda _: bench.down()
    with pytest.raises(NotConnected, match="it went down"):
        bench.asking.find("the call", bench.waiting, wish, "peer@localhost")
    assert not bench.asking._questions
    assert not bench.asking._monitors


def test_the_node_was_gone_before_it_was_asked(bench: Bench) -> None:
    bench.down()
    bench.then = lambda _: None
    with pytest.raises(NotConnected):
        bench.named()


def test_a_node_that_goes_takes_its_monitors_along(bench: Bench) -> None:
    found = bench.named()
    bench.down()
    assert not bench.asking.watch(found, bench.lost.append)
    bench.asking.leave(found)
