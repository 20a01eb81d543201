"""What of finding a call's process no peer can time: see tests/peers/test_calls.py for the rest."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from itertools import count
from typing import Any, cast

import pytest

from mod_erlang_py import etf
from mod_erlang_py.calls import asking
from mod_erlang_py.calls.asking import Asking, Found
from mod_erlang_py.calls.dialplan import AskPid, Group, Named, Rpc, Spawn, Wish
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
    """A node with one link, whose peer does `then(reference)` when it is asked.

    unknown: a node that cannot be connected to. refused: how often that was tried.
    """

    name = "freeswitch@localhost"
    local = Pid("freeswitch@localhost", 1, 0, 1)
    ended = False
    send_control = staticmethod(send_control(local, OURS))
    knows_monitors = True

    def __init__(self, then: Callable[[Reference], None]) -> None:
        self.then = then
        self.monitors: list[Reference] = []
        self.sent: list[tuple[Pid, Term]] = []
        self.unknown = ""
        self.refused = 0
        self._numbers = count(1)
        self.processes = self.outbox = self

    def send(self, to: Pid, term: Term) -> None:
        self.sent.append((to, term))

    def reference(self) -> Reference:
        return Reference(self.name, 1, (next(self._numbers), 0, 0))

    def connect(self, name: str, timeout: float) -> Any:
        if name == self.unknown:
            self.refused += 1
            raise NotConnected(name, "unknown")
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
    bench.asking.monitor_down(cast(Any, bench.node), found.monitor, Atom("noproc"))
    assert bench.lost == []


def test_a_registered_process_that_ends_before_its_call_is_announced(bench: Bench) -> None:
    found = bench.named()
    assert found.monitor is not None
    bench.asking.monitor_down(cast(Any, bench.node), found.monitor, Atom("killed"))
    assert not bench.asking.watch(found, bench.lost.append)


def test_a_registered_process_that_ends_later(bench: Bench) -> None:
    found = bench.named()
    assert found.monitor is not None
    bench.asking.watch(found, bench.lost.append)
    bench.asking.monitor_down(cast(Any, bench.node), found.monitor, True)
    bench.asking.monitor_down(cast(Any, bench.node), found.monitor, True)
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
    """The ping is answered all the same; nobody is to wonder about that."""
    pings = []

    def gone(reference: Reference) -> None:
        pings.append(reference)
        bench.asking.monitor_down(cast(Any, bench.node), bench.node.monitors[0], Atom("noproc"))

    bench.then = gone
    with pytest.raises(NoAnswer, match="no such process"):
        bench.named()
    assert [bench.asking.answered(pings[0], Atom("yes")) for _ in range(2)] == [True, False]


@pytest.mark.parametrize("why", [HungUp(), Taken()])
def test_the_call_ends_while_its_process_is_asked(bench: Bench, why: HungUp | Taken) -> None:
    def end(reference: Reference) -> None:
        bench.waiting.end(why)
        assert bench.asking.answered(reference, Atom("yes"))  # too late, but nothing to complain of

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


def spawned(bench: Bench, pid: Pid | None) -> Reference:
    """A process is to be spawned, and the node takes its time; what it was asked by. pid: its answer in time."""
    asked: list[Reference] = []

    def asks(reference: Reference) -> None:
        asked.append(reference)
        if pid is not None:
            bench.asking.answered(reference, pid)

    bench.then = asks
    try:
        found = bench.asking.find("the call", bench.waiting, Spawn("module", "function"), "peer@localhost")
        assert found == Found(found.target)
    except NoAnswer:
        assert pid is None
    return asked[0]


def test_a_process_that_was_spawned_in_vain_is_told() -> None:
    bench = Bench(timeout=0)
    late = spawned(bench, None)
    assert bench.asking.answered(late, THEIRS)
    assert bench.node.sent == [(THEIRS, (Atom("call_taken"), b"the call"))]
    assert not bench.asking.answered(late, THEIRS)


def test_it_is_told_that_the_call_is_over() -> None:
    bench = Bench(timeout=0)
    late = spawned(bench, None)
    bench.waiting.end(HungUp())
    assert bench.asking.answered(late, THEIRS)
    assert bench.node.sent == [(THEIRS, (Atom("call_hangup"), b"the call"))]


def test_what_is_no_pid_is_told_nothing() -> None:
    bench = Bench(timeout=0)
    assert bench.asking.answered(spawned(bench, None), Atom("badrpc"))
    assert bench.node.sent == []


def test_nothing_is_late_that_came_in_time(bench: Bench) -> None:
    assert not bench.asking.answered(spawned(bench, THEIRS), THEIRS)
    assert bench.node.sent == []


def test_a_node_that_goes_takes_late_answers_along() -> None:
    bench = Bench(timeout=0)
    late = spawned(bench, None)
    bench.down()
    assert not bench.asking.answered(late, THEIRS)


def test_late_answers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "MAX_LATE", 2)
    bench = Bench(timeout=0)
    first, second, third = [spawned(bench, None) for _ in range(3)]
    assert not bench.asking.answered(first, THEIRS)
    assert bench.asking.answered(second, THEIRS)
    assert bench.asking.answered(third, THEIRS)


def group(bench: Bench, members: list[Pid], dead: set[int]) -> list[int]:
    """A group has these members, of which those are dead: who was tried, by the number."""
    tried: list[int] = []

    def answer(reference: Reference) -> None:
        if not bench.node.monitors:
            bench.asking.answered(reference, members)
            return
        number = len(tried)
        tried.append(number)
        if number in dead:
            bench.asking.monitor_down(cast(Any, bench.node), bench.node.monitors.pop(), Atom("noproc"))
        else:
            bench.asking.answered(reference, Atom("yes"))

    bench.then = answer
    try:
        found = bench.asking.find("the call", bench.waiting, Group("pg", "desks"), "peer@localhost")
        assert found.target.to == members[tried[-1]]
        assert bench.node.monitors == [found.monitor]
    except NoAnswer:
        assert bench.node.monitors == []
    return tried


def test_members_of_a_group_are_tried_in_turn(bench: Bench) -> None:
    members = [Pid("peer@localhost", number, 0, 3) for number in range(10)]
    assert group(bench, members, {0, 1}) == [0, 1, 2]


def test_no_more_members_are_tried_than_that(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "MAX_TRIED", 3)
    members = [Pid("peer@localhost", number, 0, 3) for number in range(10)]
    assert group(bench, members, set(range(10))) == [0, 1, 2]


def test_a_node_that_cannot_be_reached_is_tried_once(bench: Bench) -> None:
    """Its other members are left out, too."""
    bench.node.unknown = "gone@localhost"
    members = [Pid("gone@localhost", 1, 0, 1), Pid("gone@localhost", 2, 0, 1), THEIRS]
    bench.then = lambda reference: bench.asking.answered(reference, members if not bench.node.monitors else True)
    found = bench.asking.find("the call", bench.waiting, Group("pg", "desks"), "peer@localhost")
    assert found.target.to == THEIRS
    assert bench.node.refused == 1


def test_no_other_node_can_say_that_a_process_is_gone(bench: Bench) -> None:
    found = bench.named()
    assert found.monitor is not None
    assert bench.asking.watch(found, bench.lost.append)
    bench.asking.monitor_down(cast(Any, Node(lambda _: None)), found.monitor, Atom("forged"))
    bench.asking.monitor_down(cast(Any, bench.node), found.monitor, Atom("killed"))
    assert bench.lost == [Atom("killed")]


def test_one_that_may_only_answer_what_it_was_asked(bench: Bench) -> None:
    other = cast(Any, Node(lambda _: None))
    tried: list[bool] = []

    def then(reference: Reference) -> None:
        tried.append(bench.asking.answered(reference, OTHERS, other))
        tried.append(bench.asking.answered(reference, THEIRS, cast(Any, bench.node)))

    bench.then = then
    found = bench.asking.find("uuid", bench.waiting, AskPid("desk"), "peer@localhost")
    assert found.target.to == THEIRS
    assert tried == [False, True]


def test_nor_an_answer_that_comes_late() -> None:
    bench = Bench(timeout=0)
    late = spawned(bench, None)
    other = cast(Any, Node(lambda _: None))
    assert not bench.asking.answered(late, THEIRS, other)
    assert bench.node.sent == []
    assert bench.asking.answered(late, THEIRS, cast(Any, bench.node))
