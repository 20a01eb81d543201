"""Terms as text, compared with what io_lib prints."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mod_erlang_py import etf
from mod_erlang_py.etf import Atom, Binary, List, Pid, Reference, Term
from mod_erlang_py.etf.show import LIMIT, show
from tests.conftest import StartErl
from tests.etf.test_codec import terms

SHOWN: list[tuple[Term, str]] = [
    (1, "1"),
    (-(1 << 70), "-1180591620717411303424"),
    (1.5, "1.5"),
    (Atom("ok"), "ok"),
    (Atom("CUSTOM"), "'CUSTOM'"),
    (Atom("a b"), "'a b'"),
    (Atom("it's"), "'it\\'s'"),
    (Atom(""), "''"),
    (Atom("a@b_1"), "a@b_1"),
    (Atom("back\\slash"), "'back\\\\slash'"),
    (True, "true"),
    (None, "undefined"),
    (b"text", '"text"'),
    (b'say "hi"\n', '"say \\"hi\\"\\n"'),
    (b"", '""'),
    (Binary(b"bin"), '<<"bin">>'),
    ((), "{}"),
    ((1, (2,)), "{1,{2}}"),
    ([], "[]"),
    ([1000, 2], "[1000,2]"),
    (List([1, 2], improper=True), "[1|2]"),
    (List([1, 2, 3], improper=True), "[1,2|3]"),
    (List([1000, Atom("a")]), "[1000,a]"),
    ({1: Atom("a")}, "#{1 => a}"),
    ({1: 2, 3: []}, "#{1 => 2,3 => []}"),
    ({}, "#{}"),
    ((Atom("event"), [None, (b"Event-Name", b"X")]), '{event,[undefined,{"Event-Name","X"}]}'),
]


@pytest.mark.parametrize(("term", "text"), SHOWN, ids=[text for _, text in SHOWN])
def test_terms(term: Term, text: str) -> None:
    assert show(term) == text


def test_as_erlang_shows_them(erl: StartErl) -> None:
    peer = erl()
    for term, text in SHOWN:
        data = ",".join(map(str, etf.encode(term)))
        erlang = peer.text(f"binary_to_term(<<{data}>>)")
        # an empty text and an empty list are one term
        assert show(term).replace('""', "[]") == erlang or text == erlang, text


def test_pids_and_references() -> None:
    assert show(Pid("a@b", 1, 2, 3)) == "<a@b.1.2>"
    assert show(Reference("a@b", 3, (1, 2, 3))) == "#Ref<a@b.1.2.3>"
    assert show((Pid("a@b", 1, 2, 3), 1)) == "{<a@b.1.2>,1}"


def test_bytes_that_are_no_text() -> None:
    assert show(b"\xff\xfe") == r'"\\xff\\xfe"'
    assert show(Binary("\u00e4\U0001f600".encode())) == '<<"\u00e4\U0001f600">>'


def test_one_line() -> None:
    assert "\n" not in show((b"a\r\nb", Atom("a\nb"), Binary(b"\n")))


def test_long_terms_are_cut() -> None:
    text = show([b"x" * 50] * 1000)
    assert len(text) == LIMIT + 1
    assert text.endswith("…")
    assert show((1, 2, 3), limit=4) == "{1,2…"


@pytest.mark.parametrize(
    "term", [list(range(1_000_000)), b"x" * 50_000_000, Binary(b"\xff" * 50_000_000), (Atom("a"), [0] * 5_000_000)]
)
def test_what_is_not_shown_takes_no_time(term: Term) -> None:
    """The reason with which a process ends is shown for each of its calls."""
    began = time.thread_time()
    for _ in range(100):
        assert show(term, 200).endswith("…")
    assert time.thread_time() - began < 1


def test_deep_terms() -> None:
    """Also with the recursion limit of 240 that mod_python3 sets."""
    term: Term = []
    for _ in range(100_000):
        term = [term]
    assert show(term) == "[" * LIMIT + "…"


@given(terms, st.integers(0, 100))
def test_what_is_cut_is_the_beginning(term: Term, limit: int) -> None:
    whole = show(term, 1 << 20)
    assert show(term, limit) == (whole if len(whole) <= limit else whole[:limit] + "…")
    assert show(etf.decode(etf.encode(term)), 1 << 20) == whole
