"""The table of requests."""

from __future__ import annotations

import pytest

from mod_erlang_py.errors import BadArg, BadOption
from mod_erlang_py.etf import Atom, Binary, List, Term
from mod_erlang_py.requests import registry
from mod_erlang_py.requests.context import NO_REPLY, NoReply, Request
from mod_erlang_py.requests.registry import Entry, Opened, envelope, find, find_public, request


def answer(_: Request) -> NoReply:
    return NO_REPLY


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests of this test only, beside the real ones."""
    for table in ("_exact", "_open", "_tags"):
        monkeypatch.setattr(registry, table, getattr(registry, table).copy())
    request("one", 0, family=None)(answer)
    request("both", 0, 3, family=None)(answer)
    request("more", 2, 3, family=None, or_more=True)(answer)
    request("now", 2, family=None, urgent=True)(answer)


@pytest.mark.parametrize(
    "term",
    [
        Atom("one"),
        Atom("both"),
        (Atom("both"), 1, 2),
        (Atom("more"), 1),
        (Atom("more"), 1, 2),
        (Atom("more"), 1, 2, 3),
        (Atom("more"), *range(300)),
        (Atom(b"more"), 1),
    ],
)
def test_known(term: Term) -> None:
    entry = find(term)
    assert isinstance(entry, Entry)
    assert (entry.run, entry.urgent) == (answer, False)
    assert find_public(term) is entry


def test_urgent() -> None:
    entry = find((Atom("now"), 1))
    assert isinstance(entry, Entry)
    assert entry.urgent


@pytest.mark.parametrize(
    "term",
    [
        Atom("other"),
        (),
        (Atom("other"),),
        (Atom("other"), 1, 2),
        Atom("more"),  # it is a tuple's tag
        (Atom("one"),),  # it is an atom's name
        (Atom("one"), 1),
        ((Atom("more"), 1), 1),
        (1, Atom("more")),
        (b"more", 1),
        b"one",
        Binary(b"one"),
        [Atom("one")],
        List([Atom("one"), 1], improper=True),
        {Atom("one"): 1},
        12,
        1.5,
        True,
        None,
        (None, 1),
    ],
)
def test_unknown(term: Term) -> None:
    assert find(term) is None


@pytest.mark.parametrize("term", [(Atom("both"),), (Atom("both"), 1), (Atom("both"), 1, 2, 3), (Atom("more"),)])
def test_a_known_tag_of_another_arity(term: Term) -> None:
    with pytest.raises(BadArg):
        find(term)


def test_who_sends_ours_otherwise_is_told_what_was_expected() -> None:
    request("ours", 2, family=None, expected="{ours, X}")(answer)
    with pytest.raises(BadOption, match=r"ours: expected \{ours, X\}"):
        find((Atom("ours"), 1, 2))


def test_what_is_a_message_of_its_own_is_nothing_in_an_envelope() -> None:
    request("alone", 2, family=None, public=False)(answer)
    assert find((Atom("alone"), 1)) is not None
    assert find_public((Atom("alone"), 1)) is None


def test_an_envelope_is_no_request() -> None:
    @envelope("letter", 2)
    def letter(ask: Request) -> Opened:
        return ask, Entry(answer)

    assert find((Atom("letter"), 1)) is letter
    assert find_public((Atom("letter"), 1)) is None
    with pytest.raises(ValueError, match="letter/2"):
        request("letter", 2, family=None)(answer)


def test_twice_is_once_too_often() -> None:
    with pytest.raises(ValueError, match="one/0"):
        request("one", 0, family=None)(answer)


def test_one_tag_in_two_functions() -> None:
    def other(_: Request) -> NoReply:
        return NO_REPLY

    request("one", 2, family=None)(other)
    entry, second = find(Atom("one")), find((Atom("one"), 1))
    assert isinstance(entry, Entry)
    assert isinstance(second, Entry)
    assert (entry.run, second.run) == (answer, other)
    with pytest.raises(BadArg):
        find((Atom("one"), 1, 2))
