"""That the Erlang nodes of a soak notice what is wrong: a node of ours beside them answers as it should not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mod_erlang_py.config.settings import Config
from mod_erlang_py.etf import Atom, Pid, Reference, Term, atom_text, decode
from mod_erlang_py.node.link import Link
from mod_erlang_py.node.node import Node
from mod_erlang_py.node.outbox import Room
from mod_erlang_py.node.reader import Job
from scripts.bench.peers.erlang import ErlangPeer
from scripts.epmd import Epmd
from scripts.trials.soak.counts import Count, Counts, Kind, counts
from scripts.trials.soak.nodes import SOURCE
from tests.node.nodes import Receiver
from tests.waiting import DEADLINE, wait_until

pytestmark = pytest.mark.erl

OK = Atom("ok")
Answers = Callable[[Term], list[Term]]


class Faulty(Receiver):
    """Answers each request with these terms, none or several."""

    answers: Answers

    def received(self, link: Link, sender: Pid | None, to: Pid | str, payload: bytes) -> Job | None:
        if sender is None:
            return None

        def answer() -> None:
            for term in self.answers(decode(payload)):
                link.send(sender, term)

        return Job(sender, answer)


class Soaked:
    """A node that answers so, and one of the soak's."""

    def __init__(self, node: Node, peer: ErlangPeer, receiver: Faulty) -> None:
        self.peer = peer
        self.node = node
        self._receiver = receiver

    def work(self, answers: Answers, function: str, *arguments: object) -> None:
        self._receiver.answers = answers
        self.peer.measure(function, *arguments, f"'{self.node.name}'")

    def counts(self) -> Counts:
        return counts(self.peer.measure("counts"))

    def until(self, kind: Kind, true: Callable[[Count], bool]) -> Count:
        wait_until(lambda: true(self.counts()[kind]), told=lambda: self.counts()[kind])
        return self.counts()[kind]


@pytest.fixture
def soaked(tmp_path: Path, free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> Iterator[Soaked]:
    epmd = Epmd(free_port())
    monkeypatch.setenv("ERL_EPMD_PORT", str(epmd.port))
    config = Config(listen_ip="127.0.0.1", listen_port=free_port(), cookie="ClueCon")
    receiver = Faulty()
    node = Node("freeswitch@localhost", config, Room(1 << 28, 1000), receiver)
    node.start()
    assert node.registration.registered.wait(DEADLINE)
    peer = ErlangPeer(tmp_path, epmd.port, "ClueCon", SOURCE)
    yield Soaked(node, peer, receiver)
    peer.close()
    node.stop()
    epmd.stop()


def echo(request: Term) -> Term:
    return (OK, request[2])


def name(request: Term) -> str | None:
    return atom_text(request[0] if isinstance(request, tuple) else request)


def test_all_answered_once(soaked: Soaked) -> None:
    soaked.work(lambda request: [echo(request)], "work", "api")
    soaked.until(Kind.API, lambda count: count.answered > 10)
    soaked.peer.measure("rest")
    found = soaked.counts()[Kind.API]
    assert (found.open, found.doubled) == (0, 0)
    assert 0 < found.within(0.99) <= found.worst < 60


def test_an_answer_too_many(soaked: Soaked) -> None:
    """The third of each worker is given twice; there are two workers."""
    soaked.work(lambda request: [echo(request)] * (2 if request[2] == b"3" else 1), "work", "api")
    soaked.until(Kind.API, lambda count: count.doubled == 2 and count.answered > 20)


def test_a_wrong_answer_is_none(soaked: Soaked) -> None:
    """To the third of each worker. The one that goes on in its place begins anew."""
    wrong = [(OK, b"another"), (Atom("error"), b"no")]
    soaked.work(lambda request: [wrong.pop() if request[2] == b"3" and wrong else echo(request)], "work", "api")
    soaked.until(Kind.API, lambda count: count.answered > 20)
    soaked.peer.measure("rest")
    found = soaked.counts()[Kind.API]
    assert (found.open, found.doubled) == (2, 0)


def test_no_answer(soaked: Soaked) -> None:
    """The third of each worker is under way, and no other goes on meanwhile."""
    soaked.work(lambda request: [] if request[2] == b"3" else [echo(request)], "work", "api")
    found = soaked.until(Kind.API, lambda count: count.asked == 6)
    assert (found.open, found.answered) == (2, 4)


def test_events_missing_and_again(soaked: Soaked) -> None:
    def answers(request: Term) -> list[Term]:
        return [OK, *map(tick, (1, 2, 2, 4))] if name(request) == "event" else [OK]

    soaked.work(answers, "ear")
    found = soaked.until(Kind.EVENT, lambda count: count.answered == 3)
    assert found.doubled == 1


def tick(number: int) -> Term:
    headers = {"Number": number, "Sent": time.time_ns() // 1000}
    return (Atom("event"), [Atom("undefined"), *((key.encode(), b"%d" % value) for key, value in headers.items())])


END = (Atom("call_hangup"), b"a-call")


@pytest.mark.parametrize(("last", "doubled"), [([OK, END], 0), ([END, OK], 0), ([OK, END, END], 1), ([OK, OK, END], 1)])
def test_a_call_ends_once_whenever_its_answers_come(soaked: Soaked, last: list[Term], doubled: int) -> None:
    """The desk gives it a process, which tells it two things, and hears of its end."""
    call = (Atom("call"), (Atom("event"), [b"a-call", (b"Caller-Destination-Number", b"sip")]))
    told: list[Term] = []

    def answers(request: Term) -> list[Term]:
        if isinstance(request, tuple) and (taker := Pid.of(request[1])):  # the answer to get_pid
            link.send(taker, call)
            return []
        if name(request) != "sendmsg":
            return [(OK, b"+OK")]
        told.append(request)
        return [OK] if len(told) == 1 else last

    soaked.work(answers, "open_desk")
    (link,) = soaked.node.links()
    own = Pid(soaked.node.name, 1, 0, soaked.node._creation)
    link.send("soak_desk", (Atom("get_pid"), b"a-call", Reference(soaked.node.name, 1, (1,)), own))
    found = soaked.until(Kind.SIP, lambda count: count.answered == 1 and count.doubled == doubled)
    assert found.asked == 1
