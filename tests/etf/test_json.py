"""JSON and terms."""

from __future__ import annotations

import json as reference
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mod_erlang_py import etf
from mod_erlang_py.errors import NotJson
from mod_erlang_py.etf import Atom, Binary, Term, json

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=15,
)


def plain(made: Term) -> Any:
    """What a term stands for."""
    if isinstance(made, Atom):
        assert made.value == "null"
        return None
    if isinstance(made, Binary):
        return made.value.decode()
    if isinstance(made, list):
        return list(map(plain, made))
    return {plain(key): plain(value) for key, value in made.items()} if isinstance(made, dict) else made


@given(VALUES)
def test_there(value: Any) -> None:
    made = json.term(reference.dumps(value).encode())
    assert plain(made) == value
    etf.encode(made)


@given(VALUES)
def test_and_back(value: Any) -> None:
    made = json.term(reference.dumps(value).encode())
    assert reference.loads(json.source(etf.decode(etf.encode(made)))) == value


def test_a_string_is_a_text() -> None:
    """So is a list of numbers up to 255: Erlang does not tell them apart."""
    assert json.source({Binary(b"a"): bytes([104, 105])}) == b'{"a":"hi"}'


@given(st.binary(max_size=30) | st.text('[]{}",:0123456789.eE+-truefalsn\\u ', max_size=30).map(str.encode))
def test_any_bytes(source: bytes) -> None:
    """A term that can be encoded, or NotJson."""
    try:
        made = json.term(source)
    except NotJson:
        return
    etf.encode(made)


@pytest.mark.parametrize(
    "source",
    [b"", b"NaN", b"-Infinity", b"1e999", b"-1e999", b"[" * 61 + b"]" * 61, b"[" * 100_000, b"1" * 5000, b'{"a":1} x'],
    ids=lambda source: source[:12].decode(),
)
def test_what_is_none_or_too_much(source: bytes) -> None:
    with pytest.raises(NotJson):
        json.term(source)


def test_the_last_that_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    assert etf.encode(json.term(b"[" * 60 + b"]" * 60))
    monkeypatch.setattr(json, "MAX_BYTES", 4)
    assert json.term(b"1234") == 1234
    with pytest.raises(NotJson):
        json.term(b"12345")


@pytest.mark.parametrize(
    ("source", "made"),
    [
        (b'"\xff"', Binary(b"\xff")),
        (b'"\\ud800"', Binary(b"?")),
        (b'"\\ud83d\\ude00"', Binary("😀".encode())),
        (b'{"a":1,"a":2}', {Binary(b"a"): 2}),
        (b" [ null ] ", [Atom("null")]),
    ],
)
def test_awkward_texts(source: bytes, made: Term) -> None:
    assert etf.encode(json.term(source)) == etf.encode(made)


@pytest.mark.parametrize("made", [(), (1, 2), Binary(b"\xff"), Binary(b"\xff", 3), etf.Pid("n@h", 1, 0, 1)], ids=repr)
def test_what_no_json_can_be_made_of(made: Term) -> None:
    with pytest.raises(NotJson):
        json.source({Binary(b"a"): made})


def test_terms_that_have_other_forms() -> None:
    made = {Atom("a"): b"text", b"b": Atom("atom"), 7: [None, Atom("null"), True], Binary(b"c"): {}}
    assert reference.loads(json.source(made)) == {"a": "text", "b": "atom", "7": [None, None, True], "c": {}}
