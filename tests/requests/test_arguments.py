"""Texts, headers, names and UUIDs in requests."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest

from mod_erlang_py.errors import BadArg, NotText
from mod_erlang_py.etf import Atom, Binary, Term
from mod_erlang_py.requests import arguments
from mod_erlang_py.switch.port import Header
from tests.requests.asking import Bench

OK = [Atom("ok")]


def test_headers() -> None:
    given = [
        (b"A", b"x"),
        (Atom("B"), Atom("y")),
        (Binary(b"C"), [b"z", [8364]]),
        (b"D", 12),
        (b"E", -(10**20)),
        (b"F", True),
    ]
    assert arguments.headers(given) == [
        (b"A", b"x"),
        (b"B", b"y"),
        (b"C", "z€".encode()),
        (b"D", b"12"),
        (b"E", b"-100000000000000000000"),
        (b"F", b"true"),
    ]


@pytest.mark.parametrize(
    "term",
    [b"A", (), [b"A"], [(b"A",)], [(b"A", b"x", b"y")], [(12, b"x")], [(b"A", 1.5)], [(b"A", b"x\0")], [(b"A", {})]],
)
def test_no_headers(term: Term) -> None:
    with pytest.raises((BadArg, NotText)):
        arguments.headers(term)


@pytest.mark.parametrize(
    ("term", "uuid"),
    [(b"x", "x"), (b"x" * 256, "x" * 256), (Atom("ä"), "ä"), (b"\xe4", "ä"), (b"", ""), ([b"a", Binary(b"b")], "ab")],
)
def test_uuid(term: Term, uuid: str) -> None:
    assert arguments.uuid(term) == uuid


@pytest.mark.parametrize("term", [b"x" * 257, b"\xe4" * 129, b"a\0", Binary(b"\xff"), 12, [Atom("a")]])
def test_no_uuid(term: Term) -> None:
    with pytest.raises((BadArg, NotText)):
        arguments.uuid(term)


class FakeSession:
    def __init__(self) -> None:
        self.sent: list[list[Header]] = []

    def send_message(self, headers: list[Header]) -> bool:
        self.sent.append(headers)
        return True


TYPE, BODY, ARGUMENT, EMPTY = (b"Content-Type", b"Text/Plain"), (b"Body", b"a\nb"), (b"execute-app-arg", b"x"), b""


@pytest.mark.parametrize(
    ("headers", "argument"),
    [
        ([TYPE, BODY], b"a\nb"),
        ([TYPE, BODY, (b"Execute-App-Arg", EMPTY)], b"a\nb"),
        ([TYPE, BODY, ARGUMENT], b"x"),
        ([(b"Content-Type", b"text/html"), BODY], None),
        ([BODY], None),
        ([TYPE], None),
    ],
)
def test_a_body_is_the_argument(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, headers: list[Header], argument: bytes | None
) -> None:
    session = FakeSession()

    def locate(uuid: str) -> AbstractContextManager[Any]:
        return nullcontext(session if uuid == "u" else None)

    monkeypatch.setattr(bench.switch, "locate", locate, raising=False)
    assert bench.ask((Atom("sendmsg"), b"u", headers)) == OK
    (sent,) = session.sent
    found = [value for name, value in sent if name.lower() == b"execute-app-arg"]
    assert found == ([] if argument is None else [argument])
