"""Reads what switch_event_serialize_json writes, and nothing else that is JSON.

No JSON library will do: a header may occur twice, and its bytes need not be UTF-8. What cJSON prints without
formatting is regular enough to be cut at its quotes, which costs less than a parser that makes str of everything:
a `{`, then names and values in turn with `:` and `,` between them, where a value is a string or an array of strings.
"""

from __future__ import annotations

import re

# Escaped quotes and backslashes, put aside while the text is cut, and what is between the strings while their other
# escapes are read. None of these bytes is in the text: cJSON escapes control characters, and C has no zero byte.
_QUOTE = b"\x01"
_BACKSLASH = b"\x02"
_CUT = b"\0"


def cut(text: bytes) -> tuple[list[bytes], list[bytes]]:
    """The names, and the values. An array is shown as the value that the header has, "ARRAY::a|:b"."""
    escaped = b"\\" in text
    if escaped:
        text = text.replace(b"\\\\", _BACKSLASH).replace(b'\\"', _QUOTE)
    pieces = text.split(b'"')
    if escaped:
        pieces = _ESCAPE.sub(_character, _CUT.join(pieces)).split(_CUT)
    strings = pieces[1::2]
    if b"[" in text and b'":[' in text:  # the first is quick; the second may be a value that begins so
        _join_arrays(strings, pieces[2::2])
    return strings[0::2], strings[1::2]


def _join_arrays(strings: list[bytes], between: list[bytes]) -> None:
    """Put one string in the place of each array's strings. between[i] is what follows strings[i]."""
    first = 0
    for _ in range(between.count(b":[")):
        first = between.index(b":[", first) + 1
        last = first
        while not between[last].startswith(b"]"):
            last += 1
        # switch_event_base_add_header: an array of one has that one's value
        value = b"ARRAY::" + b"|:".join(strings[first : last + 1]) if last > first else strings[first]
        strings[first : last + 1] = [value]
        between[first - 1 : last + 1] = [b":", b","]


_ESCAPE = re.compile(rb"\\u00([0-9a-fA-F]{2})|\\([bfnrt/])|[\x01\x02]")
_CHARACTERS = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"/": b"/"}
_PUT_ASIDE = {_QUOTE: b'"', _BACKSLASH: b"\\"}


def _character(match: re.Match[bytes]) -> bytes:
    code, letter = match.groups()
    if code:
        return bytes((int(code, 16),))
    return _CHARACTERS[letter] if letter else _PUT_ASIDE[match.group()]
