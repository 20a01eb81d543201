"""The encoder of events as maps: `#{Name => Value, body => Body}`.

A header's name and value are texts, as in the list that EventEncoder makes. An array's value, and that of a header that
occurs more than once, is a list of texts, in order. The body's key is the atom, which no header has.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

from .event import EventEncoder, url_decode
from .terms import encode_atom

ARRAY = b"ARRAY::"
"""What the value of a header that has several begins with (switch_event_base_add_header)."""
BETWEEN = b"|:"

_BODY = encode_atom("body")


class EventMapEncoder(EventEncoder):
    """binary: as EventEncoder's."""

    opening = b""

    def map(
        self, names: Sequence[bytes], values: Sequence[bytes], body: bytes | None = None, _: bytes | None = None
    ) -> bytes:
        """Without a version byte. Takes what EventEncoder.headers takes; the uuid is among the headers."""
        single = dict(zip(names, values, strict=True))
        marked = b"".join(values)
        if len(single) == len(names) and b"%" not in marked and ARRAY not in marked:
            count, pieces = len(single), self._pairs(names, values)
        else:
            count, pieces = self._each(names, values)
        if body is not None:
            count += 1
            pieces += (_BODY, self._text(body))
        return b"".join((b"t", struct.pack(">I", count), *pieces))

    def _each(self, names: Sequence[bytes], values: Sequence[bytes]) -> tuple[int, list[bytes]]:
        """How many names there are, and the pieces."""
        found: dict[bytes, list[bytes]] = {}
        lists = set()
        for name, value in zip(names, values, strict=True):
            texts = elements(value)
            if len(texts) > 1 or name in found:
                lists.add(name)
            found.setdefault(name, []).extend(texts)
        pieces: list[bytes] = []
        for name, texts in found.items():
            decoded = list(map(url_decode, texts))
            pieces += (self._learn(name), _list(self._text, decoded) if name in lists else self._text(decoded[0]))
        return len(found), pieces


def elements(value: bytes) -> list[bytes]:
    """The texts of a header's value, of which an array has several."""
    return value.removeprefix(ARRAY).split(BETWEEN) if value.startswith(ARRAY) else [value]


def _list(text: Callable[[bytes], bytes], values: Sequence[bytes]) -> bytes:
    return b"".join((b"l", struct.pack(">I", len(values)), *map(text, values), b"j"))
