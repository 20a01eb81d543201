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


def parse(text: bytes) -> tuple[list[bytes], list[bytes]]:
    """The names, and the values. An array is shown as the value that the header has, "ARRAY::a|:b"."""
    escaped = b"\\" in text
    if escaped:
        text = text.replace(b"\\\\", _BACKSLASH).replace(b'\\"', _QUOTE)
    pieces = text.split(b'"')
    if escaped:
        pieces = _ESCAPE.sub(_character, _CUT.join(pieces)).split(_CUT)
    if b"[" in text and b'":[' in text:  # the first is quick; the second may be a value that begins so
        return _with_arrays(pieces[1::2], pieces[2::2])
    return pieces[1::4], pieces[3::4]


def _with_arrays(strings: list[bytes], between: list[bytes]) -> tuple[list[bytes], list[bytes]]:
    """between[i] is what follows strings[i]."""
    names, values = [], []
    at = 0
    while at < len(strings):
        array = between[at] == b":["
        names.append(strings[at])
        items = [strings[at + 1]]
        at += 2
        while array and not between[at - 1].startswith(b"]"):
            items.append(strings[at])
            at += 1
        # switch_event_base_add_header: an array of one has that one's value
        values.append(b"ARRAY::" + b"|:".join(items) if len(items) > 1 else items[0])
    return names, values


_ESCAPE = re.compile(rb"\\u00([0-9a-fA-F]{2})|\\([bfnrt/])|[\x01\x02]")
_CHARACTERS = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"/": b"/"}
_PUT_ASIDE = {_QUOTE: b'"', _BACKSLASH: b"\\"}


def _character(match: re.Match[bytes]) -> bytes:
    code, letter = match.groups()
    if code:
        return bytes((int(code, 16),))
    return _CHARACTERS[letter] if letter else _PUT_ASIDE[match.group()]
