"""Looks a term over before it is built: legal for OTP, within our limits, kept whole by erlang-py.

erlang-py trusts its input: it reads past the end, recurses as deep as the data says, inflates without bound.
So its input is walked here first, without recursion and without building anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite

from erlang import binary_to_term

from mod_erlang_py.errors import DecodeError, LimitExceeded
from mod_erlang_py.etf.long_text import LongText, read
from mod_erlang_py.etf.terms import MAX_ATOM_CHARACTERS, MAX_STRING


@dataclass(frozen=True, slots=True)
class Limits:
    """How big a term may be."""

    depth: int = 64  # levels; erlang-py spends two Python frames on each, and mod_python3 allows 240 in all
    elements: int = 100_000  # count, all levels together: 0.3 s of Python for a list of pids, and 60 MB
    size: int = 16 * 1024 * 1024  # bytes of one term: to copy them keeps the GIL for 5 ms
    bignum: int = 1024  # bytes of one integer: 2467 digits, which str() still prints; erlang-py is quadratic
    bignums: int = 64 * 1024  # bytes of all integers of over 64 bits together: 30 ms
    keys: int = 1000  # of all maps together, whose hashes can be chosen: a dict takes the square of them, 50 ms


LIMITS = Limits()

SMALL_INTEGER_EXT, INTEGER_EXT = 97, 98
SMALL_TUPLE_EXT, LARGE_TUPLE_EXT, NIL_EXT, STRING_EXT, LIST_EXT, BINARY_EXT = 104, 105, 106, 107, 108, 109
NEW_FUN_EXT, MAP_EXT, SMALL_ATOM_UTF8_EXT = 112, 116, 119
NEW_PID_EXT, PID_EXT = 88, 103
NEWER_REFERENCE_EXT = 90

MAX_WORDS = 5
"""32 bits each, in a reference."""

# Bytes after the node name of the identifiers that have a fixed layout: pids, ports, REFERENCE_EXT.
_AFTER_NODE = {NEW_PID_EXT: 12, PID_EXT: 9, 89: 8, 102: 5, 120: 12, 101: 5}

# As map keys these can be one in Python though Erlang tells them apart: 1, 1.0 and true, also inside tuples.
_MEETING_KEYS = frozenset(
    {SMALL_INTEGER_EXT, INTEGER_EXT, 110, 111, 70, 99, SMALL_TUPLE_EXT, LARGE_TUPLE_EXT, LIST_EXT}
)

MAX_PLAIN_BIG = 11
"""Bytes of an integer of up to 64 bits as SMALL_BIG_EXT."""
_BIGS = frozenset({110, 111})
_KNOWN_HASHES = frozenset({SMALL_TUPLE_EXT, LARGE_TUPLE_EXT, INTEGER_EXT, *_BIGS, 70, 99})

_FLOAT_TEXT = re.compile(rb"[+-]?[0-9]+\.[0-9]+([eE][+-]?[0-9]+)?")


def scan(data: bytes, offset: int, limits: Limits = LIMITS, texts: list[LongText] | None = None) -> int:
    """Walk the one term that starts at offset (its tag, not the version byte 131).

    texts: gets the long texts in it, each of which counts as one element then.

    Returns: the offset after the term.
    Raises: DecodeError for what is no term or what OTP refuses on a link (cut short, compressed, LOCAL_EXT,
        atom cache references, malformed fields, the same map key twice); LimitExceeded for a legal term
        that is over the limits or that erlang-py would not keep as it is. Nothing else.
    Source: ERTS "External Term Format"; the checks are those of dec_term in external.c.
    """
    try:
        end = _walk(data, offset, limits, texts)
    except IndexError:
        raise DecodeError("cut short", len(data)) from None
    if end > len(data):
        raise DecodeError("cut short", len(data))
    if end - offset > limits.size:
        raise LimitExceeded(f"term of {end - offset} bytes", offset)
    return end


class _OpenMap:
    """A map whose keys and values are being walked."""

    __slots__ = ("key_start", "keys", "outer", "pairs")

    def __init__(self, outer: int, pairs: int, key_start: int) -> None:
        self.outer = outer
        self.pairs = pairs
        self.key_start = key_start  # -1 while a value is walked
        self.keys: list[bytes] = []


class _OpenFun:
    """A fun whose free variables are being walked; it must end where its size field says."""

    __slots__ = ("end", "outer")

    def __init__(self, outer: int, end: int) -> None:
        self.outer = outer
        self.end = end


def _walk(data: bytes, pos: int, limits: Limits, texts: list[LongText] | None) -> int:
    # Reads past the end raise IndexError or leave pos past the end; scan turns both into "cut short".
    size = len(data)
    elements, bignums, keys = limits.elements, limits.bignums, limits.keys
    todo = 1  # terms still to come in the innermost open container
    # What the containers around it have to come: a number; ~number when the innermost is a list, whose tail
    # follows its elements; or a map or fun.
    stack: list[int | _OpenMap | _OpenFun] = []
    in_key = False
    while True:
        while not todo:
            if not stack:
                return pos
            top = stack.pop()
            if type(top) is int:
                if top >= 0:
                    todo = top
                elif data[pos] == NIL_EXT:
                    pos += 1
                    todo = ~top
                else:
                    _check_tail(data[pos], pos)
                    stack.append(~top)
                    todo = 1
            elif isinstance(top, _OpenMap):
                if in_key := top.key_start < 0:  # a value ended, the next key begins
                    top.pairs -= 1
                    top.key_start = pos
                else:
                    top.keys.append(data[top.key_start : pos])
                    top.key_start = -1
                if top.pairs:
                    stack.append(top)
                    todo = 1
                else:
                    in_key = False
                    keys -= sum(map(_has_known_hash, top.keys))
                    if keys < 0:
                        raise LimitExceeded(f"over {limits.keys} keys that are tuples or numbers", pos)
                    _check_keys(top.keys, pos)
                    todo = top.outer
            elif isinstance(top, _OpenFun):
                if pos != top.end:
                    raise DecodeError("fun of another size than it says", pos)
                todo = top.outer
        todo -= 1
        tag = data[pos]
        if tag == SMALL_ATOM_UTF8_EXT:
            start = pos + 2
            pos = start + data[pos + 1]
            if not data[start:pos].isascii():
                _check_atom(data[start:pos], start)
            continue
        if tag == SMALL_INTEGER_EXT:
            pos += 2
            continue
        if tag == STRING_EXT:
            pos += 3 + (data[pos + 1] << 8 | data[pos + 2])
            continue
        if tag == BINARY_EXT:
            pos += 5 + _u32(data, pos + 1)
            continue
        if tag == NIL_EXT:
            pos += 1
            continue
        leaf = _LEAVES.get(tag)
        if leaf is not None:
            start = pos
            pos = leaf(data, pos, limits)
            if pos - start > MAX_PLAIN_BIG and tag in _BIGS:
                bignums -= pos - start
                if bignums < 0 and pos <= size:
                    raise LimitExceeded(f"big integers of over {limits.bignums} bytes", pos)
            continue

        if tag == SMALL_TUPLE_EXT:
            count = data[pos + 1]
            pos += 2
            stack.append(todo)
            todo = count
        elif tag == LARGE_TUPLE_EXT:
            count = _u32(data, pos + 1)
            pos += 5
            stack.append(todo)
            todo = count
        elif tag == LIST_EXT:
            count = _u32(data, pos + 1)
            if texts is not None and count > MAX_STRING and (long := read(data, pos, count)) is not None:
                texts.append(long)
                pos = long.end
                continue
            pos += 5
            if not count and data[pos] != NIL_EXT:
                raise LimitExceeded("list of a tail alone", pos)  # OTP takes it for the tail; erlang-py does not
            stack.append(~todo)
            todo = count
        elif tag == MAP_EXT:
            if in_key:
                raise LimitExceeded("map inside a map key", pos)  # erlang-py mangles these
            pairs = _u32(data, pos + 1)
            count = 2 * pairs
            pos += 5
            if pairs:
                stack.append(_OpenMap(todo, pairs, pos))
                todo = 1
                in_key = True
        elif tag == NEW_FUN_EXT:
            end = pos + 1 + _u32(data, pos + 1)
            count = _u32(data, pos + 26)
            pos = _skip_atom(data, pos + 30)
            pos = _skip_integer(data, _skip_integer(data, pos))
            if data[pos] not in (NEW_PID_EXT, PID_EXT):
                raise DecodeError("fun without a pid", pos)
            pos = _identifier(data, pos, limits)
            stack.append(_OpenFun(todo, end))
            todo = count
        else:
            raise DecodeError(f"tag {tag} is no term", pos)

        if count > size - pos:
            raise DecodeError("cut short", size)
        elements -= count
        if elements < 0:
            raise LimitExceeded(f"term of over {limits.elements} elements", pos)
        if len(stack) > limits.depth:
            raise LimitExceeded(f"term of over {limits.depth} levels", pos)


def _u32(data: bytes, pos: int) -> int:
    return int.from_bytes(data[pos : pos + 4], "big")


def _check_tail(tag: int, pos: int) -> None:
    if tag in (STRING_EXT, LIST_EXT):
        raise LimitExceeded("list with a list for tail", pos)  # a proper list, which erlang-py calls improper


def _has_known_hash(key: bytes) -> bool:
    """Whether a peer knows its hash, and can make many of them that meet in a dict: the big ones with one hash for all,
    others with hashes whose ways through the table join, at 50 us for each of 10,000. Python mixes a secret into that
    of texts, and erlang-py's objects have that of their bytes; but not into a number's, nor a tuple's. There are only
    256 of one byte."""
    return key[0] in _KNOWN_HASHES


def _check_keys(keys: list[bytes], pos: int) -> None:
    if len(set(keys)) < len(keys):
        raise DecodeError("map with the same key twice", pos)
    if len(keys) > 1 and any(key[0] in _MEETING_KEYS for key in keys) and not _stay_apart(keys):
        raise LimitExceeded("map with keys that are one in Python", pos)


def _stay_apart(keys: list[bytes]) -> bool:
    """Whether a map of these keys still has them all once erlang-py has read it."""
    probe = b"\x83t" + len(keys).to_bytes(4, "big") + b"".join([key + b"j" for key in keys])
    try:
        return len(binary_to_term(probe)) == len(keys)
    except Exception:  # see decode
        return False


def _check_atom(name: bytes, pos: int) -> None:
    try:
        characters = len(name.decode())
    except UnicodeDecodeError:
        raise DecodeError("atom that is not UTF-8", pos) from None
    if characters > MAX_ATOM_CHARACTERS:
        raise DecodeError(f"atom of {characters} characters", pos)


def _skip_atom(data: bytes, pos: int) -> int:
    tag = data[pos]
    if tag in (115, SMALL_ATOM_UTF8_EXT):
        start = pos + 2
        end = start + data[pos + 1]
    elif tag in (100, 118):
        start = pos + 3
        end = start + (data[pos + 1] << 8 | data[pos + 2])
    else:
        raise DecodeError(f"tag {tag} where an atom belongs", pos)
    if tag < 118:
        if end - start > MAX_ATOM_CHARACTERS:
            raise DecodeError(f"atom of {end - start} characters", pos)
    elif end - start > MAX_ATOM_CHARACTERS or not data[start:end].isascii():
        _check_atom(data[start:end], start)
    return end


def _skip_integer(data: bytes, pos: int) -> int:
    tag = data[pos]
    if tag == SMALL_INTEGER_EXT:
        return pos + 2
    if tag == INTEGER_EXT:
        return pos + 5
    raise DecodeError(f"tag {tag} where a small integer belongs", pos)


def _integer(data: bytes, pos: int, limits: Limits) -> int:
    return pos + 5


def _atom(data: bytes, pos: int, limits: Limits) -> int:
    return _skip_atom(data, pos)


def _identifier(data: bytes, pos: int, limits: Limits) -> int:
    return _skip_atom(data, pos + 1) + _AFTER_NODE[data[pos]]


def _reference(data: bytes, pos: int, limits: Limits) -> int:
    words = data[pos + 1] << 8 | data[pos + 2]
    if words > MAX_WORDS:
        raise DecodeError(f"reference of {words} words", pos)
    if not words:
        raise LimitExceeded("reference of no words", pos)  # OTP takes it; erlang-py cannot give it back
    creation = 4 if data[pos] == NEWER_REFERENCE_EXT else 1
    return _skip_atom(data, pos + 3) + creation + 4 * words


def _float(data: bytes, pos: int, limits: Limits) -> int:
    if data[pos + 1] & 0x7F == 0x7F and data[pos + 2] >= 0xF0:
        raise DecodeError("float that is no number", pos)
    return pos + 9


def _float_text(data: bytes, pos: int, limits: Limits) -> int:
    digits = data[pos + 1 : pos + 32].partition(b"\0")[0]
    if not _FLOAT_TEXT.fullmatch(digits) or not isfinite(float(digits)):
        raise DecodeError("float that is no number", pos)
    return pos + 32


def _bignum(data: bytes, pos: int, limits: Limits) -> int:
    if data[pos] == 110:
        count, sign = data[pos + 1], pos + 2
    else:
        count, sign = _u32(data, pos + 1), pos + 5
    if data[sign] > 1:
        raise LimitExceeded("integer with a strange sign", sign)  # negative for OTP, positive for erlang-py
    end = sign + 1 + count
    if count > limits.bignum and end <= len(data):
        raise LimitExceeded(f"integer of {count} bytes", pos)
    return end


def _bit_binary(data: bytes, pos: int, limits: Limits) -> int:
    count, bits = _u32(data, pos + 1), data[pos + 5]
    if not count and not bits:
        raise LimitExceeded("empty bit string", pos)  # OTP takes it for <<>>, which it never writes so
    if not count or not 1 <= bits <= 8:
        raise DecodeError("bit string with a strange end", pos)
    return pos + 6 + count


def _export(data: bytes, pos: int, limits: Limits) -> int:
    arity = _skip_atom(data, _skip_atom(data, pos + 1))
    if data[arity] != SMALL_INTEGER_EXT:
        raise DecodeError("external fun without an arity", arity)
    return arity + 2


# The terms that hold no other term, but for the few most frequent, which _walk knows itself.
_LEAVES: dict[int, Callable[[bytes, int, Limits], int]] = {
    **dict.fromkeys(_AFTER_NODE, _identifier),
    **dict.fromkeys((NEWER_REFERENCE_EXT, 114), _reference),
    **dict.fromkeys((100, 115, 118), _atom),
    **dict.fromkeys(_BIGS, _bignum),
    INTEGER_EXT: _integer,
    70: _float,
    77: _bit_binary,
    99: _float_text,
    113: _export,
}
