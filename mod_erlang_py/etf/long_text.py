"""Texts that are too long to be sent as strings: lists of characters."""

from __future__ import annotations

from dataclasses import dataclass

from mod_erlang_py.etf.terms import characters_as_utf8

SMALL_INTEGER_EXT, INTEGER_EXT, NIL_EXT = 97, 98, 106


@dataclass(frozen=True, slots=True)
class LongText:
    """A list of more than MAX_STRING characters. start, end: where in the data. text: as UTF-8."""

    start: int
    end: int
    text: bytes


def read(data: bytes, start: int, count: int) -> LongText | None:
    """The list of `count` elements at start, its tag, if they are characters all of them. Raises IndexError where it is
    cut short."""
    pos = start + 5
    end = pos + 2 * count
    if end >= len(data):
        return None
    if data[end] == NIL_EXT and data[pos:end:2].count(b"a") == count:
        return LongText(start, end + 1, characters_as_utf8(data[pos + 1 : end : 2]))
    pieces = []
    while count:
        codes = []
        for _ in range(min(count, 4096)):
            tag = data[pos]
            if tag == SMALL_INTEGER_EXT:
                codes.append(data[pos + 1])
                pos += 2
            elif tag == INTEGER_EXT:
                codes.append(int.from_bytes(data[pos + 1 : pos + 5], "big"))
                pos += 5
            else:
                return None
        count -= len(codes)
        try:
            pieces.append("".join(map(chr, codes)).encode())
        except (ValueError, OverflowError):  # no character
            return None
    return LongText(start, pos + 1, b"".join(pieces)) if data[pos] == NIL_EXT else None
