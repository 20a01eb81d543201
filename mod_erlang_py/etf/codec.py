"""decode and encode: the external term format, from and to whole terms."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from itertools import chain
from math import isfinite
from typing import Any, TypeAlias

from erlang import OtpErlangPid, OtpErlangReference, binary_to_term

from mod_erlang_py.errors import DecodeError, EncodeError, LimitExceeded
from mod_erlang_py.etf import small
from mod_erlang_py.etf.guard import LIMITS, Limits, scan
from mod_erlang_py.etf.long_text import LongText
from mod_erlang_py.etf.terms import (
    Atom,
    Binary,
    Function,
    List,
    Pid,
    Port,
    Reference,
    Term,
    encode_atom,
    encode_string,
)

VERSION = b"\x83"
"""131, before every term that stands alone."""


def decode(data: bytes, offset: int = 0, limits: Limits = LIMITS) -> Term:
    """The term at offset, where its version byte 131 is; bytes after it are ignored, as OTP does.

    Raises: DecodeError, LimitExceeded included. Nothing else.
    """
    if data[offset : offset + 1] != VERSION:
        raise DecodeError("no version byte", offset)
    end = scan(data, offset + 1, limits)
    return _build(data[offset:end], offset)


def decode_message(data: bytes, limits: Limits = LIMITS) -> Term:
    """As decode, for what a process of a peer sends: a list of over 65535 characters, which is a text, arrives as the
    Binary of it, in UTF-8, and counts as one element. limits: not less than what small.py reads.

    Raises: DecodeError, LimitExceeded included. Nothing else.
    """
    if data[:1] != VERSION:
        raise DecodeError("no version byte", 0)
    try:
        return small.read(data, 1)
    except small.NotSmall:
        pass
    texts: list[LongText] = []
    end = scan(data, 1, limits, texts)
    pieces, at = [], 0
    for one in texts:
        pieces += [data[at : one.start], b"m", struct.pack(">I", len(one.text)), one.text]
        at = one.end
    return _build(b"".join([*pieces, data[at:end]]), 0)


def decode_head(data: bytes, count: int, limits: Limits = LIMITS) -> tuple[Term, ...]:
    """The first elements of a tuple that is over the limits as a whole; () of what is none, or where they are too."""
    arity, pos = (data[2:3], 3) if data[1:2] == b"h" else (data[2:6], 6)
    if data[1:2] not in (b"h", b"i") or int.from_bytes(arity, "big") < count:
        return ()
    found = []
    try:
        for _ in range(count):
            end = scan(data, pos, limits)
            found.append(_build(VERSION + data[pos:end], pos))
            pos = end
    except DecodeError:
        return ()
    return tuple(found)


def decode_bare(data: bytes, limits: Limits = LIMITS) -> Term:
    """The one term that data is, without the version byte; bytes after it are refused.

    Raises: DecodeError, LimitExceeded included. Nothing else.
    """
    end = scan(data, 0, limits)
    if end != len(data):
        raise DecodeError("bytes after the term", end)
    return _build(VERSION + data, 0)


def _build(data: bytes, offset: int) -> Term:
    try:
        return binary_to_term(data)
    # scan lets through only what erlang-py can read, but for what the caller's own stack decides
    # (RecursionError), and map keys of two types whose hashes are made equal (AttributeError in its __eq__).
    except Exception as error:
        raise LimitExceeded(f"term that erlang-py cannot hold ({type(error).__name__})", offset) from error


def encode(term: Term) -> bytes:
    """The term with the version byte 131 before it.

    Raises: EncodeError for a value that is no term, for one that OTP would refuse (atom over 255 characters,
        NaN), and over LIMITS.depth levels, which is what a list inside itself comes to. Nothing else.
    """
    return VERSION + encode_bare(term)


def encode_bare(term: Term) -> bytes:
    """The term without the version byte, as it stands inside another term. Raises: see encode."""
    if type(term) is tuple and len(term) < 256:
        try:
            return b"h%c" % len(term) + b"".join([_LEAVES[type(item)](item) for item in term])
        except KeyError:
            pass  # there is more in it than that
    pieces: list[bytes] = []
    write = pieces.append
    levels: list[Iterator[Term]] = [iter((term,))]  # the rest of every container that is open
    while levels:
        for item in levels[-1]:
            kind = type(item)
            encode_leaf = _LEAVES.get(kind)
            if encode_leaf is not None:
                write(encode_leaf(item))
                continue
            open_container = _CONTAINERS.get(kind)
            if open_container is not None:
                head, content = open_container(item)
                write(head)
                if content is None:
                    continue
                levels.append(content)
                if len(levels) > LIMITS.depth + 1:
                    raise EncodeError(f"term of over {LIMITS.depth} levels")
                break
            levels.append(iter((_plain(item),)))
            break
        else:
            levels.pop()
    return b"".join(pieces)


def _plain(item: Term) -> Term:
    """An IntEnum, a namedtuple or another subclass as the plain value it is."""
    kind: Any
    for kind in (int, float, bytes, tuple, list, dict):
        if isinstance(item, kind):
            return kind(item)
    raise EncodeError(f"{type(item).__name__} is no Erlang term")


def _integer(value: int) -> bytes:
    if 0 <= value <= 255:
        return b"a" + value.to_bytes(1, "big")
    if -0x80000000 <= value <= 0x7FFFFFFF:
        return struct.pack(">Bi", 98, value)
    size = (value.bit_length() + 7) // 8
    sign = value < 0
    head = struct.pack(">BBB", 110, size, sign) if size < 256 else struct.pack(">BIB", 111, size, sign)
    return head + abs(value).to_bytes(size, "little")


def _float(value: float) -> bytes:
    if not isfinite(value):
        raise EncodeError(f"{value} is no Erlang float")
    return struct.pack(">Bd", 70, value)


def _atom(value: Atom) -> bytes:
    name = value.value
    if isinstance(name, bytes):
        name = name.decode("latin-1")
    if not isinstance(name, str):
        raise EncodeError(f"{value!r} is no atom")
    return encode_atom(name)


def _binary(value: Binary) -> bytes:
    content, bits = value.value, value.bits
    if not isinstance(content, bytes):
        raise EncodeError(f"binary that holds {type(content).__name__}")
    if bits == 8:
        return struct.pack(">BI", 109, len(content)) + content
    if not content or not 1 <= bits < 8:
        raise EncodeError(f"bit string of {len(content)} bytes with {bits} bits in the last")
    return struct.pack(">BIB", 77, len(content), bits) + content


def _as_it_came(value: OtpErlangPid | OtpErlangReference | Port | Function) -> bytes:
    try:
        return value.binary()
    except Exception as error:  # fields that are not what erlang-py's decoder puts there
        raise EncodeError(f"{type(value).__name__} is malformed") from error


# A container's first bytes, and what stands in it; None for NIL, which is no level of its own.
_Opened: TypeAlias = tuple[bytes, Iterator[Term] | None]


def _tuple(value: tuple[Term, ...]) -> _Opened:
    size = len(value)
    head = struct.pack(">BB", 104, size) if size < 256 else struct.pack(">BI", 105, size)
    return head, iter(value)


def _list(value: list[Term]) -> _Opened:
    if not value:
        return b"j", None
    return struct.pack(">BI", 108, len(value)), chain(value, (b"",))  # b"" is NIL, the tail


def _list_object(value: List) -> _Opened:
    items = value.value
    if not isinstance(items, list):
        raise EncodeError(f"list that holds {type(items).__name__}")
    if not value.improper:
        return _list(items)
    if len(items) < 2:
        raise EncodeError("improper list without an element or a tail")
    return struct.pack(">BI", 108, len(items) - 1), iter(items)


def _map(value: dict[Term, Term]) -> _Opened:
    return struct.pack(">BI", 116, len(value)), chain.from_iterable(value.items())


_LEAVES: dict[type, Callable[[Term], bytes]] = {
    Atom: _atom,
    Binary: _binary,
    Pid: Pid.binary,
    Reference: Reference.binary,
    OtpErlangPid: _as_it_came,
    OtpErlangReference: _as_it_came,
    Port: _as_it_came,
    Function: _as_it_came,
    bytes: encode_string,
    int: _integer,
    float: _float,
    bool: lambda value: encode_atom("true" if value else "false"),
    type(None): lambda value: encode_atom("undefined"),
}

_CONTAINERS: dict[type, Callable[[Term], _Opened]] = {
    tuple: _tuple,
    list: _list,
    List: _list_object,
    dict: _map,
}
