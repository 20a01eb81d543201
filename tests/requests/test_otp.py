"""What OTP's libraries send to a process: everybody who waits is told something."""

from __future__ import annotations

import pytest

from mod_erlang_py.etf import Atom, Pid, Reference, Term, encode
from tests.requests.asking import OTHER, SENDER, Bench

UNDEF = (Atom("error"), Atom("undef"))
REF = Reference("peer@localhost", 7, (1, 2, 3))


def sent(bench: Bench, term: Term) -> list[tuple[Pid, bytes]]:
    """To whom what was sent; a reply goes to the caller that the message names, whoever sent it."""
    bench.receive(encode(term))
    messages = []
    while not bench.link.sent.empty():
        to, reply = bench.link.sent.get()
        messages.append((to, encode(reply)))
    return messages


@pytest.mark.parametrize("kind", ["$gen_call", "system"])
@pytest.mark.parametrize("tag", [REF, [Atom("alias"), REF], (REF, Atom("node")), 12])
def test_a_call_returns_error_undef(bench: Bench, kind: str, tag: Term) -> None:
    """The tag comes back as it was, whatever it is."""
    assert sent(bench, (Atom(kind), (OTHER, tag), Atom("get_state"))) == [(OTHER, encode((tag, UNDEF)))]


def test_a_cast_gets_nothing(bench: Bench) -> None:
    assert sent(bench, (Atom("$gen_cast"), b"x")) == []


def test_an_io_request_is_refused(bench: Bench) -> None:
    ask = (Atom("io_request"), OTHER, REF, (Atom("put_chars"), Atom("unicode"), b"x"))
    reply = (Atom("io_reply"), REF, (Atom("error"), Atom("enotsup")))
    assert sent(bench, ask) == [(OTHER, encode(reply))]


@pytest.mark.parametrize(
    "term",
    [
        (Atom("$gen_call"), OTHER, 1),
        (Atom("$gen_call"), (OTHER,), 1),
        (Atom("$gen_call"), (Atom("x"), REF), 1),
        (Atom("$gen_call"), (OTHER, REF)),
        (Atom("system"), 1, 1),
        (Atom("$gen_cast"),),
        (Atom("io_request"), 1, REF, 1),
        (Atom("io_request"), OTHER, REF),
    ],
)
def test_malformed_ones_are_badarg(bench: Bench, term: Term) -> None:
    assert sent(bench, term) == [(SENDER, encode((Atom("error"), Atom("badarg"))))]
