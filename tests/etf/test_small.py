"""What is read in one go is what guard.py and erlang-py make of it."""

from __future__ import annotations

import pytest
from erlang import binary_to_term
from hypothesis import example, given
from hypothesis import strategies as st

from mod_erlang_py.errors import DecodeError
from mod_erlang_py.etf import Atom, Binary, List, Pid, Reference, Term, decode, decode_message, encode, small
from mod_erlang_py.etf.small import MAX_LEVELS, MAX_SIZE, NotSmall
from tests.etf.test_codec import name_of, terms
from tests.etf.vectors import BOTH_WAYS, DECODE_ONLY, Vector

PID = Pid("peer@localhost", 90, 0, 7)
REFERENCE = Reference("peer@localhost", 7, (1, 2, 3))
CALL = (Atom("$gen_call"), (PID, List([Atom("alias"), REFERENCE], improper=True)), (Atom("api"), Atom("echo"), b"hi"))
SENDMSG = (Atom("sendmsg"), Binary(b"uuid"), [(b"call-command", Binary(b"execute")), (b"loops", 2), (b"none", [])])


def shown(term: Term) -> str:
    """With the types of all that is in it: 1 and True are equal, and a bytes node is not to become a str."""
    if isinstance(term, dict):
        return f"{{{', '.join(f'{shown(key)}: {shown(value)}' for key, value in term.items())}}}"
    if isinstance(term, (list, tuple)):
        return f"{type(term).__name__}({', '.join(map(shown, term))})"
    return repr(term)


def read(data: bytes) -> str:
    """What decode_message makes of it: the term, or the error."""
    try:
        return shown(decode_message(data))
    except DecodeError as error:
        return repr(error)


def read_otherwise(data: bytes) -> str:
    try:
        return shown(decode(data))
    except DecodeError as error:
        return repr(error)


@given(terms)
@example(CALL)
@example(SENDMSG)
def test_every_term(term: Term) -> None:
    data = encode(term)
    assert read(data) == shown(binary_to_term(data))


@pytest.mark.parametrize("vector", BOTH_WAYS + DECODE_ONLY, ids=name_of)
def test_every_tag(vector: Vector) -> None:
    data = bytes.fromhex("83" + vector.hex)
    assert read(data) == read_otherwise(data)
    inside = b"\x83h\x02" + data[1:] + data[1:]
    assert read(inside) == read_otherwise(inside)


@given(st.one_of(terms, st.just(CALL), st.just(SENDMSG)), st.data())
def test_broken_bytes(term: Term, choice: st.DataObject) -> None:
    data = bytearray(encode(term))
    for _ in range(choice.draw(st.integers(1, 3))):
        data[choice.draw(st.integers(1, len(data) - 1))] = choice.draw(st.integers(0, 255))
    assert read(bytes(data)) == read_otherwise(bytes(data))
    cut = bytes(data[: choice.draw(st.integers(1, len(data)))])
    assert read(cut) == read_otherwise(cut)


@given(st.lists(st.sampled_from([97, 104, 106, 107, 108, 109, 119, 88, 90, 0, 1, 2, 255]), max_size=40).map(bytes))
@example(b"l\0\0\0\0j")
@example(b"l\0\0\0\0a\1")
@example(b"l\0\0\0\1a\1k\0\1A")
@example(b"Z\0\0w\1n\0\0\0\1")
@example(b"Z\1\1w\1n\0\0\0\1\0\0\0\1")
@example(b"Z\0\6w\1n" + b"\0" * 28)
@example(b"Xa\1" + b"\0" * 13)
@example(b"Xw\4true" + b"\0" * 12)
def test_any_bytes(data: bytes) -> None:
    assert read(b"\x83" + data) == read_otherwise(b"\x83" + data)


@pytest.mark.parametrize("term", [CALL, SENDMSG, (Atom("api"), Atom("echo"), b"hello"), Atom("getpid"), True, None])
def test_the_usual_ones_are_small(term: Term) -> None:
    assert shown(small.read(encode(term), 1)) == shown(binary_to_term(encode(term)))


@pytest.mark.parametrize("term", [CALL, SENDMSG, b"text", Binary(b"binary"), Atom("atom"), PID, REFERENCE, 1])
def test_every_truncation(term: Term) -> None:
    data = encode(term)
    for end in range(1, len(data)):
        with pytest.raises(NotSmall):
            small.read(data[:end], 1)


def test_what_follows_is_ignored() -> None:
    assert decode_message(encode(SENDMSG) + b"tail") == SENDMSG


@pytest.mark.parametrize("over", [0, 1])
def test_small_has_an_end(over: int) -> None:
    deep: Term = 1
    for _ in range(MAX_LEVELS - 1 + over):
        deep = (deep,)
    for term in (deep, Binary(b"x" * (MAX_SIZE - 6 + over))):
        data = encode(term)
        if over:
            with pytest.raises(NotSmall):
                small.read(data, 1)
        else:
            assert small.read(data, 1) == term
        assert decode_message(data) == term
