"""Reads in one go what most messages are made of: atoms, texts, small integers and pids, in a few tuples and lists.

Nothing can be wrong with these but that they are cut short. Whatever else a term may hold, and all that is wrong, is
left to guard.py and erlang-py, which take four times as long.
"""

from __future__ import annotations

from functools import lru_cache

from erlang import OtpErlangPid, OtpErlangReference

from mod_erlang_py.etf.guard import (
    BINARY_EXT,
    LIST_EXT,
    MAX_WORDS,
    NEW_PID_EXT,
    NEWER_REFERENCE_EXT,
    NIL_EXT,
    SMALL_ATOM_UTF8_EXT,
    SMALL_INTEGER_EXT,
    SMALL_TUPLE_EXT,
    STRING_EXT,
)
from mod_erlang_py.etf.terms import Atom, Binary, List, Term

MAX_SIZE = 4096
"""Bytes of a small term: far from every limit of guard.py."""
MAX_LEVELS = 8


class NotSmall(Exception):
    """The term has to be read in the other way."""


def read(data: bytes, pos: int) -> Term:
    """The term at pos, equal to what erlang-py builds of it. Raises NotSmall."""
    size = len(data)
    if size > MAX_SIZE:
        raise NotSmall
    try:
        terms, end = _read(data, pos, 1, MAX_LEVELS)
    except (IndexError, UnicodeDecodeError):
        raise NotSmall from None
    if end > size:
        raise NotSmall
    return terms[0]


def _read(data: bytes, pos: int, count: int, levels: int) -> tuple[list[Term], int]:
    """So many terms in a row, and where they end: past the end of the data, when they are cut short. IndexError too."""
    if not levels:
        raise NotSmall
    terms: list[Term] = []
    for _ in range(count):
        tag = data[pos]
        if tag == SMALL_ATOM_UTF8_EXT:
            start = pos + 2
            pos = start + data[pos + 1]
            terms.append(_atom(data[start:pos]))
        elif tag == STRING_EXT:
            start = pos + 3
            pos = start + (data[pos + 1] << 8 | data[pos + 2])
            terms.append(data[start:pos])
        elif tag == BINARY_EXT:
            start = pos + 5
            pos = start + int.from_bytes(data[pos + 1 : start], "big")
            terms.append(Binary(data[start:pos]))
        elif tag == SMALL_TUPLE_EXT:
            inner, pos = _read(data, pos + 2, data[pos + 1], levels - 1)
            terms.append(tuple(inner))
        elif tag == SMALL_INTEGER_EXT:
            terms.append(data[pos + 1])
            pos += 2
        elif tag == NIL_EXT:
            terms.append([])
            pos += 1
        elif tag == LIST_EXT:
            inner, pos = _read(data, pos + 5, int.from_bytes(data[pos + 1 : pos + 5], "big"), levels - 1)
            if data[pos] == NIL_EXT:
                terms.append(inner)
                pos += 1
            elif inner and data[pos] not in (STRING_EXT, LIST_EXT):
                tail, pos = _read(data, pos, 1, levels - 1)
                terms.append(List(inner + tail, improper=True))
            else:
                raise NotSmall
        elif tag == NEW_PID_EXT:
            node, pos = _node(data, pos + 1)
            terms.append(OtpErlangPid(node, data[pos : pos + 4], data[pos + 4 : pos + 8], data[pos + 8 : pos + 12]))
            pos += 12
        elif tag == NEWER_REFERENCE_EXT and 1 <= data[pos + 2] <= MAX_WORDS and not data[pos + 1]:
            size = 4 * data[pos + 2]
            node, pos = _node(data, pos + 3)
            terms.append(OtpErlangReference(node, data[pos + 4 : pos + 4 + size], data[pos : pos + 4]))
            pos += 4 + size
        else:
            raise NotSmall
    return terms, pos


def _node(data: bytes, pos: int) -> tuple[Atom, int]:
    """The atom of a node at pos, and where it ends."""
    if data[pos] != SMALL_ATOM_UTF8_EXT:
        raise NotSmall
    start = pos + 2
    end = start + data[pos + 1]
    return Atom(data[start:end].decode()), end


_VALUES: dict[str, Term] = {"true": True, "false": False, "undefined": None}


@lru_cache(maxsize=4096)
def _atom(name: bytes) -> Term:
    """Nobody changes an Atom: those of one name may be one."""
    text = name.decode()
    return _VALUES[text] if text in _VALUES else Atom(text)
