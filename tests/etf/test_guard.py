from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mod_erlang_py.errors import DecodeError, LimitExceeded
from mod_erlang_py.etf import LIMITS, Limits, List, Term, encode_bare, scan
from tests.etf.test_codec import terms
from tests.etf.vectors import BOTH_WAYS, DECODE_ONLY, FUN_HEX, Vector

EVERY = [*BOTH_WAYS, *DECODE_ONLY]


def name_of(vector: Vector) -> str:
    return f"{vector.tag}-{vector.hex[:16]}"


@pytest.mark.parametrize("vector", EVERY, ids=name_of)
def test_the_end_of_a_term(vector: Vector) -> None:
    data = bytes.fromhex(vector.hex)
    assert data[0] == vector.tag
    assert scan(data, 0) == len(data)
    assert scan(b"??" + data + b"tail", 2) == 2 + len(data)


@pytest.mark.parametrize("vector", EVERY, ids=name_of)
def test_every_truncation(vector: Vector) -> None:
    data = bytes.fromhex(vector.hex)
    sizes = range(len(data)) if len(data) < 2000 else [*range(100), *range(len(data) - 100, len(data))]
    for size in sizes:
        with pytest.raises(DecodeError) as caught:
            scan(data[:size], 0)
        assert not isinstance(caught.value, LimitExceeded), size


@pytest.mark.parametrize(
    "data",
    [
        pytest.param("5000000003789c4b04000062", id="compressed"),
        pytest.param("790000000000000000 6101", id="LOCAL_EXT"),
        pytest.param("5200", id="ATOM_CACHE_REF"),
        pytest.param("4e00", id="what erlang-py takes for ATOM_CACHE_REF"),
        pytest.param("6803 4e00 61016101", id="the same inside a tuple"),
        pytest.param("584e00" + "00" * 12, id="the same as a node"),
        pytest.param("7500000000", id="FUN_EXT"),
        pytest.param("00", id="tag 0"),
        pytest.param("83 6101", id="a second version byte"),
        pytest.param("760100" + "61" * 256, id="atom of 256 characters"),
        pytest.param("640100" + "61" * 256, id="Latin-1 atom of 256 characters"),
        pytest.param("7702c328", id="atom that is not UTF-8"),
        pytest.param("7703eda080", id="atom that is a surrogate"),
        pytest.param("760002c328", id="long atom that is not UTF-8"),
        pytest.param("5861 01" + "00" * 12, id="pid whose node is no atom"),
        pytest.param("4d000000010001", id="bit string with 0 bits"),
        pytest.param("4d000000010901", id="bit string with 9 bits"),
        pytest.param("4d0000000003", id="bit string of no bytes"),
        pytest.param("467ff8000000000000", id="NaN"),
        pytest.param("467ff0000000000000", id="infinity"),
        pytest.param("46fff0000000000000", id="minus infinity"),
        *[
            pytest.param("63" + float_text.ljust(31, b"\0").hex(), id=f"float {float_text.decode()}")
            for float_text in (b"nan", b"inf", b"1e5", b"1.", b".5", b"1_0.0", b" 1.5", b"1.5 ", b"1.0e999", b"")
        ],
        pytest.param("5a0006 77036e4068 00000001" + "00" * 24, id="reference of 6 words"),
        pytest.param("710161 770161 6101", id="external fun whose module is no atom"),
        pytest.param("71770161770161 770161", id="external fun whose arity is no number"),
        pytest.param(FUN_HEX.replace("7000000039", "7000000038"), id="fun shorter than it says"),
        pytest.param(FUN_HEX.replace("7000000039", "700000003a") + "6a", id="fun longer than it says"),
        pytest.param(FUN_HEX.replace("770166", "610066"), id="fun whose module is no atom"),
        pytest.param(FUN_HEX.replace("5877016e", "5977016e"), id="fun without a pid"),
        pytest.param("7400000002 6101 6a 6101 6a", id="the same key twice"),
        pytest.param("68ff 6a", id="tuple of more than there is"),
        pytest.param("69ffffffff" + "6a" * 100, id="large tuple of more than there is"),
        pytest.param("6cffffffff" + "6a" * 100, id="list of more than there is"),
        pytest.param("74ffffffff" + "6a" * 100, id="map of more than there is"),
        pytest.param(FUN_HEX.replace("00000001770166", "ffffffff770166"), id="fun of more than there is"),
        pytest.param("6fffffffff00" + "01" * 100, id="integer of more than there is"),
        pytest.param("6dffffffff" + "01" * 100, id="binary of more than there is"),
    ],
)
def test_what_no_node_takes(data: str) -> None:
    with pytest.raises(DecodeError) as caught:
        scan(bytes.fromhex(data), 0)
    assert not isinstance(caught.value, LimitExceeded)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param("7400000002 6101 6a 463ff0000000000000 6a", id="keys 1 and 1.0"),
        pytest.param("7400000002 6101 6a 770474727565 6a", id="keys 1 and true"),
        pytest.param("7400000002 770566616c7365 6a 6100 6a", id="keys false and 0"),
        pytest.param("7400000002 6101 6a 6200000001 6a", id="the key 1 in two forms"),
        pytest.param("7400000002 68016101 6a 6801463ff0000000000000 6a", id="keys {1} and {1.0}"),
        pytest.param("7400000001 7400000000 6a", id="map as a key"),
        pytest.param("7400000001 68017400000000 6a", id="map in a tuple as a key"),
        pytest.param("7400000001 6c00000001 7400000000 6a 6a", id="map in a list as a key"),
        pytest.param("6c00000000 770161", id="list of a tail alone"),
        pytest.param("6c00000001 6101 6b000141", id="list whose tail is a string"),
        pytest.param("6c00000001 6101 6c00000001 6101 6a", id="list whose tail is a list"),
        pytest.param("5a0000 77036e4068 00000001", id="reference of no words"),
        pytest.param("6e010205", id="integer with sign 2"),
        pytest.param("4d0000000000", id="empty bit string"),
    ],
)
def test_what_otp_takes_and_erlang_py_cannot_hold(data: str) -> None:
    with pytest.raises(LimitExceeded):
        scan(bytes.fromhex(data), 0)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param("7400000002 6101 7400000000 6102 7400000001 6101 6a", id="maps as values"),
        pytest.param("7400000002 6101 6a 4640000000000000 00 6a", id="keys 1 and 2.0"),
        pytest.param("7400000002 770474727565 6a 6102 6a", id="keys true and 2"),
    ],
)
def test_maps_that_python_can_hold(data: str) -> None:
    assert scan(bytes.fromhex(data), 0) == len(bytes.fromhex(data))


def nested(levels: int) -> list[bytes]:
    """Terms of that many levels, one for every kind of nesting."""
    return [
        b"h\1" * levels + b"j",
        b"i\0\0\0\1" * levels + b"j",
        b"l\0\0\0\1" * levels + b"a\1" + b"j" * levels,
        b"l\0\0\0\1a\1h\1" * (levels // 2) + b"h\1" * (levels % 2) + b"a\1",
        b"t\0\0\0\1j" * levels + b"j",
    ]


def test_depth() -> None:
    for data in nested(LIMITS.depth):
        assert scan(data, 0) == len(data)
    for data in nested(LIMITS.depth + 1):
        with pytest.raises(LimitExceeded, match="levels"):
            scan(data, 0)


def test_depth_costs_no_recursion() -> None:
    data = b"h\1" * 1_000_000 + b"j"
    assert scan(data, 0, Limits(depth=1_000_000, elements=1_000_000)) == len(data)


def test_siblings_are_no_depth() -> None:
    data = b"l\0\0\x01\x00" + b"h\1j" * 256 + b"j"
    assert scan(data, 0, Limits(depth=2)) == len(data)


def test_elements() -> None:
    data = b"h\2" + b"l\0\0\0\3" + b"a\1" * 3 + b"j" + b"j"
    assert scan(data, 0, Limits(elements=5)) == len(data)
    with pytest.raises(LimitExceeded, match="elements"):
        scan(data, 0, Limits(elements=4))


def test_size() -> None:
    data = b"m\0\0\0\x10" + b"x" * 16
    assert scan(data, 0, Limits(size=21)) == 21
    assert scan(data + b"tail", 0, Limits(size=21)) == 21
    with pytest.raises(LimitExceeded, match="bytes"):
        scan(data, 0, Limits(size=20))


def test_bignum() -> None:
    data = b"o\0\0\4\0\0" + b"x" * 1024
    assert scan(data, 0) == len(data)
    with pytest.raises(LimitExceeded, match="integer"):
        scan(b"o\0\0\4\1\0" + b"x" * 1025, 0)
    with pytest.raises(LimitExceeded):
        scan(b"n\3\0\1\2\3", 0, Limits(bignum=2))


PRIME = 2**61 - 1
"""Python's hash of an integer is the remainder by it."""


def integer(number: int) -> bytes:
    size = (number.bit_length() + 7) // 8
    return b"n%c\0" % size + number.to_bytes(size, "little")


@pytest.mark.parametrize("key", [integer, lambda n: b"h\1" + integer(n), lambda n: b"h\1h\2a\1" + integer(n)])
def test_keys_of_one_hash(key: Callable[[int], bytes]) -> None:
    """A dict of n of them takes n * n comparisons: 5 s for 20,000. So there may be some, in all maps of a term."""
    first = LIMITS.keys + 2
    pairs = [key(number * PRIME) + b"j" for number in range(first, first + LIMITS.keys + 1)]
    assert len(set(map(hash, (number * PRIME for number in range(first, first + 9))))) == 1
    some = b"t" + struct.pack(">I", LIMITS.keys) + b"".join(pairs[:-1])
    assert scan(some, 0) == len(some)
    more = b"t" + struct.pack(">I", LIMITS.keys + 1) + b"".join(pairs)
    with pytest.raises(LimitExceeded, match="keys"):
        scan(more, 0)
    with pytest.raises(LimitExceeded, match="keys"):
        scan(b"h\2" + some + b"t\0\0\0\1" + pairs[-1], 0)


@pytest.mark.parametrize(
    "key", [lambda n: struct.pack(">BI", 98, n), lambda n: integer(2**40 + n), lambda n: struct.pack(">Bd", 70, n)]
)
def test_keys_of_known_hashes(key: Callable[[int], bytes]) -> None:
    """They can be chosen so that each is looked for in thousands of places."""
    pairs = [key(number) + b"j" for number in range(256, 256 + LIMITS.keys + 1)]
    some = b"t" + struct.pack(">I", LIMITS.keys) + b"".join(pairs[:-1])
    assert scan(some, 0) == len(some)
    with pytest.raises(LimitExceeded, match="keys"):
        scan(b"t" + struct.pack(">I", LIMITS.keys + 1) + b"".join(pairs), 0)


def test_keys_whose_hash_nobody_knows() -> None:
    pairs = [b"k\0\4" + struct.pack(">I", number) + b"j" for number in range(5000)]
    data = b"t" + struct.pack(">I", len(pairs)) + b"".join(pairs)
    assert scan(data, 0) == len(data)


def test_many_bignums() -> None:
    """erlang-py takes the square of the bytes of each."""
    one = integer(2**2000)
    many = LIMITS.bignums // len(one)
    data = b"l" + struct.pack(">I", many) + one * many + b"j"
    assert scan(data, 0) == len(data)
    with pytest.raises(LimitExceeded, match="big integers"):
        scan(b"l" + struct.pack(">I", many + 1) + one * (many + 1) + b"j", 0)
    times = integer(2**64 - 1) * 10_000
    data = b"l" + struct.pack(">I", 10_000) + times + b"j"
    assert scan(data, 0) == len(data)


def inside(term: Term) -> list[Any]:
    """What a term holds; a list's tail is none of its elements."""
    if isinstance(term, dict):
        return [one for pair in term.items() for one in pair]
    if isinstance(term, List):
        return term.value
    return list(term) if isinstance(term, (list, tuple)) else []


def levels(term: Term) -> int:
    within = inside(term)
    return 1 + max(map(levels, within)) if within else int(isinstance(term, tuple))


def elements(term: Term) -> int:
    within = inside(term)
    tail = isinstance(term, List) and term.improper
    return len(within) - tail + sum(map(elements, within))


@given(terms, st.integers(0, 8), st.integers(0, 30))
def test_what_is_over_the_limits(term: Term, most_levels: int, most_elements: int) -> None:
    data = encode_bare(term)
    over = levels(term) > most_levels or elements(term) > most_elements
    try:
        assert scan(data, 0, Limits(depth=most_levels, elements=most_elements)) == len(data)
        assert not over
    except LimitExceeded:
        assert over


@given(terms, st.binary(max_size=8), st.binary(max_size=8), st.data())
def test_what_stands_around_it(term: Term, before: bytes, behind: bytes, choice: st.DataObject) -> None:
    data = bytearray(encode_bare(term))
    for _ in range(choice.draw(st.integers(0, 2))):
        data[choice.draw(st.integers(0, len(data) - 1))] = choice.draw(st.integers(0, 255))
    try:
        end = scan(bytes(data), 0)
    except LimitExceeded:
        return
    except DecodeError:
        with pytest.raises(DecodeError):
            scan(before + bytes(data), len(before))
        return
    assert scan(before + bytes(data) + behind, len(before)) == len(before) + end
