"""The fast encoder of events: `{event, [UUID | Headers]}` and what is wrapped around it.

Source: ei_encode_switch_event_headers in ei_helpers.c. One event goes to many processes, so it is encoded once, apart
from any recipient; names recur, so each is encoded once and kept.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence

from mod_erlang_py.etf.terms import encode_atom, encode_binary, encode_string

MAX_NAMES = 20_000
MAX_NAME = 256
"""Encoded header names that are kept, of so many bytes; with more, all are forgotten."""
_SHORT = 4096

_UNDEFINED = encode_atom("undefined")
_NIL = b"j"
_TUPLE2 = b"h\x02"


class EventEncoder:
    """binary: whether texts are binaries, else strings (the `encoding` setting).

    opening: what stands before the name of each header.
    """

    opening = _TUPLE2

    def __init__(self, binary: bool) -> None:
        self._text = encode_binary if binary else encode_string
        tag = b"m" if binary else b"k"
        length = struct.Struct(">I" if binary else ">H")
        self._heads = [tag + length.pack(size) for size in range(_SHORT)]
        if not binary:
            self._heads[0] = _NIL  # the empty string
        self._names: dict[bytes, bytes] = {}

    def headers(
        self, names: Sequence[bytes], values: Sequence[bytes], body: bytes | None = None, uuid: bytes | None = None
    ) -> bytes:
        """`[UUID | Headers]`, without a version byte: the headers, values URL-decoded, and the body as the last.

        uuid: the value of Unique-ID; None becomes `undefined`.
        """
        encoded = b"".join(self._pairs(names, values))
        if b"%" in encoded and b"%" in b"".join(values):  # the first is quick; the second may be a length
            encoded = b"".join(self._pairs(names, list(map(url_decode, values))))
        count = len(names) + 1
        last = _NIL
        if body is not None:
            count += 1
            last = self._learn(b"body") + self._text(body) + _NIL
        first = _UNDEFINED if uuid is None else self._text(uuid)
        return b"".join((b"l", struct.pack(">I", count), first, encoded, last))

    def _pairs(self, names: Sequence[bytes], values: Sequence[bytes]) -> list[bytes]:
        """The pieces of `{Name, Value}` for each. What loops here loops in C: there may be 10,000 events a second."""
        pieces: list[bytes] = [b""] * (3 * len(names))
        try:
            pieces[0::3] = map(self._names.__getitem__, names)
            pieces[1::3] = map(self._heads.__getitem__, map(len, values))
            pieces[2::3] = values
        except (KeyError, IndexError):  # a name that is new, or a value that is long
            pieces[0::3] = map(self._learn, names)
            pieces[1::3] = [b""] * len(names)
            pieces[2::3] = map(self._text, values)
        return pieces

    def _learn(self, name: bytes) -> bytes:
        known = self._names.get(name)
        if known is None:
            if len(name) > MAX_NAME:
                return self.opening + self._text(name)
            if len(self._names) >= MAX_NAMES:
                self._names.clear()
            known = self._names[name] = self.opening + self._text(name)
        return known


def tagged(tag: bytes, term: bytes) -> bytes:
    """`{Tag, Term}` of two encoded terms."""
    return _TUPLE2 + tag + term


EVENT = _TUPLE2 + encode_atom("event")
"""What stands before `[UUID | Headers]` in an `{event, _}`."""


def url_escape(value: bytes) -> bytes:
    """The value in which what url_decode takes for an escape is one: url_decode(url_escape(value)) == value.

    One step of Python for each: re.sub would keep the GIL for all of them."""
    if b"%" not in value:
        return value
    pieces: list[bytes] = []
    at = 0
    for match in _ESCAPED.finditer(value):
        pieces += (value[at : match.start()], b"%25")
        at = match.end()
    return b"".join((*pieces, value[at:]))


def url_decode(value: bytes) -> bytes:
    """As switch_url_decode, which reads the two characters after a `%` by sscanf("%2x") and takes more than it should
    for an escape; and the text ends at a zero byte."""
    return _ESCAPE.sub(_unescape, value).split(b"\0", 1)[0] if b"%" in value else value


_ESCAPE = re.compile(rb"%(?=\s*([+-]?)([0-9a-fA-F]{1,2}))[\s\S]{2}")
_ESCAPED = re.compile(rb"%(?=\s*[+-]?[0-9a-fA-F])(?=[\s\S]{2})")


def _unescape(match: re.Match[bytes]) -> bytes:
    sign, digits = match.groups()
    number = int(digits[:1] if sign else digits, 16)
    return bytes((-number & 0xFF if sign == b"-" else number,))
