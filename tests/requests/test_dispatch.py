"""From bytes to an answer: what is unknown, wrong, too large or broken."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from mod_erlang_py import etf
from mod_erlang_py.errors import BadArg, NotText, ProtocolViolation
from mod_erlang_py.etf import Atom, Binary, Reference, Term, encode
from mod_erlang_py.node.reader import Job
from mod_erlang_py.requests import registry
from mod_erlang_py.requests.context import ReplyThen, Request
from mod_erlang_py.requests.registry import request
from tests.requests.asking import OTHER, OURS, SENDER, Bench

OK, ERROR = Atom("ok"), Atom("error")
UNDEF = [(ERROR, Atom("undef"))]
REF = Reference("peer@localhost", 7, (1, 2, 3))


@pytest.fixture(autouse=True)
def _own_table(monkeypatch: pytest.MonkeyPatch) -> None:
    for table in ("_exact", "_open", "_tags"):
        monkeypatch.setattr(registry, table, getattr(registry, table).copy())


@pytest.mark.parametrize(
    "term",
    [
        Atom("nosuch"),
        12,
        1.5,
        b"status",
        [],
        [1, 2000],
        Binary(b"x"),
        {},
        {1: 2},
        (),
        (12, 1),
        (b"api", 1),
        SENDER,
        REF,
    ],
)
def test_what_nobody_knows_is_undef(bench: Bench, term: Term) -> None:
    assert bench.ask(term) == UNDEF


def test_getpid(bench: Bench) -> None:
    ((ok, pid),) = bench.ask(Atom("getpid"))
    assert (ok, OURS.of(pid)) == (OK, OURS)


def test_link_is_made_silently(bench: Bench) -> None:
    assert bench.ask(Atom("link")) == []
    assert bench.node.processes.linked == [SENDER]


def test_exit_answers_before_the_end(bench: Bench) -> None:
    assert bench.ask(Atom("exit")) == [OK]
    assert len(bench.link.ended) == 1


@pytest.mark.parametrize("term", [(REF, OTHER), (REF, OTHER, 1), (Atom("rex"), (REF, OTHER))])
def test_an_answer_nobody_waits_for(bench: Bench, term: Term) -> None:
    assert bench.ask(term) == [(ERROR, Atom("notfound"))]


@pytest.mark.parametrize("term", [(REF, OTHER), (Atom("rex"), (REF, OTHER))])
def test_an_answer_that_is_waited_for_gets_no_reply(bench: Bench, term: Term) -> None:
    bench.waiting.waiting.add(REF)
    assert bench.ask(term) == []


REX = Atom("rex")


@pytest.mark.parametrize(
    "term",
    [(REF, Atom("x")), (REF,), (REX, Atom("x")), (REX, (1, 2)), (REX, (REF, 1)), (REX,)],
)
def test_an_answer_that_is_none_is_logged(bench: Bench, term: Term, caplog: pytest.LogCaptureFixture) -> None:
    assert bench.ask(term) == []
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_a_request_without_a_sender_gets_no_reply(bench: Bench) -> None:
    assert bench.ask(Atom("getpid"), sender=None) == []
    assert bench.ask(Atom("nosuch"), sender=None) == []
    assert bench.ask((Atom("api"), Atom("echo"), b"x"), sender=None) == []
    assert bench.switch.executed == [("echo", b"x")]


@pytest.mark.parametrize(
    ("raised", "reason"),
    [
        (BadArg("no"), "badarg"),
        (NotText("no"), "badarg"),
        (KeyError("x"), "KeyError"),
        (RecursionError(), "RecursionError"),
    ],
)
def test_what_a_request_raises_is_its_answer(
    bench: Bench, caplog: pytest.LogCaptureFixture, raised: Exception, reason: str
) -> None:
    @request("faulty", 0, family=None)
    def faulty(_: Request) -> Term:
        raise raised

    assert bench.ask(Atom("faulty")) == [(ERROR, Atom(reason))]
    errors = [record for record in caplog.records if record.levelname == "ERROR"]
    assert len(errors) == (reason != "badarg")
    for record in errors:
        assert str(SENDER) in record.getMessage()
        assert record.exc_info is not None
    assert bench.ask(Atom("getpid")) != []


def test_a_request_without_memory_is_refused(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    @request("greedy", 0, family=None)
    def greedy(_: Request) -> Term:
        raise MemoryError

    assert bench.ask(Atom("greedy")) == [(ERROR, Atom("system_limit"))]
    (record,) = caplog.records
    assert record.getMessage().endswith(f"request of {SENDER} refused: no memory")
    assert record.exc_info is None


def test_a_reply_without_memory_is_refused(
    bench: Bench, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode = etf.encode

    def greedy(term: Term) -> bytes:
        if isinstance(term, tuple) and isinstance(term[1], bytes):
            raise MemoryError
        return encode(term)

    monkeypatch.setattr(etf, "encode", greedy)

    @request("big", 0, family=None)
    def big(_: Request) -> Term:
        return (OK, b"big")

    assert bench.ask(Atom("big")) == [(ERROR, Atom("system_limit"))]
    assert [record.getMessage() for record in caplog.records] == [f"peer@localhost: no memory for a reply to {SENDER}"]


def test_a_reply_that_is_no_term_is_logged(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    @request("faulty", 0, family=None)
    def faulty(_: Request) -> Term:
        return (OK, object())

    assert bench.ask(Atom("faulty")) == []
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_what_follows_an_answer_comes_after_it(bench: Bench) -> None:
    seen: list[bool] = []

    @request("after", 0, family=None)
    def after(_: Request) -> ReplyThen:
        return ReplyThen(OK, lambda: seen.append(bench.link.sent.empty()))

    assert bench.ask(Atom("after")) == [OK]
    assert seen == [False]


def test_urgent_requests_are_answered_by_the_reader_itself(bench: Bench) -> None:
    """All others become jobs, so that they wait for their sender's earlier ones, errors too."""
    ran: list[int] = []

    @request("now", 0, family=None, urgent=True)
    def now(_: Request) -> Term:
        ran.append(threading.get_ident())
        return OK

    assert _job(bench, Atom("now")) is None
    assert ran == [threading.get_ident()]
    assert _job(bench, (REF, OTHER)) is None
    for term in (Atom("getpid"), Atom("nosuch"), (Atom("api"),), (Atom("api"), Atom("echo"), b"x")):
        while not bench.link.sent.empty():
            bench.link.sent.get()
        job = _job(bench, term)
        assert job is not None
        assert job.sender == SENDER
        assert bench.link.sent.empty()


@pytest.mark.parametrize("payload", [b"", b"\x83", b"\x82a\1", b"\x83\xff", b"\x83h\2a\1", b"\x83P\0\0\0\1x"])
def test_bytes_that_are_no_term_are_a_violation(bench: Bench, payload: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        bench.receive(payload)
    assert bench.link.sent.empty()


def test_a_term_over_a_limit_is_refused_and_the_link_goes_on(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    deep = b"\x83" + b"h\1" * 100_000 + b"j"
    bench.receive(deep)
    assert bench.later() == (SENDER, (ERROR, Atom("badarg")))
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert len(caplog.text) < 1000


def _job(bench: Bench, term: Term) -> Job | None:
    link: Any = bench.link
    return bench.dispatcher.received(link, SENDER, "foo", encode(term))
