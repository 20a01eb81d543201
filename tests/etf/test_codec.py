from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from enum import IntEnum
from typing import NamedTuple

import pytest
from erlang import OtpErlangPid, term_to_binary
from hypothesis import given
from hypothesis import strategies as st

from mod_erlang_py.errors import DecodeError, EncodeError, LimitExceeded
from mod_erlang_py.etf import (
    LIMITS,
    Atom,
    Binary,
    Function,
    List,
    Pid,
    Reference,
    Term,
    decode,
    decode_bare,
    decode_head,
    decode_message,
    encode,
    encode_bare,
)
from tests.etf.vectors import BOTH_WAYS, DECODE_ONLY, PID, Vector

u32 = st.integers(0, 0xFFFFFFFF)
atoms = st.text(max_size=300).filter(lambda name: len(name) <= 255 and name not in ("true", "false", "undefined"))
node_names = st.text(min_size=1, max_size=20)
pids = st.builds(Pid, node_names, u32, u32, u32)
references = st.builds(Reference, node_names, u32, st.lists(u32, min_size=1, max_size=5).map(tuple))
# Not what begins as an atom or a pid does in a message: erlang-py cannot hold both as keys of one map (terms.py).
key_texts = st.binary(min_size=1).filter(lambda key: key[:1] not in (b"w", b"v", b"X"))
keys = st.one_of(atoms.map(Atom), st.integers(), key_texts, pids, st.tuples(st.integers(), pids))
tails = st.one_of(atoms.map(Atom), st.integers(), pids, references)
leaves = st.one_of(
    atoms.map(Atom),
    st.booleans(),
    st.none(),
    st.integers(),
    st.integers(-(1 << 2100), 1 << 2100),
    st.floats(allow_nan=False, allow_infinity=False),
    st.binary(min_size=1, max_size=300),
    st.binary(max_size=300).map(Binary),
    st.builds(Binary, st.binary(min_size=1), st.integers(1, 7)),
    pids,
    references,
)
terms = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=6),
        st.lists(inner, max_size=6).map(tuple),
        st.dictionaries(keys, inner, max_size=4),
        st.tuples(st.lists(inner, min_size=1, max_size=4), tails).map(
            lambda parts: List([*parts[0], parts[1]], improper=True)
        ),
    ),
    max_leaves=30,
)


def name_of(vector: Vector) -> str:
    return f"{vector.tag}-{vector.hex[:16]}"


@pytest.mark.parametrize("vector", BOTH_WAYS, ids=name_of)
def test_both_ways(vector: Vector) -> None:
    data = bytes.fromhex("83" + vector.hex)
    assert encode(vector.term) == data
    assert encode_bare(vector.term) == data[1:]
    decoded = decode(data)
    assert decoded == vector.term
    assert encode(decoded) == data
    assert decode_bare(data[1:]) == vector.term


@pytest.mark.parametrize("vector", [*BOTH_WAYS, *DECODE_ONLY], ids=name_of)
def test_decode_with_a_tail(vector: Vector) -> None:
    data = bytes.fromhex("83" + vector.hex)
    for decoded in (decode(data), decode(data + b"tail"), decode(b"head" + data + b"tail", 4)):
        if isinstance(vector.term, Pid):
            decoded = Pid.of(decoded)
        elif isinstance(vector.term, Reference):
            decoded = Reference.of(decoded)
        assert decoded == vector.term
        assert decoded is vector.term or not isinstance(vector.term, bool)
    with pytest.raises(DecodeError):
        decode_bare(data[1:] + b"tail")


@pytest.mark.parametrize("data", ["", "83", "84", "6101", "0083"])
def test_no_version_byte(data: str) -> None:
    with pytest.raises(DecodeError):
        decode(bytes.fromhex(data))


def test_offset_past_the_end() -> None:
    with pytest.raises(DecodeError):
        decode(b"\x83j", 5)


@given(terms)
def test_round_trip(term: Term) -> None:
    data = encode(term)
    decoded = decode(data)
    assert decoded == term
    assert encode(decoded) == data


@given(terms)
def test_agrees_with_erlang_py(term: Term) -> None:
    assert encode(term) == term_to_binary(term)


@given(st.binary(max_size=200))
def test_random_bytes_raise_only_decode_error(data: bytes) -> None:
    with suppress(DecodeError):
        encode(decode(b"\x83" + data))


@given(terms, st.data())
def test_mutated_terms_raise_only_decode_error(term: Term, data: st.DataObject) -> None:
    mutated = bytearray(encode(term))
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(1, len(mutated) - 1))
        mutated[position] = data.draw(st.sampled_from([*range(97, 122), 0, 1, 70, 77, 88, 90, 255]))
    with suppress(DecodeError):
        encode(decode(bytes(mutated)))


def test_keys_with_equal_hashes_are_refused() -> None:
    # erlang-py hashes an atom as its bytes, then compares it with a string of the same bytes, and fails.
    data = b"\x83t\0\0\0\2" + b"w\1a" + b"j" + b"k\0\3w\1a" + b"j"
    with pytest.raises(LimitExceeded):
        decode(data)


def test_a_tight_stack_is_no_crash() -> None:
    """Inside FreeSWITCH: 240 frames, stacks of 240 KiB, and callers that have used some of both."""
    script = """
import sys, threading
from mod_erlang_py.errors import DecodeError, EncodeError, LimitExceeded
from mod_erlang_py.etf import LIMITS, decode, encode
from tests.etf.test_guard import nested

def below(frames, call):
    return below(frames - 1, call) if frames else call()

def main():
    for data in nested(LIMITS.depth):
        below(60, lambda: encode(decode(b"\\x83" + data)))
    for data in nested(LIMITS.depth + 1) + nested(10_000):
        try:
            below(60, lambda: decode(b"\\x83" + data))
        except LimitExceeded:
            continue
        raise SystemExit("taken")
    try:
        below(200, lambda: decode(b"\\x83" + nested(LIMITS.depth)[0]))
    except LimitExceeded:
        pass
    else:
        raise SystemExit("RecursionError was expected inside")
    keys = b"l\\0\\0\\0\\1" * 60 + b"a\\1" + b"j" * 60
    try:
        below(60, lambda: decode(b"\\x83t\\0\\0\\0\\2" + keys + b"jjj"))
    except DecodeError:
        pass
    term = []
    for _ in range(100_000):
        term = [term]
    try:
        below(100, lambda: encode(term))
    except EncodeError:
        print("done")

sys.setrecursionlimit(240)
threading.stack_size(240 * 1024)
thread = threading.Thread(target=main)
thread.start()
thread.join()
sys.setrecursionlimit(10_000)
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert run.stderr == ""
    assert run.stdout == "done\n"


class Colour(IntEnum):
    RED = 3


class Point(NamedTuple):
    x: int
    y: int


def test_subclasses_are_what_they_are() -> None:
    assert encode((Colour.RED, Point(1, 2))) == encode((3, (1, 2)))


def test_a_long_string_is_a_list_of_small_integers() -> None:
    data = encode(b"ab" * 40_000)
    assert data == b"\x83l" + (80_000).to_bytes(4, "big") + b"aaab" * 40_000 + b"j"
    assert decode(data) == [97, 98] * 40_000


def test_latin_1_atoms_go_out_as_utf_8() -> None:
    assert encode(Atom(b"\xe9")) == encode(Atom("é"))


def test_pids_are_written_as_they_came() -> None:
    data = bytes.fromhex("836777036e4068000000070000000801")
    assert encode(decode(data)) == data


@pytest.mark.parametrize(
    "term",
    [
        "str",
        object(),
        {1, 2},
        bytearray(b"x"),
        float("nan"),
        float("inf"),
        Atom("a" * 256),
        Atom("\ud800"),
        Atom(82),  # type: ignore[arg-type]
        Binary("str"),  # type: ignore[arg-type]
        Binary(b"x", 0),
        Binary(b"x", 9),
        Binary(b"", 3),
        List((1, 2)),  # type: ignore[arg-type]
        List([1], improper=True),
        List([], improper=True),
        Function(112, "str"),  # type: ignore[arg-type]
        OtpErlangPid(Atom("n@h"), b"", b"", b""),
    ],
    ids=lambda term: repr(term).partition(" at 0x")[0],  # each of pytest's processes names them alike
)
def test_no_term(term: object) -> None:
    for inside in (term, [1, term], (term,), {1: term}):
        with pytest.raises(EncodeError):
            encode(inside)


def test_encoding_is_as_deep_as_decoding() -> None:
    term: Term = PID
    for _ in range(LIMITS.depth):
        term = (term,)
    assert decode(encode(term)) == term
    with pytest.raises(EncodeError):
        encode([term])


def test_a_list_inside_itself() -> None:
    term: list[Term] = []
    term.append(term)
    with pytest.raises(EncodeError):
        encode(term)


@given(terms)
def test_a_message_is_decoded_as_any_term(term: Term) -> None:
    assert decode_message(encode(term)) == term


LONG = 65536


@pytest.mark.parametrize(
    ("codes", "text"),
    [
        ([120] * LONG, b"x" * LONG),
        ([228] * LONG, "ä".encode() * LONG),
        ([0xC3, 0xA4] * LONG, "ä".encode() * LONG),
        ([*[120] * LONG, 8364], b"x" * LONG + "€".encode()),
        ([8364, 228, 97] * LONG, "€äa".encode() * LONG),
        ([97] * 1_500_000, b"a" * 1_500_000),
        ([0x1F600, *[97] * 1_500_000], "😀".encode() + b"a" * 1_500_000),
    ],
    ids=lambda value: f"{len(value)}",
)
def test_a_long_list_of_characters_is_one_text(codes: list[int], text: bytes) -> None:
    data = encode((Atom("a"), codes, [codes], 12))
    tag, one, (two,), number = decode_message(data)
    assert (tag.value, one.value, two.value, number) == ("a", text, text, 12)


@pytest.mark.parametrize("tail", [[-1], [0x110000], [0xD800], [1.5], [Atom("a")], [[]], [b"a"], [1 << 40]])
def test_a_long_list_of_other_things_is_none(tail: list[Term]) -> None:
    codes = [97] * LONG + tail
    assert decode_message(encode(codes)) == codes
    with pytest.raises(LimitExceeded, match="elements"):
        decode_message(encode([97] * LIMITS.elements + tail))


def test_a_long_list_with_a_tail_is_no_text() -> None:
    term = List([97] * LONG + [98], improper=True)
    assert decode_message(encode(term)) == term


def test_a_long_list_that_is_cut_short() -> None:
    for codes in ([97] * LONG, [*[97] * LONG, 8364]):
        data = encode(codes)
        for end in (6, 7, len(data) // 2, len(data) - 1):
            with pytest.raises(DecodeError):
                decode_message(data[:end])


TOO_MUCH: Term = [{}] * (LIMITS.elements + 1)


def test_the_head_of_a_tuple_that_is_too_big() -> None:
    data = encode((Atom("fetch_reply"), b"id", TOO_MUCH))
    tag, name = decode_head(data, 2)
    assert (tag.value, name) == ("fetch_reply", b"id")
    assert decode_head(data, 3) == ()
    assert decode_head(data, 4) == ()
    assert decode_head(encode((*[7] * 300, TOO_MUCH)), 2) == (7, 7)


@pytest.mark.parametrize("term", [TOO_MUCH, (TOO_MUCH, 1), (), (1,), {}, Atom("a")], ids=lambda _: "")
def test_no_head(term: Term) -> None:
    assert decode_head(encode(term), 2) == ()
