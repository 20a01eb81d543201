"""Answers to what came in one read go out together, and wait for nobody."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

import pytest

from mod_erlang_py import etf
from mod_erlang_py.config.settings import EpmdMode
from mod_erlang_py.distribution.connection import encode_frame
from mod_erlang_py.distribution.control import RegSend, encode_control
from mod_erlang_py.errors import Exhausted
from mod_erlang_py.etf import Atom, Pid, Term
from mod_erlang_py.node.link import Link
from mod_erlang_py.node.reader import step_aside
from scripts.trials.client import Client
from tests.node.nodes import LocalNode
from tests.waiting import DEADLINE, wait_until

RUN = (Atom("run"), Atom("job"))
UNANSWERED = Atom("cast")


@pytest.fixture
def local(free_port: Callable[[], int]) -> Iterator[LocalNode]:
    local = LocalNode(free_port(), epmd=EpmdMode.NONE)
    yield local
    local.stop()
    assert local.threads() == []


@pytest.fixture
def client(local: LocalNode) -> Iterator[Client]:
    with Client(local.port) as client:
        wait_until(local.names)
        yield client


def echo(number: int) -> Term:
    return (Atom("echo"), number)


def together(*terms: Term) -> bytes:
    """Requests that come in one read, each of a sender of its own."""
    senders = (Pid("client@localhost", number, 0, 7) for number in range(10, 10 + len(terms)))
    return b"".join(
        encode_frame(encode_control(RegSend(sender, "foo")), etf.encode(term))
        for sender, term in zip(senders, terms, strict=True)
    )


@contextlib.contextmanager
def held(local: LocalNode, first: Callable[[], None] = lambda: None) -> Iterator[None]:
    """The job that RUN asks for does not end within the block."""
    gate = threading.Event()

    def job(link: Link) -> None:
        first()
        gate.wait(DEADLINE)

    local.receiver.jobs["job"] = job
    try:
        yield
    finally:
        gate.set()


def test_they_go_out_together(local: LocalNode, client: Client) -> None:
    outbox = local.node.links()[0].outbox
    before = outbox.writes
    client.send_frame(together(*map(echo, range(80))))
    assert [client.answer() for _ in range(80)] == list(range(80))
    assert outbox.writes - before < 40


def test_the_last_that_came_need_not_be_answered(client: Client) -> None:
    client.send_frame(together(echo(1), UNANSWERED))
    assert client.answer() == 1


def test_an_answer_does_not_wait_for_a_slow_request(local: LocalNode, client: Client) -> None:
    with held(local):
        client.send_frame(together(echo(1), RUN, echo(2), UNANSWERED))
        assert [client.answer(), client.answer()] == [1, 2]


def test_nor_where_no_thread_is_to_be_had(local: LocalNode, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(name: str, target: Callable[[], None]) -> None:
        raise Exhausted("no thread")

    monkeypatch.setattr(local.node.links()[0].reader, "_start", none_left)
    with held(local):
        client.send_frame(together(echo(1), RUN, echo(2)))
        assert client.answer() == 1
    assert client.answer() == 2


def test_nor_for_one_that_steps_aside(local: LocalNode, client: Client) -> None:
    local.node._watch.stop()
    wait_until(lambda: "erlang:watch" not in local.threads())
    with held(local, first=step_aside):
        client.send_frame(together(echo(1), RUN, echo(2), UNANSWERED))
        assert [client.answer(), client.answer()] == [1, 2]


def test_they_go_out_before_a_violation_ends_the_link(client: Client) -> None:
    client.send_frame(together(echo(1), echo(2)) + encode_frame(b"\xff"))
    assert [client.answer(), client.answer()] == [1, 2]
    assert client.wait_closed() == b""


def test_they_go_out_before_a_request_ends_the_link(local: LocalNode, client: Client) -> None:
    local.receiver.jobs["job"] = lambda link: link.end("asked to")
    client.send_frame(together(echo(1), RUN, UNANSWERED))
    assert client.answer() == 1
    assert client.wait_closed() == b""
